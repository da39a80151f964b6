//! The Bundle that answers a search.

use bytes::Bytes;
use fhir_model::bundle::{BundleHead, BundleType, BundleWriter, Content, Entry, Link, SearchMode};
use fhir_model::json::Value;
use fhir_model::{Instant, Issue, IssueSeverity, IssueType, OperationOutcome, Splice};
use fhir_search::QueryError;
use rulebook::{Failure, Success};
use storage_api::{Mark, SearchPage, SearchRequest, StoredVersion};

use crate::answer::{Answer, Payload};
use crate::cursor;
use crate::request::SearchScope;
use crate::search_contained::{Shown, entries};
use crate::search_shape::{CURSOR, Shape, Total};
use crate::service::{Context, Service, damaged};

/// A search as it was understood, to be told in links and warnings.
pub(crate) struct Searchset<'a> {
    pub(crate) scope: &'a SearchScope,
    pub(crate) shape: &'a Shape,
    /// The parameters that count.
    pub(crate) used: Vec<(String, String)>,
    /// Those that were passed over.
    pub(crate) ignored: Vec<QueryError>,
    /// Why resources may be missing.
    pub(crate) incomplete: Option<String>,
    /// Entries of a page.
    pub(crate) count: usize,
}

impl Searchset<'_> {
    /// The search as text, without what may change from page to page.
    pub(crate) fn text(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.used);
        format!("{}?{}", self.scope, query.finish())
    }

    fn url(&self, base: &str, mark: Option<&Mark>) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&self.used);
        match self.shape.total {
            Total::Accurate => drop(query.append_pair("_total", "accurate")),
            Total::None => drop(query.append_pair("_total", "none")),
            Total::IfKnown | Total::Only => {}
        }
        query.extend_pairs(&self.shape.layout);
        if self.shape.total != Total::Only {
            query.append_pair("_count", &self.count.to_string());
        }
        if let Some(mark) = mark {
            query.append_pair(CURSOR, &cursor::write(mark, &self.text()));
        }
        format!("{base}{}?{}", self.scope, query.finish())
    }

    /// What was passed over and what was left out, for people to see.
    fn warnings(&self, page: &SearchPage) -> Option<fhir_model::json::Object> {
        let warning = |error: &QueryError| {
            Issue::new(IssueSeverity::Warning, IssueType::NotSupported)
                .diagnostics(format!("Passed over: {error}"))
        };
        let cut = page.included_cut.then(|| {
            Issue::new(IssueSeverity::Warning, IssueType::Incomplete).diagnostics(
                "More would have come along than a page may include. Ask for smaller pages with _count."
                    .to_owned(),
            )
        });
        let uncounted = (self.shape.total == Total::Accurate && page.total.is_none()).then(|| {
            Issue::new(IssueSeverity::Warning, IssueType::TooCostly).diagnostics(
                "Too many resources would have to be looked at to count what matches.".to_owned(),
            )
        });
        let incomplete = self.incomplete.clone();
        let incomplete =
            incomplete.map(|text| Issue::new(IssueSeverity::Warning, IssueType::Transient).diagnostics(text));
        let issues = self.ignored.iter().map(warning).chain(cut).chain(uncounted).chain(incomplete);
        OperationOutcome::from_issues(issues).map(|outcome| outcome.to_object())
    }
}

/// A contained resource by itself. Its URL is that of the resource around it, with its id behind.
fn contained_entry(
    bundle: &mut BundleWriter,
    version: &StoredVersion,
    inside: &Value,
    context: &Context,
) -> Result<(), Failure> {
    let id = inside.get("id").and_then(Value::as_str).unwrap_or_default();
    let full_url = format!("{}/{}#{id}", context.base, version.key);
    let entry = Entry {
        full_url: Some(&full_url),
        resource: inside.as_object().map(Content::Tree),
        search: Some(SearchMode::Match),
        ..Entry::default()
    };
    bundle.entry(&entry).map_err(|_| Failure::Internal)
}

impl Service {
    pub(crate) fn searchset(
        &self,
        set: &Searchset<'_>,
        request: &SearchRequest,
        page: &SearchPage,
        shown: &[Shown<'_>],
        context: &Context,
    ) -> Result<Answer, Failure> {
        let own = set.url(&context.base, request.after.as_ref());
        let next = page.next.as_ref().map(|mark| set.url(&context.base, Some(mark)));
        let mut links = vec![Link { relation: "self", url: &own }];
        links.extend(next.as_deref().map(|url| Link { relation: "next", url }));
        // The total is known where one page holds everything.
        let is_whole = page.next.is_none() && request.after.is_none() && request.limit > 0;
        let known = page.total.or_else(|| is_whole.then_some(entries(shown) as u64));
        let head = BundleHead {
            id: Some(&context.trace),
            last_updated: Some(Instant::from_micros(self.ids.now().0)),
            total: known.filter(|_| set.shape.total != Total::None),
            links: &links,
            ..BundleHead::new(BundleType::Searchset)
        };
        let mut bundle = BundleWriter::start(Vec::new(), &head);
        for one in shown {
            if one.itself {
                self.search_entry(&mut bundle, one.version, SearchMode::Match, context)?;
            }
            for inside in &one.inside {
                contained_entry(&mut bundle, one.version, inside, context)?;
            }
        }
        for version in &page.included {
            self.search_entry(&mut bundle, version, SearchMode::Include, context)?;
        }
        if let Some(outcome) = set.warnings(page) {
            let entry = Entry {
                resource: Some(Content::Tree(&outcome)),
                search: Some(SearchMode::Outcome),
                ..Entry::default()
            };
            bundle.entry(&entry).map_err(|_| Failure::Internal)?;
        }
        Ok(Answer {
            status: Success::Shown.status(true),
            payload: Some(Payload::Json(Bytes::from(bundle.finish()))),
            ..Answer::default()
        })
    }

    fn search_entry(
        &self,
        bundle: &mut BundleWriter,
        version: &StoredVersion,
        mode: SearchMode,
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
            search: Some(mode),
            ..Entry::default()
        };
        bundle.entry(&entry).map_err(|error| damaged(key, &error))
    }
}
