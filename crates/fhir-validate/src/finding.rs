//! [`Finding`]: what is wrong, where, and what to do about it; [`Rule`]: every sort of finding there is.

use std::fmt;

use fhir_model::{Coding, Issue, IssueSeverity, IssueType};

/// Something wrong with a resource.
///
/// `Display` is the expression and the sentence: `Flag.status: the code "dormant" is ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is: an `Error` makes the resource invalid, a `Warning` does not.
    pub severity: IssueSeverity,
    /// Which rule is broken.
    pub rule: Rule,
    /// Where, in the FHIRPath of `OperationOutcome.issue.expression`: element names and indices only, such as
    /// `Patient.name[0].given[1]`. Empty where nothing can be named, because what was sent is no resource.
    pub expression: String,
    /// What is wrong and what to change, in a sentence.
    pub message: String,
}

impl Finding {
    /// Whether it makes the resource invalid.
    pub fn is_error(&self) -> bool {
        matches!(self.severity, IssueSeverity::Error | IssueSeverity::Fatal)
    }

    /// The finding as an issue of an OperationOutcome. `system` is the code system of [`Rule::code`].
    pub fn to_issue(&self, system: &str) -> Issue {
        let coding = Coding::new(system, self.rule.code(), self.rule.title());
        let issue =
            Issue::new(self.severity, self.rule.issue_type()).coding(coding).diagnostics(&self.message);
        if self.expression.is_empty() { issue } else { issue.expression(&self.expression) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.expression.is_empty() {
            write!(f, "{}: ", self.expression)?;
        }
        f.write_str(&self.message)
    }
}

/// The list of rules: variant, stable code, severity, issue type, title. Titles become the variants' docs.
macro_rules! rules {
    ($($variant:ident $code:literal $severity:ident $issue_type:ident $title:literal;)*) => {
        /// What a finding is about. The code of a rule never changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $title] $variant,)*
        }

        impl Rule {
            /// Every rule, in the order of the manual.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The rule with this code.
            pub fn of_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|rule| rule.code() == code)
            }

            /// The stable code, for machines.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// The issue type (`OperationOutcome.issue.code`); every FHIR version has it.
            pub const fn issue_type(self) -> IssueType {
                match self { $(Self::$variant => IssueType::$issue_type,)* }
            }

            /// How bad it is to break the rule, where the definition that is broken does not say.
            pub const fn severity(self) -> IssueSeverity {
                match self { $(Self::$variant => IssueSeverity::$severity,)* }
            }

            /// What is wrong, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

rules! {
    NotAResource "not-a-resource" Error Structure "A resource is an object with a resourceType";
    UnknownResourceType "unknown-resource-type" Error Structure "The FHIR version has no such resource type";
    UnknownElement "unknown-element" Error Structure "The type has no such element";
    ChoiceType "choice-type" Error Structure "A choice of types is named without a type, or with one that it does not have";
    ChoiceRepeated "choice-repeated" Error Structure "A choice of types has one value";
    ElementForbidden "element-forbidden" Error Structure "The element must not be there";
    ElementMissing "element-missing" Error Required "A mandatory element is missing";
    ArrayExpected "array-expected" Error Structure "An element that repeats is an array, also when it has one item";
    ArrayForbidden "array-forbidden" Error Structure "An element that does not repeat is no array";
    ArrayEmpty "array-empty" Error Structure "There are no empty arrays";
    ObjectEmpty "object-empty" Error Structure "There are no empty objects";
    NullValue "null-value" Error Structure "null stands only in arrays of primitives, opposite an id or extension";
    JsonType "json-type" Error Structure "Another kind of JSON value is needed";
    SiblingForbidden "sibling-forbidden" Error Structure "Only primitives have a member with a leading underscore";
    SiblingLength "sibling-length" Error Structure "An array and its twin with a leading underscore have the same length";
    StringEmpty "string-empty" Error Value "There are no empty strings";
    StringBlank "string-blank" Warning Value "A string should hold more than white space";
    StringTooLong "string-too-long" Error TooLong "A string is longer than FHIR allows";
    ControlCharacter "control-character" Error Value "A string holds a control character";
    Format "format" Error Value "The text is not of the form that its type needs";
    Range "range" Error Value "The number is out of the range of its type";
    CodeUnknown "code-unknown" Error CodeInvalid "The code is not in the value set that is required";
    CodingMissing "coding-missing" Error CodeInvalid "A code of the value set that is required is missing";
    ReferenceForm "reference-form" Error Value "The text is no reference";
    ReferenceRelative "reference-relative" Warning Value "The reference is a relative URL, but no Type/id: nobody can follow it";
    ReferenceConditional "reference-conditional" Error Value "Conditional references stand only in a Bundle";
    ReferenceTarget "reference-target" Error Structure "The element does not refer to this type";
    ReferenceType "reference-type" Error Value "Reference.type does not agree with what is referred to";
    ContainedNotFound "contained-not-found" Error NotFound "No contained resource has this id";
    ContainedWithoutId "contained-without-id" Error Required "A contained resource has an id";
    ContainedRepeated "contained-repeated" Error Duplicate "The ids of contained resources differ";
    ContainedNested "contained-nested" Error Structure "A contained resource contains none";
    ContainedUnreferenced "contained-unreferenced" Error Invariant "A contained resource is referred to, or refers to what contains it";
    ContainedMeta "contained-meta" Error Invariant "A contained resource has no version, update time or security label of its own";
    ContainedNarrative "contained-narrative" Error Invariant "A contained resource has no narrative";
    ExtensionContent "extension-content" Error Invariant "An extension has either a value or extensions";
    ExtensionUrl "extension-url" Error Extension "The url of an extension is absolute, unless the extension is part of another";
    NarrativeMalformed "narrative-malformed" Error Structure "The narrative is no well-formed XHTML div";
    NarrativeElement "narrative-element" Error Invariant "The narrative has an XHTML element that FHIR does not allow";
    NarrativeAttribute "narrative-attribute" Error Invariant "The narrative has an XHTML attribute that FHIR does not allow";
    NarrativeActive "narrative-active" Error Security "The narrative would load or run something";
    NarrativeEmpty "narrative-empty" Error Invariant "The narrative has neither text nor image";
    Comments "comments" Warning Structure "Comments of an older FHIR version";
    Subsetted "subsetted" Error BusinessRule "A partial copy of a resource must not replace the whole";
    Invariant "invariant" Error Invariant "A rule of the definitions is broken";
    InvariantUnchecked "invariant-unchecked" Information Incomplete "A rule of the definitions could not be evaluated";
    ProfileUnknown "profile-unknown" Warning NotSupported "The profile that is named or required is not known here";
    ProfileMissing "profile-missing" Error Required "An element that the profile wants is missing";
    ProfileForbidden "profile-forbidden" Error Structure "The profile does not allow the element, or not so many";
    ProfileValue "profile-value" Error Value "The value is not the one that the profile asks for";
    ProfileType "profile-type" Error Structure "The profile does not allow this type here";
    ProfileTarget "profile-target" Error Structure "The profile does not allow a reference to this type";
    ProfileCode "profile-code" Error CodeInvalid "The code is not in the value set that the profile requires";
    ProfileCodeOther "profile-code-other" Warning CodeInvalid "The code is not in the value set that the profile prefers";
    ProfileSlice "profile-slice" Error Structure "The item is none of those that the profile allows";
    ProfileInvariant "profile-invariant" Error Invariant "A rule of the profile is broken";
    TooDeep "too-deep" Error TooCostly "The resource is nested more deeply than is checked";
    TooManyMembers "too-many-members" Error TooCostly "An object has more members than any type has elements";
    TooManyFindings "too-many-findings" Information Incomplete "There are more findings than are listed";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fhir_definitions::{BindingDef, Definitions, FhirVersion};

    use super::*;

    #[test]
    fn codes_differ_and_read_as_words() {
        let codes: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
        assert_eq!(codes.len(), Rule::ALL.len());
        for code in codes {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
        }
    }

    #[test]
    fn the_manual_lists_every_rule_as_it_is() {
        let manual = include_str!("../../../docs/validation.md");
        let rows: Vec<&str> =
            manual.lines().filter(|line| line.starts_with("| `")).take(Rule::ALL.len()).collect();
        let expected: Vec<String> = Rule::ALL
            .iter()
            .map(|rule| {
                let (code, title) = (rule.code(), rule.title());
                format!("| `{code}` | {} | {} | {title} |", rule.severity(), rule.issue_type())
            })
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn every_version_has_the_issue_types() {
        for version in FhirVersion::ALL {
            let outcome = Definitions::of(version).type_named("OperationOutcome").unwrap();
            let issue = outcome.element("issue").unwrap().children().unwrap();
            let codes =
                issue.element("code").unwrap().binding().and_then(BindingDef::required_codes).unwrap();
            for rule in Rule::ALL {
                assert!(codes.contains(rule.issue_type().code()), "{version} {rule}");
            }
        }
    }

    #[test]
    fn a_finding_becomes_an_issue() {
        let finding = Finding {
            severity: IssueSeverity::Error,
            rule: Rule::ElementMissing,
            expression: "Flag".into(),
            message: "add the element code".into(),
        };
        let issue = finding.to_issue("urn:rules");
        assert_eq!(
            fhir_model::OperationOutcome::new(issue)
                .to_object()
                .get("issue")
                .unwrap()
                .at(0)
                .unwrap()
                .to_string(),
            r#"{"severity":"error","code":"required","details":{"coding":[{"system":"urn:rules","#.to_owned()
                + r#""code":"element-missing","display":"A mandatory element is missing"}]},"#
                + r#""diagnostics":"add the element code","expression":["Flag"]}"#
        );
        assert_eq!(finding.to_string(), "Flag: add the element code");
        let nowhere = Finding { expression: String::new(), ..finding };
        assert!(nowhere.to_issue("s").expression.is_empty());
        assert_eq!(nowhere.to_string(), "add the element code");
    }
}
