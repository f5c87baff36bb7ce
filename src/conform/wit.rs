//! The host's surface as one WIT file, from the files that the bindings are generated from.

use wit_component::WitPrinter;
use wit_parser::{PackageId, Resolve};

use super::generation::{CALLED, Source};
use super::surface::{Surface, host_wit};
use crate::error::{Code, Error, Result};

/// The surface in one file: a package with the worlds `imports` (all that a component may import), `exports` (all that
/// the host calls, of which a component exports one), `everything` (both), `node` and `provider` (what new components
/// are built for), and the packages that they use.
///
/// # Errors
///
/// [`Code::Internal`] if the WIT texts that the host carries do not hold the interfaces it is built with.
pub fn surface_wit() -> Result<String> {
    let mut resolve = host_wit(&[])?;
    let package = resolve.push_source("surface.wit", &worlds()).map_err(|error| defect(&error))?;
    let nested = used(&resolve, package)?;
    let mut printer = WitPrinter::default();
    printer.print(&resolve, package, &nested).map_err(|error| defect(&error))?;
    Ok(printer.output.to_string())
}

fn worlds() -> String {
    let surface = Surface::host();
    let imports: Vec<&str> = surface.iter().flat_map(|surface| surface.imports().keys()).map(String::as_str).collect();
    let wasi: Vec<String> =
        surface.iter().flat_map(|surface| surface.wasi()).map(|name| format!("/// {name}\n")).collect();
    let called = CALLED.iter().filter(|(.., source)| *source == Source::Package);
    let called: Vec<&str> = called.map(|(name, ..)| *name).collect();
    let list = |kind: &str, names: &[&str]| names.iter().map(|name| format!("{kind} {name};\n")).collect::<String>();
    format!(
        "package greentic:runner-surface@{version};
        /// What a component may import. All of it is optional, and most of it takes a grant.
        ///
        /// Beside it, in every patch version of WASI 0.2 and over an empty context:
        ///
        {wasi}
        world imports {{ {imports} }}
        /// What the host calls. A component exports one of these, or an older contract, of which several shapes share
        /// a name, so that they cannot stand here.
        world exports {{ {exports} }}
        /// A component that uses all that there is, and can be called in every way.
        world everything {{ {imports} {exports} }}
        /// A component that flows call.
        world node {{ {imports} export greentic:component/node@0.6.0; }}
        /// A component that serves as a provider.
        world provider {{ {imports} export greentic:provider/schema-core-api@1.0.0; }}",
        version = env!("CARGO_PKG_VERSION"),
        wasi = wasi.concat(),
        imports = list("import", &imports),
        exports = list("export", &called),
    )
}

/// The packages that the worlds of `package` use, over however many others.
fn used(resolve: &Resolve, package: PackageId) -> Result<Vec<PackageId>> {
    let order = resolve.topological_packages();
    let mut used = vec![package];
    // A package stands behind those that it uses, so one walk from the end finds them all.
    for id in order.iter().rev().filter(|id| !used.contains(id)).copied().collect::<Vec<_>>() {
        let is_used = used.iter().any(|user| resolve.package_direct_deps(*user).any(|dep| dep == id));
        if is_used {
            used.push(id);
        }
    }
    used.remove(0);
    used.reverse();
    Ok(used)
}

fn defect(error: &impl std::fmt::Display) -> Error {
    Error::new(Code::Internal, format!("the surface cannot be written as WIT: {error:#}"))
}
