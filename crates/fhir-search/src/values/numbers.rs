//! Numbers and quantities. How precise a number is matters in the query, not here.

use fhir_model::json::{Object, Value as Json};
use fhirpath::Element;
use storage_api::{Coding, Number, Value};

use super::{Sink, string, system_name};

/// The system of currencies.
const ISO_4217: &str = "urn:iso:std:iso:4217";

pub(super) fn number(element: &Element<'_>, sink: Sink<'_>) {
    if let Some(number) = element.value().and_then(as_number) {
        sink(Value::Number(number));
    }
}

pub(super) fn quantities(element: &Element<'_>, sink: Sink<'_>) {
    let Some(object) = element.value().and_then(Json::as_object) else { return };
    match element.type_name() {
        // Both ends of a range are found: it lies above or below what one of its ends does.
        "Range" => {
            for end in ["low", "high"] {
                if let Some(end) = object.get(end).and_then(Json::as_object) {
                    quantity(end, sink);
                }
            }
        }
        _ => quantity(object, sink),
    }
}

/// A unit is found by its code and by the name that people read.
fn quantity(object: &Object, sink: Sink<'_>) {
    let Some(value) = object.get("value").and_then(as_number) else { return };
    let (code, unit) = (string(object, "code"), string(object, "unit"));
    let coding = match (code, string(object, "currency")) {
        (Some(code), _) => Some((code, string(object, "system"))),
        (None, Some(currency)) => Some((currency, Some(ISO_4217))),
        (None, None) => None,
    };
    let named = unit.filter(|unit| code != Some(*unit)).map(|unit| (unit, None));
    let mut give = |unit: Option<(&str, Option<&str>)>| {
        let unit = unit.map(|(code, system)| Coding { code: code.into(), system: system.map(system_name) });
        sink(Value::Quantity { value, unit });
    };
    match (coding, named) {
        (None, None) => give(None),
        (coding, named) => coding.into_iter().chain(named).for_each(|unit| give(Some(unit))),
    }
}

fn as_number(value: &Json) -> Option<Number> {
    Number::new(value.as_number()?.to_f64())
}
