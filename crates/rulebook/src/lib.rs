#![doc = include_str!("../README.md")]

mod conflict;
mod failure;
mod fhir;
mod interaction;
mod rule;
mod spine;
mod success;

pub use conflict::{ChangedElement, ChangesSince, Conflict, ExplanationCode, OwnChange};
pub use failure::{Failure, ParameterProblem, Refused, Resource};
pub use fhir::{FhirRulebook, LockSettings};
pub use interaction::Interaction;
pub use rule::{ClientId, LocationForm, OutcomeShape, Return, Rule, RuleCoding, Rulebook, Verdict, Wording};
pub use spine::{ConflictBody, SpineRulebook};
pub use success::Success;
