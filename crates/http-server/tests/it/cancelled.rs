//! Clients that call a request off while it is carried out.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_server::{Audit, AuditRecord, Settings};
use storage_api::{Answer, Commit, Store, Write, WriteSet};
use tokio::sync::Semaphore;

use crate::client::Connection;
use crate::harness::TestServer;
use crate::mounts;

/// A store that tells when a version is committed, and lets nobody know of it before it is opened.
struct Held {
    store: Arc<dyn Store>,
    committed: Mutex<Sender<()>>,
    open: Arc<Semaphore>,
}

impl Store for Held {
    passed_on!(read read_version history search snapshot index_generation index close);

    fn commit(&self, set: WriteSet) -> Answer<'static, Commit> {
        let writes = set.writes.iter().any(|write| matches!(write, Write::Version(_)));
        let committing = self.store.commit(set);
        if !writes {
            return committing;
        }
        let committed = self.committed.lock().expect("a sender").clone();
        let open = Arc::clone(&self.open);
        Box::pin(async move {
            let ended = committing.await;
            committed.send(()).expect("somebody waits");
            let _opened = open.acquire().await;
            ended
        })
    }
}

#[derive(Debug, Default)]
struct Kept(Mutex<Vec<AuditRecord>>);

impl Audit for Kept {
    fn record(&self, record: AuditRecord) {
        self.0.lock().expect("records").push(record);
    }
}

/// A frame of HTTP/2 (RFC 9113 4.1).
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    let head = [length[1], length[2], length[3], kind, flags, 0, 0, 0, stream];
    [&head[..], payload].concat()
}

/// A field as HPACK has it where nothing is packed (RFC 7541 6.2.2).
fn field(name: &str, value: &str) -> Vec<u8> {
    let short =
        |text: &str| u8::try_from(text.len()).ok().filter(|length| *length < 127).expect("a short text");
    [&[0, short(name)][..], name.as_bytes(), &[short(value)], value.as_bytes()].concat()
}

/// What was committed has its record, although nobody waits for the answer any more, and although the server stops
/// before it is there.
#[test]
fn a_write_that_is_called_off_leaves_its_record() {
    const DATA: u8 = 0;
    const HEADERS: u8 = 1;
    const RESET: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    let kept = Arc::new(Kept::default());
    let settings = Settings { audit: Some(kept.clone()), ..Settings::default() };
    let (committed, is_committed) = channel();
    let open = Arc::new(Semaphore::new(0));
    let mount = mounts::parse("/flags/STU3 flags/STU3 headers=off");
    let mut server = TestServer::over(&[mount], settings, &|store| {
        Arc::new(Held { store, committed: Mutex::new(committed.clone()), open: Arc::clone(&open) })
    });
    let mut client = Connection::open(server.address);
    let flag = include_bytes!("../../../../fixtures/spine/flags/flag.json");
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/flags/STU3/Flag"),
        (":authority", "server.example"),
        ("content-type", "application/fhir+json"),
    ];
    let fields: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    let request = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, 0x4, 1, &fields),
        frame(DATA, 0x1, 1, flag),
    ];
    client.write(&request.concat()).expect("sent");
    is_committed.recv_timeout(Duration::from_secs(30)).expect("committed");
    client.write(&[frame(RESET, 0, 1, &[0, 0, 0, 8]), frame(PING, 0, 0, &[7; 8])].concat()).expect("sent");
    // The answer to the ping comes when the server knows of the reset.
    client.read_until(&frame(PING, 0x1, 0, &[7; 8]));
    assert!(kept.0.lock().expect("records").is_empty());
    server.stop();
    open.add_permits(1);
    server.wait();
    let records = kept.0.lock().expect("records").clone();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.status, record.method.as_str(), record.changes.len()), (201, "POST", 1));
}
