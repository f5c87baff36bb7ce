//! Interfaces that components in circulation import and this version of the host does not offer: what comes nearest, and
//! what can be done. To remove such an import is rarely in the hands of who runs the component.

use super::names::split_version;
use super::surface::Surface;

/// What stands in the place of an interface, and what it is about.
pub(super) struct Absent {
    /// The nearest that the host offers, without version; none if nothing comes near.
    nearest: Option<&'static str>,
    hint: &'static str,
}

/// Interfaces by name, without version; a name that ends in `/` stands for all of its package.
const ABSENT: &[(&[&str], Absent)] = &[
    (
        &["wasix:mcp/"],
        Absent {
            nearest: None,
            hint: "the host calls MCP routers as tools that the tenant's bindings name, and links none to another \
                   component. Compose the component with its router before it is put into the pack, as pack tools do (`wac plug`): what comes out has no such import",
        },
    ),
    #[cfg(not(feature = "mcp"))]
    (
        &["greentic:host-import/mcp"],
        Absent {
            nearest: None,
            hint: "this host was built without the feature `mcp`, and calls no tools for components. Build it with \
                   `--features mcp`",
        },
    ),
];

/// What can be done about the interface `name`, if it is one of these, and the full name of the nearest that `surface`
/// offers.
pub(super) fn find(name: &str, surface: &Surface) -> Option<(Option<String>, &'static str)> {
    let (interface, _) = split_version(name);
    let is_meant = |known: &str| if known.ends_with('/') { interface.starts_with(known) } else { interface == known };
    let (_, absent) = ABSENT.iter().find(|(names, _)| names.iter().any(|known| is_meant(known)))?;
    let mut offered = surface.imports().keys().chain(surface.wasi());
    let nearest = absent.nearest.and_then(|nearest| offered.rfind(|offered| split_version(offered).0 == nearest));
    Some((nearest.cloned(), absent.hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_offers_is_not_called_absent_and_the_nearest_is_there() {
        let surface = Surface::host().unwrap();
        for (names, absent) in ABSENT {
            for name in *names {
                let offered =
                    |known: &&String| split_version(known).0 == *name || name.ends_with('/') && known.starts_with(name);
                assert_eq!(surface.imports().keys().find(offered), None, "it is offered now: take it off the list");
                let imported = if name.ends_with('/') { format!("{name}x@1.0.0") } else { format!("{name}@1.0.0") };
                let (nearest, hint) = find(&imported, surface).unwrap();
                assert_eq!((nearest.is_some(), hint), (absent.nearest.is_some(), absent.hint), "{name}");
            }
            assert!(!absent.hint.contains("  "), "{}", absent.hint);
        }
        assert!(find("greentic:http-extra/client@1.0.0", surface).is_none());
    }
}
