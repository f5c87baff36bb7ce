//! Headers that a guest puts together for `wasi:http`, where they are more than one request may have.
//!
//! The implementation below ends the guest then. Its interface has an error for headers that are not taken, and a guest
//! that hears of it can go on.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::p2::HeaderError;
use wasmtime_wasi_http::p2::bindings::http::types::{self, HostFields};
use wasmtime_wasi_http::{FieldMap, FieldMapError, WasiHttpView as _};

use super::context::HostCtx;

/// The name under which the interface is linked, which fits every patch version.
const TYPES: &str = "wasi:http/types@0.2.12";

type Done<T> = wasmtime::Result<(Result<T, types::HeaderError>,)>;

/// Puts functions in place of those that add headers. The rest of the interface is linked already.
///
/// # Errors
///
/// They cannot be linked.
pub(super) fn link(linker: &mut Linker<HostCtx>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut instance = linker.instance(TYPES)?;
    instance.func_wrap(
        "[static]fields.from-list",
        |mut store: StoreContextMut<'_, HostCtx>, (entries,): (Vec<(String, Vec<u8>)>,)| -> Done<Resource<FieldMap>> {
            told(HostFields::from_list(&mut store.data_mut().http(), entries))
        },
    )?;
    instance.func_wrap(
        "[method]fields.set",
        |mut store: StoreContextMut<'_, HostCtx>,
         (fields, name, values): (Resource<FieldMap>, String, Vec<Vec<u8>>)|
         -> Done<()> { told(HostFields::set(&mut store.data_mut().http(), fields, name, values)) },
    )?;
    instance.func_wrap(
        "[method]fields.append",
        |mut store: StoreContextMut<'_, HostCtx>,
         (fields, name, value): (Resource<FieldMap>, String, Vec<u8>)|
         -> Done<()> { told(HostFields::append(&mut store.data_mut().http(), fields, name, value)) },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What a guest is told: of too many headers that they are forbidden, which is the nearest that the interface has.
fn told<T>(done: Result<T, HeaderError>) -> Done<T> {
    let error = match done {
        Ok(value) => return Ok((Ok(value),)),
        Err(error) => error.downcast(),
    };
    error.map(|error| (Err(error),)).or_else(|trap| match trap.downcast_ref() {
        Some(FieldMapError::TotalSizeTooBig | FieldMapError::TooManyFields) => {
            Ok((Err(types::HeaderError::Forbidden),))
        }
        _ => Err(trap),
    })
}
