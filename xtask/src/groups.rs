//! Groups of resources that transactions write together, and whether any was ever written in part.
//!
//! A transaction reads one of a group, adds one and writes all of them under the version that it read. So all of a
//! group have the same history but for the names of their writes, and a transaction that is there is there in every
//! history of its group.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Result, ensure};
use hyper::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http::{Client, Reply};
use crate::workload::{self, BASE, Fact, Fault, Histories, Notes, fact, number, refusal};

/// How many resources each group has. The large ones keep the server longer between their first and their last write.
const SIZES: [usize; 4] = [2, 2, 20, 80];

/// Clients at work on groups.
pub(crate) struct GroupClients {
    stop: watch::Sender<bool>,
    clients: Vec<JoinHandle<()>>,
}

impl GroupClients {
    /// Lets clients send transactions until they are stopped or their connections break. `life` tells their writes
    /// from those of other starts.
    pub(crate) fn start(address: SocketAddr, life: &str, seed: u64, clients: u32, notes: &Notes) -> Self {
        let (stop, stopped) = watch::channel(false);
        let clients = (0..clients)
            .map(|client| {
                let name = format!("{life}-transaction-{client}");
                let random = StdRng::seed_from_u64(seed ^ u64::from(client));
                tokio::spawn(work(address, name, random, notes.clone(), stopped.clone()))
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

async fn work(
    address: SocketAddr,
    name: String,
    mut random: StdRng,
    notes: Notes,
    stopped: watch::Receiver<bool>,
) {
    let Ok(mut client) = Client::connect(address).await else { return };
    for number in 0_u64.. {
        let group = random.random_range(0..SIZES.len());
        let is_backwards = random.random();
        if *stopped.borrow()
            || transaction(&mut client, group, is_backwards, &format!("{name}-{number}"), &notes).await
                == Answer::None
        {
            return;
        }
    }
}

#[derive(PartialEq, Eq)]
enum Answer {
    Some,
    /// The connection broke.
    None,
}

/// One transaction, noted whatever comes. The order of its entries is not the order of their ids when `is_backwards`.
async fn transaction(
    client: &mut Client,
    group: usize,
    is_backwards: bool,
    write: &str,
    notes: &Notes,
) -> Answer {
    let ids = ids(group);
    let Some(first) = ids.first() else { return Answer::Some };
    let Ok(read) = client.send(Method::GET, &format!("{BASE}/Observation/{first}"), &[], "").await else {
        return Answer::None;
    };
    let version = match read.status {
        200 => fact(first, &read).map(|seen| {
            let version = seen.version;
            notes.lock().seen.push(seen);
            version
        }),
        404 => Some(0),
        _ => None,
    };
    let Some(version) = version else {
        return unexpected(notes, first, &read);
    };
    let members: Vec<(String, String)> =
        ids.iter().enumerate().map(|(member, id)| (id.clone(), format!("{write}.{member}"))).collect();
    let mut entries: Vec<Value> = members.iter().map(|(id, write)| entry(id, version, write)).collect();
    if is_backwards {
        entries.reverse();
    }
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let headers = [("content-type", "application/fhir+json"), ("prefer", "return=minimal")];
    let Ok(reply) = client.send(Method::POST, BASE, &headers, bundle.to_string()).await else {
        notes.lock().in_doubt.extend(members.into_iter().map(|(_, write)| write));
        return Answer::None;
    };
    match reply.status {
        200 => {
            let mut versions = versions(&reply);
            if is_backwards {
                versions.reverse();
            }
            if versions.len() != members.len() {
                return unexpected(notes, first, &reply);
            }
            let facts = members.into_iter().zip(versions);
            let facts = facts.map(|((id, write), version)| Fact { id, version, write });
            notes.lock().acknowledged.extend(facts);
        }
        409 | 412 => notes.lock().stale.extend(members.into_iter().map(|(_, write)| write)),
        503 => match refusal(&reply) {
            Some(code) if code == "outcome-unknown" => {
                notes.lock().in_doubt.extend(members.into_iter().map(|(_, write)| write));
            }
            Some(code) => {
                let refused = members.into_iter().map(|(_, write)| (write, code.clone()));
                notes.lock().unavailable.extend(refused);
            }
            None => return unexpected(notes, first, &reply),
        },
        _ => return unexpected(notes, first, &reply),
    }
    Answer::Some
}

fn unexpected(notes: &Notes, id: &str, reply: &Reply) -> Answer {
    let body: String = String::from_utf8_lossy(&reply.body).chars().take(500).collect();
    notes.lock().unexpected.push(format!("{id} and its group: answered {}: {body}", reply.status));
    Answer::Some
}

/// An update of the version that was read, or a creation.
fn entry(id: &str, version: u64, write: &str) -> Value {
    let resource: Value = serde_json::from_str(&workload::body(id, version + 1, write)).unwrap_or_default();
    let url = format!("Observation/{id}");
    let request = match version {
        0 => json!({"method": "PUT", "url": url, "ifNoneMatch": "*"}),
        _ => json!({"method": "PUT", "url": url, "ifMatch": format!("W/\"{version}\"")}),
    };
    json!({"resource": resource, "request": request})
}

/// The versions that a transaction made, in the order of its entries.
fn versions(reply: &Reply) -> Vec<u64> {
    let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let entries = answer["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().filter_map(|entry| number(entry["response"]["etag"].as_str()?)).collect()
}

fn ids(group: usize) -> Vec<String> {
    let size = SIZES.get(group).copied().unwrap_or_default();
    (0..size).map(|member| format!("group-{group}-{member}")).collect()
}

/// The histories of all groups.
pub(crate) async fn histories(address: SocketAddr) -> Result<Histories> {
    let ids: Vec<String> = (0..SIZES.len()).flat_map(ids).collect();
    workload::histories_of(address, &ids).await
}

/// How many transactions are there. Fails if there is one of which only a part is.
pub(crate) fn ensure_whole(histories: &Histories) -> Result<usize> {
    let mut transactions = 0;
    for group in 0..SIZES.len() {
        let ids = ids(group);
        let mut parts: BTreeMap<&str, usize> = BTreeMap::new();
        for stored in ids.iter().filter_map(|id| histories.get(id)).flatten() {
            let transaction = stored.write.split('.').next().unwrap_or_default();
            *parts.entry(transaction).or_default() += 1;
        }
        let torn: Vec<Fault> = parts
            .iter()
            .filter(|(_, there)| **there != ids.len())
            .map(|(write, there)| Fault::Torn { write: (*write).to_owned(), there: *there, of: ids.len() })
            .collect();
        workload::ensure_sound(&torn)?;
        let different = ids.iter().find(|id| chain(histories, id) != chain(histories, &ids[0]));
        ensure!(different.is_none(), "group {group}: {different:?} has another history than the rest");
        transactions += parts.len();
    }
    Ok(transactions)
}

/// The transactions of a history in their order.
fn chain<'a>(histories: &'a Histories, id: &str) -> Vec<(u64, &'a str)> {
    let history = histories.get(id).map(Vec::as_slice).unwrap_or_default();
    history
        .iter()
        .map(|stored| (stored.version, stored.write.split('.').next().unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::workload::Stored;

    use super::*;

    /// Group 0 with the writes of each of its two resources.
    fn told(left: &[&str], right: &[&str]) -> Result<usize> {
        let history = |writes: &[&str], member: usize| {
            let stored = writes.iter().zip(1..).map(|(write, version)| Stored {
                version,
                value: version,
                write: format!("{write}.{member}"),
            });
            (format!("group-0-{member}"), stored.collect::<Vec<_>>())
        };
        ensure_whole(&Histories::from([history(left, 0), history(right, 1)]))
    }

    #[test]
    fn a_transaction_is_there_whole_or_not_at_all() {
        assert_eq!(told(&[], &[]).unwrap(), 0);
        assert_eq!(told(&["a", "b"], &["a", "b"]).unwrap(), 2);
        let part = told(&["a", "b"], &["a"]).unwrap_err().to_string();
        assert!(part.contains("transaction b is there in 1 of 2 resources"), "{part}");
        let order = told(&["a", "b"], &["b", "a"]).unwrap_err().to_string();
        assert!(order.contains("another history"), "{order}");
    }
}
