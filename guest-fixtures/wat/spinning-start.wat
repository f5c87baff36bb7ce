;; A node whose start function loops forever, so that no instance of it ever comes to be.
;; wit: types-core-0.6.0 component-0.6.0
;; world: greentic:component/component@0.6.0
(module
  (memory (export "memory") 1)
  (func $spin (loop $again (br $again)))
  (start $spin)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (unreachable))
  (func (export "greentic:component/node@0.6.0#describe") (result i32) (unreachable))
  (func (export "greentic:component/node@0.6.0#invoke") (param i32) (result i32) (unreachable)))
