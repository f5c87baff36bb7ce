//! What a pack holds, for people and for scripts.

use std::fmt;

use serde::Serialize;

use crate::pack::check;
use crate::pack::model::{Generation, Pack, PackForm, PackKind};

/// A pack at a glance. Its JSON form is stable: keys are added, never renamed.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// The pack's id.
    pub id: String,
    /// A name for people.
    pub name: Option<String>,
    /// Its version.
    pub version: String,
    /// What it is for.
    pub kind: PackKind,
    /// Who published it.
    pub publisher: String,
    /// The form that it came in.
    pub form: PackForm,
    /// The generation of its manifest.
    pub generation: Option<Generation>,
    /// Its digest.
    pub digest: String,
    /// Its components.
    pub components: Vec<ComponentView>,
    /// Its flows.
    pub flows: Vec<FlowView>,
    /// Its providers.
    pub providers: Vec<ProviderView>,
    /// Secrets that it needs.
    pub secrets: Vec<SecretView>,
    /// Keys of its other extensions.
    pub extensions: Vec<String>,
    /// Its assets.
    pub assets: Vec<AssetView>,
    /// The files that sign it, which are not verified.
    pub signatures: Vec<String>,
    /// What is odd about it, as far as its declarations tell; flows that cannot run among it.
    pub notes: Vec<String>,
}

/// A component at a glance.
#[derive(Debug, Serialize)]
pub struct ComponentView {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: Option<String>,
    /// The world that it names.
    pub world: Option<String>,
    /// The operations that it names.
    pub operations: Vec<String>,
    /// The digest of its bytes.
    pub digest: String,
    /// Its bytes.
    pub size: usize,
    /// Where it was found.
    pub found_in: String,
}

/// A flow at a glance.
#[derive(Debug, Serialize)]
pub struct FlowView {
    /// Its id.
    pub id: String,
    /// What events it serves; as flow files write it.
    pub kind: String,
    /// Its title.
    pub title: Option<String>,
    /// How many nodes it has.
    pub nodes: usize,
}

/// A provider at a glance. Its configuration is not shown: it may hold what is not for everybody.
#[derive(Debug, Serialize)]
pub struct ProviderView {
    /// Its id.
    pub id: String,
    /// Its type.
    pub provider_type: String,
    /// The component that implements it.
    pub component: String,
    /// The operations that it declares.
    pub ops: Vec<String>,
    /// The world that it names.
    pub world: String,
}

/// A needed secret at a glance.
#[derive(Debug, Serialize)]
pub struct SecretView {
    /// Its name.
    pub key: String,
    /// Whether the pack works without it.
    pub required: bool,
}

/// An asset at a glance.
#[derive(Debug, Serialize)]
pub struct AssetView {
    /// Its path below `assets/`.
    pub path: String,
    /// Its bytes.
    pub size: usize,
}

/// The name of a value that serializes as text.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Inspection {
    /// Looks at a pack.
    pub fn of(pack: &Pack) -> Self {
        let components = pack.components.values().map(|component| ComponentView {
            id: component.id.to_string(),
            version: component.version.as_ref().map(ToString::to_string),
            world: component.world.clone(),
            operations: component.operations.iter().map(|operation| operation.name.clone()).collect(),
            digest: component.digest.to_string(),
            size: component.wasm.len(),
            found_in: component.found_in.clone(),
        });
        let flows = pack.flows.iter().map(|flow| FlowView {
            id: flow.id.to_string(),
            kind: word(flow.kind),
            title: flow.title.clone(),
            nodes: flow.nodes.len(),
        });
        let providers = pack.providers.values().map(|provider| ProviderView {
            id: provider.id.to_string(),
            provider_type: provider.provider_type.clone(),
            component: provider.component.to_string(),
            ops: provider.ops.clone(),
            world: provider.world.clone(),
        });
        let secrets = pack.secret_requirements.iter();
        let assets = pack.assets.below().map(|(path, bytes)| AssetView { path: path.to_owned(), size: bytes.len() });
        Self {
            id: pack.id.to_string(),
            name: pack.name.clone(),
            version: pack.version.to_string(),
            kind: pack.kind,
            publisher: pack.publisher.clone(),
            form: pack.form,
            generation: pack.generation,
            digest: pack.digest.to_string(),
            components: components.collect(),
            flows: flows.collect(),
            providers: providers.collect(),
            secrets: secrets.map(|need| SecretView { key: need.key.clone(), required: need.required }).collect(),
            extensions: pack.extensions.keys().cloned().collect(),
            assets: assets.collect(),
            signatures: pack.signatures.clone(),
            notes: check::findings(pack).iter().map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.form {
            PackForm::Archive => "archive",
            PackForm::Directory => "directory",
            PackForm::Sources => "sources",
            PackForm::Wasm => "single component",
        };
        let form = if self.generation == Some(Generation::Legacy) { format!("legacy {form}") } else { form.to_owned() };
        writeln!(f, "{} {}  ({form}, {} by {})", self.id, self.version, word(self.kind), Clean(&self.publisher))?;
        if let Some(name) = &self.name {
            writeln!(f, "{}", Clean(name))?;
        }
        writeln!(f, "{}", self.digest)?;
        section(f, "components", &self.components, |f, component| {
            let version = component.version.as_deref().unwrap_or("-");
            writeln!(f, "  {}  {version}  {} bytes", component.id, component.size)?;
            writeln!(f, "    {}", component.digest)?;
            writeln!(f, "    from {}", Clean(&component.found_in))?;
            if !component.operations.is_empty() {
                writeln!(f, "    operations: {}", Clean(&component.operations.join(", ")))?;
            }
            Ok(())
        })?;
        section(f, "flows", &self.flows, |f, flow| {
            write!(f, "  {}  {}, {} {}", flow.id, flow.kind, flow.nodes, plural(flow.nodes, "node"))?;
            if let Some(title) = &flow.title {
                write!(f, "  \"{}\"", Clean(title))?;
            }
            writeln!(f)
        })?;
        section(f, "providers", &self.providers, |f, provider| {
            writeln!(
                f,
                "  {}  of type {}, component {}",
                provider.id,
                Clean(&provider.provider_type),
                provider.component
            )?;
            if !provider.ops.is_empty() {
                writeln!(f, "    operations: {}", Clean(&provider.ops.join(", ")))?;
            }
            Ok(())
        })?;
        section(f, "secrets", &self.secrets, |f, secret| {
            writeln!(f, "  {}  {}", Clean(&secret.key), if secret.required { "required" } else { "optional" })
        })?;
        section(f, "extensions", &self.extensions, |f, key| writeln!(f, "  {}", Clean(key)))?;
        section(f, "assets", &self.assets, |f, asset| writeln!(f, "  {}  {} bytes", Clean(&asset.path), asset.size))?;
        section(f, "signatures, not verified", &self.signatures, |f, name| writeln!(f, "  {}", Clean(name)))?;
        section(f, "notes", &self.notes, |f, note| writeln!(f, "  {}", Clean(note)))
    }
}

fn section<T>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    items: &[T],
    mut item: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{title}")?;
    items.iter().try_for_each(|value| item(f, value))
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// Text of a pack for a terminal: control characters are shown, not obeyed.
struct Clean<'a>(&'a str);

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() && c != '\n' {
                write!(f, "{}", c.escape_unicode())?
            } else {
                fmt::Write::write_char(f, c)?
            }
        }
        Ok(())
    }
}
