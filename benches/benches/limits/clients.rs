//! Closed-loop clients over HTTP.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use hdrhistogram::Histogram;

use crate::wire::Wire;
use crate::{Chance, Rate, resources};

/// What each PUT changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A number that no search covers.
    Number,
    /// A word, by which the resource is found.
    Word,
    /// A quantity, which has two terms.
    Quantity,
}

/// A client with its connection and the resources that are its own.
pub(crate) struct Client {
    wire: Wire,
    authority: String,
    chance: Chance,
    owned: Vec<Owned>,
}

struct Owned {
    id: String,
    etag: String,
    value: u64,
}

impl Client {
    async fn connect(authority: &str, number: u64, owned: Vec<Owned>) -> Result<Self> {
        let wire = Wire::connect(authority).await?;
        Ok(Self { wire, authority: authority.to_owned(), chance: Chance(number * 7919 + 1), owned })
    }

    fn get(&self, id: &str) -> String {
        format!(
            "GET /R4/Observation/{id} HTTP/1.1\r\nhost: {}\r\naccept: application/fhir+json\r\n\r\n",
            self.authority
        )
    }

    fn put(&self, resource: &Owned, change: Change) -> String {
        let body = body(resource, change);
        let condition =
            if resource.etag.is_empty() { String::new() } else { format!("if-match: {}\r\n", resource.etag) };
        format!(
            "PUT /R4/Observation/{} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/fhir+json\r\n\
             prefer: return=minimal\r\n{condition}content-length: {}\r\n\r\n{body}",
            resource.id,
            self.authority,
            body.len()
        )
    }

    async fn update(&mut self, place: usize, change: Change) -> Result<()> {
        let request = self.put(&self.owned[place], change);
        let seen = self.wire.send(request.as_bytes(), true).await?;
        ensure!(matches!(seen.status, 200 | 201), "a PUT was answered with {} {}", seen.status, seen.shown());
        let resource = &mut self.owned[place];
        resource.value += 1;
        resource.etag = seen.etag.context("a success without an ETag")?;
        Ok(())
    }

    /// One more resource, with a subject of its own.
    async fn create(&mut self) -> Result<()> {
        let number = self.chance.below(1 << 40);
        let resource = Owned { id: format!("new-{number}"), etag: String::new(), value: number % 200 };
        let body = body(&resource, Change::Quantity).replacen(&format!("\"id\":\"{}\",", resource.id), "", 1);
        let request = format!(
            "POST /R4/Observation HTTP/1.1\r\nhost: {}\r\ncontent-type: application/fhir+json\r\n\
             prefer: return=minimal\r\ncontent-length: {}\r\n\r\n{body}",
            self.authority,
            body.len()
        );
        let seen = self.wire.send(request.as_bytes(), true).await?;
        ensure!(seen.status == 201, "a POST was answered with {} {}", seen.status, seen.shown());
        Ok(())
    }

    async fn creates(&mut self, end: Instant) -> Result<Histogram<u64>> {
        let mut times = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        while Instant::now() < end {
            let began = Instant::now();
            self.create().await?;
            times.saturating_record(began.elapsed().as_micros() as u64);
        }
        Ok(times)
    }

    async fn updates(&mut self, change: Change, end: Instant) -> Result<Histogram<u64>> {
        let mut times = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        while Instant::now() < end {
            let place = self.chance.below(self.owned.len() as u64) as usize;
            let began = Instant::now();
            self.update(place, change).await?;
            times.saturating_record(began.elapsed().as_micros() as u64);
        }
        Ok(times)
    }

    async fn reads(&mut self, end: Instant) -> Result<u64> {
        let mut done = 0;
        while Instant::now() < end {
            let id = id(self.chance.below(resources()));
            let request = self.get(&id);
            let seen = self.wire.send(request.as_bytes(), false).await?;
            ensure!(seen.status == 200, "a GET was answered with {}", seen.status);
            done += 1;
        }
        Ok(done)
    }
}

/// What makes a resource as long as they are.
const NOTE: &str = "Measured after ten minutes of rest, sitting, with the cuff on the left arm, twice, with a minute in \
    between; the patient had neither eaten nor smoked within the hour, and takes nothing that would change the rate. \
    The second value is the one that counts. No palpitations, no dizziness, no shortness of breath were reported, and \
    the rhythm was regular. To be measured again at the next visit, at the same time of the day, if possible by the \
    same person and with the same device, and compared with what the patient writes down at home each morning. If the \
    difference is larger than ten beats, a record over a whole day is to be made.";

fn body(resource: &Owned, change: Change) -> String {
    let (number, word, quantity) = match change {
        Change::Number => (resource.value + 1, 0, 60),
        Change::Word => (0, resource.value + 1, 60),
        Change::Quantity => (0, 0, resource.value + 1),
    };
    format!(
        "{{\"resourceType\":\"Observation\",\"id\":\"{}\",\"status\":\"final\",\
         \"code\":{{\"coding\":[{{\"system\":\"http://loinc.org\",\"code\":\"8867-4\"}}]}},\
         \"subject\":{{\"reference\":\"Patient/{}\"}},\"effectiveDateTime\":\"2018-05-25T16:09:50Z\",\
         \"valueQuantity\":{{\"value\":{quantity},\"unit\":\"beats/minute\",\
         \"system\":\"http://unitsofmeasure.org\",\"code\":\"/min\"}},\
         \"referenceRange\":[{{\"high\":{{\"value\":{number}}}}}],\
         \"note\":[{{\"text\":\"n{word} {NOTE}\"}}]}}",
        resource.id, resource.id
    )
}

fn id(number: u64) -> String {
    format!("limit-{number}")
}

/// Clients that own all resources between them, which they make.
pub(crate) async fn writers(authority: &str, count: u64) -> Result<Vec<Client>> {
    let mut clients = Vec::new();
    for number in 0..count {
        let owned = (number..resources()).step_by(count as usize);
        let owned = owned.map(|number| Owned { id: id(number), etag: String::new(), value: 0 });
        clients.push(Client::connect(authority, number, owned.collect()).await?);
    }
    let fill = clients.iter_mut().map(|client| async move {
        for place in 0..client.owned.len() {
            client.update(place, Change::Number).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(fill).await?;
    Ok(clients)
}

/// Clients that read what others made.
pub(crate) async fn readers(authority: &str, count: u64) -> Result<Vec<Client>> {
    try_join_all((0..count).map(|number| Client::connect(authority, number, Vec::new()))).await
}

/// The times of updates, in microseconds.
pub(crate) async fn update(
    clients: &mut [Client],
    change: Change,
    time: Duration,
    rate: &mut Rate,
    times: &mut Histogram<u64>,
) -> Result<()> {
    let began = Instant::now();
    let work = clients.iter_mut().map(|client| client.updates(change, began + time));
    let mut done = 0;
    for seen in try_join_all(work).await? {
        done += seen.len();
        times.add(seen)?;
    }
    rate.add(done, began);
    Ok(())
}

/// The times of creates, in microseconds.
pub(crate) async fn create(
    clients: &mut [Client],
    time: Duration,
    rate: &mut Rate,
    times: &mut Histogram<u64>,
) -> Result<()> {
    let began = Instant::now();
    let work = clients.iter_mut().map(|client| client.creates(began + time));
    let mut done = 0;
    for seen in try_join_all(work).await? {
        done += seen.len();
        times.add(seen)?;
    }
    rate.add(done, began);
    Ok(())
}

pub(crate) async fn read(clients: &mut [Client], time: Duration, rate: &mut Rate) -> Result<()> {
    let began = Instant::now();
    let done = try_join_all(clients.iter_mut().map(|client| client.reads(began + time))).await?;
    rate.add(done.iter().sum(), began);
    Ok(())
}

/// A response as it is on the wire.
pub(crate) async fn response(authority: &str, path: &str) -> Result<Vec<u8>> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(authority).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {authority}\r\naccept: application/fhir+json\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// A response of the resources that [`writers`] made.
pub(crate) async fn sample(authority: &str) -> Result<Vec<u8>> {
    response(authority, &format!("/R4/Observation/{}", id(resources() / 2))).await
}
