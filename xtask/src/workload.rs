//! What the harnesses make clients do, what the clients are told, and whether it is true.
//!
//! Clients read, add one and write back under If-Match. Every resource starts at 1 and every update adds one, so in a
//! sound history the value of version n is n. Each body also names the write that made it, so a version that two
//! clients were both told is theirs would show.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, ensure};
use hyper::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http::{Client, Reply};

/// The API that clients write to.
pub(crate) const BASE: &str = "/R4";

/// How many clients write to how many resources.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    pub(crate) clients: u32,
    pub(crate) resources: u32,
}

/// A version of a resource and the write that made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) id: String,
    pub(crate) version: u64,
    pub(crate) write: String,
}

/// What the clients were told, over all lives of the server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// Writes that the server said were done.
    pub(crate) acknowledged: Vec<Fact>,
    /// Versions that a client read.
    pub(crate) seen: Vec<Fact>,
    /// Writes that lost against another.
    pub(crate) stale: BTreeSet<String>,
    /// Writes that the server could not take, nothing having been written, and why.
    pub(crate) unavailable: BTreeMap<String, String>,
    /// Writes without an answer: done or not, but never done twice.
    pub(crate) in_doubt: BTreeSet<String>,
    /// Reads that the server refused with a clear 503.
    pub(crate) unread: u64,
    /// Answers that should never be.
    pub(crate) unexpected: Vec<String>,
}

/// What all clients of a run share.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Told>>);

impl Notes {
    /// What was noted so far.
    pub(crate) fn told(&self) -> Told {
        self.lock().clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Clients at work.
pub(crate) struct Clients {
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Lets clients write until they are stopped or their connections break. `life` tells their writes from those of
    /// other starts.
    pub(crate) fn start(
        address: SocketAddr,
        life: &str,
        seed: u64,
        workload: Workload,
        notes: &Notes,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let clients = (0..workload.clients)
            .map(|client| {
                let name = format!("{life}-{client}");
                let random = StdRng::seed_from_u64(seed ^ u64::from(client));
                tokio::spawn(work(address, name, workload.resources, random, notes.clone(), stopped.clone()))
            })
            .collect();
        Self { stop, clients }
    }

    /// Waits until each has ended what it does.
    pub(crate) async fn stop(self) -> Result<()> {
        // Fails if all have ended already, which is fine.
        let _ = self.stop.send(true);
        for client in self.clients {
            client.await?;
        }
        Ok(())
    }
}

/// A client: read, add one, write back, until the connection breaks.
async fn work(
    address: SocketAddr,
    name: String,
    resources: u32,
    mut random: StdRng,
    notes: Notes,
    stopped: watch::Receiver<bool>,
) {
    let Ok(mut client) = Client::connect(address).await else { return };
    for number in 0_u64.. {
        if *stopped.borrow() {
            return;
        }
        let id = format!("counter-{}", random.random_range(0..resources));
        if update(&mut client, &id, &format!("{name}-{number}"), &notes).await == Update::Unanswered {
            return;
        }
    }
}

/// How a read-modify-write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    Written,
    /// Another write was first.
    Stale,
    /// 503: the server could not take it.
    Unavailable,
    /// The connection broke.
    Unanswered,
    /// What should never be; it is noted.
    Unexpected,
}

/// One read-modify-write, noted whatever comes.
pub(crate) async fn update(client: &mut Client, id: &str, write: &str, notes: &Notes) -> Update {
    let target = format!("{BASE}/Observation/{id}");
    let Ok(read) = client.send(Method::GET, &target, &[], "").await else { return Update::Unanswered };
    let unexpected = |what: &str, reply: &Reply| {
        let body = String::from_utf8_lossy(&reply.body);
        notes.lock().unexpected.push(format!("{id}: {what} answered {}: {body}", reply.status));
        Update::Unexpected
    };
    let (condition, value) = match (read.status, &read.etag) {
        (200, Some(etag)) => {
            let Some(fact) = fact(id, &read) else { return unexpected("GET", &read) };
            let value = fact.version + 1;
            notes.lock().seen.push(fact);
            (("if-match", etag.clone()), value)
        }
        (404, _) => (("if-none-match", "*".to_owned()), 1),
        (503, _) if refusal(&read).is_some() => {
            notes.lock().unread += 1;
            return Update::Unavailable;
        }
        _ => return unexpected("GET", &read),
    };
    let body = body(id, value, write);
    let headers = [("content-type", "application/fhir+json"), (condition.0, condition.1.as_str())];
    let Ok(reply) = client.send(Method::PUT, &target, &headers, body).await else {
        notes.lock().in_doubt.insert(write.to_owned());
        return Update::Unanswered;
    };
    match (reply.status, reply.etag.as_deref().and_then(number)) {
        (200 | 201, Some(version)) => {
            notes.lock().acknowledged.push(Fact { id: id.to_owned(), version, write: write.to_owned() });
            Update::Written
        }
        (409 | 412, _) => {
            notes.lock().stale.insert(write.to_owned());
            Update::Stale
        }
        (503, _) => match refusal(&reply) {
            Some(code) if code == "outcome-unknown" => {
                notes.lock().in_doubt.insert(write.to_owned());
                Update::Unavailable
            }
            Some(code) => {
                notes.lock().unavailable.insert(write.to_owned(), code);
                Update::Unavailable
            }
            None => unexpected("PUT", &reply),
        },
        _ => unexpected("PUT", &reply),
    }
}

/// A resource of some hundred bytes or up to two thousand, so that stores treat some as large if they are told to.
pub(crate) fn body(id: &str, value: u64, write: &str) -> String {
    let method = "by hand ".repeat(write.bytes().fold(0, |sum, byte| (sum * 31 + usize::from(byte)) % 240));
    format!(
        r#"{{"resourceType":"Observation","id":"{id}","status":"final","code":{{"text":"{write}"}},"valueInteger":{value},"method":{{"text":"{method}."}}}}"#
    )
}

/// What a read shows.
pub(crate) fn fact(id: &str, reply: &Reply) -> Option<Fact> {
    let version = reply.etag.as_deref().and_then(number)?;
    let json: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
    let write = json["code"]["text"].as_str()?.to_owned();
    (json["valueInteger"].as_u64() == Some(version)).then(|| Fact { id: id.to_owned(), version, write })
}

/// The code of a refusal that a client can understand: an OperationOutcome with a text for people and nothing from
/// the engine room.
pub(crate) fn refusal(reply: &Reply) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(&reply.body).ok()?;
    let issue = &json["issue"][0];
    let text = issue["diagnostics"].as_str()?;
    let leaks = ["sqlite", "SQL", "database", "disk I/O", "errno", "os error"];
    let is_clear =
        json["resourceType"] == "OperationOutcome" && leaks.iter().all(|leak| !text.contains(leak));
    is_clear.then(|| issue["details"]["coding"][0]["code"].as_str().map(str::to_owned))?
}

pub(crate) fn number(etag: &str) -> Option<u64> {
    etag.strip_prefix("W/\"")?.strip_suffix('"')?.parse().ok()
}

/// A version as a history shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) version: u64,
    pub(crate) value: u64,
    pub(crate) write: String,
}

/// All histories, oldest version first.
pub(crate) type Histories = BTreeMap<String, Vec<Stored>>;

/// Reads the history of every counter.
pub(crate) async fn histories(address: SocketAddr, resources: u32) -> Result<Histories> {
    let ids: Vec<String> = (0..resources).map(|resource| format!("counter-{resource}")).collect();
    histories_of(address, &ids).await
}

/// Reads the histories of these resources.
pub(crate) async fn histories_of(address: SocketAddr, ids: &[String]) -> Result<Histories> {
    let mut client = Client::connect(address).await?;
    let mut histories = Histories::new();
    for id in ids {
        let mut history = history(&mut client, id).await?;
        history.reverse();
        histories.insert(id.clone(), history);
    }
    Ok(histories)
}

/// All versions of a resource, newest first.
async fn history(client: &mut Client, id: &str) -> Result<Vec<Stored>> {
    let mut versions = Vec::new();
    let mut target = Some(format!("{BASE}/Observation/{id}/_history?_count=500"));
    while let Some(page) = target.take() {
        let (reply, bundle) = client.get_json(&page).await?;
        if reply.status == 404 {
            break;
        }
        ensure!(reply.status == 200, "GET {page}: {}", reply.status);
        for entry in bundle["entry"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let resource = &entry["resource"];
            let version = resource["meta"]["versionId"].as_str().and_then(|version| version.parse().ok());
            versions.push(Stored {
                version: version.context("no version")?,
                value: resource["valueInteger"].as_u64().context("no value")?,
                write: resource["code"]["text"].as_str().context("no write")?.to_owned(),
            });
        }
        let links = bundle["link"].as_array().map(Vec::as_slice).unwrap_or_default();
        let next = links.iter().find(|link| link["relation"] == "next").and_then(|link| link["url"].as_str());
        target = next.and_then(|url| url.find(BASE).map(|start| url[start..].to_owned()));
    }
    Ok(versions)
}

/// A way in which what is stored is not what clients were told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A version number that does not follow the one before it.
    Gap { id: String, version: u64, expected: u64 },
    /// A version whose value is not its number: it replaced another than its writer read.
    LostUpdate { id: String, version: u64, value: u64 },
    /// One write made two versions.
    StoredTwice { write: String },
    /// Two writers were told that they made the same version.
    AcknowledgedTwice { id: String, version: u64 },
    /// A write that was said to be done is not there.
    Acknowledged { fact: Fact, stored: Option<String> },
    /// A version that somebody read is not there.
    Seen { fact: Fact, stored: Option<String> },
    /// A write that was said not to be done is there.
    Refused { write: String },
    /// Only a part of a transaction is there.
    Torn { write: String, there: usize, of: usize },
    /// An answer that should never be.
    Unexpected(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let other = |stored: &Option<String>| match stored {
            Some(write) => format!("{write} is there instead"),
            None => "it is not there".to_owned(),
        };
        match self {
            Self::Gap { id, version, expected } => {
                write!(f, "{id}: version {version} stands where {expected} belongs")
            }
            Self::LostUpdate { id, version, value } => {
                write!(f, "{id}: version {version} has the value {value}: an update was lost")
            }
            Self::StoredTwice { write } => write!(f, "write {write} is stored twice"),
            Self::AcknowledgedTwice { id, version } => {
                write!(f, "{id}: version {version} was acknowledged twice")
            }
            Self::Acknowledged { fact: Fact { id, version, write }, stored } => {
                write!(f, "{id}: version {version} was acknowledged to {write}; {}", other(stored))
            }
            Self::Seen { fact: Fact { id, version, write }, stored } => {
                write!(f, "{id}: version {version} by {write} was read; {}", other(stored))
            }
            Self::Refused { write } => write!(f, "write {write} was refused and is stored"),
            Self::Torn { write, there, of } => {
                write!(f, "transaction {write} is there in {there} of {of} resources")
            }
            Self::Unexpected(what) => write!(f, "unexpected: {what}"),
        }
    }
}

/// Every way in which `histories` is not what clients were told.
pub(crate) fn faults(told: &Told, histories: &Histories) -> Vec<Fault> {
    let mut faults: Vec<_> = told.unexpected.iter().cloned().map(Fault::Unexpected).collect();
    let mut writers = BTreeSet::new();
    for (id, history) in histories {
        for (stored, expected) in history.iter().zip(1..) {
            let Stored { version, value, write } = stored.clone();
            if version != expected {
                faults.push(Fault::Gap { id: id.clone(), version, expected });
            }
            if value != version {
                faults.push(Fault::LostUpdate { id: id.clone(), version, value });
            }
            if told.stale.contains(&write) || told.unavailable.contains_key(&write) {
                faults.push(Fault::Refused { write: write.clone() });
            }
            if !writers.insert(write.clone()) {
                faults.push(Fault::StoredTwice { write });
            }
        }
    }
    let mut versions = BTreeSet::new();
    for fact in &told.acknowledged {
        if !versions.insert((&fact.id, fact.version)) {
            faults.push(Fault::AcknowledgedTwice { id: fact.id.clone(), version: fact.version });
        }
        if let Err(stored) = find(fact, histories) {
            faults.push(Fault::Acknowledged { fact: fact.clone(), stored });
        }
    }
    for fact in &told.seen {
        if let Err(stored) = find(fact, histories) {
            faults.push(Fault::Seen { fact: fact.clone(), stored });
        }
    }
    faults
}

/// Finds `fact`, or the write that stands in its place, if there is one.
fn find(fact: &Fact, histories: &Histories) -> Result<(), Option<String>> {
    let history = histories.get(&fact.id).map(Vec::as_slice).unwrap_or_default();
    let is_wanted = |stored: &&Stored| stored.version == fact.version;
    // Where the chain is whole, version n is the n-th.
    let in_place =
        usize::try_from(fact.version).ok().and_then(|version| history.get(version.checked_sub(1)?));
    match in_place.filter(is_wanted).or_else(|| history.iter().find(is_wanted)) {
        Some(stored) if stored.write == fact.write => Ok(()),
        other => Err(other.map(|stored| stored.write.clone())),
    }
}

/// Stops at the first faults, naming a few of them.
pub(crate) fn ensure_sound(faults: &[Fault]) -> Result<()> {
    let named: Vec<_> = faults.iter().take(5).map(|fault| format!("\n  {fault}")).collect();
    ensure!(faults.is_empty(), "{} faults:{}", faults.len(), named.concat());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(version: u64, write: &str) -> Fact {
        Fact { id: "a".to_owned(), version, write: write.to_owned() }
    }

    fn histories(versions: &[(u64, u64, &str)]) -> Histories {
        let stored = |(version, value, write): &(u64, u64, &str)| Stored {
            version: *version,
            value: *value,
            write: (*write).to_owned(),
        };
        Histories::from([("a".to_owned(), versions.iter().map(stored).collect())])
    }

    fn check(told: &Told, versions: &[(u64, u64, &str)], expected: &[Fault]) {
        assert_eq!(faults(told, &histories(versions)), expected, "{told:?}");
    }

    #[test]
    fn a_sound_history_has_no_faults() {
        let told = Told {
            acknowledged: vec![fact(1, "x"), fact(2, "y")],
            seen: vec![fact(1, "x"), fact(3, "z")],
            in_doubt: ["z".to_owned(), "never".to_owned()].into(),
            stale: ["s".to_owned()].into(),
            ..Told::default()
        };
        check(&told, &[(1, 1, "x"), (2, 2, "y"), (3, 3, "z")], &[]);
    }

    #[test]
    fn every_kind_of_fault_is_found() {
        let nothing = Told::default();
        let gap = Fault::Gap { id: "a".to_owned(), version: 3, expected: 2 };
        check(&nothing, &[(1, 1, "x"), (3, 3, "y")], &[gap]);
        let lost = Fault::LostUpdate { id: "a".to_owned(), version: 2, value: 1 };
        check(&nothing, &[(1, 1, "x"), (2, 1, "y")], &[lost]);
        check(&nothing, &[(1, 1, "x"), (2, 2, "x")], &[Fault::StoredTwice { write: "x".to_owned() }]);

        let told = Told { acknowledged: vec![fact(1, "x")], ..Told::default() };
        check(&told, &[], &[Fault::Acknowledged { fact: fact(1, "x"), stored: None }]);
        check(
            &told,
            &[(1, 1, "y")],
            &[Fault::Acknowledged { fact: fact(1, "x"), stored: Some("y".to_owned()) }],
        );
        let told = Told { acknowledged: vec![fact(1, "x"), fact(1, "x")], ..Told::default() };
        check(&told, &[(1, 1, "x")], &[Fault::AcknowledgedTwice { id: "a".to_owned(), version: 1 }]);
        let told = Told { seen: vec![fact(1, "x")], ..Told::default() };
        check(&told, &[], &[Fault::Seen { fact: fact(1, "x"), stored: None }]);

        let told = Told { stale: ["x".to_owned()].into(), ..Told::default() };
        check(&told, &[(1, 1, "x")], &[Fault::Refused { write: "x".to_owned() }]);
        let told = Told { unavailable: [("x".to_owned(), "busy".to_owned())].into(), ..Told::default() };
        check(&told, &[(1, 1, "x")], &[Fault::Refused { write: "x".to_owned() }]);
        let told = Told { unexpected: vec!["500".to_owned()], ..Told::default() };
        check(&told, &[], &[Fault::Unexpected("500".to_owned())]);
    }
}
