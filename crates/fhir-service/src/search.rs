//! search: the live resources of a type that match.

use bytes::Bytes;
use fhir_model::bundle::{BundleHead, BundleType, BundleWriter, Content, Entry, Link, SearchMode};
use fhir_model::{Instant, Issue, IssueSeverity, IssueType, OperationOutcome, Splice};
use fhir_search::{QueryError, Understood};
use rulebook::{Failure, ParameterProblem, Success};
use storage_api::{Place, SearchPage, SearchRequest, StoredVersion};

use crate::answer::{Answer, Payload};
use crate::request::Handling;
use crate::service::{Context, Service, damaged, store_failure};

/// The parameter that carries a place to continue.
const CURSOR: &str = "_cursor";

/// The form of cursors; one of another form is refused.
const CURSOR_FORM: &str = "s1-";

/// The parameters of a search that shape its answer.
#[derive(Default)]
struct Paging {
    count: Option<usize>,
    cursor: Option<Place>,
    /// `_summary=count`: how many there are, and none of them.
    counts_only: bool,
}

impl Paging {
    /// Takes its parameters out of those of a search.
    fn take(parameters: Vec<(String, String)>) -> Result<(Self, Vec<(String, String)>), Failure> {
        let mut paging = Self::default();
        let mut rest = Vec::new();
        for (name, value) in parameters {
            let repeated = || Failure::Parameter { name: name.clone(), problem: ParameterProblem::Repeated };
            match name.as_str() {
                "_count" => {
                    let count = value.parse().map_err(|_| malformed(&name, &value, "a whole number"))?;
                    paging.count.replace(count).map_or(Ok(()), |_| Err(repeated()))?;
                }
                CURSOR => {
                    let cursor = read_cursor(&value)?;
                    paging.cursor.replace(cursor).map_or(Ok(()), |_| Err(repeated()))?;
                }
                "_summary" if value == "count" => paging.counts_only = true,
                "_total" if matches!(value.as_str(), "none" | "estimate" | "accurate") => {}
                "_total" => return Err(malformed(&name, &value, "none, estimate or accurate")),
                _ => rest.push((name, value)),
            }
        }
        Ok((paging, rest))
    }
}

fn malformed(name: &str, value: &str, expected: &'static str) -> Failure {
    let value = value.chars().take(80).collect();
    Failure::Parameter { name: name.to_owned(), problem: ParameterProblem::Malformed { value, expected } }
}

fn write_cursor(place: Place) -> String {
    format!("{CURSOR_FORM}{}", place.0)
}

/// A cursor is taken only in the spelling that this server gives it.
fn read_cursor(value: &str) -> Result<Place, Failure> {
    let place = value.strip_prefix(CURSOR_FORM).and_then(|number| number.parse().ok()).map(Place);
    place
        .filter(|place| write_cursor(*place) == value)
        .ok_or_else(|| malformed(CURSOR, value, "a cursor from a link of this server"))
}

impl Service {
    pub(crate) async fn search(
        &self,
        resource_type: &str,
        parameters: Vec<(String, String)>,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let (paging, parameters) = Paging::take(parameters)?;
        let sent = parameters.clone();
        let parameters = self.rulebook.search(resource_type, parameters, &context.caller)?;
        let in_force = self.in_force();
        let mut understood = in_force
            .extractor
            .search(resource_type, &parameters, &[&context.base])
            .map_err(|error| Failure::Query(Box::new(error)))?;
        // Links repeat what the client wrote, where an API reads it in its own way.
        if parameters != sent {
            understood.used.clone_from(&sent);
        }
        let strict = context.preferences.handling == Some(Handling::Strict);
        if let Some(ignored) = understood.ignored.iter().find(|_| strict) {
            return Err(Failure::Query(Box::new(ignored.clone())));
        }
        let limit = paging.count.unwrap_or(self.limits.page_default).min(self.limits.page_max);
        let request = SearchRequest { query: understood.query.clone(), after: paging.cursor, limit };
        let page = self.store.search(&request).await.map_err(store_failure)?;
        if self.rulebook.judges_searches() && request.after.is_none() {
            let bodies = page.found.iter().filter_map(|version| version.body.as_ref());
            let found = bodies.map(|body| self.content_of(body)).collect::<Result<Vec<_>, _>>()?;
            self.rulebook.searched(&sent, &found)?;
        }
        if paging.counts_only {
            return self.count(resource_type, &understood, (request, page), context).await;
        }
        let warning = in_force.warning(&request.query);
        let bytes = self.searchset((resource_type, &understood), &request, &page, warning, context)?;
        Ok(Answer {
            status: Success::Shown.status(true),
            payload: Some(Payload::Json(Bytes::from(bytes))),
            ..Answer::default()
        })
    }

    /// How many resources there are, from the first page on.
    async fn count(
        &self,
        resource_type: &str,
        understood: &Understood,
        (mut request, mut page): (SearchRequest, SearchPage),
        context: &Context,
    ) -> Result<Answer, Failure> {
        let mut total = page.found.len() as u64;
        request.limit = self.limits.page_max;
        while let Some(next) = page.next {
            request.after = Some(next);
            page = self.store.search(&request).await.map_err(store_failure)?;
            total += page.found.len() as u64;
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&understood.used).append_pair("_summary", "count");
        let own = format!("{}/{resource_type}?{}", context.base, query.finish());
        let head = BundleHead {
            id: Some(&context.trace),
            last_updated: Some(Instant::from_micros(self.ids.now().0)),
            total: Some(total),
            links: &[Link { relation: "self", url: &own }],
            ..BundleHead::new(BundleType::Searchset)
        };
        let bytes = BundleWriter::start(Vec::new(), &head).finish();
        Ok(Answer {
            status: Success::Shown.status(true),
            payload: Some(Payload::Json(Bytes::from(bytes))),
            ..Answer::default()
        })
    }

    fn searchset(
        &self,
        (resource_type, understood): (&str, &Understood),
        request: &SearchRequest,
        page: &SearchPage,
        warning: Option<String>,
        context: &Context,
    ) -> Result<Vec<u8>, Failure> {
        let url = |cursor: Option<Place>| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(&understood.used);
            query.append_pair("_count", &request.limit.to_string());
            if let Some(cursor) = cursor {
                query.append_pair(CURSOR, &write_cursor(cursor));
            }
            format!("{}/{resource_type}?{}", context.base, query.finish())
        };
        let own = url(request.after);
        let next = page.next.map(|place| url(Some(place)));
        let mut links = vec![Link { relation: "self", url: &own }];
        links.extend(next.as_deref().map(|url| Link { relation: "next", url }));
        // The total is known where one page holds everything.
        let whole = page.next.is_none() && request.after.is_none() && request.limit > 0;
        let head = BundleHead {
            id: Some(&context.trace),
            last_updated: Some(Instant::from_micros(self.ids.now().0)),
            total: whole.then_some(page.found.len() as u64),
            links: &links,
            ..BundleHead::new(BundleType::Searchset)
        };
        let mut bundle = BundleWriter::start(Vec::new(), &head);
        for version in &page.found {
            self.search_entry(&mut bundle, version, context)?;
        }
        if let Some(outcome) = warnings(&understood.ignored, warning) {
            let entry = Entry {
                resource: Some(Content::Tree(&outcome)),
                search: Some(SearchMode::Outcome),
                ..Entry::default()
            };
            bundle.entry(&entry).map_err(|_| Failure::Internal)?;
        }
        Ok(bundle.finish())
    }

    fn search_entry(
        &self,
        bundle: &mut BundleWriter,
        version: &StoredVersion,
        context: &Context,
    ) -> Result<(), Failure> {
        let key = &version.key;
        let Some(body) = &version.body else { return Ok(()) };
        let version_id = self.version_id(&key.kind, version.version);
        let full_url = format!("{}/{key}", context.base);
        let entry = Entry {
            full_url: Some(&full_url),
            resource: Some(Content::Stored {
                body: &body.bytes,
                splice: Splice::from_i64(body.splice).map_err(|error| damaged(key, &error))?,
                version_id: version_id.as_str(),
                last_updated: Instant::from_micros(version.at.0),
            }),
            search: Some(SearchMode::Match),
            ..Entry::default()
        };
        bundle.entry(&entry).map_err(|error| damaged(key, &error))
    }
}

/// What was passed over, for people to see.
fn warnings(ignored: &[QueryError], missing: Option<String>) -> Option<fhir_model::json::Object> {
    let warning = |error: &QueryError| {
        Issue::new(IssueSeverity::Warning, IssueType::NotSupported)
            .diagnostics(format!("Passed over: {error}"))
    };
    let missing =
        missing.map(|text| Issue::new(IssueSeverity::Warning, IssueType::Transient).diagnostics(text));
    OperationOutcome::from_issues(ignored.iter().map(warning).chain(missing))
        .map(|outcome| outcome.to_object())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_have_one_spelling() {
        assert_eq!(read_cursor(&write_cursor(Place(17))), Ok(Place(17)));
        for bad in ["", "17", "s1-", "s1-017", "s1-+7", "s1--7", "h1-17", "s1-99999999999999999999"] {
            assert!(read_cursor(bad).is_err(), "{bad}");
        }
    }
}
