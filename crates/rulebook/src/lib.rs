#![doc = include_str!("../README.md")]

mod failure;
mod fhir;
mod interaction;
mod rule;
mod spine;
mod success;

pub use failure::{Failure, ParameterProblem, Refused, Resource};
pub use fhir::{ConditionalDelete, FhirRulebook, LockSettings};
pub use interaction::Interaction;
pub use rule::{ClientId, LocationForm, OutcomeShape, Return, Rule, RuleCoding, Rulebook, Verdict, Wording};
pub use spine::{ConflictBody, SpineRulebook};
pub use success::Success;
