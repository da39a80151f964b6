//! From a patch document to operations.

use fhir_model::json::{Kind, Object, Value};

use super::{JsonOperation, JsonPatchFault};
use crate::error::Malformed;
use crate::limits::Limits;
use crate::pointer::Pointer;

pub(super) fn operations(
    patch: &Value,
    limits: &Limits,
) -> Result<Vec<JsonOperation>, Malformed<JsonPatchFault>> {
    let whole = |fault| Malformed { operation: None, fault };
    let items = patch.as_array().ok_or_else(|| whole(JsonPatchFault::NotAnArray(patch.kind())))?;
    if items.len() > limits.operations_max {
        let operations_max = limits.operations_max;
        return Err(whole(JsonPatchFault::TooManyOperations { found: items.len(), operations_max }));
    }
    let numbered = items.iter().enumerate();
    numbered
        .map(|(index, item)| operation(item).map_err(|fault| Malformed { operation: Some(index), fault }))
        .collect()
}

fn operation(item: &Value) -> Result<JsonOperation, JsonPatchFault> {
    let object = item.as_object().ok_or(JsonPatchFault::NotAnObject(item.kind()))?;
    let name = text(object, "op")?;
    let path = || pointer(object, "path");
    Ok(match name {
        "add" => JsonOperation::Add { path: path()?, value: value(object)? },
        "remove" => JsonOperation::Remove { path: path()? },
        "replace" => JsonOperation::Replace { path: path()?, value: value(object)? },
        "move" => {
            let (from, path) = (pointer(object, "from")?, path()?);
            if from.contains(&path) {
                return Err(JsonPatchFault::IntoItself);
            }
            JsonOperation::Move { from, path }
        }
        "copy" => JsonOperation::Copy { from: pointer(object, "from")?, path: path()? },
        "test" => JsonOperation::Test { path: path()?, value: value(object)? },
        other => return Err(JsonPatchFault::UnknownOperation(other.to_owned())),
    })
}

fn member<'p>(object: &'p Object, name: &'static str) -> Result<&'p Value, JsonPatchFault> {
    object.get(name).ok_or(JsonPatchFault::Missing { member: name })
}

fn text<'p>(object: &'p Object, name: &'static str) -> Result<&'p str, JsonPatchFault> {
    let value = member(object, name)?;
    let found: Kind = value.kind();
    value.as_str().ok_or(JsonPatchFault::NotAString { member: name, found })
}

fn pointer(object: &Object, name: &'static str) -> Result<Pointer, JsonPatchFault> {
    text(object, name)?.parse().map_err(|fault| JsonPatchFault::BadPointer { member: name, fault })
}

fn value(object: &Object) -> Result<Value, JsonPatchFault> {
    member(object, "value").cloned()
}
