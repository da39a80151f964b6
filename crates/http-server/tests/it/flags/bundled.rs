//! Whatever is sent in a transaction is answered as it would be alone: every type, every way to be wrong, every condition.

use std::collections::BTreeSet;

use fhir_model::json::{Object, Value};
use fhir_model::{array, object};

use super::fixtures::{Payload, signed};
use super::{BASE, Made, make, server};
use crate::client::{Request, Response};
use crate::harness::TestServer;

/// A way to change a payload.
type Edit = (&'static str, fn(Payload) -> Payload);

const TYPES: [&str; 4] = ["consent", "flag", "condition", "list"];

fn patient(payload: &Payload) -> &'static str {
    if payload.resource_type() == "Consent" { "patient.reference" } else { "subject.reference" }
}

fn status(payload: &Payload) -> &'static str {
    if payload.resource_type() == "Condition" { "clinicalStatus" } else { "status" }
}

fn of_number(payload: Payload, number: &str) -> Payload {
    let url = format!("https://demographics.spineservices.nhs.uk/STU3/Patient/{number}");
    let place = patient(&payload);
    payload.with(place, Value::from(url))
}

const EDITS: [Edit; 13] = [
    ("as it is", |payload| payload),
    ("ended", Payload::ended),
    ("ended without a reason", |payload| {
        let place = status(&payload);
        let last = if payload.resource_type() == "List" { "retired" } else { "inactive" };
        payload.with(place, Value::from(last))
    }),
    ("a status that is none of these", |payload| {
        let place = status(&payload);
        payload.with(place, Value::from("entered-in-error"))
    }),
    ("a reason without an end", |payload| payload.reasoned("")),
    ("another patient", |payload| of_number(payload, "5900026175")),
    ("a patient that is not known", |payload| of_number(payload, "4010232137")),
    ("no NHS number", |payload| of_number(payload, "999999998")),
    ("no patient", |payload| {
        let place = patient(&payload).split('.').next().unwrap_or_default();
        payload.with(place, None)
    }),
    ("an element that the profile forbids", |payload| {
        payload.with("identifier", array![object! { "value": "1" }])
    }),
    ("a language, which is frozen", |payload| payload.with("language", Value::from("en"))),
    ("a text where a list belongs", |payload| payload.with("extension", Value::from("none"))),
    ("a List with an entry that leads nowhere", |payload| match payload.resource_type().as_str() {
        "List" => payload
            .with("entry.1", Value::from(object! { "item": object! { "reference": "Condition/none" } })),
        _ => payload,
    }),
];

/// Sends a request alone and to another server in a transaction; both have the same history.
struct Pair {
    alone: TestServer,
    bundled: TestServer,
}

impl Pair {
    fn new() -> Self {
        Self { alone: server(""), bundled: server("") }
    }

    /// Gives the status of the single request.
    fn compare(
        &self,
        what: &str,
        method: &str,
        url: &str,
        (body, if_match): (&Payload, Option<&str>),
    ) -> u16 {
        let target = format!("{BASE}/{url}");
        let alone = Request::new(method, &target).header("Content-Type", "application/fhir+json");
        let alone = if_match.map_or(alone.clone(), |tags| alone.header("If-Match", tags));
        let alone = self.alone.send(&signed(alone.body(body.bytes())));
        let mut request = object! { "method": method, "url": url };
        if let Some(tags) = if_match {
            request.insert("ifMatch", tags);
        }
        let bundle = object! {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": array![object! { "resource": body.0.clone(), "request": request }],
        };
        let interaction =
            format!("urn:nhs:names:services:raflags:{}.write:1", url.split('/').next().unwrap_or_default());
        let mut post = signed(Request::post(BASE, Value::from(bundle).to_bytes()));
        for (name, value) in &mut post.headers {
            if name == "InteractionID" {
                *value = interaction.clone().into_bytes();
            }
        }
        same(what, &alone, &self.bundled.send(&post));
        alone.status
    }
}

#[track_caller]
fn same(what: &str, alone: &Response, bundled: &Response) {
    let told = || format!("{what}: {}\n{}", alone.body_text(), bundled.body_text());
    if alone.status >= 300 {
        assert_eq!(bundled.status, alone.status, "{}", told());
        let count = |response: &Response| {
            let outcome = response.json();
            outcome.get("issue").and_then(Value::as_array).map(<[Value]>::len)
        };
        assert_eq!(count(bundled), count(alone), "{}", told());
        for path in ["severity", "code", "details.coding.0.code", "details.coding.0.display"] {
            let path = format!("issue.0.{path}");
            assert_eq!(bundled.text(&path), alone.text(&path), "{}", told());
        }
        return;
    }
    assert_eq!(bundled.status, 200, "{}", told());
    let response = |name: &str| bundled.text(&format!("entry.0.response.{name}"));
    assert_eq!(response("status").split(' ').next(), Some(alone.status.to_string().as_str()), "{}", told());
    let stored = bundled.json();
    let stored = stored.get("entry").and_then(|entries| entries.at(0)?.get("resource")).expect("a resource");
    // Ids and versions are drawn in another order.
    let bare = |resource: &Value| Payload::from(resource.clone()).with("id", None).with("meta", None).0;
    assert_eq!(bare(stored), bare(&alone.json()), "{}", told());
}

#[test]
fn creates_are_answered_as_alone() {
    let mut statuses = BTreeSet::new();
    for name in TYPES {
        for (edit, change) in EDITS {
            let pair = Pair::new();
            let body = change(Payload::of(name));
            let what = format!("{name} {edit}");
            statuses.insert(pair.compare(&what, "POST", &body.resource_type(), (&body, None)));
        }
        let pair = Pair::new();
        let with_id = Payload::of(name).with("id", Value::from("mine"));
        let what = format!("{name} with an id");
        statuses.insert(pair.compare(&what, "POST", &with_id.resource_type(), (&with_id, None)));
    }
    assert_eq!(Vec::from_iter(statuses), [201, 400, 404, 405, 422]);
}

#[test]
fn updates_are_answered_as_alone() {
    let mut statuses = BTreeSet::new();
    for name in TYPES {
        for (edit, change) in EDITS {
            let pair = Pair::new();
            let [first, second] = [&pair.alone, &pair.bundled].map(|server| make(server, &Payload::of(name)));
            let Made { target, etag, payload } = first;
            // Servers that were asked the same draw the same.
            assert_eq!((&second.target, &second.etag), (&target, &etag));
            let url = target.strip_prefix(&format!("{BASE}/")).expect("a target").to_owned();
            // What may succeed comes last.
            for if_match in [Some("W/\"stale\""), Some("*"), Some("stale"), None, Some(etag.as_str())] {
                let what = format!("{name} {edit} {if_match:?}");
                let body = change(payload.clone());
                statuses.insert(pair.compare(&what, "PUT", &url, (&body, if_match)));
            }
        }
    }
    assert_eq!(Vec::from_iter(statuses), [200, 400, 404, 409, 412, 422]);
}

/// The places of a tree, from its root down.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let below = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    if !at.is_empty() {
        found.push(at.to_owned());
    }
    for (name, child) in value.as_object().into_iter().flat_map(Object::iter) {
        places(child, &below(name), found);
    }
    for (index, child) in value.as_array().unwrap_or_default().iter().enumerate() {
        places(child, &below(&index.to_string()), found);
    }
}

/// Every place of a transaction with something else in it, or nothing: it is refused with an outcome that says why, or
/// is a transaction all the same; the server never fails.
#[test]
fn no_bent_transaction_makes_the_server_fail() {
    let server = server("");
    for name in ["transaction", "ending"] {
        let whole = Payload::of(name);
        let mut all = Vec::new();
        places(&whole.0, "", &mut all);
        assert!(all.len() > 40, "{} places", all.len());
        for place in all {
            let bent = [
                None,
                Some(Value::from("")),
                Some(Value::from("urn:uuid:334ee6a9-cf05-4908-aebc-6972c49fd719")),
                Some(Value::from("Patient/1?_id=x|y&#")),
                Some(Value::from(7_i64)),
                Some(Value::from(true)),
                Some(Value::from(Vec::<Value>::new())),
                Some(Value::from(object! {})),
                Some(array![object! { "reference": "#none" }]),
            ];
            for value in bent {
                let what = format!("{name} with {value:?} at {place}");
                let body = whole.clone().with(&place, value).bytes();
                let answer = server.send(&signed(Request::post(BASE, body)));
                let fine = matches!(answer.status, 200 | 501) || (400..500).contains(&answer.status);
                assert!(fine, "{what}: {} {}", answer.status, answer.body_text());
                let kind = if answer.status == 200 { "Bundle" } else { "OperationOutcome" };
                assert_eq!(answer.text("resourceType"), kind, "{what}");
            }
        }
    }
}
