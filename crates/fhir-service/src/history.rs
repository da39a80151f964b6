//! history: the versions of a resource, of a type, or of everything.

use bytes::Bytes;
use fhir_definitions::FhirVersion;
use fhir_model::bundle::{
    BundleHead, BundleType, BundleWriter, Content, Entry, EntryRequest, EntryResponse, Link,
};
use fhir_model::{Instant, Interval as DateInterval, Splice};
use rulebook::{Failure, Interaction, ParameterProblem, Success};
use storage_api::{
    Current, HistoryPage, HistoryRequest, HistoryScope, Interval, Method, Order, Seq, StoredVersion,
    Timestamp, VersionNumber,
};
use versioning_core::Refusal;

use crate::answer::{Answer, Payload};
use crate::service::{Context, Service, damaged, store_failure};

/// The page of a history that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryParameters {
    count: Option<usize>,
    since: Option<Timestamp>,
    at: Option<Interval>,
    order: Order,
    cursor: Option<Seq>,
    /// The parameters as the client wrote them, for the links; without count and cursor.
    written: Vec<(&'static str, String)>,
}

/// The parameter that carries a [`Cursor`](write_cursor).
const CURSOR: &str = "_cursor";

/// The form of cursors; one of another form is refused.
const CURSOR_FORM: &str = "h1-";

impl HistoryParameters {
    /// Takes what concerns a history out of the parameters of a URL, and gives back the rest.
    pub fn parse(
        pairs: Vec<(String, String)>,
        version: FhirVersion,
    ) -> Result<(Self, Vec<(String, String)>), Failure> {
        let mut parameters = Self::default();
        let mut seen: Vec<&'static str> = Vec::new();
        let mut rest = Vec::new();
        for (name, value) in pairs {
            let known = match name.as_str() {
                "_count" => "_count",
                "_since" => "_since",
                "_at" => "_at",
                "_sort" if version == FhirVersion::R5 => "_sort",
                CURSOR => CURSOR,
                _ => {
                    rest.push((name, value));
                    continue;
                }
            };
            if seen.contains(&known) {
                return Err(Failure::Parameter { name, problem: ParameterProblem::Repeated });
            }
            seen.push(known);
            parameters.take(known, value)?;
        }
        Ok((parameters, rest))
    }

    fn take(&mut self, name: &'static str, value: String) -> Result<(), Failure> {
        match name {
            "_count" => self.count = Some(count(&value)?),
            CURSOR => self.cursor = Some(read_cursor(&value)?),
            _ => {
                match name {
                    "_since" => self.since = Some(Timestamp(date(name, &value)?.low_micros)),
                    "_at" => {
                        let DateInterval { low_micros, high_micros, .. } = date(name, &value)?;
                        self.at =
                            Some(Interval { low: Timestamp(low_micros), high: Timestamp(high_micros - 1) });
                    }
                    _ => self.order = order(&value)?,
                }
                self.written.push((name, value));
            }
        }
        Ok(())
    }
}

fn malformed(name: &str, value: &str, expected: &'static str) -> Failure {
    let value = value.chars().take(80).collect();
    Failure::Parameter { name: name.to_owned(), problem: ParameterProblem::Malformed { value, expected } }
}

fn count(value: &str) -> Result<usize, Failure> {
    match value.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(malformed("_count", value, "a whole number from 1 on")),
    }
}

fn date(name: &str, value: &str) -> Result<DateInterval, Failure> {
    let expected = "a date or an instant such as 2018-05-25T16:09:50.123+01:00, with + written as %2B";
    value.parse().map_err(|_| malformed(name, value, expected))
}

fn order(value: &str) -> Result<Order, Failure> {
    match value {
        "-_lastUpdated" | "none" => Ok(Order::Newest),
        "_lastUpdated" => Ok(Order::Oldest),
        _ => Err(malformed("_sort", value, "_lastUpdated, -_lastUpdated or none")),
    }
}

fn write_cursor(seq: Seq) -> String {
    format!("{CURSOR_FORM}{}", seq.0)
}

/// A cursor is taken only in the spelling that this server gives it.
fn read_cursor(value: &str) -> Result<Seq, Failure> {
    let seq = value.strip_prefix(CURSOR_FORM).and_then(|number| number.parse().ok()).map(Seq);
    seq.filter(|seq| write_cursor(*seq) == value)
        .ok_or_else(|| malformed(CURSOR, value, "a cursor from a link of this server"))
}

impl Service {
    pub(crate) async fn history(
        &self,
        scope: HistoryScope,
        parameters: HistoryParameters,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let limit = parameters.count.unwrap_or(self.limits.page_default).min(self.limits.page_max);
        let request = HistoryRequest {
            scope,
            order: parameters.order,
            after: parameters.cursor,
            since: parameters.since,
            at: parameters.at,
            limit,
        };
        let page = self.store.history(&request).await.map_err(store_failure)?;
        if page.versions.is_empty() {
            self.check_exists(&request.scope).await?;
        }
        let bytes = self.history_bundle(&request.scope, &parameters, limit, &page, context)?;
        Ok(Answer {
            status: Success::Shown.status(true),
            payload: Some(Payload::Json(Bytes::from(bytes))),
            ..Answer::default()
        })
    }

    /// An empty page of one resource may mean that there is no such resource.
    async fn check_exists(&self, scope: &HistoryScope) -> Result<(), Failure> {
        let HistoryScope::Key(key) = scope else { return Ok(()) };
        match self.store.read(key).await.map_err(store_failure)?.current {
            Current::Absent { .. } => {
                let none = versioning_core::Precondition::NONE;
                Err(self.refused(Refusal::NotFound, key, Interaction::HistoryInstance, &none))
            }
            Current::Live(_) | Current::Deleted(_) => Ok(()),
        }
    }

    fn history_bundle(
        &self,
        scope: &HistoryScope,
        parameters: &HistoryParameters,
        limit: usize,
        page: &HistoryPage,
        context: &Context,
    ) -> Result<Vec<u8>, Failure> {
        let url = |cursor| link_url(&context.base, scope, parameters, limit, cursor);
        let own = url(parameters.cursor);
        let next = page.next.map(|cursor| url(Some(cursor)));
        let mut links = vec![Link { relation: "self", url: &own }];
        links.extend(next.as_deref().map(|url| Link { relation: "next", url }));
        // The total is known where one page holds everything; otherwise it would have to be
        // counted, which is dear and wrong by the time it is read.
        let whole = page.next.is_none() && parameters.cursor.is_none();
        let total = whole.then_some(page.versions.len() as u64);
        let head = BundleHead {
            id: Some(&context.trace),
            last_updated: Some(Instant::from_micros(self.ids.now().0)),
            total,
            links: &links,
            ..BundleHead::new(BundleType::History)
        };
        let mut bundle = BundleWriter::start(Vec::new(), &head);
        for version in &page.versions {
            self.history_entry(&mut bundle, version, context)?;
        }
        Ok(bundle.finish())
    }

    fn history_entry(
        &self,
        bundle: &mut BundleWriter,
        version: &StoredVersion,
        context: &Context,
    ) -> Result<(), Failure> {
        let key = &version.key;
        let version_id = self.version_id(&key.kind, version.version);
        let at = Instant::from_micros(version.at.0);
        let url = key.to_string();
        let full_url = format!("{}/{key}", context.base);
        let etag = format!("W/\"{version_id}\"");
        let resource = match &version.body {
            None => None,
            Some(body) => Some(Content::Stored {
                body: &body.bytes,
                splice: Splice::from_i64(body.splice).map_err(|error| damaged(key, &error))?,
                version_id: version_id.as_str(),
                last_updated: at,
            }),
        };
        // The invariants of STU3 forbid a response in a history, those of R4 and later want one.
        let has_response = self.rulebook.version() != FhirVersion::Stu3;
        let response = EntryResponse {
            status: response_status(version),
            etag: Some(&etag),
            last_modified: Some(at),
            ..EntryResponse::default()
        };
        let entry = Entry {
            full_url: Some(&full_url),
            resource,
            request: Some(EntryRequest {
                method: method(version.method),
                url: &url,
                ..EntryRequest::default()
            }),
            response: has_response.then_some(response),
            ..Entry::default()
        };
        bundle.entry(&entry).map_err(|error| damaged(key, &error))
    }
}

/// How a version came about. FHIR's histories know no PATCH: its effect is that of a PUT.
fn method(method: Method) -> &'static str {
    match method {
        Method::Post => "POST",
        Method::Put | Method::Patch => "PUT",
        Method::Delete => "DELETE",
    }
}

fn response_status(version: &StoredVersion) -> &'static str {
    match version.method {
        Method::Delete => "204 No Content",
        _ if version.version.number == VersionNumber::FIRST => "201 Created",
        _ => "200 OK",
    }
}

/// The URL of a page, with the parameters that were used.
fn link_url(
    base: &str,
    scope: &HistoryScope,
    parameters: &HistoryParameters,
    limit: usize,
    cursor: Option<Seq>,
) -> String {
    let path = match scope {
        HistoryScope::Key(key) => format!("/{key}"),
        HistoryScope::Kind(kind) => format!("/{kind}"),
        HistoryScope::All => String::new(),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &parameters.written {
        query.append_pair(name, value);
    }
    query.append_pair("_count", &limit.to_string());
    if let Some(cursor) = cursor {
        query.append_pair(CURSOR, &write_cursor(cursor));
    }
    format!("{base}{path}/_history?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)], version: FhirVersion) -> Result<HistoryParameters, Failure> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        HistoryParameters::parse(pairs, version).map(|(parameters, _)| parameters)
    }

    #[test]
    fn parameters_are_read_once_and_strictly() {
        let fine =
            parse(&[("_count", "5"), ("_since", "2018-05-25T16:09:50.123Z")], FhirVersion::R4).unwrap();
        assert_eq!(fine.count, Some(5));
        assert_eq!(fine.since, Some(Timestamp(1_527_264_590_123_000)));
        for bad in [
            ("_count", "0"),
            ("_count", "-1"),
            ("_count", "many"),
            ("_since", "yesterday"),
            ("_at", "2018-13"),
            ("_cursor", "17"),
            ("_cursor", "h1-017"),
            ("_cursor", "h1-+7"),
            ("_cursor", "h2-17"),
        ] {
            assert!(parse(&[bad], FhirVersion::R4).is_err(), "{bad:?}");
        }
        assert!(parse(&[("_count", "5"), ("_count", "5")], FhirVersion::R4).is_err());
    }

    #[test]
    fn sort_is_known_to_r5_only() {
        let sort = [("_sort", "_lastUpdated")];
        assert_eq!(parse(&sort, FhirVersion::R5).unwrap().order, Order::Oldest);
        assert_eq!(parse(&sort, FhirVersion::R4).unwrap().order, Order::Newest);
        assert!(parse(&[("_sort", "name")], FhirVersion::R5).is_err());
    }

    #[test]
    fn cursors_have_one_spelling() {
        assert_eq!(read_cursor(&write_cursor(Seq(17))), Ok(Seq(17)));
    }
}
