//! A server in this process, whose clock and randomness the test owns.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use fhir_definitions::FhirVersion;
use fhir_service::{Entropy, Ids, Service};
use http_server::{Mount, Server, Settings};
use rulebook::{FhirRulebook, LockSettings, Rulebook, SpineRulebook};
use storage_api::{Clock, Timestamp};
use storage_memory::MemoryStore;
use tokio::sync::oneshot;

use crate::client::{Connection, Request, Response};

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

/// A running server. Dropping it stops it.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl TestServer {
    /// The mounts that `firelock serve` has by default, in memory.
    pub(crate) fn start() -> Self {
        Self::with(&default_mounts(), Settings::default())
    }

    /// Other mounts, each with a store of its own.
    pub(crate) fn with(mounts: &[(String, Arc<dyn Rulebook>)], settings: Settings) -> Self {
        // Fri, 25 May 2018 16:09:50 GMT, the moment of the published examples.
        let clock = Arc::new(ManualClock(AtomicI64::new(1_527_264_590_000_000)));
        let ids = Ids::new(clock.clone(), Arc::new(Sequence::default()));
        let service = |rulebook: &Arc<dyn Rulebook>| {
            let store = Arc::new(MemoryStore::new(clock.clone()));
            Service::new(rulebook.clone(), store, ids.clone(), fhir_service::Limits::default())
        };
        let mounted: Vec<Mount> = mounts
            .iter()
            .map(|(path, rulebook)| Mount { path: path.clone(), service: service(rulebook) })
            .collect();
        let outside: Arc<dyn Rulebook> =
            Arc::new(FhirRulebook::new(FhirVersion::R4, LockSettings::of(FhirVersion::R4)));
        let fallback = service(&outside);
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("runtime");
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
                tell.send(listener.local_addr().expect("address")).expect("tell");
                let server = Server::new(listener, mounted, fallback, settings).expect("server");
                server
                    .serve(async {
                        let _ = stopped.await;
                    })
                    .await;
            });
        });
        let address = told.recv().expect("an address");
        Self { address, clock, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// One request on a connection of its own.
    pub(crate) fn send(&self, request: &Request) -> Response {
        self.connect().send(request)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(crate) fn default_mounts() -> Vec<(String, Arc<dyn Rulebook>)> {
    let mut mounts: Vec<(String, Arc<dyn Rulebook>)> = FhirVersion::ALL
        .into_iter()
        .map(|version| {
            let rulebook: Arc<dyn Rulebook> = Arc::new(FhirRulebook::new(version, LockSettings::of(version)));
            (format!("/{}", version.label()), rulebook)
        })
        .collect();
    let spine = SpineRulebook::new(SpineRulebook::default_locks(), rulebook::ConflictBody::default());
    mounts.push(("/spine/STU3".to_owned(), Arc::new(spine)));
    mounts
}
