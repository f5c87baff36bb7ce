//! Overlays: the packs of one tenant, put together as one.
//!
//! Packs are laid over each other in their order. A later one replaces flows by id and assets by path, and adds flows,
//! assets, components and providers. The whole goes under the id, version and name of the first, the *main pack*, so
//! that what a session began with it goes on whatever overlays come and go.
//!
//! What two packs say differently and no order decides is an error that names both: a component's bytes, a provider's
//! declaration, a pack that stands there twice, and a second flow where events are to start the only one.

mod flows;

use std::collections::HashMap;
use std::fmt;

use indexmap::map::Entry;
use sha2::{Digest as _, Sha256};

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::pack::model::{Digest, Pack, PackComponent, ProviderDecl, SecretRequirement};
use crate::pack::names::Distinct;

/// The most overlays that a tenant may have.
pub const MAX_OVERLAYS: usize = 64;

/// Which pack something is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackIdentity {
    /// The pack's id.
    pub id: Id,
    /// Its version.
    pub version: semver::Version,
    /// Its digest.
    pub digest: Digest,
}

/// Packs as one.
#[derive(Debug)]
pub struct Merged {
    /// The main pack with what the overlays add and replace. Its digest is the main pack's own.
    pub pack: Pack,
    /// The packs that it is made of, the main pack first.
    pub packs: Vec<PackIdentity>,
    /// The places of the packs of what the main pack does not have.
    components: HashMap<Id, usize>,
    providers: HashMap<Id, usize>,
    flows: HashMap<Id, usize>,
}

/// Lays packs over each other, the main pack first. Flows are left out: [`Merged::add_flows`] takes them.
///
/// # Errors
///
/// All that the packs leave open between them, with the packs' names.
pub fn merge(packs: &[&Pack]) -> Result<Merged> {
    let Some((main, overlays)) = packs.split_first() else {
        return Err(Error::new(Code::Internal, "a tenant without a pack has nothing to merge"));
    };
    if overlays.len() > MAX_OVERLAYS {
        let message = format!("{} overlays lie over pack {}; the limit is {MAX_OVERLAYS}", overlays.len(), main.id);
        return Err(Error::new(Code::TooLarge, message).hint("put what they change into fewer packs"));
    }
    let identities: Vec<_> = packs.iter().map(|pack| PackIdentity::of(pack)).collect();
    refuse(distinct(&identities))?;
    let mut merged = Merged {
        pack: Pack { flows: Vec::new(), ..(*main).clone() },
        packs: identities,
        components: HashMap::new(),
        providers: HashMap::new(),
        flows: HashMap::new(),
    };
    let mut findings = Vec::new();
    for (at, overlay) in packs.iter().enumerate().skip(1) {
        merged.lay_over(at, overlay, &mut findings);
    }
    refuse(findings)?;
    Ok(merged)
}

/// One digest over packs in their order; a single pack's is its own.
pub fn digest_of(packs: &[Digest]) -> Digest {
    if let [only] = packs {
        return *only;
    }
    let mut hasher = Sha256::new_with_prefix(b"greentic packs\n");
    packs.iter().for_each(|digest| hasher.update(digest.0));
    Digest(hasher.finalize().into())
}

impl Merged {
    /// The digest of all packs in their order.
    pub fn digest(&self) -> Digest {
        digest_of(&self.packs.iter().map(|pack| pack.digest).collect::<Vec<_>>())
    }

    /// The place of the pack that component `id` came with; that of the first pack if several hold it.
    pub fn pack_of_component(&self, id: &str) -> usize {
        self.components.get(id).copied().unwrap_or_default()
    }

    /// The place of the pack that provider `id` came with.
    pub fn pack_of_provider(&self, id: &str) -> usize {
        self.providers.get(id).copied().unwrap_or_default()
    }

    /// How messages call the pack at this place.
    pub fn named(&self, at: usize) -> String {
        self.packs.get(at).map(|pack| Named(at, pack).to_string()).unwrap_or_default()
    }

    /// An error about something that came with the pack at this place. The main pack goes without saying.
    #[must_use]
    pub fn about(&self, at: usize, error: Error) -> Error {
        if at == 0 { error } else { error.about(self.named(at)) }
    }

    fn lay_over(&mut self, at: usize, overlay: &Pack, findings: &mut Vec<Error>) {
        for component in overlay.components.values() {
            findings.extend(self.add_component(at, component));
        }
        for provider in overlay.providers.values() {
            findings.extend(self.add_provider(at, provider));
        }
        match self.collision(at, overlay) {
            Some(finding) => findings.push(finding),
            None => self.pack.assets = self.pack.assets.overlaid(&overlay.assets),
        }
        overlay.secret_requirements.iter().for_each(|secret| self.add_secret(secret));
        let notes: Vec<_> = overlay.notes.iter().map(|note| self.about(at, note.clone())).collect();
        self.pack.notes.extend(notes);
    }

    /// Adds a component. The same bytes under the same id are the same component.
    fn add_component(&mut self, at: usize, component: &PackComponent) -> Option<Error> {
        match self.pack.components.entry(component.id.clone()) {
            Entry::Vacant(vacant) => {
                self.components.insert(component.id.clone(), at);
                vacant.insert(component.clone());
                None
            }
            Entry::Occupied(mut occupied) => {
                let known = occupied.get_mut();
                if known.digest == component.digest {
                    let names: Vec<_> = known.operations.iter().map(|op| op.name.clone()).collect();
                    let new = component.operations.iter().filter(|op| !names.contains(&op.name));
                    known.operations.extend(new.cloned());
                    return None;
                }
                let digest = known.digest;
                let (id, first) = (&component.id, self.pack_of_component(&component.id));
                let message = format!(
                    "component {id:?} is {digest} in {} and {} in {}",
                    self.named(first),
                    component.digest,
                    self.named(at)
                );
                Some(
                    Error::new(Code::OverlayComponent, message).in_file(&component.found_in).hint(
                        "no order decides between components: give the overlay's an id of its own and let its flows name that",
                    ),
                )
            }
        }
    }

    /// Adds a provider. The same declaration under the same id is the same provider.
    fn add_provider(&mut self, at: usize, provider: &ProviderDecl) -> Option<Error> {
        match self.pack.providers.entry(provider.id.clone()) {
            Entry::Vacant(vacant) => {
                self.providers.insert(provider.id.clone(), at);
                vacant.insert(provider.clone());
                None
            }
            Entry::Occupied(occupied) if occupied.get() == provider => None,
            Entry::Occupied(_) => {
                let (id, first) = (&provider.id, self.pack_of_provider(&provider.id));
                let (first, other) = (self.named(first), self.named(at));
                let message = format!("provider {id:?} is declared differently by {first} and {other}");
                Some(
                    Error::new(Code::OverlayProvider, message)
                        .hint("give the overlay's provider a provider_id of its own, and name that in its flows"),
                )
            }
        }
    }

    /// Whether assets of `overlay` cannot lie beside those that are there: names that differ only in case, or a file
    /// where another needs a folder.
    fn collision(&self, at: usize, overlay: &Pack) -> Option<Error> {
        let mut distinct = Distinct::default();
        let new = overlay.assets.iter().filter(|(path, _)| self.pack.assets.get(path).is_none());
        let mut all = self.pack.assets.iter().chain(new);
        let error = all.find_map(|(path, _)| distinct.add(path, false).err())?;
        let message = format!("{} does not fit over the packs below it", self.named(at));
        let hint = format!("name it as {} does to replace it, or quite differently", self.named(0));
        Some(Error::new(Code::OverlayAsset, message).in_file(&overlay.path).hint(hint).with_details(vec![error]))
    }

    fn add_secret(&mut self, secret: &SecretRequirement) {
        match self.pack.secret_requirements.iter_mut().find(|known| known.key == secret.key) {
            Some(known) => known.required |= secret.required,
            None => self.pack.secret_requirements.push(secret.clone()),
        }
    }
}

/// What stands there twice.
fn distinct(packs: &[PackIdentity]) -> Vec<Error> {
    let mut findings = Vec::new();
    for (at, pack) in packs.iter().enumerate() {
        let same = |other: &PackIdentity| other.id == pack.id || other.digest == pack.digest;
        let Some(first) = packs.iter().take(at).position(same) else { continue };
        let Some(other) = packs.get(first) else { continue };
        let message = format!(
            "{} ({}) cannot lie over {} ({}): they are one pack",
            Named(at, pack),
            pack.digest,
            Named(first, other),
            other.digest
        );
        findings.push(
            Error::new(Code::OverlayRepeated, message)
                .hint("name each pack once; an overlay is a pack of its own, with an id of its own"),
        );
    }
    findings
}

fn refuse(findings: Vec<Error>) -> Result<()> {
    let Some(first) = findings.first() else { return Ok(()) };
    let code = first.code();
    Err(Error::from_many(code, "the packs of the tenant do not fit over each other", findings))
}

/// A pack as messages call it.
struct Named<'a>(usize, &'a PackIdentity);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0 == 0 { "pack" } else { "overlay" };
        write!(f, "{kind} {} {}", self.1.id, self.1.version)
    }
}

impl PackIdentity {
    /// Which pack `pack` is.
    pub fn of(pack: &Pack) -> Self {
        Self { id: pack.id.clone(), version: pack.version.clone(), digest: pack.digest }
    }
}

#[cfg(test)]
mod tests;
