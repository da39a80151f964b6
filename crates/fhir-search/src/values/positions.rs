//! Places on the earth: what an element has as latitude and longitude (Location.position).

use fhir_model::json::{Object, Value as Json};
use fhirpath::Element;
use storage_api::{Position, Value};

use super::Sink;

pub(super) fn values(element: &Element<'_>, sink: Sink<'_>) {
    if let Some(place) = element.value().and_then(Json::as_object).and_then(position) {
        sink(Value::Position(place));
    }
}

/// None for what is not on the earth: nothing is near it.
fn position(object: &Object) -> Option<Position> {
    let degrees = |name: &str| Some(object.get(name)?.as_number()?.to_f64());
    Position::new(degrees("latitude")?, degrees("longitude")?)
}
