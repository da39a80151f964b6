//! One of everything that can go wrong, with the status that each API has for it.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::{IssueSeverity, IssueType, json};
use rulebook::{Breach, Failure, Interaction, ParameterProblem, Refused, Resource, Rule, RuleCoding};
use versioning_core::{
    Field, FieldError, Problem, Refusal, VersionId, VersionNumber, VersionScheme, VersionTag, VersionToken,
};

/// A failure and its status: on STU3, on R4 and later, on Spine.
pub(crate) struct Sample {
    pub(crate) failure: Failure,
    pub(crate) stu3: u16,
    pub(crate) r4: u16,
    pub(crate) spine: u16,
}

const TOKEN: VersionToken = VersionToken { number: VersionNumber::FIRST, tag: VersionTag(0x2577_7f7d_27bc) };

fn version_id() -> VersionId {
    VersionScheme::Opaque.print(TOKEN)
}

fn flag() -> Resource {
    Resource { resource_type: "Flag".to_owned(), id: "a".to_owned() }
}

fn query(problem: fhir_search::Problem) -> Failure {
    Failure::Query(Box::new(fhir_search::QueryError { parameter: "x".to_owned(), problem }))
}

fn breach() -> Failure {
    let coding = RuleCoding {
        system: "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1",
        code: "INVALID_RESOURCE",
        display: Some("Invalid validation of resource"),
    };
    let (severity, issue) = (IssueSeverity::Error, IssueType::BusinessRule);
    let rule = Rule { status: 422, severity, issue, coding };
    Breach::failure_at(rule, "Flag.status", "The status cannot change.")
}

pub(crate) fn refused(refusal: Refusal, interaction: Interaction) -> Failure {
    Failure::Refused(Box::new(Refused {
        refusal,
        resource: flag(),
        interaction,
        current: Some(version_id()),
        received: Some("W/\"1\"".to_owned()),
    }))
}

pub(crate) fn samples() -> Vec<Sample> {
    let mut samples = requests();
    samples.extend(contents());
    samples.extend(refusals());
    samples
}

fn sample(failure: Failure, stu3: u16, r4: u16, spine: u16) -> Sample {
    Sample { failure, stu3, r4, spine }
}

/// What is wrong before a resource is looked at, and what the store says.
fn requests() -> Vec<Sample> {
    let text = || "x".to_owned();
    let same = |failure, status| sample(failure, status, status, status);
    let field = |field| Failure::MalformedField(FieldError { field, problem: Problem::NotQuoted, offset: 0 });
    vec![
        same(Failure::InvalidHost, 400),
        same(Failure::NoRoute { path: text() }, 404),
        same(Failure::OutsideEveryApi { path: text(), apis: vec![text()] }, 404),
        same(Failure::UnknownType { name: text(), version: FhirVersion::Stu3 }, 404),
        same(Failure::MethodNotAllowed { method: text(), allow: &["GET"] }, 405),
        same(Failure::NotOffered(Interaction::Vread), 404),
        same(Failure::ConditionalNotOffered { header: "If-None-Exist" }, 400),
        same(Failure::UriTooLong { max: 1 }, 414),
        same(Failure::HeadersTooLarge { max: 1 }, 431),
        same(Failure::BodyTooLarge { max: 1 }, 413),
        same(Failure::BodyIncomplete, 400),
        same(Failure::Timeout, 408),
        same(Failure::NotAcceptable { asked: text(), offered: "y" }, 406),
        same(Failure::UnsupportedMediaType { sent: text(), offered: "y" }, 415),
        same(field(Field::IfMatch), 400),
        same(field(Field::IfUnmodifiedSince), 400),
        same(Failure::MalformedIdempotencyKey, 400),
        same(Failure::MalformedRetry, 400),
        same(Failure::IdempotencyKeyReused, 422),
        sample(Failure::FirstResultGone, 410, 410, 404),
        sample(Failure::Parameter { name: text(), problem: ParameterProblem::Repeated }, 400, 400, 422),
        sample(Failure::Parameter { name: text(), problem: ParameterProblem::Unknown }, 400, 400, 422),
        sample(Failure::Parameter { name: text(), problem: ParameterProblem::Encoding }, 400, 400, 422),
        sample(
            Failure::Parameter {
                name: text(),
                problem: ParameterProblem::Malformed { value: text(), expected: "y" },
            },
            400,
            400,
            422,
        ),
        sample(query(fhir_search::Problem::Unknown), 400, 400, 422),
        sample(query(fhir_search::Problem::NotSelective), 400, 400, 422),
        sample(query(fhir_search::Problem::Empty), 400, 400, 422),
        sample(Failure::MultipleMatches { resource_type: text(), criteria: text() }, 412, 412, 422),
        sample(Failure::TooManyMatches { resource_type: text(), criteria: text(), max: 3 }, 412, 412, 422),
        sample(Failure::IdInUse { resource: flag() }, 409, 409, 422),
        sample(Failure::CriteriaTooCostly, 400, 400, 422),
        sample(Failure::SearchTooCostly, 400, 400, 422),
        same(Failure::NotFindable { why: text() }, 422),
        same(Failure::IndexIncomplete { parameter: text() }, 503),
        same(Failure::IndexIncomplete { parameter: String::new() }, 503),
        same(Failure::SearchParameter(Box::new(fhir_search::CustomError { path: text(), why: text() })), 422),
        same(Failure::ReferenceMissing { path: text(), target: flag() }, 422),
        same(Failure::StillReferred { resource: flag(), by: vec![flag(), flag()] }, 409),
        same(Failure::Busy, 503),
        same(Failure::Unavailable, 503),
        same(Failure::StoreFull, 503),
        same(Failure::TooLargeToStore, 413),
        same(Failure::OutcomeUnknown { resource: flag() }, 503),
        same(Failure::NoBundle { why: "The body is no Bundle.".to_owned() }, 400),
        same(Failure::TooManyEntries { max: 1, found: 2 }, 413),
        same(Failure::TransactionTooSlow { max_s: 1 }, 413),
        same(Failure::EntryNotBegun { max_s: 1 }, 413),
        same(Failure::BadEntry { why: "The entry has no request.".to_owned() }, 400),
        same(Failure::SameInTransaction { what: text(), entries: [0, 1] }, 400),
        sample(Failure::UnresolvedReference { reference: text() }, 400, 400, 422),
        same(Failure::Entry { index: 3, request: text(), failure: Box::new(Failure::Busy) }, 503),
        same(breach(), 422),
        same(Failure::Internal, 500),
    ]
}

/// What is wrong with the content, or with the version asked for.
fn contents() -> Vec<Sample> {
    let text = || "x".to_owned();
    let same = |failure, status| sample(failure, status, status, status);
    let json = json::parse(b"{\"a\":", &json::Limits::default()).expect_err("no JSON");
    let stu3 = Definitions::of(FhirVersion::Stu3);
    let xml = fhir_model::xml::parse(b"<a", stu3, &json::Limits::default()).expect_err("no XML");
    let findings = fhir_validate::validate(&json::Value::Null, stu3, &fhir_validate::Settings::default());
    let not_a_resource = fhir_model::Resource::from_value(json::Value::Null).expect_err("no resource");
    vec![
        same(Failure::EmptyBody, 400),
        same(Failure::Json(json), 400),
        same(Failure::Xml(Box::new(xml)), 400),
        same(Failure::Invalid(findings), 422),
        same(Failure::PatchMalformed { why: text() }, 400),
        same(Failure::PatchNotApplicable { why: text() }, 422),
        same(Failure::PatchedIdentity, 422),
        same(Failure::NarrativeOutdated, 422),
        same(Failure::NotRepresentable { why: text() }, 406),
        same(Failure::NoResource(not_a_resource), 400),
        same(Failure::WrongType { url: text(), body: text() }, 400),
        same(Failure::IllegalId { id: text() }, 400),
        same(Failure::IdMissing { url: text() }, 400),
        same(Failure::IdDiffers { url: text(), body: text() }, 400),
        same(Failure::ClientAssignedId { id: text() }, 405),
        same(Failure::UnknownVersion { resource: flag(), version_id: text() }, 404),
        sample(Failure::DeletedVersion { resource: flag(), version_id: version_id() }, 410, 410, 404),
    ]
}

/// What the lock core refuses.
fn refusals() -> Vec<Sample> {
    let mut samples = Vec::new();
    for interaction in [Interaction::Update, Interaction::Delete, Interaction::Create] {
        let write = |refusal, stu3, r4, spine| sample(refused(refusal, interaction), stu3, r4, spine);
        samples.extend([
            write(Refusal::IfMatchMissing(Some(TOKEN)), 412, 400, 412),
            write(Refusal::IfMatchMissing(None), 412, 400, 412),
            write(Refusal::Stale(TOKEN), 409, 412, 409),
            write(Refusal::NothingToMatch(Some(TOKEN)), 412, 412, 412),
            write(Refusal::NothingToMatch(None), 412, 412, 412),
            write(Refusal::Exists(TOKEN), 412, 412, 412),
            write(Refusal::NamedByIfNoneMatch(TOKEN), 412, 412, 412),
            write(Refusal::ModifiedSince(TOKEN), 412, 412, 412),
            write(Refusal::NotFound, 404, 404, 404),
            write(Refusal::Gone(TOKEN), 410, 410, 404),
            write(Refusal::CreateNotAllowed, 405, 405, 405),
            write(Refusal::IdTaken, 503, 503, 503),
            write(Refusal::Contended { attempts: 65 }, 409, 409, 409),
        ]);
    }
    for interaction in [Interaction::Read, Interaction::Vread] {
        let read = |refusal, stu3, r4, spine| sample(refused(refusal, interaction), stu3, r4, spine);
        samples.extend([
            // A read conflicts with nothing: RFC 9110 13.1.1.
            read(Refusal::Stale(TOKEN), 412, 412, 412),
            read(Refusal::ModifiedSince(TOKEN), 412, 412, 412),
            read(Refusal::NotFound, 404, 404, 404),
            read(Refusal::Gone(TOKEN), 410, 410, 404),
        ]);
    }
    samples
}

/// The name of a failure. There is no wildcard here: a new variant does not compile until it has a
/// name, and the test of the rows fails until it has a sample.
pub(crate) fn name(failure: &Failure) -> &'static str {
    match failure {
        Failure::InvalidHost => "InvalidHost",
        Failure::NoRoute { .. } => "NoRoute",
        Failure::OutsideEveryApi { .. } => "OutsideEveryApi",
        Failure::UnknownType { .. } => "UnknownType",
        Failure::MethodNotAllowed { .. } => "MethodNotAllowed",
        Failure::NotOffered(_) => "NotOffered",
        Failure::ConditionalNotOffered { .. } => "ConditionalNotOffered",
        Failure::UriTooLong { .. } => "UriTooLong",
        Failure::HeadersTooLarge { .. } => "HeadersTooLarge",
        Failure::BodyTooLarge { .. } => "BodyTooLarge",
        Failure::BodyIncomplete => "BodyIncomplete",
        Failure::Timeout => "Timeout",
        Failure::NotAcceptable { .. } => "NotAcceptable",
        Failure::UnsupportedMediaType { .. } => "UnsupportedMediaType",
        Failure::MalformedField(_) => "MalformedField",
        Failure::MalformedIdempotencyKey => "MalformedIdempotencyKey",
        Failure::MalformedRetry => "MalformedRetry",
        Failure::IdempotencyKeyReused => "IdempotencyKeyReused",
        Failure::FirstResultGone => "FirstResultGone",
        Failure::Parameter { .. } => "Parameter",
        Failure::Query(_) => "Query",
        Failure::MultipleMatches { .. } => "MultipleMatches",
        Failure::TooManyMatches { .. } => "TooManyMatches",
        Failure::IdInUse { .. } => "IdInUse",
        Failure::CriteriaTooCostly => "CriteriaTooCostly",
        Failure::SearchTooCostly => "SearchTooCostly",
        Failure::NotFindable { .. } => "NotFindable",
        Failure::IndexIncomplete { .. } => "IndexIncomplete",
        Failure::SearchParameter(_) => "SearchParameter",
        Failure::ReferenceMissing { .. } => "ReferenceMissing",
        Failure::StillReferred { .. } => "StillReferred",
        Failure::Refused(refused) => match refused.refusal {
            Refusal::IfMatchMissing(_) => "IfMatchMissing",
            Refusal::Stale(_) => "Stale",
            Refusal::NothingToMatch(_) => "NothingToMatch",
            Refusal::Exists(_) => "Exists",
            Refusal::NamedByIfNoneMatch(_) => "NamedByIfNoneMatch",
            Refusal::ModifiedSince(_) => "ModifiedSince",
            Refusal::NotFound => "NotFound",
            Refusal::Gone(_) => "Gone",
            Refusal::CreateNotAllowed => "CreateNotAllowed",
            Refusal::IdTaken => "IdTaken",
            Refusal::Contended { .. } => "Contended",
        },
        // The same to a client: the tests of conflicts have it.
        Failure::Conflict(_) => "Stale",
        Failure::UnknownVersion { .. } => "UnknownVersion",
        Failure::DeletedVersion { .. } => "DeletedVersion",
        Failure::EmptyBody => "EmptyBody",
        Failure::Json(_) => "Json",
        Failure::Xml(_) => "Xml",
        Failure::Invalid(_) => "Invalid",
        Failure::PatchMalformed { .. } => "PatchMalformed",
        Failure::PatchNotApplicable { .. } => "PatchNotApplicable",
        Failure::PatchedIdentity => "PatchedIdentity",
        Failure::NarrativeOutdated => "NarrativeOutdated",
        Failure::NotRepresentable { .. } => "NotRepresentable",
        Failure::NoResource(_) => "NoResource",
        Failure::WrongType { .. } => "WrongType",
        Failure::IllegalId { .. } => "IllegalId",
        Failure::IdMissing { .. } => "IdMissing",
        Failure::IdDiffers { .. } => "IdDiffers",
        Failure::ClientAssignedId { .. } => "ClientAssignedId",
        Failure::Busy => "Busy",
        Failure::Unavailable => "Unavailable",
        Failure::StoreFull => "StoreFull",
        Failure::TooLargeToStore => "TooLargeToStore",
        Failure::OutcomeUnknown { .. } => "OutcomeUnknown",
        Failure::NoBundle { .. } => "NoBundle",
        Failure::TooManyEntries { .. } => "TooManyEntries",
        Failure::TransactionTooSlow { .. } => "TransactionTooSlow",
        Failure::EntryNotBegun { .. } => "EntryNotBegun",
        Failure::BadEntry { .. } => "BadEntry",
        Failure::SameInTransaction { .. } => "SameInTransaction",
        Failure::UnresolvedReference { .. } => "UnresolvedReference",
        Failure::Entry { .. } => "Entry",
        Failure::Rule(_) => "Rule",
        Failure::Internal => "Internal",
    }
}

/// How many names [`name`] can give.
pub(crate) const NAMES: usize = 74;
