//! Every combination of the small domain, decided by the core and by a restatement that knows no
//! better than to walk through the rules one after another.

use versioning_core::{
    Change, Content, Current, Decision, Expect, IdenticalUpdate, IfMatchPolicy, Intent, LockPolicy,
    NoCurrentVersion, Refusal, UpdateCreate, VersionNumber, decide,
};

use crate::domain::{Date, Fields, INTENTS, IfMatch, IfNoneMatch, Previous, State, policies};

/// The rules in the order in which they answer. Each names the situation by labels alone: no tag
/// is compared and no date is read here.
#[expect(clippy::too_many_lines, reason = "a flat list of rules is the point")]
fn restated(state: State, fields: Fields, intent: Intent, policy: &LockPolicy) -> Decision {
    let version = state.version();
    let head = state.head();
    let refuse = Decision::Refuse;

    let absent = matches!(state, State::Never | State::Purged);
    let deleted = matches!(state, State::Deleted(_));
    let live = !absent && !deleted;

    let read = intent == Intent::Read;
    let create = intent == Intent::Create;
    let put = matches!(intent, Intent::Update(_));
    let patch = matches!(intent, Intent::Patch(_));
    let delete = intent == Intent::Delete;

    let may_create = policy.update_create == UpdateCreate::Allowed;
    let not_found = policy.no_current == NoCurrentVersion::NotFound;

    // no-version: the field is not looked at.
    let if_match = if policy.if_match == IfMatchPolicy::Ignored { IfMatch::None } else { fields.if_match };
    // versioned-update: `*` names no version and counts as missing.
    let wanted = policy.if_match == IfMatchPolicy::Compulsory && (put || patch || delete);
    let missing = wanted && (if_match == IfMatch::None || if_match == IfMatch::Any);

    // -- an id that never existed is no target for PUT where only the server assigns ids
    if put && absent && !may_create && !not_found {
        return refuse(Refusal::CreateNotAllowed);
    }

    // -- compulsory If-Match missing: with update-create on it concerns live resources only
    if missing && live {
        return refuse(Refusal::IfMatchMissing(Some(version)));
    }
    if missing && !may_create && deleted && !not_found {
        return refuse(Refusal::IfMatchMissing(Some(version)));
    }
    if missing && !may_create {
        return refuse(Refusal::IfMatchMissing(None));
    }

    // -- existence, where the method cannot create
    if create && !absent {
        return refuse(Refusal::IdTaken);
    }
    if (read || patch) && absent {
        return refuse(Refusal::NotFound);
    }
    if (read || patch) && deleted {
        return refuse(Refusal::Gone(version));
    }

    // -- the same where a named version of nothing is "not found", not "precondition failed"
    if not_found && (put || delete) && absent && if_match != IfMatch::None {
        return refuse(Refusal::NotFound);
    }
    if not_found && (put || delete) && deleted && if_match != IfMatch::None {
        return refuse(Refusal::Gone(version));
    }
    if not_found && put && !may_create && absent {
        return refuse(Refusal::NotFound);
    }
    if not_found && put && !may_create && deleted {
        return refuse(Refusal::Gone(version));
    }

    // -- RFC 9110 13.2.2 step 1
    if if_match == IfMatch::Any && absent {
        return refuse(Refusal::NothingToMatch(None));
    }
    if if_match == IfMatch::Any && deleted {
        return refuse(Refusal::NothingToMatch(Some(version)));
    }
    if if_match != IfMatch::None && absent {
        return refuse(Refusal::NothingToMatch(None));
    }
    if if_match == IfMatch::Stale || if_match == IfMatch::Foreign {
        return refuse(Refusal::Stale(version));
    }

    // -- step 2: only without If-Match
    let date = fields.unmodified_since;
    if if_match == IfMatch::None && date != Date::None && absent {
        return refuse(Refusal::NothingToMatch(None));
    }
    if if_match == IfMatch::None && date == Date::Before {
        return refuse(Refusal::ModifiedSince(version));
    }
    if if_match == IfMatch::None && date == Date::Same && !read {
        // A write hears no where one second may hold two versions.
        if state == State::Live(Previous::SameSecond) || state == State::Deleted(Previous::SameSecond) {
            return refuse(Refusal::ModifiedSince(version));
        }
        // Version 2 without a known predecessor: a purge removed it, perhaps in this second.
        if state == State::Live(Previous::Unknown) || state == State::Deleted(Previous::Unknown) {
            return refuse(Refusal::ModifiedSince(version));
        }
    }

    // -- steps 3 and 4: only what is live can be named
    if read && fields.if_none_match == IfNoneMatch::Any {
        return Decision::NotModified(head);
    }
    if read && fields.if_none_match == IfNoneMatch::Current {
        return Decision::NotModified(head);
    }
    if read && fields.if_none_match == IfNoneMatch::None && fields.modified_since == Date::Same {
        return Decision::NotModified(head);
    }
    if read && fields.if_none_match == IfNoneMatch::None && fields.modified_since == Date::After {
        return Decision::NotModified(head);
    }
    if read {
        return Decision::Show(head);
    }
    if live && fields.if_none_match == IfNoneMatch::Any {
        return refuse(Refusal::Exists(version));
    }
    if live && fields.if_none_match == IfNoneMatch::Current {
        return refuse(Refusal::NamedByIfNoneMatch(version));
    }

    // -- nothing to do
    if delete && absent {
        return Decision::Keep(None);
    }
    if delete && deleted {
        return Decision::Keep(Some(head));
    }
    let identical = matches!(intent, Intent::Update(Content::Identical) | Intent::Patch(Content::Identical));
    if live && identical && policy.identical == IdenticalUpdate::Keep {
        return Decision::Keep(Some(head));
    }

    // -- a new version
    let write = |expect, next, change| Decision::Write { expect, next: VersionNumber::new(next), change };
    let newest = version.number.get();
    if state == State::Never {
        return write(Expect::Absent { floor: VersionNumber::new(0) }, 1, Change::Created);
    }
    if state == State::Purged {
        return write(Expect::Absent { floor: VersionNumber::new(3) }, 4, Change::Created);
    }
    if delete {
        return write(Expect::Exactly(version.number), newest + 1, Change::Deleted);
    }
    if deleted {
        return write(Expect::Exactly(version.number), newest + 1, Change::Restored);
    }
    write(Expect::Exactly(version.number), newest + 1, Change::Updated)
}

#[test]
fn every_combination_is_decided_as_the_rules_say() {
    let all_fields = Fields::all();
    let mut decided = 0_u32;
    let mut disagreements = Vec::new();
    for policy in policies() {
        for state in State::ALL {
            for fields in &all_fields {
                let precondition = fields.precondition(state.version(), policy.scheme);
                for intent in INTENTS {
                    let found = decide(&precondition, state.current(), intent, &policy);
                    let expected = restated(state, *fields, intent, &policy);
                    decided += 1;
                    if found != expected {
                        disagreements.push((policy, state, *fields, intent, found, expected));
                    }
                }
            }
        }
    }
    assert_eq!(decided, 48 * 9 * 384 * 9);
    if let Some((policy, state, fields, intent, found, expected)) = disagreements.first() {
        panic!(
            "{} of {decided} differ, the first: {intent:?} on {state:?} with {fields:?} under {policy:?}\n\
             decided  {found:?}\n\
             rules say {expected:?}",
            disagreements.len()
        );
    }
}

/// What a decision may never be, whatever the rules: checked without knowing them.
#[test]
fn every_write_is_guarded_by_what_was_decided_on() {
    for policy in policies() {
        for state in State::ALL {
            let current = state.current();
            for fields in Fields::all() {
                let precondition = fields.precondition(state.version(), policy.scheme);
                for intent in INTENTS {
                    let decision = decide(&precondition, current, intent, &policy);
                    let Decision::Write { expect, next, .. } = decision else { continue };
                    assert_ne!(intent, Intent::Read);
                    assert_eq!(next.get(), current.number().get() + 1);
                    match current {
                        Current::Absent { floor } => assert_eq!(expect, Expect::Absent { floor }),
                        Current::Live(head) | Current::Deleted(head) => {
                            assert_eq!(expect, Expect::Exactly(head.version.number));
                        }
                    }
                    assert!(
                        policy.if_match == IfMatchPolicy::Ignored || fields.if_match != IfMatch::Stale,
                        "a stale client writes: {state:?} {fields:?} {intent:?} {policy:?}"
                    );
                }
            }
        }
    }
}
