//! Everything that can go wrong with a request. No variant knows a status: that is the
//! rulebook's [`rule`](crate::Rulebook::rule).

use core::fmt;

use fhir_definitions::FhirVersion;
use fhir_model::ResourceError;
use fhir_model::json::JsonError;
use fhir_model::xml::XmlError;
use fhir_search::{CustomError, QueryError};
use fhir_validate::Finding;
use versioning_core::{FieldError, Refusal, VersionId};

use crate::{Breach, Conflict, Interaction};

/// Why a request failed. `Display` is the sentence that tells a person what to change.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Not exactly one Host, or one that is none (RFC 9112 3.2).
    InvalidHost,
    /// No route has this path.
    NoRoute {
        /// The path asked for.
        path: String,
    },
    /// The path is below no API of this server.
    OutsideEveryApi {
        /// The path asked for.
        path: String,
        /// The paths of the APIs there are.
        apis: Vec<String>,
    },
    /// The first path segment is no resource type of this FHIR version.
    UnknownType {
        /// What was sent.
        name: String,
        /// The version of the mount.
        version: FhirVersion,
    },
    /// The path exists, the method does not.
    MethodNotAllowed {
        /// The method sent.
        method: String,
        /// The methods that do.
        allow: &'static [&'static str],
    },
    /// FHIR has the interaction, this API does not.
    NotOffered(Interaction),
    /// A conditional form of an interaction that has none here.
    ConditionalNotOffered {
        /// The header field that asks for it.
        header: &'static str,
    },
    /// The URL is too long.
    UriTooLong {
        /// Limit in bytes.
        max: usize,
    },
    /// The header section is too large.
    HeadersTooLarge {
        /// Limit in bytes.
        max: usize,
    },
    /// The body is too large.
    BodyTooLarge {
        /// Limit in bytes.
        max: usize,
    },
    /// The body did not arrive.
    BodyIncomplete,
    /// The request took too long.
    Timeout,
    /// No format that the client accepts can be given.
    NotAcceptable {
        /// What was asked for.
        asked: String,
        /// What can be given.
        offered: &'static str,
    },
    /// The body's format is not understood.
    UnsupportedMediaType {
        /// What was sent.
        sent: String,
        /// What is understood.
        offered: &'static str,
    },
    /// A conditional request field cannot be understood.
    MalformedField(FieldError),
    /// `Idempotency-Key` cannot be used.
    MalformedIdempotencyKey,
    /// `X-Retry-On-Version-Conflict` cannot be understood.
    MalformedRetry,
    /// `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// `Idempotency-Key` was used for this request, but its result was purged, or what it found is not found any more.
    FirstResultGone,
    /// A URL parameter has a value that cannot be used.
    Parameter {
        /// The parameter's name.
        name: String,
        /// What is wrong.
        problem: ParameterProblem,
    },
    /// A search or the criteria of a conditional write cannot be used.
    Query(Box<QueryError>),
    /// Several resources match the criteria of a conditional write.
    MultipleMatches {
        /// Their type.
        resource_type: String,
        /// The criteria as they were written.
        criteria: String,
    },
    /// More resources match a conditional delete than it may delete.
    TooManyMatches {
        /// Their type.
        resource_type: String,
        /// The criteria as they were written.
        criteria: String,
        /// How many it may.
        max: usize,
    },
    /// A conditional update that matches nothing names the id of a resource that does not match.
    IdInUse {
        /// The resource that has the id.
        resource: Resource,
    },
    /// The criteria of a conditional write would stop other writers for too long.
    CriteriaTooCostly,
    /// A search would have to look at too much.
    SearchTooCostly,
    /// A resource cannot be made findable.
    NotFindable {
        /// The parameter, and what is wrong.
        why: String,
    },
    /// What is asked for is answered by a part of the index that is being made.
    IndexIncomplete {
        /// The parameter; empty for what refers to a resource.
        parameter: String,
    },
    /// A SearchParameter could never be used.
    SearchParameter(Box<CustomError>),
    /// A resource refers to one that does not exist.
    ReferenceMissing {
        /// Where, as a FHIRPath expression.
        path: String,
        /// To what.
        target: Resource,
    },
    /// A resource that is to be deleted is referred to.
    StillReferred {
        /// What was to be deleted.
        resource: Resource,
        /// Some of those that refer to it.
        by: Vec<Resource>,
    },
    /// The lock core refused.
    Refused(Box<Refused>),
    /// The lock core refused a stale client that asked why.
    Conflict(Box<Conflict>),
    /// The API has a rule against it.
    Rule(Box<Breach>),
    /// The resource has no such version.
    UnknownVersion {
        /// Of what.
        resource: Resource,
        /// The version asked for.
        version_id: String,
    },
    /// The version asked for is a deletion.
    DeletedVersion {
        /// Of what.
        resource: Resource,
        /// The version asked for, which is the current one's tag if the resource is deleted.
        version_id: VersionId,
    },
    /// A body is needed and none was sent.
    EmptyBody,
    /// The body is no JSON.
    Json(JsonError),
    /// The body is no XML, or holds what the FHIR version does not know.
    Xml(Box<XmlError>),
    /// The resource is not valid; every finding, errors and warnings.
    Invalid(Vec<Finding>),
    /// The patch is none.
    PatchMalformed {
        /// What is wrong, and with which operation.
        why: String,
    },
    /// The patch does not fit the resource.
    PatchNotApplicable {
        /// Which operation, and why.
        why: String,
    },
    /// The patch changes `id` or `resourceType`.
    PatchedIdentity,
    /// The patch changes what a narrative tells, which the server cannot write anew.
    NarrativeOutdated,
    /// The resource holds what the format asked for cannot say.
    NotRepresentable {
        /// What that is.
        why: String,
    },
    /// The body is JSON but no resource.
    NoResource(ResourceError),
    /// The body's `resourceType` is not the URL's.
    WrongType {
        /// The URL's.
        url: String,
        /// The body's.
        body: String,
    },
    /// An id in the URL that FHIR does not allow.
    IllegalId {
        /// The id.
        id: String,
    },
    /// An update without `id` in the body.
    IdMissing {
        /// The URL's id.
        url: String,
    },
    /// An update whose body has another id than the URL.
    IdDiffers {
        /// The URL's.
        url: String,
        /// The body's.
        body: String,
    },
    /// A create with an id where only the server assigns ids.
    ClientAssignedId {
        /// The id sent.
        id: String,
    },
    /// The queue of writes is full, or the bodies of requests take too much memory.
    Busy,
    /// The store cannot take writes now.
    Unavailable,
    /// No space is left for writes.
    StoreFull,
    /// The write set is larger than the store takes.
    TooLargeToStore,
    /// Whether the write happened is not known.
    OutcomeUnknown {
        /// Of what.
        resource: Resource,
    },
    /// The body is no Bundle of requests.
    NoBundle {
        /// What is wrong.
        why: String,
    },
    /// A Bundle has too many entries.
    TooManyEntries {
        /// Limit.
        max: usize,
        /// What was sent.
        found: usize,
    },
    /// A transaction took too long.
    TransactionTooSlow {
        /// Limit in seconds.
        max_s: u64,
    },
    /// An entry was not carried out, because those before it took too long.
    EntryNotBegun {
        /// Limit in seconds.
        max_s: u64,
    },
    /// An entry of a Bundle is no request that can be carried out.
    BadEntry {
        /// What to change.
        why: String,
    },
    /// Two entries of a transaction are about one thing.
    SameInTransaction {
        /// The thing: a resource, or a fullUrl.
        what: String,
        /// The places of the entries, from 0.
        entries: [usize; 2],
    },
    /// A conditional reference finds nothing, or the version of nothing is asked for.
    UnresolvedReference {
        /// The reference as it was written, or the resource.
        reference: String,
    },
    /// An entry fails, and the transaction with it.
    Entry {
        /// Its place, from 0.
        index: usize,
        /// Its request in short.
        request: String,
        /// Why.
        failure: Box<Failure>,
    },
    /// Several entries fail, each whatever the others do, and the transaction with them: at least two, each an
    /// [`Entry`](Self::Entry), in the order of the request. The status is that of the first.
    Entries(Vec<Failure>),
    /// A mistake of the server. What happened is in the log, not here.
    Internal,
}

/// A refusal of the lock core, with what is needed to explain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// Of what.
    pub resource: Resource,
    /// Of which request.
    pub interaction: Interaction,
    /// The current version as clients see it, where there is one that they may know of.
    pub current: Option<VersionId>,
    /// What the field that failed said: If-Match or If-None-Match, nothing for dates.
    pub received: Option<String>,
}

/// The resource a failure is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Its type.
    pub resource_type: String,
    /// Its id.
    pub id: String,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.resource_type, self.id)
    }
}

/// What is wrong with a URL parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParameterProblem {
    /// Its value cannot be read; the text says what is expected.
    Malformed {
        /// What was sent.
        value: String,
        /// What is expected.
        expected: &'static str,
    },
    /// It is given more than once.
    Repeated,
    /// It is not known here, and the client asked for strict handling.
    Unknown,
    /// The query string is not percent-encoded UTF-8.
    Encoding,
}

impl Failure {
    /// The place in the body, as a FHIRPath expression, where there is one.
    pub fn place(&self) -> Option<String> {
        match self {
            Self::Json(error) if !error.path.is_empty() => Some(error.path.clone()),
            Self::Xml(error) if !error.path.is_empty() => Some(error.path.clone()),
            Self::ReferenceMissing { path, .. } => Some(path.clone()),
            Self::SearchParameter(error) => Some(error.path.clone()),
            Self::Rule(breach) => breach.place.clone(),
            Self::Entry { index, failure, .. } => Some(match failure.place() {
                Some(place) if matches!(**failure, Self::Rule(_)) => {
                    format!("Bundle.entry[{index}].resource.{}", below_type(&place))
                }
                _ => format!("Bundle.entry[{index}]"),
            }),
            Self::Entries(failures) => failures.first().and_then(Self::place),
            Self::SameInTransaction { entries: [_, second], .. } => Some(format!("Bundle.entry[{second}]")),
            Self::IdMissing { .. } | Self::IdDiffers { .. } | Self::ClientAssignedId { .. } => {
                Some("id".to_owned())
            }
            _ => None,
        }
    }

    /// The current version as clients see it, where the failure knows one: it goes into `ETag`.
    pub fn current(&self) -> Option<VersionId> {
        match self {
            Self::Refused(refused) => refused.current,
            Self::Entry { failure, .. } => failure.current(),
            Self::Conflict(conflict) => conflict.refused.current,
            _ => None,
        }
    }

    /// How long a client should wait before it tries again, in seconds, if trying again can
    /// help at all.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::Busy => Some(1),
            Self::Refused(refused) if matches!(refused.refusal, Refusal::Contended { .. }) => Some(1),
            Self::Unavailable | Self::IndexIncomplete { .. } => Some(5),
            Self::StoreFull => Some(30),
            Self::Entry { failure, .. } => failure.retry_after_s(),
            _ => None,
        }
    }
}

const ONE_HOST: &str = "A request of HTTP/1.1 has exactly one Host field, with a host and perhaps a port.";

/// What there is where an interaction is not offered.
const fn instead_of(interaction: Interaction) -> &'static str {
    match interaction {
        Interaction::Vread
        | Interaction::Diff
        | Interaction::HistoryInstance
        | Interaction::HistoryType
        | Interaction::HistorySystem => "only current versions can be read.",
        _ => "see [base]/metadata for what there is.",
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidHost => f.write_str(ONE_HOST),
            Self::OutsideEveryApi { path, apis } => {
                write!(f, "There is nothing at {path}. The APIs of this server are at {}.", apis.join(", "))
            }
            Self::NoRoute { path } => {
                write!(f, "There is nothing at {path}. See [base]/metadata for what there is.")
            }
            Self::UnknownType { name, version } => {
                write!(f, "{name} is not a resource type of FHIR {version}. Type names are case-sensitive.")
            }
            Self::MethodNotAllowed { method, allow } => {
                write!(f, "{method} is not possible here. Possible: {}.", allow.join(", "))
            }
            Self::NotOffered(interaction) => {
                write!(f, "This API does not offer {interaction}: {}", instead_of(*interaction))
            }
            Self::ConditionalNotOffered { header } => {
                write!(
                    f,
                    "{header} is not supported here, and is never ignored. Send the request without it."
                )
            }
            Self::UriTooLong { .. }
            | Self::HeadersTooLarge { .. }
            | Self::BodyTooLarge { .. }
            | Self::BodyIncomplete
            | Self::Timeout => self.arrival(f),
            Self::NotAcceptable { asked, offered } => {
                write!(f, "No representation fits \"{asked}\". Ask for {offered}.")
            }
            Self::UnsupportedMediaType { sent, offered } => {
                write!(f, "A body of type \"{sent}\" is not understood. Send {offered}.")
            }
            Self::MalformedField(error) => write!(f, "{error}."),
            Self::MalformedIdempotencyKey
            | Self::MalformedRetry
            | Self::IdempotencyKeyReused
            | Self::FirstResultGone => self.repetition(f),
            Self::Parameter { name, problem } => parameter(f, name, problem),
            Self::Query(_)
            | Self::MultipleMatches { .. }
            | Self::TooManyMatches { .. }
            | Self::IdInUse { .. }
            | Self::CriteriaTooCostly
            | Self::SearchTooCostly
            | Self::NotFindable { .. } => self.search(f),
            Self::IndexIncomplete { .. }
            | Self::SearchParameter(_)
            | Self::ReferenceMissing { .. }
            | Self::StillReferred { .. } => self.index(f),
            Self::Refused(refused) => refused.fmt(f),
            Self::Conflict(conflict) => conflict.refused.fmt(f),
            Self::Rule(breach) => f.write_str(&breach.diagnostics),
            Self::UnknownVersion { resource, version_id } => {
                write!(f, "{resource} has no version \"{version_id}\".")
            }
            Self::DeletedVersion { resource, version_id } => {
                write!(f, "Version \"{version_id}\" of {resource} is its deletion and has no content.")
            }
            Self::EmptyBody => f.write_str("The request has no body. Send the resource."),
            Self::Json(error) => write!(f, "{error}."),
            Self::Xml(error) => write!(f, "{error}."),
            Self::Invalid(findings) => {
                write!(f, "The resource is not valid: there are {} findings.", findings.len())
            }
            Self::PatchMalformed { .. }
            | Self::PatchNotApplicable { .. }
            | Self::PatchedIdentity
            | Self::NarrativeOutdated => self.patch(f),
            Self::NotRepresentable { why } => {
                write!(
                    f,
                    "The resource cannot be given in the format asked for: {why}. Ask for the other one."
                )
            }
            Self::NoResource(error) => write!(f, "{error}."),
            Self::WrongType { .. }
            | Self::IllegalId { .. }
            | Self::IdMissing { .. }
            | Self::IdDiffers { .. }
            | Self::ClientAssignedId { .. } => self.identity(f),
            Self::Busy
            | Self::Unavailable
            | Self::StoreFull
            | Self::TooLargeToStore
            | Self::OutcomeUnknown { .. } => self.store(f),
            Self::NoBundle { .. }
            | Self::TooManyEntries { .. }
            | Self::TransactionTooSlow { .. }
            | Self::EntryNotBegun { .. }
            | Self::BadEntry { .. }
            | Self::SameInTransaction { .. }
            | Self::UnresolvedReference { .. }
            | Self::Entry { .. }
            | Self::Entries(_) => self.bundle(f),
            Self::Internal => {
                f.write_str("The server failed. The log has the reason under this request's id.")
            }
        }
    }
}

/// A place in a resource, without the name of its type.
pub(crate) fn below_type(place: &str) -> &str {
    match place.split_once('.') {
        Some((first, rest)) if first.starts_with(|char: char| char.is_ascii_uppercase()) => rest,
        _ => place,
    }
}

impl Failure {
    /// The sentences of failures that concern Bundles.
    fn bundle(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBundle { why } | Self::BadEntry { why } => f.write_str(why),
            Self::TooManyEntries { max, found } => write!(
                f,
                "The Bundle has {found} entries, and one may have {max}. Nothing was written; send it in parts."
            ),
            Self::TransactionTooSlow { max_s } => {
                write!(
                    f,
                    "The transaction was not done after {max_s} seconds. Nothing was written; send it in parts."
                )
            }
            Self::EntryNotBegun { max_s } => write!(
                f,
                "This entry was not carried out, because those before it took longer than {max_s} seconds. Send it again, \
                 in another Bundle."
            ),
            Self::SameInTransaction { what, entries: [first, second] } => write!(
                f,
                "Entries {first} and {second} (counted from 0) both are {what}. In a transaction each resource is \
                 written once. Nothing was written."
            ),
            Self::UnresolvedReference { reference } => {
                let short = reference.chars().take(200).collect::<String>();
                if reference.contains('?') {
                    write!(
                        f,
                        "The conditional reference {short} finds no resource. Exactly one has to match."
                    )
                } else {
                    write!(f, "A reference names a version of {short}, which has none.")
                }
            }
            Self::Entry { index, request, failure } => {
                let why = failure.to_string();
                // Some published sentences have no end.
                let end = if why.ends_with('.') { "" } else { "." };
                write!(f, "Entry {index} ({request}): {why}{end} Nothing of the transaction was written.")
            }
            Self::Entries(failures) => failures.iter().try_for_each(|failure| writeln!(f, "{failure}")),
            _ => Ok(()),
        }
    }

    /// The sentences of failures of requests that are too large or do not arrive.
    fn arrival(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UriTooLong { max } => write!(f, "The URL is longer than {max} bytes."),
            Self::HeadersTooLarge { max } => write!(f, "The header section is larger than {max} bytes."),
            Self::BodyTooLarge { max } => write!(f, "The body is larger than {max} bytes."),
            Self::BodyIncomplete => {
                f.write_str("The body ended before it was complete. Nothing was written; send it again.")
            }
            Self::Timeout => {
                f.write_str("The request did not arrive in time. Nothing was written; send it again.")
            }
            _ => Ok(()),
        }
    }

    /// The sentences of failures of the store.
    fn store(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => {
                f.write_str("Too many requests are waiting. Nothing was written; try again shortly.")
            }
            Self::Unavailable => {
                f.write_str("The store cannot take requests now. Nothing was written; try again.")
            }
            Self::StoreFull => f.write_str("The server has no space left. Nothing was written; reads go on."),
            Self::TooLargeToStore => {
                f.write_str("The write is larger than the store takes. Nothing was written.")
            }
            Self::OutcomeUnknown { resource } => write!(
                f,
                "Whether this write happened is not known. Read {resource} before sending it again."
            ),
            _ => Ok(()),
        }
    }

    /// The sentences of failures that concern requests that are sent or tried again.
    fn repetition(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MalformedIdempotencyKey => f.write_str(
                "Idempotency-Key is sent once, with 1 to 255 visible ASCII characters; a UUID is a good one.",
            ),
            Self::MalformedRetry => f.write_str(
                "X-Retry-On-Version-Conflict cannot be read. Send it once, as \"retry\" or \"retry; max-retries=5\".",
            ),
            Self::IdempotencyKeyReused => f.write_str(
                "This Idempotency-Key was used for another request. Send it again only with the same \
                 method, URL, conditions and body.",
            ),
            Self::FirstResultGone => f.write_str(
                "This request was carried out before, under this Idempotency-Key, and what it wrote or found has been \
                 purged since, or is not found any more. It was not carried out again.",
            ),
            _ => Ok(()),
        }
    }

    /// The sentences of failures that concern patches.
    fn patch(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PatchMalformed { why } => write!(f, "The patch cannot be read: {why}."),
            Self::PatchNotApplicable { why } => {
                write!(f, "The patch does not fit the resource, and nothing of it was applied: {why}.")
            }
            Self::PatchedIdentity => {
                f.write_str("A patch may not change id or resourceType: they say which resource it is.")
            }
            Self::NarrativeOutdated => f.write_str(
                "The narrative was not generated from the data, and the patch changes the data but not the \
                 narrative. Patch text as well, or send the whole resource.",
            ),
            _ => Ok(()),
        }
    }

    /// The sentences of failures that concern type and id.
    fn identity(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongType { url, body } => {
                write!(f, "The URL names the type {url}, the body has resourceType {body}. They must agree.")
            }
            Self::IllegalId { id } => write!(
                f,
                "\"{id}\" is not a FHIR id: 1 to 64 characters out of letters, digits, '-' and '.'."
            ),
            Self::IdMissing { url } => write!(f, "The body has no id. Add \"id\": \"{url}\", as in the URL."),
            Self::IdDiffers { url, body } => {
                write!(f, "The URL names the id \"{url}\", the body has \"{body}\". They must agree.")
            }
            Self::ClientAssignedId { id } => {
                write!(f, "The body has the id \"{id}\". The server assigns ids: leave it out.")
            }
            _ => Ok(()),
        }
    }

    /// The sentences of failures that concern what resources are found by and refer to.
    fn index(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IndexIncomplete { parameter } if parameter.is_empty() => f.write_str(
                "What refers to this resource is being indexed. Nothing was written; try again when it is done.",
            ),
            Self::IndexIncomplete { parameter } => write!(
                f,
                "The index of {parameter} is being made, so criteria with it could miss resources. Nothing was \
                 written; try again when it is done: GET [base]/$reindex tells how far it is."
            ),
            Self::SearchParameter(error) => {
                write!(f, "The search parameter cannot be used: {}.", error.why)
            }
            Self::ReferenceMissing { path, target } => {
                write!(f, "{path} refers to {target}, which does not exist on this server.")
            }
            Self::StillReferred { resource, by } => {
                write!(f, "{resource} is referred to and was not deleted. Change these first: ")?;
                for (index, other) in by.iter().enumerate() {
                    write!(f, "{}{other}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str(if by.len() == storage_api::REFERRING_MAX { " (and perhaps others)." } else { "." })
            }
            _ => Ok(()),
        }
    }

    /// The sentences of failures that concern searches and criteria.
    fn search(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query(error) => write!(f, "{error}"),
            Self::MultipleMatches { resource_type, criteria } => write!(
                f,
                "Several resources match {resource_type}?{criteria}. Nothing was written; name more criteria, or an id."
            ),
            Self::TooManyMatches { resource_type, criteria, max } => write!(
                f,
                "More than {max} resources match {resource_type}?{criteria}. Nothing was deleted; name more criteria."
            ),
            Self::IdInUse { resource } => write!(
                f,
                "No resource matches the criteria, and {resource} exists outside of them. Nothing was written: it would be overwritten."
            ),
            Self::CriteriaTooCostly => f.write_str(
                "Too many resources would have to be looked at while others wait. Name criteria that fewer resources meet.",
            ),
            Self::SearchTooCostly => f.write_str(
                "Too many resources would have to be looked at for this. Name criteria that fewer resources meet, or ask \
                 without _sort, without the count, or with a shorter chain.",
            ),
            Self::NotFindable { why } => write!(f, "The resource cannot be indexed: {why}."),
            _ => Ok(()),
        }
    }
}

fn parameter(f: &mut fmt::Formatter<'_>, name: &str, problem: &ParameterProblem) -> fmt::Result {
    match problem {
        ParameterProblem::Malformed { value, expected } => {
            write!(f, "{name}=\"{value}\" cannot be read; expected {expected}.")
        }
        ParameterProblem::Repeated => write!(f, "{name} is given more than once; give it once."),
        ParameterProblem::Unknown => {
            write!(f, "{name} is not known here. Leave it out, or do not ask for handling=strict.")
        }
        ParameterProblem::Encoding => {
            write!(f, "The query string is not percent-encoded UTF-8, near \"{name}\".")
        }
    }
}

impl fmt::Display for Refused {
    /// Says which version is current and which was received.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refusal, resource, interaction, .. } = self;
        let current = self.current.as_ref();
        let received = self.received.as_deref().unwrap_or("If-Unmodified-Since");
        match refusal {
            Refusal::IfMatchMissing(_) => {
                write!(
                    f,
                    "This {interaction} must say which version of {resource} it replaces: send If-Match with "
                )?;
                match current {
                    Some(version) => {
                        write!(f, "the ETag of the version you read. The current one is W/\"{version}\".")
                    }
                    None => f.write_str("the ETag of the version you read."),
                }?;
                if received == "*" { f.write_str(" If-Match: * names no version.") } else { Ok(()) }
            }
            Refusal::Stale(_) => {
                write!(f, "{resource} has changed: the current version is ")?;
                version(f, current)?;
                write!(
                    f,
                    ", If-Match names {received}. Read it again and apply your change to what it is now."
                )
            }
            Refusal::NothingToMatch(None) if *interaction == Interaction::Create => {
                write!(f, "A create has no version before it that could match {received}.")
            }
            Refusal::NothingToMatch(None) => {
                write!(f, "{resource} does not exist, so no version can match {received}.")
            }
            Refusal::NothingToMatch(Some(_)) => {
                write!(f, "{resource} is deleted, by version ")?;
                version(f, current)?;
                write!(f, ", so {received} matches nothing.")
            }
            Refusal::Exists(_) => {
                write!(f, "{resource} exists, as version ")?;
                version(f, current)?;
                f.write_str(", and If-None-Match: * asks that it does not.")
            }
            Refusal::NamedByIfNoneMatch(_) => {
                write!(f, "The current version of {resource} is ")?;
                version(f, current)?;
                write!(f, ", which If-None-Match ({received}) excludes.")
            }
            Refusal::ModifiedSince(_) => {
                write!(
                    f,
                    "{resource} was modified after If-Unmodified-Since, or in the same second. The current version is "
                )?;
                version(f, current)?;
                f.write_str("; If-Match is exact where dates are not.")
            }
            Refusal::NotFound => write!(f, "{resource} does not exist."),
            Refusal::Gone(_) => write!(f, "{resource} is deleted."),
            Refusal::CreateNotAllowed => {
                write!(
                    f,
                    "{resource} does not exist, and only the server assigns ids: POST to {} instead.",
                    resource.resource_type
                )
            }
            Refusal::IdTaken => f.write_str("The id drawn for the resource is taken. Try again."),
            Refusal::Contended { attempts } => {
                write!(
                    f,
                    "Other writers changed {resource} {attempts} times while this {interaction} was tried. Nothing was written; try again."
                )
            }
        }
    }
}

fn version(f: &mut fmt::Formatter<'_>, current: Option<&VersionId>) -> fmt::Result {
    match current {
        Some(version) => write!(f, "W/\"{version}\""),
        None => f.write_str("unknown"),
    }
}
