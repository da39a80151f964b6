//! A resource whose top level has been checked.

use std::fmt;

use crate::id::{Id, ResourceKey, TypeName, TypeNameError};
use crate::json::{Kind, Object, Value};
use crate::splice::{StoredBody, StripError};

/// A tree that is a resource as far as the top level tells.
///
/// `resourceType` is a string that can name a type, `id` is a string or missing, `meta` an object
/// or missing. Whether the type exists, the id is allowed and the content is valid are questions
/// for those who know the FHIR version and the interaction.
///
/// ```
/// use fhir_model::{Id, Resource, object};
///
/// let mut flag = Resource::from_value(object! { "resourceType": "Flag", "status": "active" }.into()).unwrap();
/// flag.set_id(&Id::parse("ra-1").unwrap());
/// assert_eq!(flag.object().to_string(), r#"{"resourceType":"Flag","id":"ra-1","status":"active"}"#);
/// assert_eq!(flag.key().unwrap().to_string(), "Flag/ra-1");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    resource_type: TypeName,
    object: Object,
}

/// Why a tree is no resource: what was found, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResourceError {
    /// The tree is not an object.
    NotAnObject(Kind),
    /// There is no `resourceType`.
    TypeMissing,
    /// `resourceType` is not a string.
    TypeNotAString(Kind),
    /// `resourceType` is a string that names no type; at most 64 characters of it.
    BadType {
        /// The string.
        found: String,
        /// What is wrong with it.
        error: TypeNameError,
    },
    /// `id` is not a string.
    IdNotAString {
        /// The type of the resource.
        resource_type: TypeName,
        /// What it is.
        found: Kind,
    },
    /// `meta` is not an object.
    MetaNotAnObject {
        /// The type of the resource.
        resource_type: TypeName,
        /// What it is.
        found: Kind,
    },
}

/// A code in `meta.tag` or `meta.security`; what is not a string counts as missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaCoding<'a> {
    /// The code system.
    pub system: Option<&'a str>,
    /// The code.
    pub code: Option<&'a str>,
}

impl Resource {
    /// A resource that has a type and nothing else.
    pub fn new(resource_type: TypeName) -> Self {
        let mut object = Object::new();
        object.insert("resourceType", resource_type.as_str());
        Self { resource_type, object }
    }

    /// Checks the top level of a tree.
    pub fn from_value(value: Value) -> Result<Self, ResourceError> {
        let object = match value {
            Value::Object(object) => object,
            other => return Err(ResourceError::NotAnObject(other.kind())),
        };
        let resource_type = match object.get("resourceType") {
            None => return Err(ResourceError::TypeMissing),
            Some(Value::String(name)) => TypeName::parse(name)
                .map_err(|error| ResourceError::BadType { found: name.chars().take(64).collect(), error })?,
            Some(other) => return Err(ResourceError::TypeNotAString(other.kind())),
        };
        match object.get("id") {
            None | Some(Value::String(_)) => {}
            Some(other) => return Err(ResourceError::IdNotAString { resource_type, found: other.kind() }),
        }
        match object.get("meta") {
            None | Some(Value::Object(_)) => {}
            Some(other) => return Err(ResourceError::MetaNotAnObject { resource_type, found: other.kind() }),
        }
        Ok(Self { resource_type, object })
    }

    /// The type.
    pub fn resource_type(&self) -> &TypeName {
        &self.resource_type
    }

    /// The id as written; it may be none that FHIR allows.
    pub fn id(&self) -> Option<&str> {
        self.object.get("id")?.as_str()
    }

    /// Type and id, if there is an id that FHIR allows.
    pub fn key(&self) -> Option<ResourceKey> {
        Some(ResourceKey::new(self.resource_type.clone(), Id::parse(self.id()?).ok()?))
    }

    /// Sets the id. A new one is put right behind `resourceType`.
    pub fn set_id(&mut self, id: &Id) {
        let behind_type = self.object.position("resourceType").map_or(0, |position| position + 1);
        self.object.insert_at(behind_type, "id", id.as_str());
    }

    /// Removes the id and gives what it was.
    pub fn remove_id(&mut self) -> Option<Value> {
        self.object.remove("id")
    }

    /// `meta.versionId`, if it is a string.
    pub fn meta_version_id(&self) -> Option<&str> {
        self.meta()?.get("versionId")?.as_str()
    }

    /// The canonical URLs in `meta.profile`; what is no string is left out.
    pub fn profiles(&self) -> impl Iterator<Item = &str> {
        self.meta_items("profile").iter().filter_map(Value::as_str)
    }

    /// The codes in `meta.tag`; what is no object is left out.
    pub fn tags(&self) -> impl Iterator<Item = MetaCoding<'_>> {
        self.meta_items("tag").iter().filter_map(Value::as_object).map(|coding| MetaCoding {
            system: coding.get("system").and_then(Value::as_str),
            code: coding.get("code").and_then(Value::as_str),
        })
    }

    /// The tree.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The tree, to be changed and checked again.
    pub fn into_value(self) -> Value {
        Value::Object(self.object)
    }

    /// The body to store: [`StoredBody::from_tree`].
    pub fn stored_body(&self) -> Result<StoredBody, StripError> {
        StoredBody::from_tree(&self.object)
    }

    fn meta(&self) -> Option<&Object> {
        self.object.get("meta")?.as_object()
    }

    fn meta_items(&self, name: &str) -> &[Value] {
        self.meta().and_then(|meta| meta.get(name)?.as_array()).unwrap_or_default()
    }
}

impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject(found) => write!(f, "a resource is a JSON object, not {found}"),
            Self::TypeMissing => f.write_str("a resource names its type: add the member resourceType"),
            Self::TypeNotAString(found) => write!(f, "resourceType is a string, not {found}"),
            Self::BadType { found, error } => write!(f, "resourceType {found:?}: {error}"),
            Self::IdNotAString { resource_type, found } => {
                write!(f, "{resource_type}.id is a string, not {found}")
            }
            Self::MetaNotAnObject { resource_type, found } => {
                write!(f, "{resource_type}.meta is an object, not {found}")
            }
        }
    }
}

impl std::error::Error for ResourceError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    fn resource(text: &str) -> Result<Resource, ResourceError> {
        Resource::from_value(parse(text.as_bytes(), &Limits::default()).unwrap())
    }

    #[test]
    fn the_top_level_is_checked() {
        let flag = || TypeName::parse("Flag").unwrap();
        for (text, error) in [
            ("[]", ResourceError::NotAnObject(Kind::Array)),
            ("1", ResourceError::NotAnObject(Kind::Number)),
            ("{}", ResourceError::TypeMissing),
            (r#"{"resourceType":1}"#, ResourceError::TypeNotAString(Kind::Number)),
            (
                r#"{"resourceType":"flag"}"#,
                ResourceError::BadType { found: "flag".into(), error: TypeNameError::BadStart('f') },
            ),
            (
                r#"{"resourceType":""}"#,
                ResourceError::BadType { found: String::new(), error: TypeNameError::Empty },
            ),
            (
                r#"{"resourceType":"Flag","id":1}"#,
                ResourceError::IdNotAString { resource_type: flag(), found: Kind::Number },
            ),
            (
                r#"{"resourceType":"Flag","id":null}"#,
                ResourceError::IdNotAString { resource_type: flag(), found: Kind::Null },
            ),
            (
                r#"{"resourceType":"Flag","meta":[]}"#,
                ResourceError::MetaNotAnObject { resource_type: flag(), found: Kind::Array },
            ),
        ] {
            assert_eq!(resource(text), Err(error), "for {text}");
        }
        assert_eq!(
            resource(r#"{"resourceType":"Flag","id":{}}"#).unwrap_err().to_string(),
            "Flag.id is a string, not an object"
        );
    }

    #[test]
    fn an_id_is_replaced_in_place_and_added_behind_the_type() {
        let id = Id::parse("new").unwrap();
        for (before, after) in [
            (r#"{"resourceType":"Flag","a":1}"#, r#"{"resourceType":"Flag","id":"new","a":1}"#),
            (r#"{"a":1,"resourceType":"Flag","b":1}"#, r#"{"a":1,"resourceType":"Flag","id":"new","b":1}"#),
            (r#"{"resourceType":"Flag","a":1,"id":"x y"}"#, r#"{"resourceType":"Flag","a":1,"id":"new"}"#),
        ] {
            let mut flag = resource(before).unwrap();
            flag.set_id(&id);
            assert_eq!(flag.object().to_string(), after);
            assert_eq!(flag.key().unwrap().to_string(), "Flag/new");
            assert_eq!(flag.remove_id(), Some(Value::from("new")));
            assert_eq!((flag.id(), flag.key()), (None, None));
        }
        let bad_id = resource(r#"{"resourceType":"Flag","id":"x y"}"#).unwrap();
        assert_eq!((bad_id.id(), bad_id.key()), (Some("x y"), None));
    }

    #[test]
    fn meta_is_read_and_what_does_not_belong_is_passed_over() {
        let flag = resource(
            r#"{"resourceType":"Flag","meta":{"versionId":"3","profile":["p",1,"q"],
                "tag":[{"system":"s","code":"SUBSETTED"},"x",{"code":5}]}}"#,
        )
        .unwrap();
        assert_eq!(flag.meta_version_id(), Some("3"));
        assert_eq!(flag.profiles().collect::<Vec<_>>(), ["p", "q"]);
        let tags: Vec<_> = flag.tags().map(|tag| (tag.system, tag.code)).collect();
        assert_eq!(tags, [(Some("s"), Some("SUBSETTED")), (None, None)]);
        let bare =
            resource(r#"{"resourceType":"Flag","meta":{"profile":"p","tag":{},"versionId":3}}"#).unwrap();
        assert_eq!((bare.profiles().count(), bare.tags().count(), bare.meta_version_id()), (0, 0, None));
        assert_eq!(Resource::new(TypeName::parse("Flag").unwrap()).profiles().count(), 0);
    }
}
