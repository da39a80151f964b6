//! What the published documents of Spine say in two ways. The default is the reading that this
//! project follows; each other one that was in use can be chosen.

use fhir_model::IssueType;
use serde::{Deserialize, Serialize};

use crate::rule::{Rule, RuleCoding};
use crate::spine::catalogue::{self, SYSTEM, VALUE_SET, concept, pages, rows};

/// Declares readings of one question: each with the name that configuration has for it.
macro_rules! readings {
    ($($(#[$doc:meta])* $name:ident { $(#[$first_doc:meta])* $first:ident, $(#[$other_doc:meta])* $other:ident })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
            #[serde(rename_all = "kebab-case")]
            pub enum $name {
                $(#[$first_doc])*
                #[default]
                $first,
                $(#[$other_doc])*
                $other,
            }
        )*
    };
}

readings! {
    /// The displays of codes.
    Displays {
        /// Those of the code system.
        CodeSystem,
        /// Those that the error table of Spine Core prints, some with a full stop.
        Pages
    }
    /// `details.coding.system`.
    CodingSystem {
        /// The URL of the code system, which the profile fixes.
        CodeSystem,
        /// The URL of the value set, which most published examples have.
        ValueSet
    }
    /// How "access denied" is spelt.
    AccessDenied {
        /// `ACCESS_DENIED`, as the pages print it.
        Pages,
        /// `ACCESS DENIED`, as the code system has it.
        CodeSystem
    }
    /// How the consent of organisations is spelt.
    OrganisationConsent {
        /// `NO_ORGANISATIONAL_CONSENT`, as the code system has it.
        CodeSystem,
        /// `NO_ORGANISATION_CONSENT`, as the page prints it.
        Pages
    }
    /// The issue type of a token that is refused.
    TokenIssue {
        /// That of the page about tokens.
        Structure,
        /// That of the error table.
        Invalid
    }
    /// The issue type of a fault of the server.
    InternalIssue {
        /// That of the published example.
        Exception,
        /// That of the error table.
        Processing
    }
    /// The issue type of a version conflict.
    ConflictIssue {
        /// That of the Personal Demographics Service.
        Conflict,
        /// That of the Reasonable Adjustment guide's example.
        Forbidden
    }
    /// The issue type of a precondition that failed, or is missing.
    PreconditionIssue {
        /// That of the Personal Demographics Service.
        Structure,
        /// That of header fields.
        Invalid
    }
    /// What a body is that is no JSON or XML at all. The error table has two rows for it.
    Malformed {
        /// `MESSAGE_NOT_WELL_FORMED`.
        MessageNotWellFormed,
        /// `BAD_REQUEST`.
        BadRequest
    }
    /// The issue type of a change that the state of a resource forbids.
    TransitionIssue {
        /// What it is by FHIR's own list.
        BusinessRule,
        /// That of the row `INVALID_RESOURCE`.
        Invalid
    }
    /// What a deletion answers.
    Deletion {
        /// 204 and nothing, as the page about deletions has it.
        NoContent,
        /// 200 and an outcome, as the error table has it.
        Outcome
    }
    /// What a search of the flags answers that finds nothing.
    EmptySearch {
        /// 200 and an empty Bundle, as the guide has it since 0.1.0.
        Bundle,
        /// 404 `NO_RECORD_FOUND`, as before.
        NoRecordFound
    }
    /// Whether `$removerarecord` of the flags has to say which version of the Consent it ends.
    RemovalIfMatch {
        /// As in the guide, which does not speak of it.
        Optional,
        /// As in the proxied product.
        Required
    }
    /// The version of a pointer that takes the place of another, in the record locator.
    ReplacementVersion {
        /// 1, as for every new pointer.
        One,
        /// One more than that of its predecessor, as up to version 2.3.0.
        Successor
    }
}

/// Which reading is followed, question by question.
///
/// ```
/// use rulebook::spine::Readings;
///
/// let readings = Readings::default().with("displays", "pages");
/// assert!(readings.is_some_and(|readings| readings != Readings::default()));
/// assert_eq!(Readings::default().with("displays", "others"), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Readings {
    /// The displays of codes.
    pub displays: Displays,
    /// `details.coding.system`.
    pub coding_system: CodingSystem,
    /// How "access denied" is spelt.
    pub access_denied: AccessDenied,
    /// How the consent of organisations is spelt.
    pub organisation_consent: OrganisationConsent,
    /// The issue type of a token that is refused.
    pub token_issue: TokenIssue,
    /// The issue type of a fault of the server.
    pub internal_issue: InternalIssue,
    /// The issue type of a version conflict.
    pub conflict_issue: ConflictIssue,
    /// The issue type of a precondition that failed, or is missing.
    pub precondition_issue: PreconditionIssue,
    /// What a body is that is no JSON or XML at all.
    pub malformed: Malformed,
    /// The issue type of a change that the state of a resource forbids.
    pub transition_issue: TransitionIssue,
    /// What a deletion answers.
    pub deletion: Deletion,
    /// What a search of the flags answers that finds nothing.
    pub empty_search: EmptySearch,
    /// Whether `$removerarecord` of the flags has to say which version of the Consent it ends.
    pub removal_if_match: RemovalIfMatch,
    /// The version of a pointer that takes the place of another, in the record locator.
    pub replacement_version: ReplacementVersion,
}

impl Readings {
    /// The same with another answer to one question, both named as in configuration; nothing if
    /// there is no such question or answer.
    pub fn with(self, question: &str, answer: &str) -> Option<Self> {
        let mut table = toml::Table::try_from(self).ok()?;
        table.insert(question.to_owned(), answer.into());
        table.try_into().ok()
    }

    /// A row under these readings.
    #[must_use]
    pub fn rule(&self, rule: Rule) -> Rule {
        let well_formed = rule.coding.code != concept::MESSAGE_NOT_WELL_FORMED.code;
        let rule = match self.malformed {
            Malformed::BadRequest if !well_formed => rows::BAD_REQUEST,
            _ => rule,
        };
        let code = rule.coding.code;
        let other = match rule.issue {
            IssueType::Structure if code == concept::MISSING_OR_INVALID_HEADER.code => {
                (self.token_issue == TokenIssue::Invalid).then_some(IssueType::Invalid)
            }
            IssueType::Structure if code == concept::PRECONDITION_FAILED.code => {
                (self.precondition_issue == PreconditionIssue::Invalid).then_some(IssueType::Invalid)
            }
            IssueType::Exception => {
                (self.internal_issue == InternalIssue::Processing).then_some(IssueType::Processing)
            }
            IssueType::Conflict => {
                (self.conflict_issue == ConflictIssue::Forbidden).then_some(IssueType::Forbidden)
            }
            IssueType::BusinessRule if code == concept::INVALID_RESOURCE.code => {
                (self.transition_issue == TransitionIssue::Invalid).then_some(IssueType::Invalid)
            }
            _ => None,
        };
        Rule { issue: other.unwrap_or(rule.issue), coding: self.coding(rule.coding), ..rule }
    }

    /// A coding under these readings.
    #[must_use]
    pub fn coding(&self, coding: RuleCoding) -> RuleCoding {
        let mut coding = coding;
        if self.displays == Displays::Pages {
            let printed = pages::DISPLAYS.iter().find(|(code, _)| *code == coding.code);
            coding.display = printed.map(|(_, display)| *display).or(coding.display);
        }
        if coding.code == catalogue::ACCESS_DENIED_AS_PRINTED.code
            && self.access_denied == AccessDenied::CodeSystem
        {
            coding.code = concept::ACCESS_DENIED.code;
        }
        if coding.code == concept::NO_ORGANISATIONAL_CONSENT.code
            && self.organisation_consent == OrganisationConsent::Pages
        {
            coding.code = pages::NO_ORGANISATION_CONSENT;
        }
        if coding.system == SYSTEM && self.coding_system == CodingSystem::ValueSet {
            coding.system = VALUE_SET;
        }
        coding
    }
}
