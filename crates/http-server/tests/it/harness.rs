//! A server in this process, whose clock and randomness the test owns.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fhir_definitions::FhirVersion;
use fhir_service::{Entropy, Ids, Service, Slice, Validation};
use http_server::{Limits, Mount, Server, Settings};
use rulebook::{FhirRulebook, LockSettings, Rulebook};
use storage_api::{
    Answer, Clock, HistoryPage, HistoryRequest, Key, Record, SearchPage, SearchRequest, Store, StoredVersion,
    Timestamp, VersionSelector,
};
use storage_memory::MemoryStore;
use tokio::sync::oneshot;

use crate::client::{Connection, Request, Response};
use crate::mounts::{Rules, default_mounts};

/// Time stands still until it is moved.
#[derive(Debug)]
pub(crate) struct ManualClock(AtomicI64);

impl ManualClock {
    pub(crate) fn advance(&self, millis: i64) {
        self.0.fetch_add(millis * 1000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// The same bytes in the same order, every time (splitmix64).
#[derive(Debug, Default)]
struct Sequence(AtomicU64);

impl Entropy for Sequence {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A store whose first reads wait for each other, so that so many clients see the same version
/// before any of them writes.
struct Gate {
    store: Arc<dyn Store>,
    readers: usize,
    arrived: AtomicUsize,
    barrier: tokio::sync::Barrier,
}

impl Store for Gate {
    passed_on!(read_version history search snapshot commit index_generation index close);

    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        Box::pin(async move {
            let record = self.store.read(key).await;
            if self.arrived.fetch_add(1, Ordering::SeqCst) < self.readers {
                let all_here = tokio::time::timeout(Duration::from_secs(10), self.barrier.wait());
                all_here.await.expect("as many readers as were announced");
            }
            record
        })
    }
}

/// A store of which every read takes time by the server's clock, from when it is wound up on.
struct Slow {
    store: Arc<dyn Store>,
    millis: i64,
    clock: Arc<OnceLock<Arc<ManualClock>>>,
}

impl Slow {
    fn pass(&self) {
        if let Some(clock) = self.clock.get() {
            clock.advance(self.millis);
        }
    }
}

impl Store for Slow {
    passed_on!(commit index_generation index close);

    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        self.pass();
        self.store.read(key)
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        self.pass();
        self.store.read_version(key, version)
    }

    fn history<'a>(&'a self, request: &'a HistoryRequest) -> Answer<'a, HistoryPage> {
        self.pass();
        self.store.history(request)
    }

    fn search<'a>(&'a self, request: &'a SearchRequest) -> Answer<'a, SearchPage> {
        self.pass();
        self.store.search(request)
    }

    fn snapshot(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async {
            let (store, millis, clock) = (self.store.snapshot().await?, self.millis, Arc::clone(&self.clock));
            let slow: Arc<dyn Store> = Arc::new(Self { store, millis, clock });
            Ok(slow)
        })
    }
}

/// A running server. Dropping it stops it.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    services: Vec<Service>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// Puts something between a mount and its store.
pub(crate) type Wrap<'a> = &'a dyn Fn(Arc<dyn Store>) -> Arc<dyn Store>;

/// Sets up a service.
pub(crate) type Adjust<'a> = &'a dyn Fn(Service) -> Service;

impl TestServer {
    /// The mounts that the server has by default, in memory.
    pub(crate) fn start() -> Self {
        Self::with(&default_mounts(), Settings::default())
    }

    /// The default mounts under other limits.
    pub(crate) fn limited(change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits::default();
        change(&mut limits);
        Self::with(&default_mounts(), Settings { limits, ..Settings::default() })
    }

    /// Other mounts, each with a store of its own.
    pub(crate) fn with(mounts: &[Rules], settings: Settings) -> Self {
        Self::over(mounts, settings, &|store| store)
    }

    /// One mount, the first `readers` reads of whose store wait for each other.
    pub(crate) fn gated(mount: Rules, readers: usize) -> Self {
        Self::over(&[mount], Settings::default(), &|store| {
            let barrier = tokio::sync::Barrier::new(readers);
            Arc::new(Gate { store, readers, arrived: AtomicUsize::new(0), barrier })
        })
    }

    /// Other mounts over stores that are wrapped.
    pub(crate) fn over(mounts: &[Rules], settings: Settings, wrap: Wrap<'_>) -> Self {
        // Most exchanges are about versions, and their resources are as small as can be.
        Self::built(mounts, settings, &|service| service.with_validation(Validation::Off), wrap)
    }

    /// Mounts whose services are set up further.
    pub(crate) fn adjusted(mounts: &[Rules], settings: Settings, adjust: Adjust<'_>) -> Self {
        Self::built(mounts, settings, adjust, &|store| store)
    }

    /// The same, where every read of a store takes some milliseconds of the server's clock.
    pub(crate) fn slow(mounts: &[Rules], settings: Settings, adjust: Adjust<'_>, millis: i64) -> Self {
        let clock = Arc::new(OnceLock::new());
        let server = Self::built(mounts, settings, adjust, &|store| {
            Arc::new(Slow { store, millis, clock: Arc::clone(&clock) })
        });
        // Whoever set it before is the same.
        let _ = clock.set(Arc::clone(&server.clock));
        server
    }

    fn built(mounts: &[Rules], settings: Settings, adjust: Adjust<'_>, wrap: Wrap<'_>) -> Self {
        // Fri, 25 May 2018 16:09:50 GMT, the moment of the published examples.
        let clock = Arc::new(ManualClock(AtomicI64::new(1_527_264_590_000_000)));
        let ids = Ids::new(clock.clone(), Arc::new(Sequence::default()));
        let service = |rulebook: &Arc<dyn Rulebook>| {
            let store = wrap(Arc::new(MemoryStore::new(clock.clone())));
            adjust(Service::new(rulebook.clone(), store, ids.clone(), fhir_service::Limits::default()))
        };
        let mounted: Vec<Mount> = mounts
            .iter()
            .map(|(path, rulebook)| Mount { path: path.clone(), service: service(rulebook) })
            .collect();
        let services = mounted.iter().map(|mount| mount.service.clone()).collect();
        let outside: Arc<dyn Rulebook> =
            Arc::new(FhirRulebook::new(FhirVersion::R4, LockSettings::of(FhirVersion::R4)));
        let fallback = service(&outside);
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(2).enable_all().build().expect("runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
                tell.send(listener.local_addr().expect("address")).expect("tell");
                let server = Server::new(listener, mounted, fallback, settings).expect("server");
                let stopped = async {
                    let _ = stopped.await;
                };
                server.serve(stopped).await;
            });
        });
        let address = told.recv().expect("an address");
        Self { address, clock, services, stop: Some(stop), thread: Some(thread) }
    }

    /// Completes the index of every mount.
    pub(crate) fn complete_indexes(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        for service in &self.services {
            while runtime.block_on(service.index_slice()).expect("a slice") == Slice::More {}
        }
    }

    /// Asks the server to stop. It finishes what it accepted.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until the server has stopped.
    pub(crate) fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server's thread ended well");
        }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Each request on a connection and a thread of its own, all at once; the answers in the order
    /// of the requests.
    pub(crate) fn race(&self, requests: Vec<Request>) -> Vec<Response> {
        let start = std::sync::Barrier::new(requests.len());
        let run = |request: Request| {
            let mut connection = self.connect();
            start.wait();
            connection.send(&request)
        };
        std::thread::scope(|scope| {
            let racers: Vec<_> = requests.into_iter().map(|request| scope.spawn(|| run(request))).collect();
            racers.into_iter().map(|racer| racer.join().expect("a racer")).collect()
        })
    }

    /// Creates a Flag by POST and gives its target and its ETag.
    #[track_caller]
    pub(crate) fn flag(&self, path: &str) -> (String, String) {
        let body = r#"{"resourceType":"Flag","status":"active"}"#;
        let created = self.send(&Request::post(&format!("{path}/Flag"), body));
        assert_eq!(created.status, 201, "{}", created.body_text());
        let location = created.header("location").expect("a Location");
        let resource = location.split("/_history").next().unwrap_or_default();
        (resource.replace("http://server.example", ""), created.etag())
    }

    /// One request on a connection of its own.
    pub(crate) fn send(&self, request: &Request) -> Response {
        self.connect().send(request)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
