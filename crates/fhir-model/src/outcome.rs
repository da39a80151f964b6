//! OperationOutcome: what went wrong or right, as a resource.

use crate::codes::codes;
use crate::json::{Object, Value};

codes! {
    /// `OperationOutcome.issue.severity`.
    pub enum IssueSeverity {
        /// Nothing could be done.
        Fatal = "fatal",
        /// The interaction failed.
        Error = "error",
        /// It succeeded, with something to look at.
        Warning = "warning",
        /// To be known.
        Information = "information",
        /// It succeeded. R5 only.
        Success = "success",
    }
}

codes! {
    /// `OperationOutcome.issue.code`, the union of STU3, R4, R4B and R5. Those that not every version
    /// has say so.
    pub enum IssueType {
        /// Content is invalid against the specification or a profile.
        Invalid = "invalid",
        /// A structural problem: unparsable, or an element where none can be.
        Structure = "structure",
        /// An element that is needed is missing.
        Required = "required",
        /// An element or a header has a value that it cannot have.
        Value = "value",
        /// A rule of the content is broken.
        Invariant = "invariant",
        /// A problem of authentication, authorization or permissions.
        Security = "security",
        /// The client needs to log in.
        Login = "login",
        /// The user or the system is not known.
        Unknown = "unknown",
        /// The session has expired.
        Expired = "expired",
        /// The user has no right to do this.
        Forbidden = "forbidden",
        /// Some information was withheld.
        Suppressed = "suppressed",
        /// Processing the content failed.
        Processing = "processing",
        /// The interaction, operation, resource or profile is not supported.
        NotSupported = "not-supported",
        /// There is such a record already.
        Duplicate = "duplicate",
        /// Several records match where one is needed. From R4 on.
        MultipleMatches = "multiple-matches",
        /// What was referred to was not found.
        NotFound = "not-found",
        /// What was referred to was deleted. From R4 on.
        Deleted = "deleted",
        /// The content is too long.
        TooLong = "too-long",
        /// A code or a system could not be understood or is not allowed.
        CodeInvalid = "code-invalid",
        /// An extension is not known or not allowed here.
        Extension = "extension",
        /// The operation would cost too much.
        TooCostly = "too-costly",
        /// The content breaks a rule of business.
        BusinessRule = "business-rule",
        /// Another change came first.
        Conflict = "conflict",
        /// Filters were applied only in part. R5 only.
        LimitedFilter = "limited-filter",
        /// A problem that may pass.
        Transient = "transient",
        /// A resource or record lock failed.
        LockError = "lock-error",
        /// The store is not available.
        NoStore = "no-store",
        /// Something failed that should not.
        Exception = "exception",
        /// It took too long.
        Timeout = "timeout",
        /// Not all sources of information could be reached.
        Incomplete = "incomplete",
        /// Too many requests.
        Throttled = "throttled",
        /// To be known.
        Informational = "informational",
        /// It succeeded. R5 only.
        Success = "success",
    }
}

/// An OperationOutcome with at least one issue.
///
/// ```
/// use fhir_model::{Issue, IssueType, OperationOutcome};
///
/// let outcome = OperationOutcome::new(Issue::error(IssueType::NotFound).diagnostics("there is no Flag/9"));
/// assert_eq!(
///     outcome.to_object().to_string(),
///     r#"{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","diagnostics":"there is no Flag/9"}]}"#,
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationOutcome {
    /// The logical id, if it has one.
    pub id: Option<String>,
    /// Canonical URLs for `meta.profile`.
    pub profiles: Vec<String>,
    first: Issue,
    others: Vec<Issue>,
}

/// One issue of an [`OperationOutcome`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: IssueSeverity,
    /// What sort of problem it is.
    pub code: IssueType,
    /// What it is exactly, as codes and text.
    pub details: Option<Details>,
    /// What a person needs to know to do something about it.
    pub diagnostics: Option<String>,
    /// Where, as HTTP header names or, before R4, as XPath.
    pub location: Vec<String>,
    /// Where, as FHIRPath.
    pub expression: Vec<String>,
}

/// `OperationOutcome.issue.details`, a CodeableConcept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Details {
    /// The codes.
    pub coding: Vec<Coding>,
    /// The text.
    pub text: Option<String>,
}

/// A Coding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Coding {
    /// The URI of the code system.
    pub system: Option<String>,
    /// The version of the code system.
    pub version: Option<String>,
    /// The code.
    pub code: Option<String>,
    /// What the system says it means.
    pub display: Option<String>,
}

impl OperationOutcome {
    /// An outcome with one issue.
    pub const fn new(issue: Issue) -> Self {
        Self { id: None, profiles: Vec::new(), first: issue, others: Vec::new() }
    }

    /// An outcome with these issues; none if there are none, because FHIR wants one at least.
    pub fn from_issues(issues: impl IntoIterator<Item = Issue>) -> Option<Self> {
        let mut issues = issues.into_iter();
        let first = issues.next()?;
        Some(Self { others: issues.collect(), ..Self::new(first) })
    }

    /// Adds an issue.
    pub fn push(&mut self, issue: Issue) {
        self.others.push(issue);
    }

    /// The same outcome with a profile more.
    #[must_use]
    pub fn profile(mut self, url: impl Into<String>) -> Self {
        self.profiles.push(url.into());
        self
    }

    /// The issues in order; never none.
    pub fn issues(&self) -> impl Iterator<Item = &Issue> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The resource, elements in FHIR's order.
    pub fn to_object(&self) -> Object {
        let mut outcome = Object::new();
        outcome.insert("resourceType", "OperationOutcome");
        insert_text(&mut outcome, "id", self.id.as_ref());
        if !self.profiles.is_empty() {
            let mut meta = Object::new();
            insert_texts(&mut meta, "profile", &self.profiles);
            outcome.insert("meta", meta);
        }
        outcome.insert("issue", self.issues().map(Issue::to_object).collect::<Value>());
        outcome
    }

    /// The resource as a tree.
    pub fn to_value(&self) -> Value {
        Value::Object(self.to_object())
    }
}

impl Issue {
    /// An issue with severity and code.
    pub const fn new(severity: IssueSeverity, code: IssueType) -> Self {
        Self {
            severity,
            code,
            details: None,
            diagnostics: None,
            location: Vec::new(),
            expression: Vec::new(),
        }
    }

    /// An issue of severity `error`.
    pub const fn error(code: IssueType) -> Self {
        Self::new(IssueSeverity::Error, code)
    }

    /// An issue of severity `information`.
    pub const fn information(code: IssueType) -> Self {
        Self::new(IssueSeverity::Information, code)
    }

    /// The same issue with a code in its details.
    #[must_use]
    pub fn coding(mut self, coding: Coding) -> Self {
        self.details.get_or_insert_default().coding.push(coding);
        self
    }

    /// The same issue with that text in its details.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.details.get_or_insert_default().text = Some(text.into());
        self
    }

    /// The same issue with those diagnostics.
    #[must_use]
    pub fn diagnostics(mut self, diagnostics: impl Into<String>) -> Self {
        self.diagnostics = Some(diagnostics.into());
        self
    }

    /// The same issue with a FHIRPath expression more.
    #[must_use]
    pub fn expression(mut self, expression: impl Into<String>) -> Self {
        self.expression.push(expression.into());
        self
    }

    /// The same issue with a location more.
    #[must_use]
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location.push(location.into());
        self
    }

    fn to_object(&self) -> Object {
        let mut issue = Object::new();
        issue.insert("severity", self.severity.code());
        issue.insert("code", self.code.code());
        if let Some(details) =
            self.details.as_ref().map(Details::to_object).filter(|details| !details.is_empty())
        {
            issue.insert("details", details);
        }
        insert_text(&mut issue, "diagnostics", self.diagnostics.as_ref());
        insert_texts(&mut issue, "location", &self.location);
        insert_texts(&mut issue, "expression", &self.expression);
        issue
    }
}

impl Details {
    fn to_object(&self) -> Object {
        let mut details = Object::new();
        if !self.coding.is_empty() {
            details.insert("coding", self.coding.iter().map(Coding::to_object).collect::<Value>());
        }
        insert_text(&mut details, "text", self.text.as_ref());
        details
    }
}

impl Coding {
    /// A code of a system, with what it means.
    pub fn new(system: impl Into<String>, code: impl Into<String>, display: impl Into<String>) -> Self {
        Self {
            system: Some(system.into()),
            version: None,
            code: Some(code.into()),
            display: Some(display.into()),
        }
    }

    /// The Coding as a tree, elements in FHIR's order.
    pub fn to_object(&self) -> Object {
        let mut coding = Object::new();
        insert_text(&mut coding, "system", self.system.as_ref());
        insert_text(&mut coding, "version", self.version.as_ref());
        insert_text(&mut coding, "code", self.code.as_ref());
        insert_text(&mut coding, "display", self.display.as_ref());
        coding
    }
}

fn insert_text(object: &mut Object, name: &str, text: Option<&String>) {
    if let Some(text) = text {
        object.insert(name, text);
    }
}

/// FHIR has no empty arrays: nothing to say, no member.
fn insert_texts(object: &mut Object, name: &str, texts: &[String]) {
    if !texts.is_empty() {
        object.insert(name, texts.iter().collect::<Value>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_stands_in_the_order_of_the_specification() {
        let coding = Coding { version: Some("1".into()), ..Coding::new("urn:s", "c", "d") };
        let issue = Issue::error(IssueType::Conflict)
            .location("If-Match")
            .expression("Flag.status")
            .expression("Flag.code")
            .diagnostics("read it again")
            .text("stale")
            .coding(coding);
        let mut outcome = OperationOutcome::new(issue).profile("urn:p");
        outcome.id = Some("1".into());
        outcome.push(Issue::new(IssueSeverity::Warning, IssueType::TooCostly));
        assert_eq!(
            outcome.to_value().to_string(),
            r#"{"resourceType":"OperationOutcome","id":"1","meta":{"profile":["urn:p"]},"issue":[{"severity":"error","#
                .to_owned()
                + r#""code":"conflict","details":{"coding":[{"system":"urn:s","version":"1","code":"c","display":"d"}],"#
                + r#""text":"stale"},"diagnostics":"read it again","location":["If-Match"],"#
                + r#""expression":["Flag.status","Flag.code"]},{"severity":"warning","code":"too-costly"}]}"#
        );
    }

    #[test]
    fn nothing_empty_is_printed_and_there_is_always_an_issue() {
        let issue =
            Issue { details: Some(Details::default()), ..Issue::information(IssueType::Informational) };
        assert_eq!(issue.to_object().to_string(), r#"{"severity":"information","code":"informational"}"#);
        assert_eq!(OperationOutcome::from_issues([]), None);
        let outcome = OperationOutcome::from_issues([issue.clone(), Issue::error(IssueType::Value)]).unwrap();
        assert_eq!(outcome.issues().count(), 2);
        assert_eq!(outcome.issues().next(), Some(&issue));
    }

    #[test]
    fn codes_are_read_as_they_are_printed() {
        for &code in IssueType::ALL {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
        for &severity in IssueSeverity::ALL {
            assert_eq!(severity.code().parse(), Ok(severity));
        }
        assert!("Error".parse::<IssueSeverity>().is_err());
        assert_eq!((IssueType::ALL.len(), IssueSeverity::ALL.len()), (33, 5));
    }
}
