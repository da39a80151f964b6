//! What a rulebook answers, and the trait that asks it.

use core::fmt::Debug;

use fhir_definitions::FhirVersion;
use fhir_model::json::Value;
use fhir_model::{Coding, Issue, IssueSeverity, IssueType, OperationOutcome};
use fhir_search::Extractor;
use fhir_validate::{Finding, Settings};
use storage_api::Timestamp;
use versioning_core::LockPolicy;

use crate::{
    Caller, Change, ConditionalDelete, Conflict, ExplanationCode, Failure, Format, Found, Interaction,
    Lookup, OperationOffer, RequestHead, Resource, StatementOffer, Success, Transition, TypeOffer, Warning,
};

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

    /// Whether the API has this interaction for this type.
    fn offers_on(&self, interaction: Interaction, resource_type: &str) -> bool {
        let _ = resource_type;
        self.offers(interaction)
    }

    /// The types that the API has, with what it says of them; `None` for every type of its FHIR
    /// version, by the tables.
    fn types(&self) -> Option<&[TypeOffer]> {
        None
    }

    /// What the API's CapabilityStatement says of the whole, where that is published.
    fn statement(&self) -> Option<StatementOffer> {
        None
    }

    /// The operations that the API has on the whole system.
    fn operations(&self) -> &[OperationOffer] {
        &[]
    }

    /// The format of an answer to a client that neither asks for one nor sends one.
    fn default_format(&self) -> Format {
        Format::default()
    }

    /// The header fields that [`admit`](Self::admit) reads, in lower case. None for an API that
    /// admits everyone.
    fn request_fields(&self) -> &'static [&'static str] {
        &[]
    }

    /// Who asks, or why they may not. Called before anything is read or written.
    fn admit(&self, head: &RequestHead<'_>) -> Result<Caller, Failure> {
        let _ = head;
        Ok(Caller::default())
    }

    /// What resources are found by.
    fn extractor(&self) -> &Extractor {
        Extractor::of(self.version())
    }

    /// The parameters of a search or of criteria as they are to be carried out, or what is wrong
    /// with them: an API may restrict what is asked for, and read values in its own way.
    fn search(
        &self,
        resource_type: &str,
        parameters: Vec<(String, String)>,
        caller: &Caller,
    ) -> Result<Vec<(String, String)>, Failure> {
        let _ = (resource_type, caller);
        Ok(parameters)
    }

    /// The same for criteria that name what is written.
    fn criteria(
        &self,
        interaction: Interaction,
        resource_type: &str,
        parameters: Vec<(String, String)>,
        caller: &Caller,
    ) -> Result<Vec<(String, String)>, Failure> {
        let _ = interaction;
        self.search(resource_type, parameters, caller)
    }

    /// Whether the parameters in a URL are of those that the API has, apart from what no API
    /// understands.
    fn check_query(&self, interaction: Interaction, parameters: &[(String, String)]) -> Result<(), Failure> {
        let _ = (interaction, parameters);
        Ok(())
    }

    /// Whether the answer to a search depends on what it finds: then [`searched`](Self::searched)
    /// is asked.
    fn judges_searches(&self) -> bool {
        false
    }

    /// Whether the client may see what a search found, or that it found nothing. `parameters` are
    /// those that the client sent.
    fn searched(&self, parameters: &[(String, String)], found: &[Value]) -> Result<(), Failure> {
        let _ = (parameters, found);
        Ok(())
    }

    /// Adds to a resource that was received what the server adds, before it is validated.
    fn complete(&self, interaction: Interaction, resource: &mut Value, now: Timestamp) {
        let _ = (interaction, resource, now);
    }

    /// A FHIRPath Patch as it is to be applied, from the Parameters that were sent.
    fn read_patch(&self, parameters: Value) -> Result<Value, Failure> {
        Ok(parameters)
    }

    /// Whether patches come in other forms than FHIRPath Patch. Where they do not, a generic media
    /// type such as `application/json` is one too.
    fn patches_freely(&self) -> bool {
        true
    }

    /// Why a deletion that finds nothing fails, where it does.
    fn nothing_to_delete(&self, resource: &Resource) -> Option<Failure> {
        let _ = resource;
        None
    }

    /// Changes a resource as it was received into what is validated; the warnings tell the client
    /// of what it did not ask for.
    fn receive(&self, resource_type: &str, resource: &mut Value) -> Vec<Warning> {
        let _ = (resource_type, resource);
        Vec::new()
    }

    /// How resources are validated where the mount's own setting is not enough: profiles that are
    /// always enforced.
    fn validation(&self) -> Option<&Settings> {
        None
    }

    /// Whether [`lookups`](Self::lookups) and [`transition`](Self::transition), or for a read
    /// [`show`](Self::show), have something to say about this interaction. An API without such
    /// rules costs nothing.
    fn judges(&self, interaction: Interaction, resource_type: &str) -> bool {
        let _ = (interaction, resource_type);
        false
    }

    /// What has to be looked up before a change can be judged. `after` is what was sent, or the
    /// Parameters of an operation; nothing for a deletion.
    fn lookups(&self, change: &Change<'_>, after: Option<&Value>) -> Result<Vec<Lookup>, Failure> {
        let _ = (change, after);
        Ok(Vec::new())
    }

    /// Whether the change is allowed, and what it comes to. `found` has what each lookup found, in
    /// their order. Called again with what is there then when another writer was faster.
    fn transition(
        &self,
        change: &Change<'_>,
        after: Option<Value>,
        found: &[Vec<Found>],
    ) -> Result<Transition, Failure> {
        let _ = (change, found);
        Ok(Transition::to(after))
    }

    /// Whether a record is kept of every request.
    fn is_audited(&self) -> bool {
        false
    }

    /// The patient that a request is about, out of its URL and the bodies of request and answer.
    fn subject(&self, texts: &[&[u8]]) -> Option<String> {
        let _ = texts;
        None
    }

    /// Whether a resource may be read. `resource` is what is stored, without version meta.
    fn show(&self, resource_type: &str, id: &str, resource: &Value, caller: &Caller) -> Result<(), Failure> {
        let _ = (resource_type, id, resource, caller);
        Ok(())
    }

    /// The id of a new resource. `uuid` is drawn for it; `random` draws more where that is not
    /// enough.
    fn new_id(&self, resource_type: &str, uuid: &str, random: &dyn Fn() -> u64) -> String {
        let _ = (resource_type, random);
        uuid.to_owned()
    }

    /// What a write answers with.
    fn returns(&self, success: Success, preferred: Option<Return>) -> Return {
        let _ = success;
        preferred.unwrap_or(self.default_return())
    }

    /// The locking rules of one resource type.
    fn lock_policy(&self, resource_type: &str) -> &LockPolicy;

    /// The same for entries of transactions.
    fn transaction_lock_policy(&self, resource_type: &str) -> LockPolicy {
        *self.lock_policy(resource_type)
    }

    /// Whether entries of Bundles may be PATCH. FHIR has them from R4 on.
    fn takes_patch_entries(&self) -> bool {
        self.version() != FhirVersion::Stu3
    }

    /// Whether bare tokens are accepted as entity tags on writes too.
    fn lenient_tags(&self) -> bool;

    /// What a conditional delete does where several resources match.
    fn conditional_delete(&self) -> ConditionalDelete {
        ConditionalDelete::Single
    }

    /// Whether a stale update may be merged with what was written meanwhile, if its client asks for that.
    fn rebases(&self) -> bool {
        false
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

    /// The diagnostics that the API's table prints for a failure, where it prints the same whatever
    /// the reason. The reason then stands in `details.text`.
    fn fixed_words(&self, failure: &Failure) -> Option<String> {
        let _ = failure;
        None
    }

    /// The code and the diagnostics of a success.
    fn success(&self, success: Success, resource: &Resource) -> (RuleCoding, String);

    /// What stands in `details.text` of a success, if anything does.
    fn success_text(&self, trace: &str) -> Option<String> {
        let _ = trace;
        None
    }

    /// Issue type and code of a finding of the validator.
    fn finding(&self, finding: &Finding) -> (IssueType, RuleCoding);

    /// The coding of an issue that explains a conflict to a stale client that asks; none where the outcome of a conflict
    /// is published to the letter, and nothing is added to it.
    fn explanation(&self, _code: ExplanationCode) -> Option<RuleCoding> {
        None
    }

    /// The shape of an outcome under this row.
    fn outcome_shape(&self, rule: &Rule) -> OutcomeShape;

    /// Status and OperationOutcome of a failure. `trace` becomes the outcome's id where the API
    /// wants one.
    fn refuse(&self, failure: &Failure, trace: &str) -> Verdict {
        let rule = self.rule(failure);
        let inner = if let Failure::Entry { failure, .. } = failure { failure } else { failure };
        let issues = match (self.fixed_words(inner), inner) {
            (Some(words), _) => vec![Wording::of(failure, &rule).in_words(words)],
            (None, Failure::Invalid(findings)) if !findings.is_empty() => self.finding_issues(findings),
            (None, Failure::Conflict(conflict)) => {
                self.conflict_issues(Wording::of(failure, &rule), conflict)
            }
            (None, _) => vec![Wording::of(failure, &rule)],
        };
        verdict(self.version(), self.outcome_shape(&rule), rule.status, issues, trace)
    }

    /// Status and OperationOutcome of a success.
    fn accept(&self, success: Success, resource: &Resource, warnings: &[Warning], trace: &str) -> Verdict {
        self.worded(success, self.success(success, resource), warnings, trace)
    }

    /// The same for a resource with the URL of the API that it is below, without a slash at its
    /// end, where the words name the URL of the resource.
    fn accept_below(
        &self,
        success: Success,
        (resource, base): (&Resource, &str),
        warnings: &[Warning],
        trace: &str,
    ) -> Verdict {
        let _ = base;
        self.accept(success, resource, warnings, trace)
    }

    #[doc(hidden)]
    fn worded(
        &self,
        success: Success,
        (coding, diagnostics): (RuleCoding, String),
        warnings: &[Warning],
        trace: &str,
    ) -> Verdict {
        let severity = IssueSeverity::Information;
        let issue = IssueType::Informational;
        let status = success.status(true);
        let rule = Rule { status, severity, issue, coding };
        let text = self.success_text(trace);
        let done = Wording { severity, issue, coding, diagnostics, place: None, text };
        let warned = warnings.iter().map(|warning| Wording {
            severity: IssueSeverity::Warning,
            issue: warning.issue,
            coding: warning.coding,
            diagnostics: warning.diagnostics.clone(),
            place: None,
            text: None,
        });
        let wordings = core::iter::once(done).chain(warned).collect();
        verdict(self.version(), self.outcome_shape(&rule), status, wordings, trace)
    }

    /// The outcome of a validation that was asked for: its findings, or that there are none.
    fn validated(&self, findings: &[Finding], resource: &Resource, trace: &str) -> Verdict {
        if findings.is_empty() {
            return self.accept(Success::Valid, resource, &[], trace);
        }
        let status = Success::Valid.status(true);
        let rule = self.rule(&Failure::Invalid(Vec::new()));
        verdict(self.version(), self.outcome_shape(&rule), status, self.finding_issues(findings), trace)
    }

    #[doc(hidden)]
    fn conflict_issues(&self, refusal: Wording, conflict: &Conflict) -> Vec<Wording> {
        let explanations = conflict.explanations().into_iter().filter_map(|(code, diagnostics, place)| {
            let coding = self.explanation(code)?;
            let (severity, issue) = (IssueSeverity::Information, IssueType::Informational);
            Some(Wording { severity, issue, coding, text: None, diagnostics, place })
        });
        std::iter::once(refusal).chain(explanations).collect()
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
                text: None,
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
    /// `details.text`.
    text: Option<String>,
}

impl Wording {
    /// A failure in its own words.
    fn of(failure: &Failure, rule: &Rule) -> Self {
        Self {
            severity: rule.severity,
            issue: rule.issue,
            coding: rule.coding,
            diagnostics: failure.to_string(),
            place: failure.place(),
            text: None,
        }
    }

    /// The same in other words, with its own beside them; but why something is not found may be
    /// more than the client is to know.
    fn in_words(self, words: String) -> Self {
        let place = self.place.filter(|place| !self.diagnostics.contains(place.as_str()));
        let place = place.map_or_else(String::new, |place| format!("{place}: "));
        let text = printable(&format!("{place}{}", self.diagnostics));
        let text = Some(text).filter(|_| self.issue != IssueType::NotFound);
        Self { diagnostics: words, place: None, text, ..self }
    }
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
    let Wording { severity, issue, coding, mut diagnostics, place, text } = wording;
    let RuleCoding { system, code, display } = coding;
    let mut issue = Issue::new(severity, issue_type(issue, version)).coding(Coding {
        system: Some(system.to_owned()),
        code: Some(code.to_owned()),
        display: display.map(str::to_owned),
        version: None,
    });
    if let Some(text) = text {
        issue = issue.text(text);
    }
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
