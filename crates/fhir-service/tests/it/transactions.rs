//! Transactions beside what else goes on in a store.

use fhir_service::{Answer, Content, Operation, ReferentialIntegrity, Service};

use crate::bench::{Bench, request};

pub(crate) fn bundle(entries: &[&str]) -> Operation {
    let entries = entries.join(",");
    let text = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#);
    Operation::Bundle(Content::json(text))
}

fn ask(bench: &Bench, service: &Service, operation: Operation) -> Answer {
    bench.block_on(service.handle(request(operation)))
}

/// A service that does not know yet that another one put a search parameter in force.
#[test]
fn what_a_transaction_writes_is_indexed_as_the_store_wants_it() {
    let mut bench = Bench::new(ReferentialIntegrity::Off);
    let older = bench.service.clone();
    bench.restart(ReferentialIntegrity::Off);
    let shoe = r#"{"resourceType":"SearchParameter","id":"shoe","status":"active","url":"http://e/shoe",
        "code":"shoe","base":["Patient"],"type":"token","expression":"Patient.extension('http://e/shoe').value"}"#;
    assert_eq!(bench.put("SearchParameter/shoe", shoe).status, 201);
    assert_eq!(bench.reindex().status, 202);
    bench.complete();
    let patient = r#"{"resource":{"resourceType":"Patient","id":"p",
        "extension":[{"url":"http://e/shoe","valueCode":"42"}]},"request":{"method":"PUT","url":"Patient/p"}}"#;
    assert_eq!(ask(&bench, &older, bundle(&[patient])).status, 200);
    assert_eq!(bench.search("Patient", &[("shoe", "42")]), (vec!["p".to_owned()], String::new()));
}
