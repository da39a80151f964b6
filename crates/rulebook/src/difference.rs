//! Where two versions of a resource differ, and the commonest rule about it: only a status may
//! change, in one direction.

use fhir_model::json::{Object, Value};

/// More places than this are not named.
const PLACES_MAX: usize = 20;

/// The places, as FHIRPath, where `after` is not `before`. Members at the top whose names are in
/// `ignored` are passed over, as is version meta. The deepest element that has another value is
/// named; a list that became shorter or longer is named as a whole.
///
/// ```
/// use fhir_model::json::{Limits, parse};
/// use rulebook::differences;
///
/// let tree = |text: &str| parse(text.as_bytes(), &Limits::default()).unwrap();
/// let before = tree(r#"{"resourceType":"Flag","status":"active","code":{"text":"ramp"}}"#);
/// let after = tree(r#"{"resourceType":"Flag","status":"inactive","code":{"text":"lift"}}"#);
/// assert_eq!(differences("Flag", &before, &after, &["status"]), ["Flag.code.text"]);
/// ```
pub fn differences(root: &str, before: &Value, after: &Value, ignored: &[&str]) -> Vec<String> {
    let mut places = Vec::new();
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return if before == after { places } else { vec![root.to_owned()] };
    };
    members(root, before, after, &|name| ignored.contains(&name) || name == "meta", &mut places);
    let (before, after) = (meta(before), meta(after));
    let version = |name: &str| matches!(name, "versionId" | "lastUpdated");
    members(&format!("{root}.meta"), &before, &after, &version, &mut places);
    places
}

fn meta(resource: &Object) -> Object {
    resource.get("meta").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn members(
    place: &str,
    before: &Object,
    after: &Object,
    ignored: &dyn Fn(&str) -> bool,
    places: &mut Vec<String>,
) {
    for (name, value) in before.iter().filter(|(name, _)| !ignored(name)) {
        let below = format!("{place}.{}", name.trim_start_matches('_'));
        match after.get(name) {
            Some(now) => compare(&below, value, now, places),
            None => add(below, places),
        }
    }
    for (name, _) in after.iter().filter(|(name, _)| !ignored(name) && !before.contains(name)) {
        add(format!("{place}.{}", name.trim_start_matches('_')), places);
    }
}

fn compare(place: &str, before: &Value, after: &Value, places: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => members(place, before, after, &|_| false, places),
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                compare(&format!("{place}[{index}]"), before, after, places);
            }
        }
        _ if before == after => {}
        _ => add(place.to_owned(), places),
    }
}

fn add(place: String, places: &mut Vec<String>) {
    if places.len() < PLACES_MAX && !places.contains(&place) {
        places.push(place);
    }
}

/// A status that may go one way only, everything else frozen.
#[derive(Clone, Copy, Debug)]
pub struct StatusRule {
    /// The element that holds it.
    pub element: &'static str,
    /// What a new resource has.
    pub first: &'static str,
    /// What it may become.
    pub last: &'static str,
}

/// What a change comes to under a [`StatusRule`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// Nothing changes.
    None,
    /// From the first status to the last.
    Ended,
    /// It is not allowed, for this reason.
    Refused(String),
}

impl StatusRule {
    /// The status of a resource.
    pub fn status<'a>(&self, resource: &'a Value) -> Option<&'a str> {
        resource.get(self.element).and_then(Value::as_str)
    }

    /// Judges a change. `root` is how the resource is named in reasons, `frozen` the places that
    /// changed besides the status and what may change with it.
    pub fn judge(&self, root: &str, before: &Value, after: &Value, frozen: &[String]) -> StatusChange {
        let (was, is) = (self.status(before).unwrap_or_default(), self.status(after).unwrap_or_default());
        let Self { element, first, last } = self;
        let ends = was == *first && is == *last;
        if was != is && !ends {
            return StatusChange::Refused(format!(
                "{root}.{element} can only change from {first} to {last}, not from {was} to {is}.{}",
                named(frozen)
            ));
        }
        if frozen.is_empty() {
            return if ends { StatusChange::Ended } else { StatusChange::None };
        }
        StatusChange::Refused(format!(
            "Only {root}.{element} can change, from {first} to {last}.{} To correct a resource, end it and create a new one.",
            named(frozen)
        ))
    }
}

fn named(places: &[String]) -> String {
    if places.is_empty() {
        String::new()
    } else {
        format!(" These are frozen and differ: {}.", places.join(", "))
    }
}
