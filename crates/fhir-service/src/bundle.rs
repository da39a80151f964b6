//! Bundles of requests: what a batch and a transaction have in common.

use std::collections::HashSet;

use bytes::Bytes;
use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::Instant;
use fhir_model::json::Value;
use rulebook::{Failure, Interaction, ParameterProblem, Success};
use storage_api::HistoryScope;
use transaction_engine::{
    BundleError, BundleRequest, Entry, EntryError, Kind, Method, PlanError, Problem, Reading, ResponseEntry,
    ResponseWriter, Target,
};
use versioning_core::Precondition;

use crate::answer::{Answer, Payload};
use crate::blame::{FAILURES_TOLD_MAX, several};
use crate::content::expect_content;
use crate::present::{Format, Presentation};
use crate::request::{
    CapabilityMode, Content, Criteria, Encoding, Operation, Patch, PatchFormat, Preferences, SearchScope,
};
use crate::service::{Context, Planned, Service};
use crate::subset::Subset;
use crate::{HistoryParameters, binary};

/// The resource type of patches.
const PARAMETERS: &str = "Parameters";

/// What an entry asks for.
pub(crate) struct Asked {
    pub(crate) operation: Operation,
    pub(crate) precondition: Precondition,
    /// How its answer is shown.
    pub(crate) subset: Subset,
}

impl Service {
    /// Carries out a Bundle.
    pub(crate) async fn bundle(
        &self,
        body: &Content,
        has_idempotency_key: bool,
        context: &Context,
    ) -> Result<Answer, Failure> {
        if has_idempotency_key {
            return Err(Failure::ConditionalNotOffered { header: "Idempotency-Key" });
        }
        if !context.precondition.is_none() {
            // It could be meant for any entry.
            return Err(Failure::ConditionalNotOffered { header: "A conditional header field on a Bundle" });
        }
        let deadline = self.bundle_deadline();
        let definitions = Definitions::of(self.rulebook.version());
        let reading = Reading {
            definitions,
            base: &context.base,
            entries_max: self.limits.bundle_entries_max,
            patch: self.rulebook.takes_patch_entries(),
        };
        let bundle = match &body.encoding {
            Encoding::Fhir(Format::Json) => {
                expect_content(body)?;
                BundleRequest::parse(&body.bytes, &self.limits.json, reading)
            }
            _ => BundleRequest::read(self.parse(body)?, reading),
        };
        let BundleRequest { kind, entries } = bundle.map_err(no_bundle)?;
        let interaction = match kind {
            Kind::Transaction => Interaction::Transaction,
            Kind::Batch => Interaction::Batch,
        };
        if !self.rulebook.offers(interaction) {
            return Err(Failure::NotOffered(interaction));
        }
        let answers = match kind {
            Kind::Transaction => self.transaction(entries, deadline, context).await?,
            Kind::Batch => {
                self.admit_bundle(entries.iter().flatten(), context)?;
                self.batch(entries, deadline, context).await
            }
        };
        self.bundle_answer(kind, answers, context)
    }

    /// The resource that an entry sends, as a tree.
    pub(crate) fn sent_by(&self, entry: &Entry) -> Result<Option<Value>, Failure> {
        let tree = entry.resource.as_ref().map(|sent| sent.tree(&self.limits.json));
        tree.transpose().map_err(Failure::Json)
    }

    /// What an entry asks for. `resource` is the one that it sends, with its references resolved.
    pub(crate) fn asked_by(
        &self,
        entry: &Entry,
        resource: Option<Value>,
        preferences: Preferences,
    ) -> Result<Asked, Failure> {
        let precondition = entry
            .precondition(self.rulebook.lenient_tags())
            .map_err(|problem| bad_entry(&problem, self.rulebook.version()))?;
        let (subset, mut query) = shown_of(entry)?;
        let operation = self.operation_of(entry, &mut query, resource)?;
        self.rulebook.check_query(operation.interaction(), &entry.query)?;
        preferences.expect_known(query)?;
        Ok(Asked { operation, precondition, subset })
    }

    /// Leaves in `query` what it does not know.
    fn operation_of(
        &self,
        entry: &Entry,
        query: &mut Vec<(String, String)>,
        resource: Option<Value>,
    ) -> Result<Operation, Failure> {
        let version = self.rulebook.version();
        let content = |resource: Option<Value>| Content::tree(resource.unwrap_or_default());
        let mut history = |scope| {
            let (parameters, rest) = HistoryParameters::parse(std::mem::take(query), version)?;
            *query = rest;
            Ok(Operation::History { scope, parameters })
        };
        let criteria = entry.criteria().map(Criteria);
        let impossible = || bad_entry(&Problem::NoSuchRequest(entry.method, entry.url.clone()), version);
        match (entry.method, entry.target.clone(), criteria) {
            (Method::Post, Target::Type(resource_type), None) => {
                Ok(Operation::Create { resource_type, body: content(resource) })
            }
            (Method::Post, Target::Type(resource_type), Some(criteria)) => {
                Ok(Operation::ConditionalCreate { resource_type, criteria, body: content(resource) })
            }
            (Method::Put, Target::Instance(key), _) => Ok(Operation::Update { key, body: content(resource) }),
            (Method::Put, Target::Type(resource_type), Some(criteria)) => {
                Ok(Operation::ConditionalUpdate { resource_type, criteria, body: content(resource) })
            }
            (Method::Patch, Target::Instance(key), _) => {
                Ok(Operation::Patch { key, patch: self.patch_in(resource)? })
            }
            (Method::Patch, Target::Type(resource_type), Some(criteria)) => {
                Ok(Operation::ConditionalPatch { resource_type, criteria, patch: self.patch_in(resource)? })
            }
            (Method::Delete, Target::Instance(key), _) => Ok(Operation::Delete(key)),
            (Method::Delete, Target::Type(resource_type), Some(criteria)) => {
                Ok(Operation::ConditionalDelete { resource_type, criteria })
            }
            (Method::Get | Method::Head, target, _) => match target {
                Target::Instance(key) => Ok(Operation::Read(key)),
                Target::Version(key, version_id) => Ok(Operation::Vread { key, version_id }),
                Target::Type(name) => Ok(search(SearchScope::Type(name), query)),
                Target::Compartment(key, member) => {
                    Ok(search(SearchScope::Compartment { key, member }, query))
                }
                Target::Base => Ok(search(SearchScope::System, query)),
                Target::InstanceHistory(key) => history(HistoryScope::Key(key)),
                Target::TypeHistory(kind) => history(HistoryScope::Kind(kind.into())),
                Target::SystemHistory => history(HistoryScope::All),
                Target::Metadata if version == FhirVersion::Stu3 => {
                    Ok(Operation::Capabilities(CapabilityMode::Full))
                }
                Target::Metadata => {
                    let mode = taken(query, "mode")?;
                    CapabilityMode::parse(mode.as_deref()).map(Operation::Capabilities)
                }
            },
            _ => Err(impossible()),
        }
    }

    /// The patch in an entry: Parameters, or a Binary with a patch of another format.
    fn patch_in(&self, resource: Option<Value>) -> Result<Patch, Failure> {
        const OFFERED: &str = "Parameters, or a Binary of type application/json-patch+json, \
            application/merge-patch+json or application/xml-patch+xml";
        let resource = resource.unwrap_or_default();
        let bytes = Bytes::from(resource.to_bytes());
        let resource_type = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        if resource_type == PARAMETERS {
            return Ok(Patch { format: PatchFormat::FhirPath(Format::Json), bytes });
        }
        let sent = resource.get("contentType").and_then(Value::as_str).unwrap_or(resource_type);
        let unsupported =
            || Failure::UnsupportedMediaType { sent: sent.chars().take(200).collect(), offered: OFFERED };
        if resource_type != binary::BINARY || !self.rulebook.patches_freely() {
            return Err(unsupported());
        }
        let format = match sent.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => PatchFormat::Json,
            "application/merge-patch+json" => PatchFormat::Merge,
            "application/xml-patch+xml" => PatchFormat::Xml,
            _ => return Err(unsupported()),
        };
        match binary::unwrap(&bytes, self.rulebook.version(), &self.limits) {
            Some(Payload::Native { bytes, .. }) => Ok(Patch { format, bytes }),
            _ => Err(Failure::PatchMalformed { why: "the Binary's data is not base64".to_owned() }),
        }
    }

    /// An answer in the part that the entry asked for; HEAD shows nothing.
    pub(crate) fn entry_answer(&self, entry: &Entry, answer: Answer, subset: Subset, trace: &str) -> Answer {
        if entry.method == Method::Head {
            return Answer { payload: None, about: None, ..answer };
        }
        self.present(answer, &Presentation { subset, ..Presentation::default() }, trace)
    }

    /// What an answer shows: its payload, or the stored content that it is about.
    pub(crate) fn payload_of(&self, answer: &Answer) -> Result<Option<Payload>, Failure> {
        let about = answer.about.as_ref().and_then(|about| Some((about, about.body.as_ref()?)));
        match (&answer.payload, about, answer.last_modified) {
            (None, Some((about, body)), Some(at)) => {
                self.represent(&about.key, about.version, at, body).map(Some)
            }
            (payload, ..) => Ok(payload.clone()),
        }
    }

    /// The answer to a Bundle, from the answers to its entries in the order of the request.
    fn bundle_answer(&self, kind: Kind, answers: Vec<Answer>, context: &Context) -> Result<Answer, Failure> {
        let room = answers.iter().map(|answer| 512 + shown_len(answer)).sum();
        let mut writer = ResponseWriter::start(kind, Some(&context.trace), room);
        let mut changes = Vec::new();
        let preferred = context.preferences.returning;
        let mut applied = None;
        // A Bundle names a version by fullUrl once (rule bdl-7), however often it shows it.
        let mut named = HashSet::new();
        for answer in answers {
            let payload = self.payload_of(&answer)?;
            let json = payload.as_ref().and_then(|payload| match payload {
                Payload::Json(bytes) => Some(&bytes[..]),
                Payload::Xml(_) | Payload::Native { .. } => None,
            });
            let is_outcome = json
                .is_some_and(|json| json.starts_with(br#"{"resourceType":"OperationOutcome""#))
                && answer.about.as_ref().is_none_or(|about| about.body.is_none());
            let (outcome, resource) = if is_outcome { (json, None) } else { (None, json) };
            let shown = answer.about.as_ref().filter(|_| resource.is_some());
            let named_first = shown.filter(|about| named.insert((about.key.clone(), about.version)));
            let full_url = named_first.map(|about| format!("{}/{}", context.base, about.key));
            writer.entry(&ResponseEntry {
                status: answer.status,
                full_url: full_url.as_deref(),
                location: answer.location.as_deref(),
                version_id: answer.etag.as_ref().map(versioning_core::VersionId::as_str),
                last_modified: answer.last_modified.map(|at| Instant::from_micros(at.0)),
                resource,
                outcome,
            });
            applied = applied.or(answer.applied.filter(|applied| Some(*applied) == preferred));
            changes.extend(answer.changes);
        }
        Ok(Answer {
            status: Success::Shown.status(true),
            payload: Some(Payload::Json(Bytes::from(writer.finish()))),
            applied,
            changes,
            ..Answer::default()
        })
    }
}

/// The context of one entry.
pub(crate) fn entry_context(precondition: Precondition, planned: Planned, bundle: &Context) -> Context {
    Context {
        precondition,
        preferences: bundle.preferences,
        // What others did to a transaction shows when it is committed, not in its entries.
        retries_max: bundle.retries_max.filter(|_| !planned.in_transaction),
        base: bundle.base.clone(),
        trace: bundle.trace.clone(),
        claim: None,
        caller: bundle.caller.clone(),
        planned,
    }
}

/// About how many bytes an answer shows.
fn shown_len(answer: &Answer) -> usize {
    match (&answer.payload, answer.about.as_ref().and_then(|about| about.body.as_ref())) {
        (Some(Payload::Json(bytes) | Payload::Xml(bytes) | Payload::Native { bytes, .. }), _) => bytes.len(),
        (None, body) => body.map_or(0, |body| body.bytes.len()),
    }
}

/// How the answer to an entry is shown, and the parameters that do not say that. A Bundle has one format, so that of an
/// entry is passed over.
pub(crate) fn shown_of(entry: &Entry) -> Result<(Subset, Vec<(String, String)>), Failure> {
    let is_search = matches!(entry.target, Target::Base | Target::Type(_) | Target::Compartment(..));
    if !entry.method.is_safe() {
        return Ok((Subset::Whole, Vec::new()));
    }
    let mut query = entry.query.clone();
    taken(&mut query, "_format")?;
    taken(&mut query, "_pretty")?;
    let elements = taken(&mut query, "_elements")?;
    let subset = Subset::parse(taken(&mut query, "_summary")?.as_deref(), elements.as_deref(), is_search)?;
    // A search has them in its links.
    Ok((subset, if is_search { entry.query.clone() } else { query }))
}

/// Takes out a parameter that may be given once.
fn taken(query: &mut Vec<(String, String)>, name: &str) -> Result<Option<String>, Failure> {
    let mut taken = query.extract_if(.., |(candidate, _)| candidate == name).map(|(_, value)| value);
    match (taken.next(), taken.next()) {
        (_, Some(_)) => {
            let problem = ParameterProblem::Repeated;
            Err(Failure::Parameter { name: name.to_owned(), problem })
        }
        (first, None) => Ok(first),
    }
}

/// A search, which judges its parameters itself.
fn search(scope: SearchScope, query: &mut Vec<(String, String)>) -> Operation {
    Operation::Search { scope, parameters: std::mem::take(query) }
}

/// An entry that cannot be carried out, in the words of single requests where they have some.
pub(crate) fn bad_entry(problem: &Problem, version: FhirVersion) -> Failure {
    match problem {
        Problem::UnknownType(name) => Failure::UnknownType { name: name.clone(), version },
        Problem::NoRoute(path) => Failure::NoRoute { path: path.clone() },
        Problem::Condition(error) => Failure::MalformedField(*error),
        Problem::IllegalId(id) => Failure::IllegalId { id: id.clone() },
        Problem::NoResource(_) => Failure::EmptyBody,
        Problem::Encoding(part) => {
            Failure::Parameter { name: part.clone(), problem: ParameterProblem::Encoding }
        }
        problem => Failure::BadEntry { why: problem.to_string() },
    }
}

fn no_bundle(error: BundleError) -> Failure {
    let why = match error {
        BundleError::Json(error) => return Failure::Json(error),
        BundleError::TooMany { max, found } => return Failure::TooManyEntries { max, found },
        BundleError::NotABundle { found } => {
            format!("The body is \"{found}\". POST to the base takes a Bundle of type transaction or batch.")
        }
        BundleError::Type { found } => {
            format!("The Bundle has the type \"{found}\". Its type has to be transaction or batch.")
        }
        BundleError::Entries => "Bundle.entry has to be a list.".to_owned(),
    };
    Failure::NoBundle { why }
}

pub(crate) fn unplanned(error: PlanError, version: FhirVersion) -> Failure {
    match error {
        PlanError::Entries(errors) => {
            let failed = |EntryError { index, request, problem }| {
                let failure = Box::new(bad_entry(&problem, version));
                Failure::Entry { index, request, failure }
            };
            several(errors.into_iter().take(FAILURES_TOLD_MAX).map(failed).collect())
        }
        PlanError::SameResource { key, entries } => {
            Failure::SameInTransaction { what: key.to_string(), entries }
        }
        PlanError::SameFullUrl { full_url, entries } => {
            Failure::SameInTransaction { what: full_url, entries }
        }
    }
}

/// The failure of one entry, which is that of the transaction. Findings say in which entry they are.
pub(crate) fn entry_failure(entry: &Entry, failure: Failure) -> Failure {
    let index = entry.index;
    let failure = match failure {
        Failure::Invalid(mut findings) => {
            for finding in &mut findings {
                let below = finding.expression.split_once('.').map(|(_, below)| below);
                let below = below.map(|below| format!(".{below}")).unwrap_or_default();
                finding.expression = format!("Bundle.entry[{index}].resource{below}");
            }
            Failure::Invalid(findings)
        }
        // That is nothing that the entry did.
        Failure::TransactionTooSlow { .. } => return failure,
        other => other,
    };
    Failure::Entry { index, request: entry.label(), failure: Box::new(failure) }
}
