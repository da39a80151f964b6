//! JSON Patch (RFC 6902).

mod apply;
mod error;
mod parse;

use std::fmt;

use fhir_model::json::{Object, Value};

pub use self::error::{JsonPatchFault, JsonPatchRefusal};
use crate::error::{Malformed, NotApplicable};
use crate::limits::Limits;
use crate::pointer::Pointer;

/// A JSON Patch: operations that are applied in order, all of them or none.
///
/// ```
/// use fhir_model::{array, object};
/// use fhir_patch::{JsonPatch, JsonPatchRefusal, Limits};
///
/// let limits = Limits::default();
/// let patch = JsonPatch::parse(
///     &array![
///         object! { "op": "test", "path": "/meta/versionId", "value": "3" },
///         object! { "op": "replace", "path": "/status", "value": "inactive" },
///     ],
///     &limits,
/// )?;
/// let flag = object! { "resourceType": "Flag", "meta": object! { "versionId": "3" }, "status": "active" };
/// let patched = patch.apply(&flag.into(), &limits)?;
/// assert_eq!(patched.get("status").and_then(|status| status.as_str()), Some("inactive"));
///
/// let newer = object! { "resourceType": "Flag", "meta": object! { "versionId": "4" }, "status": "active" };
/// let refused = patch.apply(&newer.into(), &limits).unwrap_err();
/// assert_eq!((refused.operation, refused.refusal), (0, JsonPatchRefusal::TestFailed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JsonPatch {
    operations: Vec<JsonOperation>,
}

/// One operation (RFC 6902 section 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonOperation {
    /// Sets a member, or inserts an item before the one at the index (`-`: after the last).
    Add {
        /// Where.
        path: Pointer,
        /// What.
        value: Value,
    },
    /// Removes what is there.
    Remove {
        /// Where.
        path: Pointer,
    },
    /// Puts another value in the place of what is there.
    Replace {
        /// Where.
        path: Pointer,
        /// What.
        value: Value,
    },
    /// Removes a value and adds it at another place.
    Move {
        /// From where.
        from: Pointer,
        /// Where to, once it was removed.
        path: Pointer,
    },
    /// Adds a copy of a value at another place.
    Copy {
        /// From where.
        from: Pointer,
        /// Where to.
        path: Pointer,
    },
    /// Refuses the patch unless this value is there; numbers are compared by value.
    Test {
        /// Where.
        path: Pointer,
        /// What.
        value: Value,
    },
}

impl JsonPatch {
    /// Reads a patch document: an array of operations. Members that an operation does not have are ignored, as the
    /// standard wants.
    pub fn parse(patch: &Value, limits: &Limits) -> Result<Self, Malformed<JsonPatchFault>> {
        parse::operations(patch, limits).map(|operations| Self { operations })
    }

    /// The document after all operations.
    pub fn apply(&self, document: &Value, limits: &Limits) -> Result<Value, NotApplicable<JsonPatchRefusal>> {
        apply::apply(&self.operations, document, limits)
    }

    /// The operations.
    pub fn operations(&self) -> &[JsonOperation] {
        &self.operations
    }

    /// The patch document.
    pub fn to_value(&self) -> Value {
        self.operations.iter().map(JsonOperation::to_object).collect()
    }
}

impl FromIterator<JsonOperation> for JsonPatch {
    fn from_iter<I: IntoIterator<Item = JsonOperation>>(operations: I) -> Self {
        Self { operations: operations.into_iter().collect() }
    }
}

impl JsonOperation {
    /// The value of `op`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "add",
            Self::Remove { .. } => "remove",
            Self::Replace { .. } => "replace",
            Self::Move { .. } => "move",
            Self::Copy { .. } => "copy",
            Self::Test { .. } => "test",
        }
    }

    /// Where it works.
    pub const fn path(&self) -> &Pointer {
        match self {
            Self::Add { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Move { path, .. }
            | Self::Copy { path, .. }
            | Self::Test { path, .. } => path,
        }
    }

    /// The operation as it stands in a patch document.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new();
        object.insert("op", self.name());
        if let Self::Move { from, .. } | Self::Copy { from, .. } = self {
            object.insert("from", from.to_string());
        }
        object.insert("path", self.path().to_string());
        if let Self::Add { value, .. } | Self::Replace { value, .. } | Self::Test { value, .. } = self {
            object.insert("value", value.clone());
        }
        object
    }
}

impl fmt::Display for JsonPatch {
    /// Prints the patch document without white space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_value().fmt(f)
    }
}

#[cfg(test)]
mod tests;
