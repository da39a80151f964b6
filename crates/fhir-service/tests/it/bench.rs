//! A service on a store in memory, asked without HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fhir_definitions::FhirVersion;
use fhir_model::json::{Limits, Value, parse};
use fhir_service::{
    Answer, Content, Criteria, FullText, Ids, Operation, Payload, Preferences, ReferentialIntegrity, Request,
    SearchScope, Service, SystemClock, Validation,
};
use rulebook::{FhirRulebook, LockSettings};
use storage_api::{
    self as store, Commit, Guard, HeadGuard, HistoryPage, HistoryRequest, Index, IndexGeneration, Key,
    Method, Record, RequestId, SearchPage, SearchRequest, Store, StoreError, StoredVersion, VersionSelector,
    VersionTag, VersionToken, VersionWrite, Write, WriteSet,
};
use storage_memory::MemoryStore;
use versioning_core::Precondition;

pub(crate) const BASE: &str = "http://here/R4";

/// A store that can be full, or that others write to whenever something is searched.
pub(crate) struct Brake {
    store: MemoryStore,
    is_full: AtomicBool,
    is_busy: AtomicBool,
}

impl Brake {
    pub(crate) fn set_full(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::SeqCst);
    }

    /// Before every search somebody writes the next version of Patient/busy.
    pub(crate) fn set_busy(&self) {
        self.is_busy.store(true, Ordering::SeqCst);
    }

    async fn write_busy(&self) -> Result<(), StoreError> {
        let key = Key::new("Patient", "busy");
        let Record { current, body } = self.store.read(&key).await?;
        let number = current.number();
        let version = VersionWrite {
            key: key.clone(),
            next: VersionToken { number: number.next(), tag: VersionTag(number.get()) },
            method: Method::Put,
            body,
            terms: [].into(),
        };
        let set = WriteSet {
            request: RequestId([7; 16]),
            index: self.store.index_generation(),
            guards: vec![Guard::Head(key, HeadGuard::Exactly(number))],
            writes: vec![Write::Version(version)],
        };
        let committed = self.store.commit(set).await?;
        assert!(matches!(committed, Commit::Committed(_)), "{committed:?}");
        Ok(())
    }
}

impl Store for Brake {
    fn read<'a>(&'a self, key: &'a Key) -> store::Answer<'a, Record> {
        self.store.read(key)
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> store::Answer<'a, Option<StoredVersion>> {
        self.store.read_version(key, version)
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> store::Answer<'a, HistoryPage> {
        self.store.history(request)
    }

    fn search<'a>(&'a self, request: &'a SearchRequest) -> store::Answer<'a, SearchPage> {
        Box::pin(async move {
            if self.is_busy.load(Ordering::SeqCst) {
                self.write_busy().await?;
            }
            self.store.search(request).await
        })
    }

    fn snapshot(&self) -> store::Answer<'_, Arc<dyn Store>> {
        self.store.snapshot()
    }

    fn commit(&self, set: WriteSet) -> store::Answer<'static, Commit> {
        if self.is_full.load(Ordering::SeqCst) {
            return Box::pin(std::future::ready(Err(StoreError::Full)));
        }
        self.store.commit(set)
    }

    fn index_generation(&self) -> IndexGeneration {
        self.store.index_generation()
    }

    fn index(&self) -> store::Answer<'_, Index> {
        self.store.index()
    }

    fn close(&self) -> store::Answer<'static, ()> {
        self.store.close()
    }
}

pub(crate) struct Bench {
    pub(crate) store: Arc<Brake>,
    pub(crate) service: Service,
    runtime: tokio::runtime::Runtime,
}

fn service(store: &Arc<Brake>, integrity: ReferentialIntegrity) -> Service {
    let rulebook = FhirRulebook::new(FhirVersion::R4, LockSettings::of(FhirVersion::R4));
    let limits = fhir_service::Limits::default();
    let store: Arc<dyn Store> = store.clone();
    Service::new(Arc::new(rulebook), store, Ids::system(), limits)
        .with_validation(Validation::Off)
        .with_referential_integrity(integrity)
}

impl Bench {
    pub(crate) fn new(integrity: ReferentialIntegrity) -> Self {
        let store = MemoryStore::new(Arc::new(SystemClock));
        let store =
            Arc::new(Brake { store, is_full: AtomicBool::new(false), is_busy: AtomicBool::new(false) });
        let service = service(&store, integrity);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bench = Self { store, service, runtime };
        bench.block_on(bench.service.open_index(Some(BASE))).unwrap();
        bench
    }

    /// With resources found by their words, or not.
    pub(crate) fn found_by_words(full_text: FullText) -> Self {
        let mut bench = Self::new(ReferentialIntegrity::Off);
        bench.restart_found_by_words(full_text);
        bench
    }

    pub(crate) fn restart_found_by_words(&mut self, full_text: FullText) {
        self.service = service(&self.store, ReferentialIntegrity::Off).with_full_text(full_text);
        self.block_on(self.service.open_index(Some(BASE))).unwrap();
    }

    /// As if the program had ended and begun again.
    pub(crate) fn restart(&mut self, integrity: ReferentialIntegrity) {
        self.service = service(&self.store, integrity);
        self.block_on(self.service.open_index(Some(BASE))).unwrap();
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn ask(&self, operation: Operation) -> Answer {
        self.block_on(self.service.handle(request(operation)))
    }

    pub(crate) fn put(&self, key: &str, text: &str) -> Answer {
        self.ask(Operation::Update { key: key_of(key), body: Content::json(text.to_owned()) })
    }

    pub(crate) fn delete(&self, key: &str) -> Answer {
        self.ask(Operation::Delete(key_of(key)))
    }

    /// A create if nothing matches.
    pub(crate) fn create_if_none(&self, query: &[(&str, &str)], text: &str) -> Answer {
        self.ask(Operation::ConditionalCreate {
            resource_type: "Patient".to_owned(),
            criteria: Criteria(pairs(query)),
            body: Content::json(text.to_owned()),
        })
    }

    /// Ids that a search finds, and what its outcome says.
    pub(crate) fn search(&self, resource_type: &str, query: &[(&str, &str)]) -> (Vec<String>, String) {
        let resource_type = resource_type.to_owned();
        let mut parameters = pairs(query);
        parameters.push(("_count".to_owned(), "1000".to_owned()));
        let answer = self.ask(Operation::Search { scope: SearchScope::Type(resource_type), parameters });
        assert_eq!(answer.status, 200, "{answer:?}");
        let bundle = json_of(&answer);
        let (mut ids, mut said) = (Vec::new(), String::new());
        for entry in array(bundle.get("entry")) {
            let resource = entry.get("resource").unwrap();
            match resource.get("id").and_then(Value::as_str) {
                Some(id) => ids.push(id.to_owned()),
                None => {
                    for issue in array(resource.get("issue")) {
                        said.push_str(issue.get("diagnostics").and_then(Value::as_str).unwrap_or_default());
                    }
                }
            }
        }
        ids.sort();
        (ids, said)
    }

    pub(crate) fn reindex(&self) -> Answer {
        self.ask(Operation::Reindex { full: false })
    }

    /// Indexes until nothing is left; says in how many slices.
    pub(crate) fn complete(&self) -> usize {
        let mut slices = 1;
        while self.block_on(self.service.index_slice()).unwrap() == fhir_service::Slice::More {
            slices += 1;
        }
        slices
    }
}

pub(crate) fn key_of(text: &str) -> Key {
    let (kind, id) = text.split_once('/').unwrap();
    Key::new(kind, id)
}

fn pairs(query: &[(&str, &str)]) -> Vec<(String, String)> {
    query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn request(operation: Operation) -> Request {
    Request {
        operation,
        precondition: Precondition::NONE,
        preferences: Preferences::default(),
        retries_max: None,
        idempotency_key: None,
        base: BASE.to_owned(),
        trace: "t".into(),
        caller: rulebook::Caller::default(),
    }
}

pub(crate) fn json_of(answer: &Answer) -> Value {
    let Some(Payload::Json(bytes)) = &answer.payload else { panic!("no JSON: {answer:?}") };
    parse(bytes, &Limits::default()).unwrap()
}

fn array(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::Array(items)) => items,
        _ => &[],
    }
}

/// The words of the outcome that an answer is.
pub(crate) fn said(answer: &Answer) -> String {
    json_of(answer).to_json_text()
}

trait Text {
    fn to_json_text(&self) -> String;
}

impl Text for Value {
    fn to_json_text(&self) -> String {
        String::from_utf8(self.to_bytes()).unwrap()
    }
}
