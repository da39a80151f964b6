//! From the lines of a request to what it asks the service for: steps 1 to 5 of the order of checks.

use std::sync::Arc;

use bytes::Bytes;
use fhir_definitions::FhirVersion;
use fhir_service::{
    CapabilityMode, Content, Criteria, DiffFormat, Encoding, Format, HistoryParameters, Operation, Patch,
    Presentation, Request, SearchScope, Subset,
};
use hyper::header::{ACCESS_CONTROL_REQUEST_METHOD, HOST, HeaderMap};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Version};
use rulebook::{Caller, Failure, Interaction, ParameterProblem, Rulebook};
use storage_api::HistoryScope;
use versioning_core::{Precondition, Usage};

use crate::admission::{admit, check_offered, check_operation};
use crate::body::Upload;
use crate::origin::Peer;
use crate::query::Query;
use crate::route::Target;
use crate::server::{Mount, Shared};
use crate::{conditional, criteria, negotiate, prefer, retry};

impl Shared {
    /// Steps 1 to 5 of the order of checks; what comes after is the service's.
    pub(crate) async fn prepare(
        &self,
        mount: &Mount,
        below: &str,
        (parts, peer): (&Parts, Peer),
        (upload, caller): (&mut Upload<'_>, &mut Caller),
        trace: &Arc<str>,
    ) -> Result<Prepared, Failure> {
        check_host(parts)?;
        let (rulebook, headers) = (mount.service.rulebook(), &parts.headers);
        let version = rulebook.version();
        let target = Target::parse(below, version)?;
        check_operation(rulebook, &target, below)?;
        // What an API does not offer has no methods that could be listed.
        if let Some(interaction) = target.only_interaction().filter(|only| !rulebook.offers(*only)) {
            return Err(Failure::NotOffered(interaction));
        }
        let Some(interaction) = interaction(&target, parts, rulebook)? else {
            return Ok(Prepared::Options(target.allow(rulebook)));
        };
        check_offered(rulebook, &target, interaction)?;
        self.check_sizes(parts)?;
        *caller = admit(&mount.service, &target, interaction, headers)?;
        target.check_id()?;
        // A write that would find the queue full is refused before it is read.
        if !interaction.is_safe() && mount.service.store().is_full() {
            return Err(Failure::Busy);
        }
        // A body where none has a meaning is read all the same: a request counts when it is whole.
        let bytes = upload.read(&self.limits).await?;
        let mut query = Query::parse(parts.uri.query())?;
        rulebook.check_query(interaction, query.pairs())?;
        let criteria = criteria_of(&target, interaction, headers, &mut query)?;
        let searches = matches!(interaction, Interaction::SearchType | Interaction::SearchSystem);
        // A form may say how the answer is to look, so it is read before that is asked.
        let form =
            target.is_form().then(|| upload.unpack(headers, bytes.clone(), &self.limits)).transpose()?;
        if let Some(form) = &form {
            query.extend(criteria::in_form(headers, form)?);
            rulebook.check_query(interaction, query.pairs())?;
        }
        // What shapes the layout stands in the links of a search too.
        let parameters = if searches { query.clone().into_pairs() } else { Vec::new() };
        let diff_format = diff_format(&target, &mut query, headers, version)?;
        let other = target.is_binary() || diff_format == DiffFormat::Json;
        let presentation = presentation(&mut query, headers, (rulebook, searches), other)?;
        let bytes = match form {
            Some(form) => form,
            None => upload.unpack(headers, bytes, &self.limits)?,
        };
        let content = content(&target, interaction, (headers, rulebook), bytes)?;
        let precondition = precondition(interaction, headers, rulebook)?;
        let preferences = prefer::preferences(headers);
        let operation = if searches {
            query = Query::default();
            Operation::Search { scope: search_scope(target), parameters }
        } else if target == Target::Reindex && parts.method == Method::POST {
            reindex(&mut query)?
        } else {
            operation(target, (interaction, criteria, diff_format), content, &mut query, version)?
        };
        preferences.expect_known(query.into_pairs())?;
        let base = format!("{}{}", self.origin.url(parts, peer), mount.path);
        let (idempotency_key, retries_max) = if interaction.is_safe() {
            (None, None)
        } else {
            (idempotency_key(headers)?, retry::retries_max(headers)?)
        };
        let request = Request {
            operation,
            precondition,
            preferences,
            idempotency_key,
            retries_max,
            base,
            trace: Arc::clone(trace),
            caller: caller.clone(),
        };
        Ok(Prepared::Request(Box::new((request, presentation))))
    }

    fn check_sizes(&self, parts: &Parts) -> Result<(), Failure> {
        let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
        if target > self.limits.uri_bytes_max {
            return Err(Failure::UriTooLong { max: self.limits.uri_bytes_max });
        }
        // Each line costs its name, its value, a colon, a space and two line-end bytes.
        let headers: usize =
            parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if headers > self.limits.header_bytes_max {
            return Err(Failure::HeadersTooLarge { max: self.limits.header_bytes_max });
        }
        Ok(())
    }
}

/// The interaction that a request asks for; none for an OPTIONS that asks what is possible.
fn interaction(
    target: &Target,
    parts: &Parts,
    rulebook: &dyn Rulebook,
) -> Result<Option<Interaction>, Failure> {
    if parts.method == Method::OPTIONS {
        // STU3 asks for capabilities by OPTIONS as well as by GET. A browser asks something else by it.
        let asks = *target == Target::Base
            && rulebook.version() == FhirVersion::Stu3
            && !parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        return Ok(asks.then_some(Interaction::Capabilities));
    }
    let conditional =
        || criteria::is_conditional_create(&parts.headers) && rulebook.offers(Interaction::ConditionalCreate);
    Ok(Some(match target.interaction(&parts.method, rulebook)? {
        Interaction::Create if conditional() => Interaction::ConditionalCreate,
        interaction => interaction,
    }))
}

/// The name of a write: up to 255 visible ASCII characters, with or without quotes.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    const LENGTH_MAX: usize = 255;
    let mut lines = headers.get_all("idempotency-key").iter();
    let Some(line) = lines.next() else { return Ok(None) };
    let key = line.to_str().map(|key| key.trim().trim_matches('"')).unwrap_or_default();
    let legible = (1..=LENGTH_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if legible && lines.next().is_none() {
        Ok(Some(key.to_owned()))
    } else {
        Err(Failure::MalformedIdempotencyKey)
    }
}

/// RFC 9112 3.2: a request of HTTP/1.1 without exactly one Host is answered with 400. An empty one
/// stands for an unknown authority.
pub(crate) fn check_host(parts: &Parts) -> Result<(), Failure> {
    if parts.version != Version::HTTP_11 {
        return Ok(());
    }
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Failure::InvalidHost) };
    let is_host = |host: &str| {
        host.is_empty() || host.parse().is_ok_and(|host: Authority| !host.as_str().contains('@'))
    };
    if host.to_str().is_ok_and(is_host) { Ok(()) } else { Err(Failure::InvalidHost) }
}

/// What a request comes to before the service sees it.
pub(crate) enum Prepared {
    Request(Box<(Request, Presentation)>),
    Options(&'static [&'static str]),
}

/// The criteria of a conditional write, from where its kind has them.
fn criteria_of(
    target: &Target,
    interaction: Interaction,
    headers: &HeaderMap,
    query: &mut Query,
) -> Result<Criteria, Failure> {
    match (target, interaction) {
        (Target::Type(name), Interaction::ConditionalCreate) => criteria::if_none_exist(headers, name),
        (
            _,
            Interaction::ConditionalUpdate | Interaction::ConditionalPatch | Interaction::ConditionalDelete,
        ) => Ok(criteria::in_url(query)),
        _ => Ok(Criteria::default()),
    }
}

/// How the client wants to see resources: format, layout, part. `other` content than FHIR's may be given as well.
fn presentation(
    query: &mut Query,
    headers: &HeaderMap,
    (rulebook, searches): (&dyn Rulebook, bool),
    other: bool,
) -> Result<Presentation, Failure> {
    let format = query.take("_format")?;
    let native = other && format.is_none() && !negotiate::names_fhir(headers);
    let format = match negotiate::accepted(headers, format.as_deref(), rulebook) {
        Ok(format) => format,
        // Whoever asks for an image or a JSON Patch gets one; an outcome is given in the usual format.
        Err(_) if native => Format::default(),
        Err(failure) => return Err(failure),
    };
    let pretty = match query.take("_pretty")?.as_deref() {
        None | Some("false") => false,
        Some("true" | "") => true,
        Some(value) => return Err(malformed("_pretty", value, "true or false")),
    };
    let elements = query.take("_elements")?;
    let subset = Subset::parse(query.take("_summary")?.as_deref(), elements.as_deref(), searches)?;
    Ok(Presentation { format, pretty, subset, native })
}

/// As which kind of patch a difference is wanted: `_format` overrides Accept.
fn diff_format(
    target: &Target,
    query: &mut Query,
    headers: &HeaderMap,
    version: FhirVersion,
) -> Result<DiffFormat, Failure> {
    if !matches!(target, Target::Diff(_)) {
        return Ok(DiffFormat::default());
    }
    let json_patch = match query.clone().take("_format")? {
        Some(format) if negotiate::is_json_patch(&format) => {
            query.take("_format")?;
            true
        }
        Some(_) => false,
        None => negotiate::wants_json_patch(headers, version),
    };
    Ok(if json_patch { DiffFormat::Json } else { DiffFormat::FhirPath })
}

/// What a request sends.
enum Sent {
    Content(Content),
    Patch(Patch),
}

/// The body as what the interaction takes it for.
fn content(
    target: &Target,
    interaction: Interaction,
    (headers, rulebook): (&HeaderMap, &dyn Rulebook),
    bytes: Bytes,
) -> Result<Sent, Failure> {
    let encoding = match interaction {
        Interaction::Create
        | Interaction::ConditionalCreate
        | Interaction::Update
        | Interaction::ConditionalUpdate
        | Interaction::Operation
        | Interaction::Transaction
        | Interaction::Validate => {
            negotiate::content(headers, &bytes, rulebook.version(), target.is_binary())?
        }
        Interaction::Patch | Interaction::ConditionalPatch => {
            let format = negotiate::patch(headers, rulebook)?;
            return Ok(Sent::Patch(Patch { format, bytes }));
        }
        _ => Encoding::default(),
    };
    Ok(Sent::Content(Content { encoding, bytes }))
}

/// What the conditional fields ask for.
fn precondition(
    interaction: Interaction,
    headers: &HeaderMap,
    rulebook: &dyn Rulebook,
) -> Result<Precondition, Failure> {
    let usage = match (interaction.is_safe(), rulebook.lenient_tags()) {
        (true, _) => Usage::Read,
        (false, false) => Usage::Write,
        (false, true) => Usage::LenientWrite,
    };
    let precondition = conditional::precondition(headers, usage)?;
    // Passed over, it would make the duplicate that it is sent against.
    if matches!(interaction, Interaction::Create | Interaction::Transaction)
        && criteria::is_conditional_create(headers)
    {
        return Err(Failure::ConditionalNotOffered { header: "If-None-Exist" });
    }
    Ok(precondition)
}

/// How the client wants to see the failure of a request that failed before it was read so far: what cannot be read counts as
/// not asked for.
pub(crate) fn presentation_of_failure(parts: &Parts, rulebook: &dyn Rulebook) -> Presentation {
    let mut query = Query::parse(parts.uri.query()).unwrap_or_default();
    let format = query.take("_format").unwrap_or_default();
    let format = negotiate::accepted(&parts.headers, format.as_deref(), rulebook)
        .or_else(|_| negotiate::accepted(&parts.headers, None, rulebook))
        .unwrap_or(rulebook.default_format());
    let pretty = query.take("_pretty").unwrap_or_default().is_some_and(|pretty| pretty != "false");
    Presentation { format, pretty, subset: Subset::Whole, native: false }
}

fn malformed(name: &str, value: &str, expected: &'static str) -> Failure {
    let value = value.chars().take(64).collect();
    Failure::Parameter { name: name.to_owned(), problem: ParameterProblem::Malformed { value, expected } }
}

/// What is asked for, searches apart.
fn operation(
    target: Target,
    (interaction, criteria, format): (Interaction, Criteria, DiffFormat),
    sent: Sent,
    query: &mut Query,
    version: FhirVersion,
) -> Result<Operation, Failure> {
    let mut history = |scope| {
        let pairs = std::mem::take(query).into_pairs();
        let (parameters, rest) = HistoryParameters::parse(pairs, version)?;
        *query = rest.into();
        Ok(Operation::History { scope, parameters })
    };
    let (body, target) = match (sent, target) {
        (Sent::Patch(patch), Target::Instance(key)) => return Ok(Operation::Patch { key, patch }),
        (Sent::Patch(patch), Target::Type(resource_type)) => {
            return Ok(Operation::ConditionalPatch { resource_type, criteria, patch });
        }
        // Nothing else takes patches.
        (Sent::Patch(_), _) => return Err(Failure::Internal),
        (Sent::Content(body), target) => (body, target),
    };
    match target {
        Target::SystemHistory => history(HistoryScope::All),
        Target::TypeHistory(kind) => history(HistoryScope::Kind(kind.into())),
        Target::InstanceHistory(key) => history(HistoryScope::Key(key)),
        Target::Version(key, version_id) => Ok(Operation::Vread { key, version_id }),
        Target::Validate(key) => {
            let (mode, profile) = (query.take("mode")?, query.take("profile")?);
            Ok(Operation::Validate { key, mode, profile, body })
        }
        Target::Diff(key) => {
            let (from, to) = (query.take("fromVersion")?, query.take("toVersion")?);
            Ok(Operation::Diff { key, from, to, format })
        }
        Target::Type(resource_type) => Ok(match interaction {
            Interaction::ConditionalCreate => Operation::ConditionalCreate { resource_type, criteria, body },
            Interaction::ConditionalUpdate => Operation::ConditionalUpdate { resource_type, criteria, body },
            Interaction::ConditionalDelete => Operation::ConditionalDelete { resource_type, criteria },
            _ => Operation::Create { resource_type, body },
        }),
        Target::Instance(key) => Ok(match interaction {
            Interaction::Update => Operation::Update { key, body },
            Interaction::Delete => Operation::Delete(key),
            _ => Operation::Read(key),
        }),
        Target::Reindex => Ok(Operation::ReindexStatus),
        Target::Operation(name) => Ok(Operation::Perform { name, body }),
        Target::Base if interaction == Interaction::Transaction => Ok(Operation::Bundle(body)),
        // Searches were told apart before.
        Target::Base
        | Target::Metadata
        | Target::Search(_)
        | Target::SystemSearch
        | Target::Compartment(..)
        | Target::CompartmentSearch(..) => Ok(Operation::Capabilities(capability_mode(query, version)?)),
    }
}

/// Where the search of a target looks.
fn search_scope(target: Target) -> SearchScope {
    match target {
        Target::Type(name) | Target::Search(name) => SearchScope::Type(name),
        Target::Compartment(key, member) | Target::CompartmentSearch(key, member) => {
            SearchScope::Compartment { key, member }
        }
        _ => SearchScope::System,
    }
}

/// POST `$reindex`.
fn reindex(query: &mut Query) -> Result<Operation, Failure> {
    match query.take("full")?.as_deref() {
        None | Some("false") => Ok(Operation::Reindex { full: false }),
        Some("true") => Ok(Operation::Reindex { full: true }),
        Some(value) => Err(malformed("full", value, "true or false")),
    }
}

fn capability_mode(query: &mut Query, version: FhirVersion) -> Result<CapabilityMode, Failure> {
    if version == FhirVersion::Stu3 {
        return Ok(CapabilityMode::Full);
    }
    CapabilityMode::parse(query.take("mode")?.as_deref())
}
