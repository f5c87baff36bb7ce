;; A component that imports and exports nothing, as some published packs hold.
(component)
