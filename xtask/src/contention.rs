//! `cargo xtask contention`: clients that all want the same at the same moment.
//!
//! Each storm begins on a barrier. What must come of it is exact: so many resources, a counter as high as there were
//! successes, every acknowledged change there. Only the statuses of success and of a lost race may be answered.

mod transactions;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::http::{Client, Reply};
use crate::server::{self, Server};

/// Let clients compete for the same resource, and look for what is lost or there twice.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Clients of each storm
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// How often each storm is raised
    #[arg(long, default_value_t = 20)]
    rounds: usize,
    /// Changes that each client makes in storms of changes
    #[arg(long, default_value_t = 20)]
    changes: usize,
    /// Use an optimised build of the server
    #[arg(long)]
    release: bool,
}

const JSON: (&str, &str) = ("content-type", "application/fhir+json");

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.clients > 1, "a storm has at least two clients");
    let binary = server::build(arguments.release)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    for store in ["memory", "sqlite"] {
        let data = tempfile::tempdir()?;
        let server = Server::start(&binary, data.path(), &["--store", store])?;
        for base in ["/STU3", "/R4"] {
            let storms = Storms { arguments, address: server.address, base };
            let told = runtime.block_on(storms.raise()).with_context(|| format!("{store} {base}"))?;
            println!("contention: {store} {base}: {told}");
        }
        server.terminate()?;
        ensure!(server.wait()?.success(), "the server did not end well");
        if store == "sqlite" {
            server::check(&binary, data.path())?;
        }
    }
    Ok(())
}

struct Storms<'a> {
    arguments: &'a Arguments,
    address: SocketAddr,
    base: &'static str,
}

/// How often each status was answered.
type Statuses = BTreeMap<u16, usize>;

impl Storms<'_> {
    async fn raise(&self) -> Result<String> {
        let started = Instant::now();
        let mut all = Statuses::new();
        for round in 0..self.arguments.rounds {
            let storms = [
                self.creates(round).await.context("conditional creates"),
                self.updates(round).await.context("conditional updates"),
                self.deletions(round).await.context("conditional deletions"),
                self.bundled_creates(round).await.context("conditional creates in transactions"),
                self.bundled_updates(round).await.context("conditional updates in transactions"),
            ];
            for statuses in storms {
                add(&mut all, &statuses?);
            }
        }
        add(&mut all, &self.counter().await.context("counter")?);
        add(&mut all, &self.patches().await.context("patches")?);
        add(&mut all, &self.transfers().await.context("transfers")?);
        let seconds = started.elapsed().as_secs_f64();
        let shown: Vec<String> =
            all.iter().map(|(status, count)| format!("{count} times {status}")).collect();
        Ok(format!("nothing lost and nothing twice in {seconds:.1} s; {}", shown.join(", ")))
    }

    /// All clients at once, each with the same request.
    async fn together(
        &self,
        method: Method,
        target: String,
        headers: Headers,
        body: String,
    ) -> Result<Vec<Reply>> {
        let barrier = Arc::new(Barrier::new(self.arguments.clients));
        let mut clients = JoinSet::new();
        for _ in 0..self.arguments.clients {
            let (barrier, method, target) = (Arc::clone(&barrier), method.clone(), target.clone());
            let (headers, body, address) = (headers.clone(), body.clone(), self.address);
            clients.spawn(async move {
                let mut client = Client::connect(address).await?;
                barrier.wait().await;
                let headers: Vec<(&str, &str)> =
                    headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                client.send(method, &target, &headers, body).await
            });
        }
        clients.join_all().await.into_iter().collect()
    }

    /// How many resources a search finds.
    async fn count(&self, identifier: &str) -> Result<usize> {
        let mut client = Client::connect(self.address).await?;
        let target = format!("{}/Patient?identifier=s%7C{identifier}", self.base);
        let (reply, bundle) = client.get_json(&target).await?;
        ensure!(reply.status == 200, "a search ended with {}", reply.status);
        Ok(bundle["entry"].as_array().map_or(0, Vec::len))
    }

    /// One is created, the others find it.
    async fn creates(&self, round: usize) -> Result<Statuses> {
        let identifier = format!("create-{round}");
        let headers =
            vec![(JSON.0, JSON.1.to_owned()), ("if-none-exist", format!("identifier=s|{identifier}"))];
        let target = format!("{}/Patient", self.base);
        let replies = self.together(Method::POST, target, headers, patient(&identifier)).await?;
        let statuses = expect(&replies, &[200, 201])?;
        ensure!(statuses.get(&201) == Some(&1), "one must create: {statuses:?}");
        ensure!(self.count(&identifier).await? == 1, "there is more than one resource");
        Ok(statuses)
    }

    /// One creates, the others replace what it created.
    async fn updates(&self, round: usize) -> Result<Statuses> {
        let identifier = format!("update-{round}");
        let headers = vec![(JSON.0, JSON.1.to_owned())];
        let target = format!("{}/Patient?identifier=s%7C{identifier}", self.base);
        let replies = self.together(Method::PUT, target, headers, patient(&identifier)).await?;
        let statuses = expect(&replies, &[200, 201, 409])?;
        ensure!(statuses.get(&201) == Some(&1), "one must create: {statuses:?}");
        ensure!(self.count(&identifier).await? == 1, "there is more than one resource");
        Ok(statuses)
    }

    /// What matches is deleted once, however many want it.
    async fn deletions(&self, round: usize) -> Result<Statuses> {
        let identifier = format!("delete-{round}");
        let mut client = Client::connect(self.address).await?;
        let target = format!("{}/Patient/{identifier}", self.base);
        let mut body: Value = serde_json::from_str(&patient(&identifier))?;
        body["id"] = json!(identifier);
        let created = client.send(Method::PUT, &target, &[JSON], body.to_string()).await?;
        ensure!(created.status == 201, "a create ended with {}", created.status);
        let criteria = format!("{}/Patient?identifier=s%7C{identifier}", self.base);
        let replies = self.together(Method::DELETE, criteria, Vec::new(), String::new()).await?;
        let statuses = expect(&replies, &[204, 409])?;
        ensure!(self.count(&identifier).await? == 0, "it is still found");
        let (_, history) = client.get_json(&format!("{target}/_history")).await?;
        let versions = history["entry"].as_array().map_or(0, Vec::len);
        ensure!(versions == 2, "it has {versions} versions instead of one and its deletion");
        Ok(statuses)
    }

    /// Every client reads, changes and writes back under If-Match.
    async fn changing<R, C>(&self, target: &str, read: R, change: C) -> Result<(Statuses, usize)>
    where
        R: Fn(&Value, usize, usize) -> (Method, &'static str, String) + Clone + Send + 'static,
        C: Fn() -> Value,
    {
        let mut client = Client::connect(self.address).await?;
        let created = client.send(Method::PUT, target, &[JSON], change().to_string()).await?;
        ensure!(matches!(created.status, 200 | 201), "a create ended with {}", created.status);
        let barrier = Arc::new(Barrier::new(self.arguments.clients));
        let mut clients = JoinSet::new();
        for number in 0..self.arguments.clients {
            let (barrier, read, target) = (Arc::clone(&barrier), read.clone(), target.to_owned());
            let (address, changes) = (self.address, self.arguments.changes);
            clients.spawn(async move {
                let mut client = Client::connect(address).await?;
                let mut replies = Vec::new();
                barrier.wait().await;
                for change in 0..changes {
                    let (now, resource) = client.get_json(&target).await?;
                    let tag = now.etag.context("no ETag")?;
                    let (method, content_type, body) = read(&resource, number, change);
                    let headers = [("content-type", content_type), ("if-match", tag.as_str())];
                    replies.push(client.send(method, &target, &headers, body).await?);
                }
                anyhow::Ok(replies)
            });
        }
        let mut replies = Vec::new();
        for client in clients.join_all().await {
            replies.extend(client?);
        }
        let statuses = expect(&replies, &[200, 409, 412])?;
        let done = statuses.get(&200).copied().unwrap_or_default();
        ensure!(done > 0, "nobody succeeded: {statuses:?}");
        Ok((statuses, done))
    }

    /// One row that everybody counts up.
    async fn counter(&self) -> Result<Statuses> {
        let target = format!("{}/Patient/counter", self.base);
        let of =
            |count: u64| json!({"resourceType": "Patient", "id": "counter", "multipleBirthInteger": count});
        let next = move |resource: &Value, _: usize, _: usize| {
            let count = resource["multipleBirthInteger"].as_u64().unwrap_or_default();
            (Method::PUT, JSON.1, of(count + 1).to_string())
        };
        let (statuses, done) = self.changing(&target, next, || of(0)).await?;
        let mut client = Client::connect(self.address).await?;
        let (reply, resource) = client.get_json(&target).await?;
        let count = &resource["multipleBirthInteger"];
        ensure!(count == &json!(done), "{done} increments succeeded, and the counter is {count}");
        let version = format!("W/\"{}\"", done + 1);
        ensure!(reply.etag.as_deref() == Some(&version), "the version is {:?}, not {version}", reply.etag);
        Ok(statuses)
    }

    /// Every patch that was acknowledged is there, once, and no other.
    async fn patches(&self) -> Result<Statuses> {
        let target = format!("{}/Patient/patched", self.base);
        let add = |_: &Value, client: usize, change: usize| {
            let patch = json!([{"op": "add", "path": "/identifier/-", "value": {"value": format!("{client}-{change}")}}]);
            (Method::PATCH, "application/json-patch+json", patch.to_string())
        };
        let first = json!({"resourceType": "Patient", "id": "patched", "identifier": [{"value": "first"}]});
        let (statuses, done) = self.changing(&target, add, || first.clone()).await?;
        let mut client = Client::connect(self.address).await?;
        let (_, resource) = client.get_json(&target).await?;
        let mut values: Vec<&str> = resource["identifier"]
            .as_array()
            .map(|all| all.iter().filter_map(|one| one["value"].as_str()).collect())
            .unwrap_or_default();
        ensure!(values.len() == done + 1, "{done} patches succeeded, and {} are there", values.len() - 1);
        values.sort_unstable();
        values.dedup();
        ensure!(values.len() == done + 1, "a patch is there twice");
        Ok(statuses)
    }
}

type Headers = Vec<(&'static str, String)>;

fn patient(identifier: &str) -> String {
    json!({"resourceType": "Patient", "identifier": [{"system": "s", "value": identifier}]}).to_string()
}

fn add(all: &mut Statuses, more: &Statuses) {
    for (status, count) in more {
        *all.entry(*status).or_default() += count;
    }
}

/// Counts the statuses, of which there must be no others.
fn expect(replies: &[Reply], allowed: &[u16]) -> Result<Statuses> {
    let mut statuses = Statuses::new();
    for Reply { status, body, .. } in replies {
        ensure!(allowed.contains(status), "a status that should never be: {status} {}", shown(body));
        *statuses.entry(*status).or_default() += 1;
    }
    Ok(statuses)
}

fn shown(body: &Bytes) -> String {
    String::from_utf8_lossy(body).chars().take(500).collect()
}
