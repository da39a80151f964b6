//! JSON Merge Patch (RFC 7396).

use std::fmt;

use fhir_model::json::{Kind, Object, Value};

use crate::error::Malformed;

/// A JSON Merge Patch: members to set, and `null` for members to remove. Arrays are replaced as a whole.
///
/// It fits every document, and makes none that is deeper than the deeper of the two.
///
/// ```
/// use fhir_model::{json::Value, object};
/// use fhir_patch::MergePatch;
///
/// let flag = object! { "resourceType": "Flag", "status": "active", "period": object! { "start": "2024" } };
/// let patch = MergePatch::parse(object! { "status": "inactive", "period": Value::Null }.into())?;
/// let patched = patch.apply(&flag.into());
/// assert_eq!(patched.to_string(), r#"{"resourceType":"Flag","status":"inactive"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergePatch {
    patch: Object,
}

/// Why a document is no merge patch for a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergePatchFault {
    /// It is not an object, and would replace the whole resource with something that is none.
    NotAnObject(Kind),
}

impl MergePatch {
    /// Takes a patch document.
    pub fn parse(patch: Value) -> Result<Self, Malformed<MergePatchFault>> {
        match patch {
            Value::Object(patch) => Ok(Self { patch }),
            other => Err(Malformed { operation: None, fault: MergePatchFault::NotAnObject(other.kind()) }),
        }
    }

    /// The document with the patch merged into it.
    pub fn apply(&self, document: &Value) -> Value {
        merged(document.as_object(), &self.patch)
    }

    /// The patch document.
    pub fn as_object(&self) -> &Object {
        &self.patch
    }
}

/// RFC 7396 section 2, for a patch that is an object.
fn merged(document: Option<&Object>, patch: &Object) -> Value {
    // Both sorted by name: looking every member up would take quadratic time on hostile objects.
    let mut changes: Vec<(&str, &Value)> = patch.iter().collect();
    changes.sort_by_key(|(name, _)| *name);
    let change_of = |name: &str| {
        let found = changes.binary_search_by_key(&name, |(changed, _)| changed).ok()?;
        changes.get(found).map(|(_, value)| *value)
    };
    let mut kept: Vec<(&str, Value)> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for (name, old) in document.into_iter().flat_map(Object::iter) {
        names.push(name);
        match change_of(name) {
            None => kept.push((name, old.clone())),
            Some(Value::Null) => {}
            Some(change) => kept.push((name, value(old.as_object(), change))),
        }
    }
    names.sort_unstable();
    for (name, change) in patch.iter() {
        if !change.is_null() && names.binary_search(&name).is_err() {
            kept.push((name, value(None, change)));
        }
    }
    Value::Object(kept.into_iter().collect())
}

fn value(old: Option<&Object>, change: &Value) -> Value {
    match change {
        Value::Object(change) => merged(old, change),
        other => other.clone(),
    }
}

impl fmt::Display for MergePatchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject(found) => {
                write!(f, "a merge patch for a resource is an object with the members to change, not {found}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir_model::json::{Limits, parse};

    fn read(text: &str) -> Value {
        parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    /// The examples of RFC 7396 appendix A, wrapped in a member, as those need that are no objects.
    #[test]
    fn examples_of_the_standard() {
        for (document, patch, expected) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
            (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            let patch = MergePatch::parse(read(&format!(r#"{{"w":{patch}}}"#))).unwrap();
            let patched = patch.apply(&read(&format!(r#"{{"w":{document}}}"#)));
            assert_eq!(patched.to_string(), format!(r#"{{"w":{expected}}}"#));
        }
    }

    #[test]
    fn nulls_inside_arrays_stay() {
        let patch = MergePatch::parse(read(r#"{"given":[null,"b"],"x":[{"y":null}]}"#)).unwrap();
        assert_eq!(patch.apply(&read("{}")).to_string(), r#"{"given":[null,"b"],"x":[{"y":null}]}"#);
    }

    #[test]
    fn only_objects_are_patches_of_resources() {
        for (text, kind) in [("null", Kind::Null), ("[]", Kind::Array), ("\"a\"", Kind::String)] {
            let fault = MergePatch::parse(read(text)).unwrap_err().fault;
            assert_eq!(fault, MergePatchFault::NotAnObject(kind));
        }
    }
}
