//! Transactions of the flags API that disturb each other, on every store: a Condition and the List that refers to it
//! change together or not at all.

use std::sync::Arc;

use fhir_model::json::{self, Value};
use fhir_service::{Answer, Content, Ids, Limits, Operation, Service};
use rulebook::spine::{FlagsRulebook, Security};
use rulebook::{ConflictBody, SpineRulebook};
use storage_api::{Key, Store};
use tokio::task::JoinSet;

use crate::process::{Server, request};
use crate::stores::{self, tree};

const CLIENTS: usize = 16;

fn service(store: Arc<dyn Store>) -> Service {
    let rulebook =
        FlagsRulebook::new(SpineRulebook::default_locks(), ConflictBody::default(), Security::default());
    Service::new(Arc::new(rulebook), store, Ids::system(), Limits::default())
}

/// Runs a test on each store.
fn on_every_store<F: Future<Output = ()>>(test: impl Fn(Service) -> F) {
    stores::on_every_store(service, test);
}

async fn ask(service: &Service, operation: Operation) -> Answer {
    stores::ask(service, "http://server.example/flags/STU3", operation).await
}

fn text(value: &Value, path: &str) -> String {
    let step = |value: &Value, name: &str| match name.parse::<usize>() {
        Ok(index) => value.at(index).cloned(),
        Err(_) => value.get(name).cloned(),
    };
    let found = path.split('.').try_fold(value.clone(), |value, name| step(&value, name));
    let found = found.unwrap_or_else(|| panic!("{path} in {value:?}"));
    found.as_str().map_or_else(|| String::from_utf8(found.to_bytes()).unwrap(), str::to_owned)
}

/// A fixture of the flags API, with some of its texts replaced.
fn fixture(name: &str, replaced: &[(&str, &str)]) -> String {
    let path = format!("{}/../../fixtures/spine/flags/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    replaced.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

/// A Condition and its List that were created together: their ids and versions.
struct Record {
    condition: String,
    list: String,
    versions: [String; 2],
}

impl Record {
    async fn create(service: &Service) -> Self {
        let answer = ask(service, Operation::Bundle(Content::json(fixture("transaction", &[])))).await;
        let created = tree(&answer);
        assert_eq!(answer.status, 200, "{created:?}");
        let [list, condition] = [0, 1].map(|entry| text(&created, &format!("entry.{entry}.resource.id")));
        let version = |entry: usize| text(&created, &format!("entry.{entry}.resource.meta.versionId"));
        Self { condition, list, versions: [version(1), version(0)] }
    }

    /// The transaction that ends the Condition and deletes its entry.
    fn ending(&self) -> Operation {
        self.ending_of(&[0, 1])
    }

    /// Some of its entries: the first is that of the Condition, the second that of the List.
    fn ending_of(&self, wanted: &[usize]) -> Operation {
        let [condition, list] = &self.versions;
        let bundle = fixture(
            "ending",
            &[
                ("Condition/id", &format!("Condition/{}", self.condition)),
                ("List/id", &format!("List/{}", self.list)),
            ],
        );
        let mut bundle = json::parse(bundle.as_bytes(), &json::Limits::default()).unwrap();
        let entries = bundle.as_object_mut().unwrap().get_mut("entry").unwrap().as_array_mut().unwrap();
        for (entry, (id, version)) in
            entries.iter_mut().zip([(&self.condition, condition), (&self.list, list)])
        {
            let entry = entry.as_object_mut().unwrap();
            let of = |name: &str, member: &str, value: String, entry: &mut json::Object| {
                entry.get_mut(name).unwrap().as_object_mut().unwrap().insert(member, value);
            };
            of("resource", "id", id.clone(), entry);
            of("request", "ifMatch", format!("W/\"{version}\""), entry);
        }
        let mut place = 0;
        entries.retain(|_| {
            place += 1;
            wanted.contains(&(place - 1))
        });
        Operation::Bundle(Content::json(bundle.to_bytes()))
    }

    /// Whether Condition and List are as they were, or both ended; anything else fails.
    async fn is_ended(&self, service: &Service) -> bool {
        let condition = tree(&ask(service, Operation::Read(Key::new("Condition", &*self.condition))).await);
        let list = tree(&ask(service, Operation::Read(Key::new("List", &*self.list))).await);
        let ended = text(&condition, "clinicalStatus") == "inactive";
        assert_eq!(text(&list, "entry.0.deleted"), ended.to_string(), "{condition:?} {list:?}");
        let unchanged = [text(&condition, "meta.versionId"), text(&list, "meta.versionId")];
        for (now, before) in unchanged.iter().zip(&self.versions) {
            assert_eq!(now == before, !ended, "both change or none");
        }
        ended
    }
}

/// The statuses of what many clients ask at once.
async fn race(service: &Service, operations: impl IntoIterator<Item = Operation>) -> Vec<u16> {
    let mut clients = JoinSet::new();
    for operation in operations {
        let service = service.clone();
        clients.spawn(async move { ask(&service, operation).await.status });
    }
    clients.join_all().await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|found| **found == status).count()
}

/// Sixteen clients end the same Condition and delete its entry, with the same versions: one does.
#[test]
fn one_of_sixteen_transactions_ends_a_condition() {
    on_every_store(|service| async move {
        let record = Record::create(&service).await;
        assert!(!record.is_ended(&service).await);
        let statuses = race(&service, (0..CLIENTS).map(|_| record.ending())).await;
        assert_eq!((count(&statuses, 200), count(&statuses, 409)), (1, CLIENTS - 1), "{statuses:?}");
        assert!(record.is_ended(&service).await);
    });
}

/// A single update of the List and transactions with it at once: a transaction that comes too late does not end the
/// Condition either.
#[test]
fn a_transaction_that_is_late_with_one_resource_changes_none() {
    on_every_store(|service| async move {
        for _ in 0..8 {
            let record = Record::create(&service).await;
            let alone = record.ending_of(&[1]);
            let mut operations = vec![alone];
            operations.extend((0..4).map(|_| record.ending()));
            let statuses = race(&service, operations).await;
            assert_eq!((count(&statuses, 200), count(&statuses, 409)), (1, 4), "{statuses:?}");
            let condition =
                tree(&ask(&service, Operation::Read(Key::new("Condition", &*record.condition))).await);
            let same = text(&condition, "meta.versionId") == record.versions[0];
            assert_eq!(same, text(&condition, "clinicalStatus") == "active");
        }
    });
}

/// Transactions and single requests that create a Consent for one patient: one succeeds.
#[test]
fn one_of_many_consents_is_created() {
    on_every_store(|service| async move {
        let consent = fixture("consent", &[]);
        let entry = format!(
            r#"{{"resource":{consent},"request":{{"method":"POST","url":"Consent"}}}},{{"resource":{},"request":{{"method":"POST","url":"Flag"}}}}"#,
            fixture("flag", &[])
        );
        let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{entry}]}}"#);
        let operations = (0..CLIENTS).map(|client| match client % 2 {
            0 => Operation::Bundle(Content::json(bundle.clone())),
            _ => Operation::Create {
                resource_type: "Consent".to_owned(),
                body: Content::json(consent.clone()),
            },
        });
        let statuses = race(&service, operations).await;
        let done = count(&statuses, 200) + count(&statuses, 201);
        assert_eq!((done, count(&statuses, 422)), (1, CLIENTS - 1), "{statuses:?}");
        // No Flag is left of a transaction whose Consent was one too many.
        let flags = ask(
            &service,
            Operation::Search {
                scope: fhir_service::SearchScope::Type("Flag".to_owned()),
                parameters: vec![("patient".to_owned(), "9876543210".to_owned())],
            },
        )
        .await;
        assert_eq!(text(&tree(&flags), "total"), count(&statuses, 200).to_string());
    });
}

/// The removal of a record and a transaction that ends a Condition of it at once: whoever is first, both are over in
/// the end, and each was ended once.
#[test]
fn a_removal_and_a_transaction_do_not_cross() {
    on_every_store(|service| async move {
        let removal = fixture("removal", &[]);
        let entries = ["consent", "flag"].map(|name| {
            let resource = fixture(name, &[]);
            let kind = if name == "consent" { "Consent" } else { "Flag" };
            format!(r#"{{"resource":{resource},"request":{{"method":"POST","url":"{kind}"}}}}"#)
        });
        let bundle =
            format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
        assert_eq!(ask(&service, Operation::Bundle(Content::json(bundle))).await.status, 200);
        let record = Record::create(&service).await;
        let remove = Operation::Perform { name: "removerarecord".to_owned(), body: Content::json(removal) };
        let statuses = race(&service, [remove, record.ending()]).await;
        assert!(statuses.iter().all(|status| matches!(status, 200 | 409)), "{statuses:?}");
        let condition =
            tree(&ask(&service, Operation::Read(Key::new("Condition", &*record.condition))).await);
        let list = tree(&ask(&service, Operation::Read(Key::new("List", &*record.list))).await);
        assert_eq!(text(&condition, "clinicalStatus"), "inactive");
        assert_eq!(
            (text(&list, "entry.0.deleted"), text(&list, "status")),
            ("true".into(), "retired".into())
        );
    });
}

/// The program takes transactions under both names of a mount, and its option for update entries without `ifMatch`.
#[test]
fn a_configured_mount_takes_transactions_under_both_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("firelock.toml");
    let mount = |option: &str| {
        format!(
            "store = \"memory\"\n[[mount]]\npath = \"/flags/STU3\"\nfhir = \"STU3\"\nrulebook = \"spine-flags\"\nheaders = \"off\"\n{option}\n[[mount]]\npath = \"/flagserver\"\nalias_of = \"/flags/STU3\"\n"
        )
    };
    for (option, status) in [("", 412), ("bundle_if_match = \"optional\"", 200)] {
        std::fs::write(&file, mount(option)).unwrap();
        let server = Server::with(&["--config".as_ref(), file.as_ref()]);
        let post = |path: &str, body: &str| {
            let answer = request(&server.address, "POST", path, "", body);
            let tree = json::parse(answer.body.as_bytes(), &json::Limits::default()).unwrap();
            (answer.status, tree)
        };
        let (created, bundle) = post("/flagserver", &fixture("transaction", &[]));
        assert_eq!(created, 200, "{bundle:?}");
        let id = |entry: usize| text(&bundle, &format!("entry.{entry}.resource.id"));
        let full_url = text(&bundle, "entry.0.fullUrl");
        assert!(full_url.ends_with(&format!("/flagserver/List/{}", id(0))), "{full_url}");
        assert_eq!(server.get(&format!("/flags/STU3/List/{}", id(0))).status, 200);
        let ending = fixture(
            "ending",
            &[
                ("Condition/id", &format!("Condition/{}", id(1))),
                ("List/id", &format!("List/{}", id(0))),
                ("\"Condition\",\n        \"id\": \"id\"", &format!("\"Condition\", \"id\": \"{}\"", id(1))),
                ("\"List\",\n        \"id\": \"id\"", &format!("\"List\", \"id\": \"{}\"", id(0))),
                (",\n        \"ifMatch\": \"W/\\\"0\\\"\"", ""),
            ],
        );
        let (ended, answer) = post("/flags/STU3/", &ending);
        assert_eq!(ended, status, "{answer:?}");
    }
}
