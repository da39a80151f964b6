//! Dates: every date is a span of time as long as it is precise.

use fhir_model::json::{Object, Value as Json};
use fhir_model::{Instant, Interval as Written};
use fhirpath::Element;
use storage_api::{Interval, Timestamp, Value};

use super::{Sink, each, string};

pub(super) fn values(element: &Element<'_>, sink: Sink<'_>) {
    let span = match element.value() {
        Some(Json::String(text)) => written(text.as_str()),
        Some(Json::Object(object)) => match element.type_name() {
            "Timing" => timing(object),
            "Extension" => string(object, "valueDateTime").or(string(object, "valueDate")).and_then(written),
            _ => period(object),
        },
        _ => None,
    };
    sink_span(span, sink);
}

fn sink_span(span: Option<Interval>, sink: Sink<'_>) {
    if let Some(span) = span {
        sink(Value::Date(span));
    }
}

/// A text that is no date is found by none.
fn written(text: &str) -> Option<Interval> {
    let Written { low_micros, high_micros, .. } = text.parse().ok()?;
    Some(Interval { low: Timestamp(low_micros), high: Timestamp(high_micros - 1) })
}

/// An open end reaches as far as time does. A period without ends says nothing.
fn period(object: &Object) -> Option<Interval> {
    let end = |name| string(object, name).and_then(written);
    let (start, end) = (end("start"), end("end"));
    (start.is_some() || end.is_some()).then(|| Interval {
        low: start.map_or(Timestamp(Instant::MIN.micros()), |span| span.low),
        high: end.map_or(Timestamp(Instant::MAX.micros()), |span| span.high),
    })
}

/// The outer limits of a schedule: from its first event to its last, or the bounds of its repetition.
fn timing(object: &Object) -> Option<Interval> {
    let events = each(object, "event").iter().filter_map(Json::as_str).filter_map(written);
    let bounds = object.get("repeat").and_then(|repeat| repeat.get("boundsPeriod")).and_then(Json::as_object);
    let spans = events.chain(bounds.and_then(period));
    spans.reduce(|all, span| Interval { low: all.low.min(span.low), high: all.high.max(span.high) })
}
