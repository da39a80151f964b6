//! Storms of transactions.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{JSON, Statuses, Storms, expect};
use crate::http::{Client, Reply};

/// What both accounts begin with.
const BALANCE: i64 = 1000;

/// The accounts of the storm of transfers.
const ACCOUNTS: [&str; 2] = ["account-a", "account-b"];

impl Storms<'_> {
    /// Transfers between two resources, half of the clients with the entries in one order and half in the other: the
    /// sum stays what it was, every transfer that was acknowledged made one version of each, and every client ends.
    pub(super) async fn transfers(&self) -> Result<Statuses> {
        let mut client = Client::connect(self.address).await?;
        for id in ACCOUNTS {
            let target = format!("{}/Observation/{id}", self.base);
            let created =
                client.send(Method::PUT, &target, &[JSON], account(id, BALANCE).to_string()).await?;
            ensure!(created.status == 201, "a create ended with {}", created.status);
        }
        let barrier = Arc::new(Barrier::new(self.arguments.clients));
        let mut clients = JoinSet::new();
        for number in 0..self.arguments.clients {
            let (barrier, address, base) = (Arc::clone(&barrier), self.address, self.base);
            let changes = self.arguments.changes;
            clients.spawn(async move {
                let mut client = Client::connect(address).await?;
                let mut replies = Vec::new();
                barrier.wait().await;
                for _ in 0..changes {
                    replies.push(transfer(&mut client, base, number).await?);
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
        let mut sum = 0;
        for id in ACCOUNTS {
            let (tag, balance) = read(&mut client, self.base, id).await?;
            let version = format!("W/\"{}\"", done + 1);
            ensure!(tag == version, "after {done} transfers {id} has the version {tag}");
            sum += balance;
        }
        ensure!(sum == 2 * BALANCE, "{} became {sum}", 2 * BALANCE);
        Ok(statuses)
    }

    /// Everybody creates the same by If-None-Exist.
    pub(super) async fn bundled_creates(&self, round: usize) -> Result<Statuses> {
        let identifier = format!("bundled-create-{round}");
        let request =
            json!({"method": "POST", "url": "Patient", "ifNoneExist": format!("identifier=s|{identifier}")});
        self.bundled(&identifier, request).await
    }

    /// Everybody updates the same by criteria.
    pub(super) async fn bundled_updates(&self, round: usize) -> Result<Statuses> {
        let identifier = format!("bundled-update-{round}");
        let request = json!({"method": "PUT", "url": format!("Patient?identifier=s|{identifier}")});
        self.bundled(&identifier, request).await
    }

    /// Everybody sends a transaction with `request` for the same patient and something of their own that refers to
    /// it: there is one patient, created once, and everything refers to it.
    async fn bundled(&self, identifier: &str, request: Value) -> Result<Statuses> {
        let patient = "urn:uuid:6bbfd8c4-0b0a-4c1e-9a5a-1f2f3d8a9b01";
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
            {
                "fullUrl": "urn:uuid:6bbfd8c4-0b0a-4c1e-9a5a-1f2f3d8a9b02",
                "resource": {"resourceType": "Observation", "status": "final", "code": {"text": identifier},
                    "subject": {"reference": patient}},
                "request": {"method": "POST", "url": "Observation"}
            },
            {
                "fullUrl": patient,
                "resource": serde_json::from_str::<Value>(&super::patient(identifier))?,
                "request": request
            }
        ]});
        let headers = vec![(JSON.0, JSON.1.to_owned())];
        let replies = self.together(Method::POST, self.base.to_owned(), headers, bundle.to_string()).await?;
        let statuses = expect(&replies, &[200, 409, 412])?;
        ensure!(self.count(identifier).await? == 1, "there is more than one resource, or none");
        let mut patients = BTreeSet::new();
        let (mut created, mut done) = (0, 0);
        let mut client = Client::connect(self.address).await?;
        for reply in replies.iter().filter(|reply| reply.status == 200) {
            let answer: Value = serde_json::from_slice(&reply.body)?;
            let [observation, conditional] = [0, 1].map(|entry| &answer["entry"][entry]["response"]);
            let status = conditional["status"].as_str().unwrap_or_default();
            ensure!(status.starts_with("201") || status.starts_with("200"), "the patient: {status:?}");
            created += usize::from(status.starts_with("201"));
            done += 1;
            // An update says where something is only if it created it.
            if conditional.get("location").is_some() {
                patients.insert(key(conditional)?);
            }
            let target = format!("{}/{}", self.base, key(observation)?);
            let (_, observation) = client.get_json(&target).await?;
            patients.insert(observation["subject"]["reference"].as_str().unwrap_or_default().to_owned());
        }
        ensure!(created == 1, "{created} of {done} transactions say that they created it");
        ensure!(patients.len() == 1, "they speak of different resources: {patients:?}");
        Ok(statuses)
    }
}

/// The `Type/id` of an entry's location.
fn key(response: &Value) -> Result<String> {
    let location = response["location"].as_str().context("an entry without a location")?;
    let mut parts = location.split("/_history/").next().unwrap_or_default().rsplit('/');
    let (id, kind) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    Ok(format!("{kind}/{id}"))
}

/// Moves something from one account to the other under the versions that were read.
async fn transfer(client: &mut Client, base: &str, number: usize) -> Result<Reply> {
    let amount = i64::try_from(number)? + 1;
    let mut entries = Vec::new();
    for (id, change) in ACCOUNTS.into_iter().zip([-amount, amount]) {
        let (tag, balance) = read(client, base, id).await?;
        entries.push(json!({
            "resource": account(id, balance + change),
            "request": {"method": "PUT", "url": format!("Observation/{id}"), "ifMatch": tag}
        }));
    }
    if number % 2 == 1 {
        entries.reverse();
    }
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    client.send(Method::POST, base, &[JSON], bundle.to_string()).await
}

async fn read(client: &mut Client, base: &str, id: &str) -> Result<(String, i64)> {
    let (reply, resource) = client.get_json(&format!("{base}/Observation/{id}")).await?;
    let balance = resource["valueQuantity"]["value"].as_i64().context("no balance")?;
    Ok((reply.etag.context("no ETag")?, balance))
}

fn account(id: &str, balance: i64) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "code": {"text": "balance"},
        "valueQuantity": {"value": balance}})
}
