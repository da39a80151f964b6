//! What a rulebook answers, and the trait that asks it.

use core::fmt::Debug;

use fhir_definitions::FhirVersion;
use fhir_model::json::Value;
use fhir_model::{Coding, Issue, IssueSeverity, IssueType, OperationOutcome};
use fhir_validate::Finding;
use versioning_core::LockPolicy;

use crate::{ConditionalDelete, Failure, Interaction, Resource, Success};

/// A row's `issue.details.coding`, which is the same on every occasion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleCoding {
    /// Code system URL.
    pub system: &'static str,
    /// Code.
    pub code: &'static str,
    /// Display, if the system gives one.
    pub display: Option<&'static str>,
}

/// The row of a rulebook's table that a failure or a success falls under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// HTTP status.
    pub status: u16,
    /// How bad.
    pub severity: IssueSeverity,
    /// Which kind.
    pub issue: IssueType,
    /// The stable code that clients can act on.
    pub coding: RuleCoding,
}

/// A rule with the words for one occasion.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// HTTP status.
    pub status: u16,
    /// The OperationOutcome.
    pub outcome: Value,
}

/// What differs between the OperationOutcomes of APIs, apart from their rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeShape {
    /// `meta.profile`.
    pub profile: Option<&'static str>,
    /// Whether every outcome carries an id to trace it by.
    pub has_id: bool,
    /// Whether `issue.expression` may be used; otherwise a place goes into the diagnostics.
    pub has_expression: bool,
}

/// What a client may ask to get back (`Prefer: return=…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Return {
    /// No body.
    Minimal,
    /// The resource as stored.
    Representation,
    /// An OperationOutcome.
    OperationOutcome,
}

impl Return {
    /// The preference as the FHIR standard spells it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Representation => "representation",
            Self::OperationOutcome => "OperationOutcome",
        }
    }
}

/// What an `id` in the body of a create means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientId {
    /// It is ignored (FHIR).
    Ignored,
    /// The create is refused (NHS Spine).
    Refused,
}

/// How `Location` names a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocationForm {
    /// `[base]/[type]/[id]/_history/[vid]`
    Versioned,
    /// `[base]/[type]/[id]`
    Plain,
}

/// What one API demands of requests, and how it words its answers. It holds no I/O.
pub trait Rulebook: Debug + Send + Sync {
    /// The FHIR version it speaks.
    fn version(&self) -> FhirVersion;

    /// Whether the API has this interaction at all.
    fn offers(&self, interaction: Interaction) -> bool;

    /// The locking rules of one resource type.
    fn lock_policy(&self, resource_type: &str) -> &LockPolicy;

    /// Whether bare tokens are accepted as entity tags on writes too.
    fn lenient_tags(&self) -> bool;

    /// What a conditional delete does where several resources match.
    fn conditional_delete(&self) -> ConditionalDelete {
        ConditionalDelete::Single
    }

    /// What an `id` in the body of a create means.
    fn client_id(&self) -> ClientId;

    /// What a write answers with when the client does not say.
    fn default_return(&self) -> Return;

    /// How `Location` names a resource.
    fn location_form(&self) -> LocationForm;

    /// Whether a successful update names the resource in `Location`.
    fn location_on_update(&self) -> bool;

    /// The row that a failure falls under.
    fn rule(&self, failure: &Failure) -> Rule;

    /// The code and the diagnostics of a success.
    fn success(&self, success: Success, resource: &Resource) -> (RuleCoding, String);

    /// Issue type and code of a finding of the validator.
    fn finding(&self, finding: &Finding) -> (IssueType, RuleCoding);

    /// The shape of an outcome under this row.
    fn outcome_shape(&self, rule: &Rule) -> OutcomeShape;

    /// Status and OperationOutcome of a failure. `trace` becomes the outcome's id where the API
    /// wants one.
    fn refuse(&self, failure: &Failure, trace: &str) -> Verdict {
        let rule = self.rule(failure);
        let issues = match failure {
            Failure::Invalid(findings) if !findings.is_empty() => self.finding_issues(findings),
            _ => vec![Wording {
                severity: rule.severity,
                issue: rule.issue,
                coding: rule.coding,
                diagnostics: failure.to_string(),
                place: failure.place(),
            }],
        };
        verdict(self.version(), self.outcome_shape(&rule), rule.status, issues, trace)
    }

    /// Status and OperationOutcome of a success.
    fn accept(&self, success: Success, resource: &Resource, trace: &str) -> Verdict {
        let (coding, diagnostics) = self.success(success, resource);
        let severity = IssueSeverity::Information;
        let issue = IssueType::Informational;
        let status = success.status(true);
        let rule = Rule { status, severity, issue, coding };
        let wording = Wording { severity, issue, coding, diagnostics, place: None };
        verdict(self.version(), self.outcome_shape(&rule), status, vec![wording], trace)
    }

    /// The outcome of a validation that was asked for: its findings, or that there are none.
    fn validated(&self, findings: &[Finding], resource: &Resource, trace: &str) -> Verdict {
        if findings.is_empty() {
            return self.accept(Success::Valid, resource, trace);
        }
        let status = Success::Valid.status(true);
        let rule = self.rule(&Failure::Invalid(Vec::new()));
        verdict(self.version(), self.outcome_shape(&rule), status, self.finding_issues(findings), trace)
    }

    #[doc(hidden)]
    fn finding_issues(&self, findings: &[Finding]) -> Vec<Wording> {
        let wording = |finding: &Finding| {
            let (issue, coding) = self.finding(finding);
            let place = Some(finding.expression.clone()).filter(|place| !place.is_empty());
            Wording {
                severity: finding.severity,
                issue,
                coding,
                diagnostics: format!("{}.", finding.message),
                place,
            }
        };
        findings.iter().map(wording).collect()
    }
}

/// One issue, before it takes the shape that the API wants.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Wording {
    severity: IssueSeverity,
    issue: IssueType,
    coding: RuleCoding,
    diagnostics: String,
    place: Option<String>,
}

fn verdict(
    version: FhirVersion,
    shape: OutcomeShape,
    status: u16,
    wordings: Vec<Wording>,
    trace: &str,
) -> Verdict {
    let issues = wordings.into_iter().map(|wording| issue(version, shape, wording));
    // There is always one: a failure words itself, and findings are asked for.
    let outcome = OperationOutcome::from_issues(issues)
        .unwrap_or_else(|| OperationOutcome::new(Issue::error(IssueType::Exception)));
    let mut outcome = shape.profile.into_iter().fold(outcome, OperationOutcome::profile);
    outcome.id = shape.has_id.then(|| trace.to_owned());
    Verdict { status, outcome: outcome.to_value() }
}

fn issue(version: FhirVersion, shape: OutcomeShape, wording: Wording) -> Issue {
    let Wording { severity, issue, coding: RuleCoding { system, code, display }, mut diagnostics, place } =
        wording;
    let mut issue = Issue::new(severity, issue_type(issue, version)).coding(Coding {
        system: Some(system.to_owned()),
        code: Some(code.to_owned()),
        display: display.map(str::to_owned),
        version: None,
    });
    if let Some(place) = place {
        if shape.has_expression {
            issue = issue.expression(place);
        } else {
            diagnostics = format!("{place}: {diagnostics}");
        }
    }
    issue.diagnostics(printable(&diagnostics))
}

/// Diagnostics quote what clients sent, and a FHIR string holds no control characters.
fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }).collect()
}

/// The code that `version` has for an issue: STU3 has none for "was here once" and for several
/// matches.
const fn issue_type(issue: IssueType, version: FhirVersion) -> IssueType {
    match (version, issue) {
        (FhirVersion::Stu3, IssueType::Deleted) => IssueType::NotFound,
        (FhirVersion::Stu3, IssueType::MultipleMatches) => IssueType::Duplicate,
        _ => issue,
    }
}
