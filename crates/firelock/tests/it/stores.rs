//! What tests of a service do alike, on every store.

use std::sync::Arc;

use fhir_model::json::{self, Value};
use fhir_service::{Answer, Operation, Payload, Preferences, Request, Service, SystemClock};
use rulebook::Caller;
use storage_api::Store;
use storage_memory::MemoryStore;
use storage_sqlite::{Options, SqliteStore};
use tokio::runtime::Builder;
use versioning_core::Precondition;

/// Runs a test on the service of each store.
pub(crate) fn on_every_store<F: Future<Output = ()>>(
    service: impl Fn(Arc<dyn Store>) -> Service,
    test: impl Fn(Service) -> F,
) {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(directory.path(), Options::default(), Arc::new(SystemClock)).unwrap();
    let stores: [Arc<dyn Store>; 2] = [Arc::new(MemoryStore::new(Arc::new(SystemClock))), Arc::new(sqlite)];
    for store in stores {
        runtime.block_on(test(service(store.clone())));
        runtime.block_on(store.close()).unwrap();
    }
}

/// Asks for something below a base, without any condition.
pub(crate) async fn ask(service: &Service, base: &str, operation: Operation) -> Answer {
    let request = Request {
        operation,
        precondition: Precondition::NONE,
        preferences: Preferences::default(),
        idempotency_key: None,
        retries_max: None,
        base: base.to_owned(),
        trace: "test".into(),
        caller: Caller::default(),
    };
    service.handle(request).await
}

/// What an answer shows.
pub(crate) fn tree(answer: &Answer) -> Value {
    let Some(Payload::Json(bytes)) = &answer.payload else { panic!("JSON, not {answer:?}") };
    json::parse(bytes, &json::Limits::default()).unwrap()
}
