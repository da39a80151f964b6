//! From a Parameters resource to operations.

use fhir_definitions::{Definitions, Fields, TypeRef};
use fhir_model::json::{Object, Value};

use super::error::{FhirPathPatchFault as Fault, PartFault};
use super::select::PatchPath;
use super::value::PatchValue;
use super::{List, Operation, OperationKind};
use crate::error::Malformed;
use crate::limits::Limits;

/// The parts that operations have.
const PARTS: [&str; 7] = ["type", "path", "name", "value", "index", "source", "destination"];

pub(super) fn operations(
    parameters: &Value,
    definitions: Definitions,
    limits: &Limits,
) -> Result<Vec<Operation>, Malformed<Fault>> {
    let whole = |fault| Malformed { operation: None, fault };
    if parameters.get("resourceType").and_then(Value::as_str) != Some("Parameters") {
        return Err(whole(Fault::NotParameters));
    }
    // Every version defines Parameters.
    let fields = part_fields(definitions).ok_or_else(|| whole(Fault::NotParameters))?;
    let items = match parameters.get("parameter") {
        None => &[],
        Some(Value::Array(items)) => items.as_slice(),
        Some(other) => return Err(whole(shape("Parameters.parameter", "an array", other))),
    };
    if items.len() > limits.operations_max {
        let operations_max = limits.operations_max;
        return Err(whole(Fault::TooManyOperations { found: items.len(), operations_max }));
    }
    let numbered = items.iter().enumerate();
    numbered
        .map(|(index, item)| {
            operation(item, fields).map_err(|fault| Malformed { operation: Some(index), fault })
        })
        .collect()
}

/// What may stand inside a parameter, and inside a part of one: the same.
pub(crate) fn part_fields(definitions: Definitions) -> Option<Fields> {
    let parameter = definitions.type_named("Parameters")?.element("parameter")?;
    parameter.types().next().map(|type_ref: TypeRef| parameter.fields_as(type_ref))
}

fn shape(element: &'static str, expected: &'static str, found: &Value) -> Fault {
    Fault::Shape { element, expected, found: found.kind() }
}

fn operation(item: &Value, fields: Fields) -> Result<Operation, Fault> {
    let object = item.as_object().ok_or_else(|| shape("Parameters.parameter", "a list of objects", item))?;
    match object.get("name") {
        Some(Value::String(name)) if name == "operation" => {}
        Some(Value::String(name)) => return Err(Fault::NotAnOperation(name.to_string())),
        _ => return Err(Fault::NotAnOperation(String::new())),
    }
    let mut parts = Parts::collect(object, fields)?;
    let name = parts.text("type")?;
    let path = PatchPath::parse(&parts.text("path")?).map_err(Fault::BadPath)?;
    let kind = match name.as_str() {
        "add" => OperationKind::Add { name: parts.text("name")?, value: parts.value()? },
        "insert" => {
            OperationKind::Insert { list: list(&path), index: parts.index("index")?, value: parts.value()? }
        }
        "delete" => OperationKind::Delete,
        "replace" => OperationKind::Replace { value: parts.value()? },
        "move" => OperationKind::Move {
            list: list(&path),
            source: parts.index("source")?,
            destination: parts.index("destination")?,
        },
        _ => return Err(Fault::UnknownType(name)),
    };
    parts.expect_none()?;
    Ok(Operation { path, kind })
}

fn list(path: &PatchPath) -> Option<List> {
    path.split_member().map(|(parent, name)| List { parent, name })
}

/// The parts of one operation that were not read yet.
struct Parts<'p> {
    fields: Fields,
    parts: Vec<(&'static str, &'p Object)>,
}

impl<'p> Parts<'p> {
    fn collect(operation: &'p Object, fields: Fields) -> Result<Self, Fault> {
        let mut parts: Vec<(&'static str, &Object)> = Vec::new();
        let items = match operation.get("part") {
            None => &[],
            Some(Value::Array(items)) => items.as_slice(),
            Some(other) => return Err(shape("Parameters.parameter.part", "an array", other)),
        };
        for item in items {
            let part = item.as_object();
            let part = part.ok_or_else(|| shape("Parameters.parameter.part", "a list of objects", item))?;
            let name = part.get("name").and_then(Value::as_str).unwrap_or_default();
            let Some(known) = PARTS.into_iter().find(|known| *known == name) else {
                return Err(Fault::Unused { part: name.to_owned() });
            };
            if parts.iter().any(|(other, _)| *other == known) {
                return Err(Fault::Repeated { part: name.to_owned() });
            }
            parts.push((known, part));
        }
        Ok(Self { fields, parts })
    }

    fn take(&mut self, name: &'static str) -> Result<PatchValue, Fault> {
        let place = self.parts.iter().position(|(found, _)| *found == name);
        let (_, part) =
            place.map(|place| self.parts.swap_remove(place)).ok_or(Fault::Missing { part: name })?;
        PatchValue::read(part, self.fields, name)
    }

    fn value(&mut self) -> Result<PatchValue, Fault> {
        self.take("value")
    }

    /// A part with a text: a string or a code, whichever the client has chosen.
    fn text(&mut self, name: &'static str) -> Result<String, Fault> {
        let value = self.take(name)?;
        let text = match &value {
            PatchValue::Typed(typed) => typed.value.as_ref().and_then(Value::as_str),
            _ => None,
        };
        text.map(str::to_owned).ok_or_else(|| wrong(name, "a string", &value))
    }

    /// A part with a place in a list.
    fn index(&mut self, name: &'static str) -> Result<usize, Fault> {
        let value = self.take(name)?;
        let number = match &value {
            PatchValue::Typed(typed) => typed.value.as_ref().and_then(Value::as_number),
            _ => None,
        };
        let number = number.filter(|number| !number.as_str().contains(['.', 'e', 'E']));
        let number = number.ok_or_else(|| wrong(name, "an integer", &value))?;
        if number.as_str().starts_with('-') && number.as_str() != "-0" {
            return Err(Fault::Part { part: name, fault: PartFault::Negative });
        }
        // Digits that no place has lie beyond the end of every list.
        Ok(number
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or(if number.as_str() == "-0" { 0 } else { usize::MAX }))
    }

    fn expect_none(&self) -> Result<(), Fault> {
        match self.parts.first() {
            Some((name, _)) => Err(Fault::Unused { part: (*name).to_owned() }),
            None => Ok(()),
        }
    }
}

fn wrong(part: &'static str, expected: &'static str, found: &PatchValue) -> Fault {
    Fault::Part { part, fault: PartFault::Type { expected, found: found.type_name() } }
}
