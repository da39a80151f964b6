//! Bundles, written as a stream: stored bodies are copied in, never parsed.

use crate::codes::codes;
use crate::instant::Instant;
use crate::json::{Object, Value, write_string};
use crate::splice::{Splice, SpliceError, splice_into};

codes! {
    /// `Bundle.type`.
    pub enum BundleType {
        /// A document.
        Document = "document",
        /// A message.
        Message = "message",
        /// A request to do all or nothing.
        Transaction = "transaction",
        /// The answer to a transaction.
        TransactionResponse = "transaction-response",
        /// A request to do each entry by itself.
        Batch = "batch",
        /// The answer to a batch.
        BatchResponse = "batch-response",
        /// Versions, newest first.
        History = "history",
        /// What a search found.
        Searchset = "searchset",
        /// Resources, for whatever purpose.
        Collection = "collection",
        /// What a subscription has to tell. R5 only.
        SubscriptionNotification = "subscription-notification",
    }
}

codes! {
    /// `Bundle.entry.search.mode`.
    pub enum SearchMode {
        /// It is what was searched for.
        Match = "match",
        /// What was found refers to it, or the other way round.
        Include = "include",
        /// It is an OperationOutcome about the search.
        Outcome = "outcome",
    }
}

/// What precedes the entries of a Bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BundleHead<'a> {
    /// The type.
    pub bundle_type: BundleType,
    /// The logical id, if it has one.
    pub id: Option<&'a str>,
    /// `meta.lastUpdated`.
    pub last_updated: Option<Instant>,
    /// How many there are on all pages; only in `searchset` and `history` (invariant bdl-1).
    pub total: Option<u64>,
    /// The links, in order.
    pub links: &'a [Link<'a>],
}

impl BundleHead<'_> {
    /// The head that has a type and nothing else.
    pub const fn new(bundle_type: BundleType) -> Self {
        Self { bundle_type, id: None, last_updated: None, total: None, links: &[] }
    }
}

/// `Bundle.link`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'a> {
    /// `self`, `next`, ...
    pub relation: &'a str,
    /// The URL.
    pub url: &'a str,
}

/// `Bundle.entry`. An entry needs something in it: FHIR has no empty objects.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entry<'a> {
    /// The absolute URL or URN of the resource.
    pub full_url: Option<&'a str>,
    /// The resource.
    pub resource: Option<Content<'a>>,
    /// Why it is in a `searchset`.
    pub search: Option<SearchMode>,
    /// The request that it stands for.
    pub request: Option<EntryRequest<'a>>,
    /// The answer to its request.
    pub response: Option<EntryResponse<'a>>,
}

/// A resource in an entry.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    /// As a tree.
    Tree(&'a Object),
    /// As JSON that has been printed; it is copied as it is.
    Printed(&'a [u8]),
    /// As it is stored, with its version meta.
    Stored {
        /// The stored body.
        body: &'a [u8],
        /// Where version meta goes.
        splice: Splice,
        /// The version id.
        version_id: &'a str,
        /// The time of the version.
        last_updated: Instant,
    },
}

/// `Bundle.entry.request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EntryRequest<'a> {
    /// `GET`, `PUT`, ...
    pub method: &'a str,
    /// The URL, relative to the base.
    pub url: &'a str,
    /// As the header If-None-Match.
    pub if_none_match: Option<&'a str>,
    /// As the header If-Modified-Since, but written as a FHIR instant.
    pub if_modified_since: Option<Instant>,
    /// As the header If-Match.
    pub if_match: Option<&'a str>,
    /// As the header If-None-Exist.
    pub if_none_exist: Option<&'a str>,
}

/// `Bundle.entry.response`.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntryResponse<'a> {
    /// The status code, with or without its phrase: `201 Created`.
    pub status: &'a str,
    /// As the header Location.
    pub location: Option<&'a str>,
    /// As the header ETag: `W/"3"`.
    pub etag: Option<&'a str>,
    /// As the header Last-Modified, but written as a FHIR instant.
    pub last_modified: Option<Instant>,
    /// An OperationOutcome.
    pub outcome: Option<Content<'a>>,
}

/// Writes one Bundle: [`start`](Self::start), entries, [`finish`](Self::finish).
///
/// Elements stand in FHIR's order, nothing empty is written. What goes together in which type of
/// Bundle and FHIR version is for the caller to know.
///
/// ```
/// use fhir_model::bundle::{BundleHead, BundleType, BundleWriter, Content, Entry, Link};
///
/// let links = [Link { relation: "self", url: "https://example.org/R4/Flag" }];
/// let head = BundleHead { total: Some(1), links: &links, ..BundleHead::new(BundleType::Searchset) };
/// let mut bundle = BundleWriter::start(Vec::new(), &head);
/// let entry = Entry { resource: Some(Content::Printed(br#"{"resourceType":"Flag"}"#)), ..Entry::default() };
/// bundle.entry(&entry).unwrap();
/// assert_eq!(
///     String::from_utf8(bundle.finish()).unwrap(),
///     r#"{"resourceType":"Bundle","type":"searchset","total":1,"link":[{"relation":"self","url":"https://example.org/R4/Flag"}],"entry":[{"resource":{"resourceType":"Flag"}}]}"#,
/// );
/// ```
#[derive(Debug)]
#[must_use = "a Bundle is complete only after `finish`"]
pub struct BundleWriter {
    out: Vec<u8>,
    entries: usize,
}

impl BundleWriter {
    /// Writes all that precedes the entries behind what `out` holds.
    pub fn start(mut out: Vec<u8>, head: &BundleHead<'_>) -> Self {
        let mut bundle = Members::open(&mut out);
        bundle.text("resourceType", "Bundle");
        bundle.optional_text("id", head.id);
        if let Some(at) = head.last_updated {
            let mut meta = bundle.object("meta");
            meta.instant("lastUpdated", at);
            meta.close();
        }
        bundle.text("type", head.bundle_type.code());
        if let Some(total) = head.total {
            bundle.name("total").extend_from_slice(total.to_string().as_bytes());
        }
        if !head.links.is_empty() {
            write_links(bundle.name("link"), head.links);
        }
        Self { out, entries: 0 }
    }

    /// Writes an entry. On an error, which only a damaged stored body brings about, nothing is
    /// written.
    pub fn entry(&mut self, entry: &Entry<'_>) -> Result<(), SpliceError> {
        let before = self.out.len();
        self.out.extend_from_slice(if self.entries == 0 { br#","entry":["# } else { b"," });
        let written = write_entry(&mut self.out, entry);
        match written {
            Ok(()) => self.entries += 1,
            Err(_) => self.out.truncate(before),
        }
        written
    }

    /// How many entries have been written.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// The bytes written so far, with what was there at the start.
    pub fn bytes(&self) -> usize {
        self.out.len()
    }

    /// Ends the Bundle.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(if self.entries == 0 { b"}" } else { b"]}" });
        self.out
    }
}

fn write_links(out: &mut Vec<u8>, links: &[Link<'_>]) {
    for (index, link) in links.iter().enumerate() {
        out.push(if index == 0 { b'[' } else { b',' });
        let mut object = Members::open(out);
        object.text("relation", link.relation);
        object.text("url", link.url);
        object.close();
    }
    out.push(b']');
}

fn write_entry(out: &mut Vec<u8>, entry: &Entry<'_>) -> Result<(), SpliceError> {
    let mut object = Members::open(out);
    object.optional_text("fullUrl", entry.full_url);
    if let Some(resource) = &entry.resource {
        write_content(object.name("resource"), resource)?;
    }
    if let Some(mode) = entry.search {
        let mut search = object.object("search");
        search.text("mode", mode.code());
        search.close();
    }
    if let Some(request) = &entry.request {
        write_request(object.object("request"), request);
    }
    if let Some(response) = &entry.response {
        write_response(object.object("response"), response)?;
    }
    object.close();
    Ok(())
}

fn write_content(out: &mut Vec<u8>, content: &Content<'_>) -> Result<(), SpliceError> {
    match *content {
        Content::Tree(object) => object.write(out),
        Content::Printed(bytes) => out.extend_from_slice(bytes),
        Content::Stored { body, splice, version_id, last_updated } => {
            splice_into(out, body, splice, version_id, last_updated)?;
        }
    }
    Ok(())
}

fn write_request(mut object: Members<'_>, request: &EntryRequest<'_>) {
    object.text("method", request.method);
    object.text("url", request.url);
    object.optional_text("ifNoneMatch", request.if_none_match);
    object.optional_instant("ifModifiedSince", request.if_modified_since);
    object.optional_text("ifMatch", request.if_match);
    object.optional_text("ifNoneExist", request.if_none_exist);
    object.close();
}

fn write_response(mut object: Members<'_>, response: &EntryResponse<'_>) -> Result<(), SpliceError> {
    object.text("status", response.status);
    object.optional_text("location", response.location);
    object.optional_text("etag", response.etag);
    object.optional_instant("lastModified", response.last_modified);
    if let Some(outcome) = &response.outcome {
        write_content(object.name("outcome"), outcome)?;
    }
    object.close();
    Ok(())
}

/// The members of an object that is being written.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Members<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Writes a name, which needs no escapes; its value is for the caller to write.
    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn text(&mut self, name: &str, text: &str) {
        write_string(text, self.name(name));
    }

    fn optional_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    fn instant(&mut self, name: &str, at: Instant) {
        let out = self.name(name);
        out.push(b'"');
        at.write(out);
        out.push(b'"');
    }

    fn optional_instant(&mut self, name: &str, at: Option<Instant>) {
        if let Some(at) = at {
            self.instant(name, at);
        }
    }

    fn object(&mut self, name: &str) -> Members<'_> {
        Members::open(self.name(name))
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

impl<'a> Content<'a> {
    /// The resource in a tree, if that is an object.
    pub fn from_value(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self::Tree)
    }
}

#[cfg(test)]
mod tests;
