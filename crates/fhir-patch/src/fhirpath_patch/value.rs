//! Values as Parameters carry them.

use fhir_definitions::{Fields, TypeDef};
use fhir_model::json::{Object, Value};

use super::error::{FhirPathPatchFault, PartFault};

/// What a part holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PatchValue {
    /// A value of a type that Parameters can carry.
    Typed(TypedValue),
    /// The elements of a value that Parameters cannot carry as such: backbone elements above all.
    Parts(Vec<(String, PatchValue)>),
    /// A resource, with its type.
    Resource(Value, TypeDef),
}

/// A value with its type, and the id and extensions of a primitive.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TypedValue {
    pub(super) type_def: TypeDef,
    pub(super) value: Option<Value>,
    pub(super) extra: Option<Value>,
}

impl PatchValue {
    /// Reads a part with that name. `fields` are those of a part in Parameters.
    pub(super) fn read(
        part: &Object,
        fields: Fields,
        name: &'static str,
    ) -> Result<Self, FhirPathPatchFault> {
        read(part, fields).map_err(|fault| FhirPathPatchFault::Part { part: name, fault })
    }

    /// What to call its type.
    pub(super) fn type_name(&self) -> String {
        match self {
            Self::Typed(typed) => typed.type_def.name().to_owned(),
            Self::Parts(_) => "a value given as parts".to_owned(),
            Self::Resource(_, type_def) => type_def.name().to_owned(),
        }
    }
}

fn read(part: &Object, fields: Fields) -> Result<PatchValue, PartFault> {
    let mut typed: Option<TypedValue> = None;
    let mut others = Vec::new();
    for (member, value) in part.iter() {
        let plain = member.strip_prefix('_').unwrap_or(member);
        match plain {
            "name" | "id" | "extension" | "modifierExtension" => {}
            "part" => others.push(PatchValue::Parts(parts(value, fields)?)),
            "resource" => others.push(resource(value, fields)?),
            _ if plain.starts_with("value") => {
                let known = fields.resolve_json_name(plain).filter(|(element, _)| element.is_choice());
                let Some((_, type_ref)) = known else {
                    return Err(PartFault::UnknownValue(plain.to_owned()));
                };
                let type_def = type_ref.type_def();
                let slot = typed.get_or_insert(TypedValue { type_def, value: None, extra: None });
                if slot.type_def != type_def {
                    return Err(PartFault::Several);
                }
                let half = if plain == member { &mut slot.value } else { &mut slot.extra };
                *half = Some(value.clone());
            }
            _ => return Err(PartFault::UnknownValue(plain.to_owned())),
        }
    }
    let mut found = typed.map(PatchValue::Typed).into_iter().chain(others);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(PartFault::Empty),
        (Some(_), Some(_)) => Err(PartFault::Several),
    }
}

fn parts(value: &Value, fields: Fields) -> Result<Vec<(String, PatchValue)>, PartFault> {
    let wrong = |expected, found: &Value| PartFault::Type { expected, found: found.kind().to_string() };
    let items = value.as_array().ok_or_else(|| wrong("a list of parts", value))?;
    let mut parts = Vec::with_capacity(items.len());
    for item in items {
        let part = item.as_object().ok_or_else(|| wrong("a list of parts", item))?;
        let name = part.get("name").and_then(Value::as_str);
        let name = name.ok_or_else(|| wrong("a list of parts with names", item))?;
        parts.push((name.to_owned(), read(part, fields)?));
    }
    if parts.is_empty() { Err(PartFault::Empty) } else { Ok(parts) }
}

fn resource(value: &Value, fields: Fields) -> Result<PatchValue, PartFault> {
    let named = value.get("resourceType").and_then(Value::as_str);
    let type_def = named.and_then(|name| fields.type_def().definitions().resource_type(name));
    type_def.map(|type_def| PatchValue::Resource(value.clone(), type_def)).ok_or(PartFault::UnknownResource)
}
