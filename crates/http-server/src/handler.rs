//! One request, in the order in which it is checked: the first failure answers.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fhir_definitions::FhirVersion;
use fhir_service::{
    Answer, CapabilityMode, Content, Criteria, DiffFormat, Encoding, Format, Handling, HistoryParameters,
    Operation, Patch, Presentation, Request, SearchScope, Subset,
};
use futures_util::FutureExt;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Response, StatusCode, Version};
use rulebook::{Failure, Interaction, ParameterProblem, Rulebook};
use storage_api::HistoryScope;
use versioning_core::Usage;

use crate::admission::{admit, check_offered, check_operation};
use crate::audit::Audited;
use crate::body::Upload;
use crate::origin::Peer;
use crate::query::Query;
use crate::response::{X_CORRELATION_ID, X_REQUEST_ID, response};
use crate::route::Target;
use crate::server::{Mount, Shared};
use crate::{compression, conditional, criteria, negotiate, prefer, retry};

/// A longer correlation id is not sent back.
const CORRELATION_ID_LEN_MAX: usize = 256;

impl Shared {
    /// Answers one request. Never fails: what goes wrong becomes an answer.
    pub(crate) async fn handle(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        peer: Peer,
    ) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let head = parts.method == Method::HEAD;
        let trace = self.trace(&parts.headers);
        let mut upload = Upload::new(body, &parts.headers);
        let answered = AssertUnwindSafe(self.answer(&parts, peer, &mut upload, &trace)).catch_unwind().await;
        let mut response = answered.unwrap_or_else(|_| {
            tracing::error!(%trace, method = %parts.method, path = parts.uri.path(), "a handler panicked");
            let mount = self.mount(parts.uri.path()).map_or(&self.fallback, |(mount, _)| &mount.service);
            response(mount.refuse(&Failure::Internal, &trace), &trace)
        });
        // A client that was too slow already is not waited for again.
        if response.status() != StatusCode::REQUEST_TIMEOUT {
            upload.discard(&self.limits).await;
        }
        if let Some(id) = parts.headers.get(X_CORRELATION_ID).filter(|id| id.len() <= CORRELATION_ID_LEN_MAX)
        {
            response.headers_mut().insert(X_CORRELATION_ID, id.clone());
        }
        let interaction = response.extensions_mut().remove::<Interaction>();
        self.record(&parts, &upload, &mut response, &trace, started.elapsed());
        self.traffic.count(interaction, response.status(), started.elapsed());
        tracing::debug!(%trace, method = %parts.method, path = parts.uri.path(), status = response.status().as_u16());
        compression::encode(&parts.headers, &mut response);
        self.cors.apply(&parts.headers, response.headers_mut());
        if head {
            withhold_body(&mut response);
        }
        response
    }

    async fn answer(
        &self,
        parts: &Parts,
        peer: Peer,
        upload: &mut Upload,
        trace: &str,
    ) -> Response<Full<Bytes>> {
        let path = parts.uri.path();
        let Some((mount, below)) = self.mount(path) else {
            if let Some(response) = self.operations(parts).await {
                return response;
            }
            let no_route = || Failure::OutsideEveryApi {
                path: path.chars().take(200).collect(),
                apis: self.mounts.iter().map(|mount| mount.path.clone()).collect(),
            };
            let failure = check_host(parts).err().unwrap_or_else(no_route);
            let presentation = presentation_of_failure(parts, self.fallback.rulebook());
            let answer = self.fallback.refuse(&failure, trace);
            return response(self.fallback.present(answer, &presentation, trace), trace);
        };
        let service = &mount.service;
        match self.prepare(mount, below, (parts, peer), upload, trace).await {
            Ok(Prepared::Request(prepared)) => {
                let (request, presentation) = *prepared;
                let handling = request.preferences.handling;
                let interaction = request.operation.interaction();
                let caller = request.caller.clone();
                let mut answer = service.handle(request).await;
                let changes = std::mem::take(&mut answer.changes);
                tell(service.rulebook(), parts, trace, answer.status);
                let mut response = response(service.present(answer, &presentation, trace), trace);
                response.extensions_mut().insert(interaction);
                if self.audit.is_some() {
                    response.extensions_mut().insert(Audited { caller, changes });
                }
                prefer::add_handling(response.headers_mut(), handling);
                if response.status() == StatusCode::METHOD_NOT_ALLOWED {
                    add_allow(response.headers_mut(), below, service.rulebook());
                }
                response
            }
            Ok(Prepared::Options(allow)) => {
                let mut response = options(allow, service.rulebook(), trace);
                self.cors.preflight(&parts.headers, &allow.join(", "), response.headers_mut());
                response
            }
            Err(failure) => {
                let presentation = presentation_of_failure(parts, service.rulebook());
                let mut refusal = service.refuse(&failure, trace);
                tell(service.rulebook(), parts, trace, refusal.status);
                refusal.accepts_patch = parts.method == Method::PATCH
                    && service.rulebook().patches_freely()
                    && matches!(failure, Failure::UnsupportedMediaType { .. });
                response(service.present(refusal, &presentation, trace), trace)
            }
        }
    }

    /// Steps 1 to 5 of the order of checks; what comes after is the service's.
    async fn prepare(
        &self,
        mount: &Mount,
        below: &str,
        (parts, peer): (&Parts, Peer),
        upload: &mut Upload,
        trace: &str,
    ) -> Result<Prepared, Failure> {
        check_host(parts)?;
        let rulebook = mount.service.rulebook();
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
        let caller = admit(&mount.service, &target, interaction, &parts.headers)?;
        target.check_id()?;
        // A body where none has a meaning is read all the same: a request counts when it is whole.
        let bytes = upload.read(&self.limits).await?;
        let mut query = Query::parse(parts.uri.query())?;
        rulebook.check_query(interaction, query.pairs())?;
        let criteria = criteria_of(&target, interaction, &parts.headers, &mut query)?;
        let searches = matches!(interaction, Interaction::SearchType | Interaction::SearchSystem);
        if target.is_form() {
            // A form may say how the answer is to look, so it is read before that is asked.
            let form = compression::decode(&parts.headers, bytes.clone(), self.limits.body_bytes_max)?;
            query.extend(criteria::in_form(&parts.headers, &form)?);
        }
        // What shapes the layout stands in the links of a search too.
        let parameters = if searches { query.clone().into_pairs() } else { Vec::new() };
        let diff_format = diff_format(&target, &mut query, &parts.headers, version)?;
        let other = target.is_binary() || diff_format == DiffFormat::Json;
        let presentation = presentation(&mut query, &parts.headers, (rulebook, searches), other)?;
        let bytes = compression::decode(&parts.headers, bytes, self.limits.body_bytes_max)?;
        let encoding = match interaction {
            Interaction::Create
            | Interaction::ConditionalCreate
            | Interaction::Update
            | Interaction::ConditionalUpdate
            | Interaction::Operation
            | Interaction::Transaction
            | Interaction::Validate => {
                negotiate::content(&parts.headers, &bytes, version, target.is_binary())?
            }
            _ => Encoding::default(),
        };
        let patch_format = match interaction {
            Interaction::Patch | Interaction::ConditionalPatch => {
                Some(negotiate::patch(&parts.headers, rulebook)?)
            }
            _ => None,
        };
        let body = Content { encoding, bytes };
        let usage = match (interaction.is_safe(), rulebook.lenient_tags()) {
            (true, _) => Usage::Read,
            (false, false) => Usage::Write,
            (false, true) => Usage::LenientWrite,
        };
        let precondition = conditional::precondition(&parts.headers, usage)?;
        // Passed over, it would make the duplicate that it is sent against.
        if matches!(interaction, Interaction::Create | Interaction::Transaction)
            && criteria::is_conditional_create(&parts.headers)
        {
            return Err(Failure::ConditionalNotOffered { header: "If-None-Exist" });
        }
        let preferences = prefer::preferences(&parts.headers);
        let operation = match (patch_format, target) {
            (_, target) if searches => {
                query = Query::default();
                Operation::Search { scope: search_scope(target), parameters }
            }
            (Some(format), Target::Instance(key)) => {
                Operation::Patch { key, patch: Patch { format, bytes: body.bytes } }
            }
            (Some(format), Target::Type(resource_type)) => {
                let patch = Patch { format, bytes: body.bytes };
                Operation::ConditionalPatch { resource_type, criteria, patch }
            }
            (_, Target::Reindex) if parts.method == Method::POST => reindex(&mut query)?,
            (_, target) => {
                operation(target, (interaction, criteria, diff_format), body, &mut query, version)?
            }
        };
        refuse_unknown(query, preferences.handling)?;
        let base = format!("{}{}", self.origin.url(parts, peer), mount.path);
        let (idempotency_key, retries_max) = if interaction.is_safe() {
            (None, None)
        } else {
            (idempotency_key(&parts.headers)?, retry::retries_max(&parts.headers)?)
        };
        let request = Request {
            operation,
            precondition,
            preferences,
            idempotency_key,
            retries_max,
            base,
            trace: trace.to_owned(),
            caller,
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

    /// The mount that a path is under, and the path below it.
    pub(crate) fn mount<'a>(&self, path: &'a str) -> Option<(&Mount, &'a str)> {
        self.mounts.iter().find_map(|mount| {
            let below = path.strip_prefix(mount.path.as_str())?;
            (below.is_empty() || below.starts_with('/')).then_some((mount, below))
        })
    }

    /// The id that the client gave this request, if it can be a FHIR id too, or a new one: it
    /// names the request in logs, in `X-Request-Id` and in outcomes.
    fn trace(&self, headers: &HeaderMap) -> String {
        let legible = |id: &&str| {
            !id.is_empty()
                && id.len() <= 64
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        };
        let sent = headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok()).filter(legible);
        sent.map_or_else(|| self.fallback.ids().trace_id().to_string(), str::to_owned)
    }
}

/// One line for each message of an API whose callers say who they are: they quote its id when they
/// ask what became of it.
fn tell(rulebook: &dyn Rulebook, parts: &Parts, trace: &str, status: u16) {
    if !rulebook.request_fields().is_empty() {
        tracing::info!(%trace, method = %parts.method, path = parts.uri.path(), status, "message");
    }
}

/// The interaction that a request asks for; none for an OPTIONS that asks what is possible.
fn interaction(
    target: &Target,
    parts: &Parts,
    rulebook: &dyn Rulebook,
) -> Result<Option<Interaction>, Failure> {
    if parts.method == Method::OPTIONS {
        // STU3 asks for capabilities by OPTIONS as well as by GET.
        let asks = *target == Target::Base && rulebook.version() == FhirVersion::Stu3;
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
fn check_host(parts: &Parts) -> Result<(), Failure> {
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
enum Prepared {
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

/// The same for a request that failed before it was read so far: what cannot be read counts as
/// not asked for.
fn presentation_of_failure(parts: &Parts, rulebook: &dyn Rulebook) -> Presentation {
    let mut query = Query::parse(parts.uri.query()).unwrap_or_default();
    let format = query.take("_format").unwrap_or_default();
    let format =
        negotiate::accepted(&parts.headers, format.as_deref(), rulebook).unwrap_or(rulebook.default_format());
    let pretty = query.take("_pretty").unwrap_or_default().is_some_and(|pretty| pretty != "false");
    Presentation { format, pretty, subset: Subset::Whole, native: false }
}

fn malformed(name: &str, value: &str, expected: &'static str) -> Failure {
    let value = value.chars().take(64).collect();
    Failure::Parameter { name: name.to_owned(), problem: ParameterProblem::Malformed { value, expected } }
}

fn operation(
    target: Target,
    (interaction, criteria, format): (Interaction, Criteria, DiffFormat),
    body: Content,
    query: &mut Query,
    version: FhirVersion,
) -> Result<Operation, Failure> {
    let mut history = |scope| {
        let pairs = std::mem::take(query).into_pairs();
        let (parameters, rest) = HistoryParameters::parse(pairs, version)?;
        *query = rest.into();
        Ok(Operation::History { scope, parameters })
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

/// Parameters that nothing took are passed over, unless the client asked for strictness.
fn refuse_unknown(query: Query, handling: Option<Handling>) -> Result<(), Failure> {
    match query.into_pairs().into_iter().next() {
        Some((name, _)) if handling == Some(Handling::Strict) => Err(Failure::Parameter {
            name: name.chars().take(64).collect(),
            problem: ParameterProblem::Unknown,
        }),
        _ => Ok(()),
    }
}

/// RFC 9110 15.5.6: every 405 lists the methods, also where it was the content that was refused.
fn add_allow(headers: &mut HeaderMap, below: &str, rulebook: &dyn Rulebook) {
    let Ok(target) = Target::parse(below, rulebook.version()) else { return };
    if let (false, Ok(value)) =
        (headers.contains_key(ALLOW), HeaderValue::try_from(target.allow(rulebook).join(", ")))
    {
        headers.insert(ALLOW, value);
    }
}

fn options(allow: &'static [&'static str], rulebook: &dyn Rulebook, trace: &str) -> Response<Full<Bytes>> {
    let accepts_patch = allow.contains(&"PATCH") && rulebook.patches_freely();
    let mut answer = response(Answer { status: 204, accepts_patch, ..Answer::default() }, trace);
    if let Ok(value) = HeaderValue::try_from(allow.join(", ")) {
        answer.headers_mut().insert(ALLOW, value);
    }
    answer
}

/// HEAD: the header fields of GET, its length included, without the content.
fn withhold_body(response: &mut Response<Full<Bytes>>) {
    let length = response.body().size_hint().lower();
    if response.status() != StatusCode::NOT_MODIFIED && response.status() != StatusCode::NO_CONTENT {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Full::default();
}
