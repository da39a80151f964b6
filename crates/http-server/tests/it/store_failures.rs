//! What clients hear when the store fails, or the server itself: a status that says whether to come
//! back, and nothing of the inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http_server::Settings;
use storage_api::{Answer, Commit, Key, Record, Store, StoreError, StoredVersion, VersionSelector, WriteSet};

use crate::bad_input::{check_outcome, goes_on};
use crate::client::Request;
use crate::harness::TestServer;
use crate::mounts::{PATHS, parse};
use crate::protocol::raw;

/// What a store does with the ids that begin with `broken`.
#[derive(Clone)]
enum Fault {
    Error(StoreError),
    Panic,
    /// Commits, and says that it does not know.
    Unknown,
    /// Does not commit, and says that it does not know; nor can it look.
    Lost,
    /// Does not commit, and says that it does not know; can look, and fails the next time.
    Doubt,
    /// The same, and is well the next time.
    Recovery,
    /// Has no room for a commit, and says so beforehand.
    Queue,
}

struct Faulty {
    store: Arc<dyn Store>,
    fault: Fault,
    /// Commits so far.
    commits: AtomicUsize,
}

impl Faulty {
    /// Fails as it was told to.
    fn fail(&self) -> Result<(), StoreError> {
        match &self.fault {
            Fault::Error(error) => Err(error.clone()),
            Fault::Panic => panic!("a secret of the inside"),
            Fault::Unknown | Fault::Lost | Fault::Doubt | Fault::Recovery | Fault::Queue => Ok(()),
        }
    }
}

fn is_broken(key: &Key) -> bool {
    key.id.starts_with("broken")
}

impl Store for Faulty {
    passed_on!(history search snapshot index_generation index close);

    fn read<'a>(&'a self, key: &'a Key) -> Answer<'a, Record> {
        Box::pin(async move {
            if is_broken(key) {
                self.fail()?;
            }
            self.store.read(key).await
        })
    }

    fn read_version<'a>(
        &'a self,
        key: &'a Key,
        version: VersionSelector,
    ) -> Answer<'a, Option<StoredVersion>> {
        Box::pin(async move {
            if is_broken(key) {
                self.fail()?;
                if matches!(self.fault, Fault::Lost) {
                    return Err(StoreError::Unavailable("reopening".to_owned()));
                }
            }
            self.store.read_version(key, version).await
        })
    }

    fn commit(&self, set: WriteSet) -> Answer<'static, Commit> {
        let broken = set.writes.iter().any(|write| match write {
            storage_api::Write::Version(version) => is_broken(&version.key),
            _ => false,
        });
        if !broken {
            return self.store.commit(set);
        }
        let is_first = self.commits.fetch_add(1, Ordering::Relaxed) == 0;
        match &self.fault {
            Fault::Doubt | Fault::Recovery if is_first => Box::pin(async { Ok(Commit::Unknown) }),
            Fault::Doubt => Box::pin(async { Err(StoreError::Unavailable("reopening".to_owned())) }),
            Fault::Unknown => {
                let committed = self.store.commit(set);
                Box::pin(async move { committed.await.map(|_| Commit::Unknown) })
            }
            Fault::Lost => Box::pin(async { Ok(Commit::Unknown) }),
            // The keys of such writes were read before, which failed already.
            Fault::Error(_) | Fault::Panic | Fault::Recovery => self.store.commit(set),
            Fault::Queue => Box::pin(async { Err(StoreError::Busy) }),
        }
    }

    fn is_full(&self) -> bool {
        matches!(self.fault, Fault::Queue)
    }
}

fn server(path: &str, fault: &Fault) -> TestServer {
    let mount = parse(&format!("{path} {}", &path[1..]));
    TestServer::over(&[mount], Settings::default(), &|store| {
        Arc::new(Faulty { store, fault: fault.clone(), commits: AtomicUsize::new(0) })
    })
}

fn put(path: &str) -> Request {
    Request::put(&format!("{path}/Flag/broken"), r#"{"resourceType":"Flag","id":"broken"}"#)
}

#[test]
fn a_store_that_fails() {
    let words = || "SELECT body FROM version at src/reader.rs:17".to_owned();
    for path in PATHS {
        for (error, status, retry_after) in [
            (StoreError::Busy, 503, Some("1")),
            (StoreError::Full, 503, Some("30")),
            (StoreError::Unavailable(words()), 503, Some("5")),
            (StoreError::TooLarge, 413, None),
            (StoreError::Unguarded, 500, None),
            (StoreError::Unsorted, 500, None),
            (StoreError::Corrupt(words()), 500, None),
            (StoreError::Io(words()), 503, Some("5")),
        ] {
            let server = server(path, &Fault::Error(error.clone()));
            let mut connection = server.connect();
            let target = format!("{path}/Flag/broken");
            let tag = "\"25777f7d-27bc\"";
            for request in
                [Request::get(&target), put(path).if_match(tag), Request::delete(&target).if_match(tag)]
            {
                let answer = connection.send(&request);
                check_outcome(&answer, status, &format!("{error:?} on {path}"));
                assert_eq!(answer.header("retry-after"), retry_after, "{error:?} on {path}");
                assert_eq!(answer.header("etag"), None, "{error:?} on {path}");
            }
            goes_on(&mut connection, path);
        }
    }
}

#[test]
fn a_handler_that_panics() {
    for path in PATHS {
        let server = server(path, &Fault::Panic);
        let mut connection = server.connect();
        for request in [Request::get(&format!("{path}/Flag/broken")), put(path).if_match("\"1\"")] {
            let answer = connection.send(&request);
            check_outcome(&answer, 500, path);
            assert!(!answer.body_text().contains("secret"), "{}", answer.body_text());
        }
        goes_on(&mut connection, path);
    }
}

/// A commit whose outcome is unknown is looked up before anything is said or sent again.
#[test]
fn failure_20_an_unknown_outcome_blindly_retried_writes_twice() {
    for path in ["/STU3", "/R4", "/R4B", "/R5"] {
        let server = server(path, &Fault::Unknown);
        let created = server.send(&put(path));
        assert_eq!((created.status, created.etag().as_str()), (201, "W/\"1\""), "{path}");
        let history = server.send(&Request::get(&format!("{path}/Flag/broken/_history")));
        assert_eq!(history.json().get("total"), Some(&1.into()), "{path}: written once");
    }
    for path in ["/STU3", "/R4", "/R4B", "/R5"] {
        // What was not found may come back when the store recovers.
        for fault in [Fault::Lost, Fault::Doubt] {
            let answer = server(path, &fault).send(&put(path));
            check_outcome(&answer, 503, path);
            assert!(answer.diagnostics().contains("not known"), "{}", answer.diagnostics());
            // A client that came back by itself could write twice.
            assert_eq!(answer.header("retry-after"), None, "{path}");
        }
        let server = server(path, &Fault::Recovery);
        let created = server.send(&put(path));
        assert_eq!((created.status, created.etag().as_str()), (201, "W/\"1\""), "{path}");
    }
}

/// While the queue is full a write is refused before its body is asked for, let alone parsed. Reads go on.
#[test]
fn a_full_queue_refuses_before_it_reads() {
    for path in PATHS {
        let server = server(path, &Fault::Queue);
        let mut connection = server.connect();
        let target = format!("{path}/Flag/a");
        for request in [
            put(path).body("no resource"),
            Request::put(&target, "{").if_match("\"1\""),
            Request::post(&format!("{path}/Flag"), "<"),
            Request::delete(&target).if_match("\"1\""),
        ] {
            let answer = connection.send(&request);
            check_outcome(&answer, 503, path);
            assert_eq!(answer.header("retry-after"), Some("1"), "{path}");
        }
        let mut asking = server.connect();
        let head = format!(
            "PUT {target} HTTP/1.1\r\nHost: server.example\r\nIf-Match: \"1\"\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
        );
        check_outcome(&raw(&mut asking, head.as_bytes()), 503, path);
        check_outcome(&connection.send(&Request::get(&target)), 404, path);
    }
}
