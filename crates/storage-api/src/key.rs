//! Names of things in a store.

use core::fmt;

use compact_str::CompactString;

/// What a resource is stored under: its kind (for FHIR the resource type) and its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The resource type.
    pub kind: CompactString,
    /// The id within the type.
    pub id: CompactString,
}

impl Key {
    /// A key from its parts.
    pub fn new(kind: impl Into<CompactString>, id: impl Into<CompactString>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// Place of a version in the commit order of its partition: strictly increasing, with gaps
/// where something was purged. A number never changes its meaning, so it can key a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(pub u64);

/// Names one request across crashes: every version row stores the request that wrote it, so
/// that an unknown commit outcome can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub [u8; 16]);
