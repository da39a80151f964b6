//! Transactions that disturb each other, on every store.

use std::sync::Arc;

use fhir_definitions::FhirVersion;
use fhir_model::json::{self, Value};
use fhir_service::{
    Answer, Content, Ids, Limits, Operation, Payload, Preferences, Request, SearchScope, Service,
    SystemClock, Validation,
};
use rulebook::{Caller, FhirRulebook, LockSettings};
use storage_api::{Key, Store};
use storage_memory::MemoryStore;
use storage_sqlite::{Options, SqliteStore};
use tokio::runtime::Builder;
use versioning_core::Precondition;

const CLIENTS: u64 = 16;

fn service(store: Arc<dyn Store>) -> Service {
    let rulebook = Arc::new(FhirRulebook::new(FhirVersion::R4, LockSettings::of(FhirVersion::R4)));
    Service::new(rulebook, store, Ids::system(), Limits::default()).with_validation(Validation::Off)
}

/// Runs a test on each store.
fn on_every_store<F: Future<Output = ()>>(test: impl Fn(Service) -> F) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(directory.path(), Options::default(), Arc::new(SystemClock)).unwrap();
    let stores: [Arc<dyn Store>; 2] = [Arc::new(MemoryStore::new(Arc::new(SystemClock))), Arc::new(sqlite)];
    for store in stores {
        runtime.block_on(test(service(store.clone())));
        runtime.block_on(store.close()).unwrap();
    }
}

async fn ask(service: &Service, operation: Operation) -> Answer {
    let request = Request {
        operation,
        precondition: Precondition::NONE,
        preferences: Preferences::default(),
        retries_max: None,
        idempotency_key: None,
        base: "http://server.example/R4".to_owned(),
        trace: "test".to_owned(),
        caller: Caller::default(),
    };
    service.handle(request).await
}

async fn transaction(service: &Service, entries: &[String]) -> Answer {
    let entries = entries.join(",");
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entries}]}}"#);
    ask(service, Operation::Bundle(Content::json(bundle))).await
}

fn tree(answer: &Answer) -> Value {
    let Some(Payload::Json(bytes)) = &answer.payload else { panic!("JSON, not {answer:?}") };
    json::parse(bytes, &json::Limits::default()).unwrap()
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
