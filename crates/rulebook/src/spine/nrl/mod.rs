//! The National Record Locator: a register of pointers to records that providers keep.
//!
//! A pointer is a DocumentReference by the profile NRL-DocumentReference-1. Providers register
//! pointers, put a new one in the place of an old one, take one back by PATCH, and delete; consumers
//! see the current ones. Nothing of it uses If-Match: what keeps writers apart is that a status
//! changes once, that a master identifier is used once, and that a replacement is one commit.

mod access;
mod offers;
mod patch;
mod pointer;
mod rows;
mod rulebook;
mod rules;
#[cfg(test)]
mod samples;
mod search;
mod status;
mod supersede;
mod terminology;
mod urls;

use fhir_model::json::{Object, Value};
use versioning_core::{IfMatchPolicy, LockPolicy, VersionScheme};

use self::pointer::Pointer;
use self::status::{Event, Status, next};
use super::headers::Security;
use super::readings::{Readings, ReplacementVersion};
use super::{ConflictBody, Directory, SpineRulebook, identifiers};
use crate::fhir::LockSettings;
use crate::{Change, Failure, Found, Rule, SideWrite, Transition, Unique, scopes};

/// The only resource type there is.
const TYPE: &str = "DocumentReference";

/// Which published text the answer to a PATCH follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NrlSpec {
    /// The draft of 2019: `Location`, and diagnostics without the URL.
    #[default]
    Draft2019,
    /// Version 2.8.0: no `Location`, the URL in the diagnostics.
    V2_8_0,
}

/// Which version's error table answers follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NrlErrors {
    /// That of 2.8.0.
    #[default]
    V2_8_0,
    /// That of 2.3.0: other displays, a warning for a pointer that is not current, other words for a
    /// missing token, an older code system for media types.
    V2_3_0,
}

/// The rules of the National Record Locator (STU3).
#[derive(Clone, Debug)]
pub struct NrlRulebook {
    core: SpineRulebook,
    locks: LockSettings,
    spec: NrlSpec,
    errors: NrlErrors,
    security: Security,
}

impl NrlRulebook {
    /// With the settings given; [`Self::default_locks`] are the published ones.
    pub fn new(locks: LockSettings, spec: NrlSpec, security: Security) -> Self {
        let core = SpineRulebook::new(locks.clone(), ConflictBody::default());
        Self { core, locks, spec, errors: NrlErrors::default(), security }
    }

    /// The same with the error table of another version.
    #[must_use]
    pub fn with_errors(self, errors: NrlErrors) -> Self {
        Self { errors, ..self }
    }

    /// The same with other readings of what the documents say in two ways.
    #[must_use]
    pub fn with_readings(self, readings: Readings) -> Self {
        Self { core: self.core.with_readings(readings), ..self }
    }

    /// The same with another code for version conflicts, for clients that send If-Match.
    #[must_use]
    pub fn with_conflict_body(self, conflict_body: ConflictBody) -> Self {
        Self { core: self.core.with_conflict_body(conflict_body), ..self }
    }

    /// A row under the readings and in the version that are followed.
    fn read(&self, rule: Rule) -> Rule {
        let rule = if self.errors == NrlErrors::V2_3_0 { rows::of_2_3_0(rule) } else { rule };
        self.core.readings().rule(rule)
    }

    /// No If-Match is asked for, one that is sent counts; whole numbers as version ids.
    pub fn default_locks() -> LockSettings {
        let policy = LockPolicy {
            if_match: IfMatchPolicy::Optional,
            scheme: VersionScheme::Sequential,
            ..LockPolicy::spine()
        };
        LockSettings { policy, ..SpineRulebook::default_locks() }
    }

    fn directory(&self) -> &Directory {
        &self.security.directory
    }

    /// A new pointer, perhaps in the place of another.
    fn created(
        &self,
        change: &Change<'_>,
        mut after: Value,
        found: &[Vec<Found>],
    ) -> Result<Transition, Failure> {
        let pointer = Pointer(&after);
        let checked = rules::check(pointer, change.caller, self.directory())?;
        let unique = checked.master_identifier.map(|identifier| Unique::Claim {
            scope: scopes::MASTER_IDENTIFIER,
            value: identifier.claim(checked.nhs_number),
            otherwise: Box::new(rows::duplicate(identifier.system, identifier.value)),
        });
        let (mut also, mut first) = (Vec::new(), None);
        if pointer.relates() {
            let found = found.first().map(Vec::as_slice).unwrap_or_default();
            let is_own = |custodian: &str| {
                let code = custodian.strip_prefix(identifiers::ORGANIZATION_URL).unwrap_or_default();
                rules::check_sender(code, change.caller, self.directory()).is_ok()
            };
            let (old, status) = supersede::replace(pointer, found, is_own)?;
            if self.core.readings().replacement_version == ReplacementVersion::Successor {
                first = Some(old.version.number.next());
            }
            also.push(SideWrite {
                resource_type: TYPE.to_owned(),
                id: old.id.clone(),
                after: with_status(old.resource.clone(), status),
            });
        }
        let status = next(None, Event::Registered)?;
        after = with_status(after, status);
        Ok(Transition {
            after: Some(after),
            also,
            unique: unique.into_iter().collect(),
            warnings: Vec::new(),
            first,
        })
    }

    /// The pointer that a change concerns, if the sender may change it.
    fn owned<'a>(&self, change: &Change<'a>) -> Result<Pointer<'a>, Failure> {
        let before = Pointer(change.before.ok_or_else(|| rows::no_pointer(change.id))?);
        rules::check_owner(before, change.caller, self.directory())?;
        Ok(before)
    }
}

/// Only current pointers are shown.
fn check_current(pointer: Pointer<'_>) -> Result<(), Failure> {
    if pointer.status() == Some(Status::Current) { Ok(()) } else { Err(rows::inactive()) }
}

/// The same pointer in another state.
fn with_status(pointer: Value, status: Status) -> Value {
    match pointer {
        Value::Object(mut object) => {
            put(&mut object, "status", status.code());
            Value::Object(object)
        }
        other => other,
    }
}

fn put(object: &mut Object, name: &str, text: &str) {
    match object.get_mut(name) {
        Some(value) => *value = Value::from(text),
        None => drop(object.insert(name, Value::from(text))),
    }
}
