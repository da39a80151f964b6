//! The CapabilityStatement is the published one, and says what the server does.

use fhir_model::json::Value;

use super::fixtures::{Payload, signed};
use super::{BASE, make, server};
use crate::client::{Request, at, text_at};

/// A type with its profile and its search parameters, as published.
type Row = (&'static str, &'static str, &'static [&'static str]);

const TABLE: [Row; 4] = [
    ("Consent", "RARecord-Consent-1", &["patient", "status", "category"]),
    ("Flag", "RARecord-Flag-1", &["patient", "status", "category", "_format"]),
    ("List", "CareConnect-RARecord-List-1", &["patient", "status", "code"]),
    ("Condition", "CareConnect-RARecord-Condition-1", &["_list", "clinical-status"]),
];

#[test]
fn the_statement_is_the_published_table() {
    let server = server("");
    for request in [Request::get(&format!("{BASE}/metadata")), Request::new("OPTIONS", &format!("{BASE}/"))] {
        let statement = server.send(&request).json();
        for (path, expected) in [
            ("kind", "instance"),
            ("url", "https://clinicals.spineservices.nhs.uk/STU3/metadata"),
            ("fhirVersion", "3.0.1"),
            ("acceptUnknown", "no"),
            ("format.0", "application/fhir+xml"),
            ("format.1", "application/fhir+json"),
            ("rest.0.operation.0.name", "removerarecord"),
            (
                "rest.0.operation.0.definition.reference",
                "https://fhir.nhs.uk/STU3/OperationDefinition/RARecord-RemoveRARecord-Operation-1",
            ),
        ] {
            assert_eq!(text_at(&statement, path).as_deref(), Some(expected), "{path}");
        }
        let list = |path: &str| at(&statement, path).and_then(Value::as_array).unwrap_or_default().to_vec();
        assert_eq!(list("format").len(), 2);
        assert_eq!(list("rest.0.operation").len(), 1);
        assert!(at(&statement, "rest.0.interaction").is_none(), "neither transaction nor batch");
        let resources = list("rest.0.resource");
        assert_eq!(resources.len(), TABLE.len());
        for (resource, (name, profile, parameters)) in resources.iter().zip(TABLE) {
            let text = |path: &str| text_at(resource, path).unwrap_or_default();
            let no =
                |path: &str| assert_eq!(at(resource, path).and_then(Value::as_bool), Some(false), "{path}");
            assert_eq!(text("type"), name);
            let url = format!("https://fhir.nhs.uk/STU3/StructureDefinition/{profile}");
            assert_eq!(text("profile.reference"), url);
            let codes = |element: &str, member: &str| {
                let mut codes: Vec<String> = at(resource, element)
                    .and_then(Value::as_array)
                    .unwrap_or_default()
                    .iter()
                    .map(|item| text_at(item, member).unwrap_or_default())
                    .collect();
                if element == "interaction" {
                    codes.sort();
                }
                codes
            };
            assert_eq!(codes("interaction", "code"), ["create", "read", "search-type", "update"]);
            assert_eq!(codes("searchParam", "name"), parameters);
            assert!(codes("searchParam", "type").iter().all(|kind| kind == "token"));
            assert_eq!(text("versioning"), "versioned-update");
            for path in ["readHistory", "updateCreate", "conditionalCreate", "conditionalUpdate"] {
                no(path);
            }
            assert_eq!(text("conditionalRead"), "not-supported");
            assert_eq!(text("conditionalDelete"), "not-supported");
        }
    }
}

/// What is declared works, and what is not is refused.
#[test]
fn the_statement_is_true() {
    let server = server("");
    for (name, ..) in TABLE {
        let made = make(&server, &Payload::of(&name.to_lowercase()));
        assert_eq!(server.send(&signed(Request::get(&made.target))).status, 200);
        let search = format!("{BASE}/{name}?patient=9876543210");
        assert_eq!(server.send(&signed(Request::get(&search))).status, 200, "{name}");
        for (request, status) in [
            (Request::delete(&made.target).if_match(&made.etag), 405),
            (Request::new("PATCH", &made.target).if_match(&made.etag), 405),
            (Request::put(&format!("{BASE}/{name}?status=active"), made.payload.bytes()), 405),
            (Request::get(&format!("{}/_history", made.target)), 501),
        ] {
            let answer = server.send(&signed(request.clone()));
            assert_eq!(answer.status, status, "{request:?}: {}", answer.body_text());
        }
    }
    assert_eq!(server.send(&signed(Request::get(&format!("{BASE}/Patient/1")))).status, 501);
    assert_eq!(server.send(&signed(Request::post(&format!("{BASE}/$other"), "{}"))).status, 501);
}
