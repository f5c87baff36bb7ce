//! A flow as its file holds it: keys, values and where they stand, whatever the format. What they mean is the
//! business of [`crate::flow::dialect`].

use std::fmt;
use std::marker::PhantomData;

use indexmap::IndexMap;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::error::Location;
use crate::id;

/// Something that was read, and line and column where the format tells them.
#[derive(Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) position: Option<(u32, u32)>,
}

/// A flow file.
#[derive(Debug)]
pub(super) struct Written {
    /// All top-level keys but `nodes`.
    pub(super) top: IndexMap<String, Placed<Value>>,
    pub(super) nodes: Option<Placed<Nodes>>,
}

/// The nodes, or how many items stand in a list of them.
#[derive(Debug)]
pub(super) enum Nodes {
    Named(Vec<(Placed<String>, Value)>),
    Listed(usize),
}

/// A format: how it wraps what it reads.
pub(super) trait Format: 'static {
    /// A value with its place.
    type Of<T: DeserializeOwned>: DeserializeOwned;

    fn open<T: DeserializeOwned>(wrapped: Self::Of<T>) -> Placed<T>;
}

/// What a deserializer of format `F` reads a flow file as.
pub(super) struct File<F> {
    pub(super) written: Written,
    format: PhantomData<F>,
}

impl<'de, F: Format> Deserialize<'de> for File<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FileVisitor(PhantomData))
    }
}

struct FileVisitor<F>(PhantomData<F>);

impl<'de, F: Format> Visitor<'de> for FileVisitor<F> {
    type Value = File<F>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flow: a mapping of `id`, `type` and `nodes`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File<F>, A::Error> {
        let mut written = Written { top: IndexMap::new(), nodes: None };
        while let Some(key) = map.next_key::<String>()? {
            let known = written.top.contains_key(&key) || key == "nodes" && written.nodes.is_some();
            if known {
                return Err(A::Error::custom(format!("the key {:?} stands twice", id::clip(&key))));
            }
            if key == "nodes" {
                let Placed { value: NodesOf(nodes, _), position } = F::open(map.next_value::<F::Of<NodesOf<F>>>()?);
                written.nodes = Some(Placed { value: nodes, position });
            } else {
                written.top.insert(key, F::open(map.next_value::<F::Of<Value>>()?));
            }
        }
        Ok(File { written, format: PhantomData })
    }
}

struct NodesOf<F>(Nodes, PhantomData<F>);

impl<'de, F: Format> Deserialize<'de> for NodesOf<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodesVisitor::<F>(PhantomData)).map(|nodes| Self(nodes, PhantomData))
    }
}

struct NodesVisitor<F>(PhantomData<F>);

impl<'de, F: Format> Visitor<'de> for NodesVisitor<F> {
    type Value = Nodes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of node ids to nodes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Nodes, A::Error> {
        let mut nodes: IndexMap<String, (Option<(u32, u32)>, Value)> = IndexMap::new();
        while let Some(key) = map.next_key::<F::Of<String>>()? {
            let Placed { value: key, position } = F::open(key);
            if nodes.contains_key(&key) {
                return Err(A::Error::custom(format!("the node {:?} stands twice", id::clip(&key))));
            }
            nodes.insert(key, (position, map.next_value()?));
        }
        let placed = |(value, (position, body))| (Placed { value, position }, body);
        Ok(Nodes::Named(nodes.into_iter().map(placed).collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Nodes, A::Error> {
        let mut count = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Nodes::Listed(count))
    }

    fn visit_unit<E>(self) -> Result<Nodes, E> {
        Ok(Nodes::Listed(0))
    }
}

impl<T> Placed<T> {
    /// The place in `file`.
    pub(super) fn at(&self, file: &str) -> Location {
        Location { file: file.to_owned(), position: self.position }
    }
}
