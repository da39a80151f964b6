#![doc = include_str!("../README.md")]

mod admission;
mod change;
mod conflict;
mod difference;
mod failure;
mod fhir;
mod interaction;
mod offers;
mod rule;
pub mod spine;
mod success;

pub use admission::{Caller, RequestHead};
pub use change::{Breach, Change, Found, Lookup, SideWrite, Transition, Unique, Warning, scopes};
pub use conflict::{ChangedElement, ChangesSince, Conflict, ExplanationCode, OwnChange};
pub use difference::{StatusChange, StatusRule, differences};
pub use failure::{Failure, ParameterProblem, Refused, Resource};
pub use fhir::{ConditionalDelete, FhirRulebook, LockSettings, PatchEntries};
pub use interaction::Interaction;
pub use offers::{Format, OperationOffer, SearchOffer, StatementOffer, TypeOffer};
pub use rule::{ClientId, LocationForm, OutcomeShape, Return, Rule, RuleCoding, Rulebook, Verdict, Wording};
pub use spine::{ConflictBody, NrlRulebook, NrlSpec, SpineRulebook};
pub use success::Success;
