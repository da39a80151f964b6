//! Profiles that a mount of an API of Spine loads come beside those of the API, and replace none of them.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::Value;
use fhir_validate::{Profiles, Settings};

use crate::client::Request;
use crate::flags::fixtures::{self, Payload};
use crate::harness::TestServer;
use crate::pointers::pointer;
use crate::{flags, mounts, nrl};

const URL: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/";

/// A profile that asks for nothing but an element, if that.
fn profile(url: &str, resource_type: &str, element: Option<&str>) -> (String, Vec<u8>) {
    let path = element.map_or(resource_type.to_owned(), |element| format!("{resource_type}.{element}"));
    let min = usize::from(element.is_some());
    let text = format!(
        r#"{{"resourceType":"StructureDefinition","url":"{url}","name":"Own","status":"active","kind":"resource",
            "abstract":false,"type":"{resource_type}","derivation":"constraint",
            "baseDefinition":"http://hl7.org/fhir/StructureDefinition/{resource_type}",
            "differential":{{"element":[{{"id":"{path}","path":"{path}","min":{min}}}]}}}}"#
    );
    (format!("{resource_type}-{min}.json"), text.into_bytes())
}

/// A server with an API whose own profiles are loaded again, without what they ask for, and a profile of the operator's.
fn server(mount: &str, own: &[(&str, &str)], added: (&str, &str)) -> TestServer {
    let lax = own.iter().map(|(name, resource_type)| profile(&format!("{URL}{name}"), resource_type, None));
    let (resource_type, element) = added;
    let strict = profile("http://example.org/strict", resource_type, Some(element));
    let profiles =
        Profiles::from_files(Definitions::of(FhirVersion::Stu3), lax.chain([strict])).expect("profiles");
    let checks = Settings {
        profiles,
        required_profiles: vec!["http://example.org/strict".to_owned()],
        ..Settings::default()
    };
    TestServer::adjusted(&[mounts::parse(mount)], http_server::Settings::default(), &|service| {
        service.with_checks(checks.clone())
    })
}

#[test]
fn the_profiles_of_pointers_stay() {
    let own = [("NRL-DocumentReference-1", "DocumentReference")];
    let server = server(&format!("{} nrl/STU3", nrl::BASE), &own, ("DocumentReference", "description"));
    let answer = |edits: &[&str]| {
        let answer = server
            .send(&nrl::post(&pointer(edits.iter().copied())).header("Accept", "application/fhir+json"));
        (answer.status, answer.body_text())
    };
    let described = "description = \"one\"";
    assert_eq!(answer(&[described]).0, 201);
    let (status, text) = answer(&[described, "context = {\"period\":{\"start\":\"2018\"}}"]);
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("DocumentReference.context"), "{text}");
    let (status, text) = answer(&[]);
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("http://example.org/strict"), "{text}");
}

#[test]
fn the_profiles_of_a_record_stay() {
    let own = [("RARecord-Consent-1", "Consent"), ("RARecord-Flag-1", "Flag")];
    let server = server(&format!("{} flags/STU3", flags::BASE), &own, ("Flag", "period"));
    let answer = |payload: Payload| {
        let target = format!("{}/{}", flags::BASE, payload.resource_type());
        let answer = server.send(&fixtures::signed(Request::post(&target, payload.bytes())));
        (answer.status, answer.body_text())
    };
    assert_eq!(answer(Payload::of("consent")).0, 201);
    let period = fhir_model::object! { "start": "2018" };
    let (status, text) = answer(Payload::of("consent").with("period", Value::from(period.clone())));
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("RARecord-Consent-1"), "{text}");
    // Both hold, so here a Flag cannot be right at all: the API forbids what the operator wants.
    for flag in [Payload::of("flag"), Payload::of("flag").with("period", Value::from(period))] {
        let (status, text) = answer(flag);
        assert_eq!(status, 422, "{text}");
        assert!(text.contains("period"), "{text}");
    }
}
