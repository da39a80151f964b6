//! From the type that a value is given with to the type of the element that it is for.

use fhir_definitions::{JsonShape, Primitive, TypeDef, TypeKind};
use fhir_model::json::{Number, Value};
use fhir_model::{Id, Instant, Interval, Precision};
use fhirpath::Time;

/// Whether a value of one type may be given for an element of the other. The text is checked when it is converted.
pub(super) fn is_accepted(given: TypeDef, wanted: TypeDef) -> bool {
    if given == wanted {
        return true;
    }
    match (given.kind(), wanted.kind()) {
        (TypeKind::Primitive(given), TypeKind::Primitive(wanted)) => is_accepted_primitive(given, wanted),
        // `Element.id` and the `url` of extensions have system types in R4 and later.
        (TypeKind::Primitive(given), TypeKind::System) => family(given) == Family::Text,
        // A type may stand for the one that it specialises: an Age where a Quantity is wanted.
        (TypeKind::Complex, TypeKind::Complex) => given.is_a(wanted),
        _ => false,
    }
}

/// Whether both say the same about a value, so that either may be meant where only the other is allowed.
pub(super) fn is_close(given: TypeDef, wanted: TypeDef) -> bool {
    match (given.primitive(), wanted.primitive()) {
        (Some(given), Some(wanted)) => family(given) == family(wanted) && family(given) != Family::Time,
        _ => false,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Text,
    Number,
    Moment,
    Time,
    Boolean,
}

fn family(primitive: Primitive) -> Family {
    match primitive {
        Primitive::Boolean => Family::Boolean,
        Primitive::Decimal
        | Primitive::Integer
        | Primitive::Integer64
        | Primitive::PositiveInt
        | Primitive::UnsignedInt => Family::Number,
        Primitive::Date | Primitive::DateTime | Primitive::Instant => Family::Moment,
        Primitive::Time => Family::Time,
        _ => Family::Text,
    }
}

/// Text may be meant as anything that is written as it; other values stay among their own.
fn is_accepted_primitive(given: Primitive, wanted: Primitive) -> bool {
    family(given) == Family::Text || family(given) == family(wanted)
}

/// The JSON value of a primitive as a value of another type; none if it is not written as one.
pub(super) fn convert(value: &Value, given: TypeDef, wanted: TypeDef) -> Option<Value> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Number(number) => number.as_str(),
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    let Some(primitive) = wanted.primitive() else {
        // A system type: a text.
        return value.as_str().map(Value::from);
    };
    let is_shaped = match (primitive.json_shape(), value) {
        (JsonShape::Boolean, Value::Bool(_))
        | (JsonShape::Number, Value::Number(_))
        | (JsonShape::String, Value::String(_)) => true,
        _ => false,
    };
    if given == wanted && is_shaped {
        return Some(value.clone());
    }
    if !is_written_as(text, primitive) {
        return None;
    }
    match primitive.json_shape() {
        _ if is_shaped => Some(value.clone()),
        JsonShape::Boolean => Some(Value::Bool(text == "true")),
        JsonShape::Number => text.parse::<Number>().ok().map(Value::Number),
        JsonShape::String => Some(text.into()),
    }
}

/// Whether a text is written as a primitive of that type (FHIR, "Data Types"), as far as it matters for telling one
/// type from another; validation checks the rest.
fn is_written_as(text: &str, primitive: Primitive) -> bool {
    match primitive {
        Primitive::Boolean => matches!(text, "true" | "false"),
        Primitive::Decimal => text.parse::<Number>().is_ok(),
        Primitive::Integer => text.parse::<Number>().is_ok() && text.parse::<i32>().is_ok(),
        Primitive::Integer64 => text.parse::<Number>().is_ok() && text.parse::<i64>().is_ok(),
        Primitive::UnsignedInt => text.parse::<Number>().is_ok() && text.parse::<u32>().is_ok(),
        Primitive::PositiveInt => {
            text.parse::<Number>().is_ok() && text.parse::<u32>().is_ok_and(|number| number > 0)
        }
        Primitive::Date => text.parse::<Interval>().is_ok_and(|span| span.precision <= Precision::Day),
        Primitive::DateTime => text.parse::<Interval>().is_ok_and(|span| {
            span.precision <= Precision::Day || (span.precision >= Precision::Second && span.zoned)
        }),
        Primitive::Instant => text.parse::<Instant>().is_ok(),
        Primitive::Time => Time::parse(text).is_some() && text.matches(':').count() == 2,
        Primitive::Id => Id::parse(text).is_ok(),
        Primitive::Code => {
            !text.is_empty()
                && text.split(' ').all(|part| !part.is_empty() && !part.contains(char::is_whitespace))
        }
        Primitive::Canonical | Primitive::Oid | Primitive::Uri | Primitive::Url | Primitive::Uuid => {
            !text.is_empty() && !text.contains(char::is_whitespace)
        }
        Primitive::Base64Binary | Primitive::Markdown | Primitive::String | Primitive::Xhtml => {
            !text.is_empty()
        }
    }
}
