//! Packs that say they are the same and are not: of one id and version, with other contents.
//!
//! `check` compares the packs that it is given. A host compares what it loads with what it has loaded, for the same tenant,
//! whose sessions and state go on with the new pack, and for others, where it only looks like what they have. It is a note:
//! who serves a pack that was built anew under its old version may mean to.

use crate::error::{Code, Error};
use crate::pack::Pack;
use crate::pack::model::PackForm;
use crate::tenant::{PackSet, Tenants};

impl Tenants {
    /// A note for each of the packs that claims to be one that is loaded already, and is another one.
    pub fn claimed(&self, set: &PackSet) -> Vec<Error> {
        set.packs().filter_map(|sourced| self.claim(&sourced.pack)).collect()
    }

    fn claim(&self, pack: &Pack) -> Option<Error> {
        // Sources change under one version all the time; and one pack has another digest in each form.
        if pack.form == PackForm::Sources {
            return None;
        }
        let differs = |other: &Pack| {
            (&other.id, &other.version, other.form) == (&pack.id, &pack.version, pack.form)
                && other.digest != pack.digest
        };
        let loaded = self.iter().filter_map(|(tenant, known)| Some((tenant, known.loaded()?)));
        let claims = loaded.filter(|(_, loaded)| loaded.set.packs().any(|other| differs(&other.pack)));
        let tenant = claims.map(|(tenant, _)| tenant).min()?;
        let message = format!(
            "pack {} {} is not the one of that version that is loaded for tenant {tenant}: their contents differ",
            pack.id, pack.version
        );
        let hint = "give each pack its own id, and raise the version whenever the content changes";
        Some(Error::new(Code::PackIdTaken, message).hint(hint))
    }
}
