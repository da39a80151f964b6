//! What a rulebook says of a write: which change is allowed, what else it changes, and what must
//! be unique. All of it becomes one commit.

use fhir_model::IssueType;
use fhir_model::json::Value;
use storage_api::{Scope, Timestamp, VersionToken};
use versioning_core::{Precondition, VersionNumber};

use crate::{Caller, Failure, Interaction, Rule, RuleCoding};

/// A write that is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What is asked for.
    pub interaction: Interaction,
    /// The operation's name, without `$`, where the interaction is one.
    pub operation: Option<&'a str>,
    /// The type that is written; empty for an operation.
    pub resource_type: &'a str,
    /// The id that is written; empty for an operation.
    pub id: &'a str,
    /// What is stored, without version meta; `None` where there is nothing.
    pub before: Option<&'a Value>,
    /// Who asks.
    pub caller: &'a Caller,
    /// The public base URL of the API, without a slash at its end.
    pub base: &'a str,
    /// The time of day.
    pub now: Timestamp,
    /// On which condition. The service judges it where one resource is written; of an operation
    /// only the rulebook knows what it could be about.
    pub precondition: &'a Precondition,
    /// All resources that the same transaction creates or updates, this one among them, with their references resolved:
    /// those of entries that are carried out later, too. Nothing where the write is not part of a transaction.
    pub together: &'a [Value],
}

/// Resources that a rulebook wants to see before it judges a change. What it was shown is guarded:
/// if it is otherwise at the moment of the commit, the change is judged again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The resource with this id, if it exists.
    Key {
        /// Its type.
        resource_type: String,
        /// Its id.
        id: String,
    },
    /// Every resource that meets criteria, which must hold one positive equality.
    Criteria {
        /// Their type.
        resource_type: String,
        /// As in a search, decoded.
        criteria: Vec<(String, String)>,
    },
}

/// A resource that a lookup found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its type.
    pub resource_type: String,
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: VersionToken,
    /// What is stored, without version meta.
    pub resource: Value,
}

/// A change that is allowed, as it is to be carried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transition {
    /// What is stored under the id that is written; `None` for a deletion and for an operation,
    /// which writes nothing but `also`.
    pub after: Option<Value>,
    /// Resources that lookups found and that change with it.
    pub also: Vec<SideWrite>,
    /// What must be unique.
    pub unique: Vec<Unique>,
    /// What the client should know although the change is made.
    pub warnings: Vec<Warning>,
    /// The number of the first version of a resource that is created, where it is not the usual one. Numbers only ever
    /// go up: a lower one than is free does not count.
    pub first: Option<VersionNumber>,
}

impl Transition {
    /// The change as it was asked for, and nothing else.
    pub fn to(after: Option<Value>) -> Self {
        Self { after, ..Self::default() }
    }
}

/// A new version of a resource that a lookup found.
#[derive(Clone, Debug, PartialEq)]
pub struct SideWrite {
    /// Its type.
    pub resource_type: String,
    /// Its id.
    pub id: String,
    /// Its new content.
    pub after: Value,
}

/// Something that may be there once only. It is compared at the moment of the commit, so no race
/// can come between.
#[derive(Clone, Debug, PartialEq)]
pub enum Unique {
    /// No live resource meets the criteria, which must hold one positive equality.
    Unmatched {
        /// Of this type.
        resource_type: String,
        /// As in a search, decoded.
        criteria: Vec<(String, String)>,
        /// The refusal where one does.
        otherwise: Box<Failure>,
    },
    /// Nobody has used this value in this scope before. It is used up by the commit for ever, also
    /// when what used it is deleted.
    Claim {
        /// The scope; see [`scopes`].
        scope: Scope,
        /// The value.
        value: Vec<u8>,
        /// The refusal where somebody has.
        otherwise: Box<Failure>,
    },
}

/// The scopes of claims that rulebooks make. Numbers are stored, so they never change; those below
/// 16 belong to the service.
pub mod scopes {
    use storage_api::Scope;

    /// Master identifiers of record pointers, with the patient they belong to.
    pub const MASTER_IDENTIFIER: Scope = Scope(16);
}

/// Something that a client should know of a write that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which kind.
    pub issue: IssueType,
    /// The code that clients can act on.
    pub coding: RuleCoding,
    /// The sentence for people.
    pub diagnostics: String,
}

/// A rule of an API that a request breaks: its row in the API's table, with the words for this
/// occasion. Only the rulebook that has the row makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// The row.
    pub rule: Rule,
    /// The sentence for people.
    pub diagnostics: String,
    /// The place in the body, as FHIRPath, where there is one.
    pub place: Option<String>,
}

impl Breach {
    /// The failure of a request that breaks `rule`.
    pub fn failure(rule: Rule, diagnostics: impl Into<String>) -> Failure {
        Failure::Rule(Box::new(Self { rule, diagnostics: diagnostics.into(), place: None }))
    }

    /// The same, at a place in the body.
    pub fn failure_at(rule: Rule, place: impl Into<String>, diagnostics: impl Into<String>) -> Failure {
        let place = Some(place.into());
        Failure::Rule(Box::new(Self { rule, diagnostics: diagnostics.into(), place }))
    }
}
