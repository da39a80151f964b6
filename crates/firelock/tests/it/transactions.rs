//! Transactions that disturb each other, on every store.

use std::sync::Arc;

use fhir_definitions::FhirVersion;
use fhir_model::json::Value;
use fhir_service::{Answer, Content, Ids, Limits, Operation, SearchScope, Service, Validation};
use rulebook::{FhirRulebook, LockSettings};
use storage_api::{Key, Store};

use crate::stores::{self, tree};

const CLIENTS: u64 = 16;

fn service(store: Arc<dyn Store>) -> Service {
    let rulebook = Arc::new(FhirRulebook::new(FhirVersion::R4, LockSettings::of(FhirVersion::R4)));
    Service::new(rulebook, store, Ids::system(), Limits::default()).with_validation(Validation::Off)
}

/// Runs a test on each store.
fn on_every_store<F: Future<Output = ()>>(test: impl Fn(Service) -> F) {
    stores::on_every_store(service, test);
}

async fn ask(service: &Service, operation: Operation) -> Answer {
    stores::ask(service, "http://server.example/R4", operation).await
}

async fn transaction(service: &Service, entries: &[String]) -> Answer {
    let entries = entries.join(",");
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#);
    ask(service, Operation::Bundle(Content::json(bundle))).await
}

/// The balance of an Observation, and its version.
async fn balance(service: &Service, id: &str) -> (i64, String) {
    let answer = ask(service, Operation::Read(Key::new("Observation", id))).await;
    let value = tree(&answer).get("valueInteger").unwrap().as_number().unwrap().as_i64().unwrap();
    (value, answer.etag.unwrap().to_string())
}

fn put(id: &str, balance: i64, if_match: &str) -> String {
    format!(
        r#"{{"resource":{{"resourceType":"Observation","id":"{id}","valueInteger":{balance}}},"request":{{"method":"PUT","url":"Observation/{id}"{if_match}}}}}"#
    )
}

/// Half of the clients move from a to b, the others from b to a, each naming the versions it read. Nothing is lost,
/// nobody waits for another, and everyone ends.
#[test]
fn transfers_conserve_the_sum() {
    const TRANSFERS: u64 = 12;
    on_every_store(|service| async move {
        let opened = transaction(&service, &[put("a", 1000, ""), put("b", 1000, "")]).await;
        assert_eq!(opened.status, 200);
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let service = service.clone();
            clients.push(tokio::spawn(async move {
                let (from, to) = if client % 2 == 0 { ("a", "b") } else { ("b", "a") };
                let (mut moved, mut stale) = (0, 0_u64);
                while moved < TRANSFERS {
                    let (mine, mine_version) = balance(&service, from).await;
                    let (theirs, theirs_version) = balance(&service, to).await;
                    let if_match = |version: &str| format!(r#","ifMatch":"W/\"{version}\"""#);
                    let entries = [
                        put(from, mine - 1, &if_match(&mine_version)),
                        put(to, theirs + 1, &if_match(&theirs_version)),
                    ];
                    match transaction(&service, &entries).await.status {
                        200 => moved += 1,
                        409 | 412 => stale += 1,
                        status => panic!("{status}"),
                    }
                }
                stale
            }));
        }
        let mut stale = 0;
        for client in clients {
            stale += client.await.unwrap();
        }
        let (a, a_version) = balance(&service, "a").await;
        let (b, b_version) = balance(&service, "b").await;
        assert_eq!(a + b, 2000, "{stale} were refused as stale");
        // As many clients moved in either direction, and every transfer is one version of both.
        assert_eq!((a, b), (1000, 1000));
        let versions = (1 + CLIENTS * TRANSFERS).to_string();
        assert_eq!([a_version, b_version], [versions.clone(), versions]);
    });
}

/// Two searches of one transaction, while others move from one Observation to the other.
#[test]
fn searches_of_one_transaction_see_no_transfer_by_half() {
    const TRANSFERS: i64 = 60;
    on_every_store(|service| async move {
        let opened = transaction(&service, &[put("a", 0, ""), put("b", TRANSFERS, "")]).await;
        assert_eq!(opened.status, 200);
        let mover = tokio::spawn({
            let service = service.clone();
            async move {
                for moved in 1..=TRANSFERS {
                    let entries = [put("a", moved, ""), put("b", TRANSFERS - moved, "")];
                    assert_eq!(transaction(&service, &entries).await.status, 200);
                    tokio::task::yield_now().await;
                }
            }
        });
        let get = |id: &str| format!(r#"{{"request":{{"method":"GET","url":"Observation?_id={id}"}}}}"#);
        let entries = [get("a"), get("b")];
        loop {
            let ended = mover.is_finished();
            let answer = tree(&transaction(&service, &entries).await);
            let Some(Value::Array(searches)) = answer.get("entry") else { panic!("{answer:?}") };
            let balances = searches.iter().map(|entry| {
                let Some(Value::Array(found)) = entry.get("resource").and_then(|set| set.get("entry")) else {
                    panic!("{entry:?}")
                };
                let value = found[0].get("resource").and_then(|found| found.get("valueInteger"));
                value.and_then(Value::as_number).and_then(fhir_model::json::Number::as_i64).unwrap()
            });
            assert_eq!(balances.sum::<i64>(), TRANSFERS);
            if ended {
                break;
            }
            tokio::task::yield_now().await;
        }
        mover.await.unwrap();
    });
}

/// Each reads both in its transaction, under the versions it knows, and changes one of them. Had each commit compared
/// only what it writes, two that change different ones could both go through, though neither would have if it had seen
/// the other.
#[test]
fn what_a_transaction_only_reads_holds_at_its_commit() {
    const ROUNDS: u64 = 10;
    on_every_store(|service| async move {
        transaction(&service, &[put("a", 0, ""), put("b", 0, "")]).await;
        for round in 0..ROUNDS {
            let (a, b) = (balance(&service, "a").await, balance(&service, "b").await);
            let versions = [a.1, b.1];
            let mut clients = Vec::new();
            for client in 0..CLIENTS {
                let (service, versions) = (service.clone(), versions.clone());
                clients.push(tokio::spawn(async move {
                    let if_match = |version: &str| format!(r#","ifMatch":"W/\"{version}\"""#);
                    let (mine, other) = if client % 2 == 0 { (0, 1) } else { (1, 0) };
                    let ids = ["a", "b"];
                    let value = i64::try_from(1 + round * CLIENTS + client).unwrap();
                    let write = put(ids[mine], value, &if_match(&versions[mine]));
                    let condition = if_match(&versions[other]);
                    let read = format!(
                        r#"{{"request":{{"method":"GET","url":"Observation/{}"{condition}}}}}"#,
                        ids[other]
                    );
                    transaction(&service, &[read, write]).await.status
                }));
            }
            let mut won = 0;
            for client in clients {
                match client.await.unwrap() {
                    200 => won += 1,
                    409 | 412 => {}
                    status => panic!("{status}"),
                }
            }
            assert_eq!(won, 1, "in round {round}");
        }
        let (a, b) = (balance(&service, "a").await.1, balance(&service, "b").await.1);
        let versions = a.parse::<u64>().unwrap() + b.parse::<u64>().unwrap();
        assert_eq!(versions, 2 + ROUNDS, "one version of one of them in each round");
    });
}

/// Without preconditions nobody is refused: a lost race is decided again.
#[test]
fn patches_in_transactions_all_survive() {
    on_every_store(|service| async move {
        transaction(&service, &[put("a", 0, ""), put("b", 0, "")]).await;
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let service = service.clone();
            clients.push(tokio::spawn(async move {
                let patch = |id: &str| {
                    let value = format!(r#"{{"system":"s","value":"{client}"}}"#);
                    let part = |name: &str, kind: &str, value: &str| {
                        format!(r#"{{"name":"{name}","value{kind}":{value}}}"#)
                    };
                    let parts = [
                        part("type", "Code", r#""add""#),
                        part("path", "String", r#""Observation""#),
                        part("name", "String", r#""identifier""#),
                        part("value", "Identifier", &value),
                    ];
                    format!(
                        r#"{{"resource":{{"resourceType":"Parameters","parameter":[{{"name":"operation","part":[{}]}}]}},"request":{{"method":"PATCH","url":"Observation/{id}"}}}}"#,
                        parts.join(",")
                    )
                };
                let entries = if client % 2 == 0 { [patch("a"), patch("b")] } else { [patch("b"), patch("a")] };
                let answer = transaction(&service, &entries).await;
                assert_eq!(answer.status, 200, "{:?}", answer.payload);
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
        for id in ["a", "b"] {
            let answer = ask(&service, Operation::Read(Key::new("Observation", id))).await;
            let identifiers = tree(&answer).get("identifier").unwrap().as_array().unwrap().len();
            assert_eq!(identifiers as u64, CLIENTS, "{id}");
        }
    });
}

/// However many transactions create it at the same time, there is one, and all refer to it.
#[test]
fn the_same_if_none_exist_makes_one_resource() {
    on_every_store(|service| async move {
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let service = service.clone();
            clients.push(tokio::spawn(async move {
                let patient = r#"{"fullUrl":"urn:uuid:p","resource":{"resourceType":"Patient","identifier":[{"system":"urn:s","value":"1"}]},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=urn:s|1"}}"#;
                let flag = format!(
                    r#"{{"resource":{{"resourceType":"Flag","id":"f{client}","subject":{{"reference":"urn:uuid:p"}}}},"request":{{"method":"PUT","url":"Flag/f{client}"}}}}"#
                );
                transaction(&service, &[patient.to_owned(), flag]).await.status
            }));
        }
        for client in clients {
            assert_eq!(client.await.unwrap(), 200);
        }
        let parameters = vec![("identifier".to_owned(), "urn:s|1".to_owned())];
        let search = Operation::Search { scope: SearchScope::Type("Patient".to_owned()), parameters };
        let found = tree(&ask(&service, search).await);
        let patients = found.get("entry").unwrap().as_array().unwrap();
        assert_eq!(patients.len(), 1);
        let id = patients[0].get("resource").unwrap().get("id").unwrap().as_str().unwrap().to_owned();
        for client in 0..CLIENTS {
            let flag = tree(&ask(&service, Operation::Read(Key::new("Flag", format!("f{client}")))).await);
            let subject = flag.get("subject").unwrap().get("reference").unwrap();
            assert_eq!(subject.as_str(), Some(format!("Patient/{id}").as_str()));
        }
    });
}

/// A Bundle with more entries than the limit is refused as a whole.
#[test]
fn too_many_entries_are_refused() {
    on_every_store(|service| async move {
        let limits = Limits { bundle_entries_max: 2, ..Limits::default() };
        let rulebook = Arc::new(FhirRulebook::new(FhirVersion::R4, LockSettings::of(FhirVersion::R4)));
        let service = Service::new(rulebook, service.store().clone(), Ids::system(), limits)
            .with_validation(Validation::Off);
        let [a, b, c] = ["a", "b", "c"].map(|id| put(id, 1, ""));
        assert_eq!(transaction(&service, &[a.clone(), b.clone(), c]).await.status, 413);
        let read = ask(&service, Operation::Read(Key::new("Observation", "a"))).await;
        assert_eq!(read.status, 404, "nothing was written");
        assert_eq!(transaction(&service, &[a, b]).await.status, 200);
    });
}

/// In a batch those with the same criteria are about one resource, so the last of them is what stays.
#[test]
fn batch_entries_with_the_same_criteria_keep_their_order() {
    on_every_store(|service| async move {
        for round in 0..12 {
            let entry = |version: u32| {
                format!(
                    r#"{{"resource":{{"resourceType":"Patient","multipleBirthInteger":{version},"identifier":[{{"system":"urn:s","value":"{round}"}}]}},"request":{{"method":"PUT","url":"Patient?identifier=urn:s|{round}"}}}}"#
                )
            };
            let entries: Vec<String> = (1..=6).map(entry).collect();
            let bundle =
                format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{}]}}"#, entries.join(","));
            let answer = tree(&ask(&service, Operation::Bundle(Content::json(bundle))).await);
            let version = |entry: &Value| {
                entry.get("response").unwrap().get("etag").unwrap().as_str().unwrap().to_owned()
            };
            let versions: Vec<String> =
                answer.get("entry").unwrap().as_array().unwrap().iter().map(version).collect();
            assert_eq!(versions, [1, 2, 3, 4, 5, 6].map(|version| format!("W/\"{version}\"")), "{round}");
        }
    });
}
