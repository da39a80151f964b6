//! A Bundle is read from its JSON as from its tree.

use bytes::Bytes;
use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{self, Limits};
use transaction_engine::{BundleRequest, Reading};

/// What an entry may be, with and without faults.
const ENTRIES: [&str; 22] = [
    r#"{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient","id":"a"},"request":{"method":"PUT","url":"Patient/a","ifMatch":"W/\"1\""}}"#,
    // The resource behind its request, with white space, escapes and digits that must stay.
    r#"{ "request" : {"method":"POST","url":"Observation"} , "resource" : { "resourceType" : "Observation", "status":"fin\u0061l", "valueQuantity":{"value":1.50e2} } }"#,
    r#"{"resource":{"resourceType":"Basic","subject":{"reference":"Patient?identifier=1"}},"request":{"method":"POST","url":"Basic"}}"#,
    // Resources in resources, and what is only called so.
    r#"{"resource":{"resourceType":"List","contained":[{"resourceType":"Basic","entry":{"resource":1}}],"entry":[{"item":{"reference":"urn:uuid:1"}}]},"request":{"method":"POST","url":"List"}}"#,
    r#"{"resource":{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]},"request":{"method":"POST","url":"Bundle"}}"#,
    r#"{"resource":{"resourceType":"Parameters","parameter":[{"name":"resource","resource":{"resourceType":"Patient"}}]},"request":{"method":"PATCH","url":"Patient/b"}}"#,
    r#"{"request":{"method":"DELETE","url":"Patient?identifier=a%7Cb"}}"#,
    r#"{"request":{"method":"GET","url":"Patient/%61/_history/1","ifNoneMatch":"W/\"1\""}}"#,
    r#"{"request":{"method":"HEAD","url":"_history"}}"#,
    r#"{"resource":{},"request":{"method":"POST","url":"Patient"}}"#,
    r#"{"resource":null,"request":{"method":"POST","url":"Patient"}}"#,
    r#"{"resource":0,"request":{"method":"POST","url":"Patient"}}"#,
    r#"{"resource":"0","request":{"method":"POST","url":"Patient"}}"#,
    r#"{"resource":[],"request":{"method":"POST","url":"Patient"}}"#,
    r#"{"resource":[{"resourceType":"Patient"}],"request":{"method":"POST","url":"Patient"}}"#,
    r#"{"resource":{"resourceType":"Patient"}}"#,
    r#"{"request":{"method":"GET","url":"Patient/$everything"},"resource":{"resourceType":"Patient"}}"#,
    r#"{"request":{"resource":{"resourceType":"Patient"},"method":"POST","url":"Patient"}}"#,
    r#"{"request":[],"resource":{"resourceType":"Patient"}}"#,
    "{}",
    "0",
    "null",
];

const WHOLES: [&str; 12] = [
    r#"{"resourceType":"Bundle","type":"batch"}"#,
    r#"{"resourceType":"Bundle","type":"batch","entry":[]}"#,
    r#"{"resourceType":"Bundle","type":"batch","entry":null}"#,
    r#"{"resourceType":"Bundle","type":"batch","entry":0}"#,
    r#"{"resourceType":"Bundle","type":"batch","entry":{"resource":{"resourceType":"Patient"}}}"#,
    r#"{"resourceType":"Bundle","type":"batch","entry":[[{"resource":{"resourceType":"Patient"}}]]}"#,
    r#"{"resourceType":"Bundle","type":"batch","resource":{"resourceType":"Patient"},"entry":[]}"#,
    r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]}"#,
    r#"{"entry":[{"resource":{"resourceType":"Patient"}}],"resourceType":"Patient"}"#,
    r#"{"type":"batch"}"#,
    "[]",
    "0",
];

fn check(text: &str) {
    let limits = Limits::default();
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        let reading = Reading { definitions, base: "http://here/R4", entries_max: 30, patch: true };
        let streamed = BundleRequest::parse(&Bytes::from(text.to_owned()), &limits, reading);
        let whole = BundleRequest::read(json::parse(text.as_bytes(), &limits).unwrap(), reading);
        match (streamed, whole) {
            (Ok(streamed), Ok(whole)) => {
                assert_eq!(streamed.kind, whole.kind, "{text}");
                assert_eq!(streamed.entries.len(), whole.entries.len(), "{text}");
                for (left, right) in streamed.entries.into_iter().zip(whole.entries) {
                    let (mut left, mut right) = match (left, right) {
                        (Ok(left), Ok(right)) => (left, right),
                        (left, right) => {
                            assert_eq!(left, right, "{text}");
                            continue;
                        }
                    };
                    // The text may be written in another way: what it says is the same.
                    let [left_sent, right_sent] = [left.resource.take(), right.resource.take()];
                    assert_eq!(left, right, "{text}");
                    let [left_tree, right_tree] = [&left_sent, &right_sent]
                        .map(|sent| sent.as_ref().map(|sent| sent.tree(&limits).unwrap()));
                    assert_eq!(left_tree, right_tree, "{text}");
                    let [left_asks, right_asks] = [&left_sent, &right_sent]
                        .map(|sent| sent.as_ref().map(|sent| sent.conditional_references().to_vec()));
                    assert_eq!(left_asks, right_asks, "{text}");
                }
            }
            (streamed, whole) => {
                assert_eq!(streamed.map(|bundle| bundle.kind), whole.map(|bundle| bundle.kind), "{text}");
            }
        }
    }
}

#[test]
fn each_entry_is_read_from_json_as_from_a_tree() {
    for kind in ["transaction", "batch"] {
        for entry in ENTRIES {
            check(&format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{entry}]}}"#));
            check(&format!(r#"{{"entry":[{entry}],"type":"{kind}","resourceType":"Bundle"}}"#));
        }
        // All at once: each has its own resource.
        check(&format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{}]}}"#, ENTRIES.join(" , ")));
        let backwards: Vec<&str> = ENTRIES.iter().rev().copied().collect();
        check(&format!(r#"{{"resourceType":"Bundle","type":"{kind}","entry":[{}]}}"#, backwards.join(",")));
    }
    WHOLES.into_iter().for_each(check);
}
