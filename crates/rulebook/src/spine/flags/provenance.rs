//! Who did what and when: the Provenance that the server adds to each Consent and Flag.

use fhir_model::json::{Object, Value};
use fhir_model::{Instant, array, object};

use crate::Change;
use crate::spine::identifiers::{ORGANIZATION_URL, PRACTITIONER_URL};

const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/RARecord-Provenance-1";

/// What was done (code system DataOperation).
#[derive(Clone, Copy)]
pub(super) enum Activity {
    Create,
    Update,
}

/// Adds a Provenance of this change to what the resource contains.
pub(super) fn append(resource: &mut Value, change: &Change<'_>, activity: Activity) {
    let Some(object) = resource.as_object_mut() else { return };
    let contained = object.get("contained").and_then(Value::as_array).unwrap_or_default();
    let is_taken =
        |id: &str| contained.iter().any(|inner| inner.get("id").and_then(Value::as_str) == Some(id));
    // Clients name what they send as they like.
    let mut ids = (contained.len() + 1..).map(|number| format!("provenance-{number}"));
    let id = ids.find(|id| !is_taken(id)).unwrap_or_default();
    let provenance = Value::from(made(change, activity, &id));
    if let Some(contained) = object.get_mut("contained").and_then(Value::as_array_mut) {
        contained.push(provenance);
        return;
    }
    let before = ["text", "language", "implicitRules", "meta", "id", "resourceType"];
    let place = before.iter().find_map(|name| object.position(name)).map_or(0, |place| place + 1);
    object.insert_at(place, "contained", array![provenance]);
}

fn made(change: &Change<'_>, activity: Activity, id: &str) -> Object {
    let (code, display) = match activity {
        Activity::Create => ("CREATE", "create"),
        Activity::Update => ("UPDATE", "revise"),
    };
    let mut recorded = Vec::new();
    Instant::from_micros(change.now.0).cut_to_millis().write(&mut recorded);
    object! {
        "resourceType": "Provenance",
        "id": id,
        "meta": object! { "profile": array![PROFILE] },
        "target": array![object! { "reference": "#" }],
        "recorded": String::from_utf8(recorded).unwrap_or_default(),
        "activity": object! { "system": "http://hl7.org/fhir/v3/DataOperation", "code": code, "display": display },
        "agent": array![object! {
            "whoReference": agent(PRACTITIONER_URL, change.caller.user.as_deref()),
            "onBehalfOfReference": agent(ORGANIZATION_URL, change.caller.organization.as_deref()),
        }],
    }
}

/// A mount that reads no header fields knows nobody.
fn agent(url: &str, id: Option<&str>) -> Object {
    id.map_or_else(|| object! { "display": "not stated" }, |id| object! { "reference": format!("{url}{id}") })
}

/// The Provenance of a stored resource is the server's: whatever a client sends, it stays.
pub(super) fn restore(after: &mut Value, before: &Value) {
    let is_provenance =
        |resource: &Value| resource.get("resourceType").and_then(Value::as_str) == Some("Provenance");
    let of = |resource: &Value| -> Vec<Value> {
        resource.get("contained").and_then(Value::as_array).unwrap_or_default().to_vec()
    };
    let sent: Vec<Value> = of(after).into_iter().filter(|contained| !is_provenance(contained)).collect();
    let (kept, others): (Vec<Value>, Vec<Value>) = of(before).into_iter().partition(is_provenance);
    // The order is that of before, as long as the rest is what it was.
    let contained = if sent == others { of(before) } else { sent.into_iter().chain(kept).collect() };
    let Some(object) = after.as_object_mut() else { return };
    if contained.is_empty() {
        object.remove("contained");
    } else {
        object.insert("contained", contained);
    }
}
