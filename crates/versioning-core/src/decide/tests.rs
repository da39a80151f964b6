//! One test per rule that is easy to get wrong. The whole table is in `tests/it`.

use super::*;
use crate::{EntityTag, Timestamp, VersionTag};

const HEAD: Head = Head {
    version: VersionToken { number: VersionNumber::new(2), tag: VersionTag(7) },
    at: Timestamp(60_500_000),
    previous_at: Some(Timestamp(1_000_000)),
};

fn if_match(tag: &[u8]) -> Precondition {
    Precondition::NONE.with_if_match(TagSet::one(EntityTag::new(true, tag)))
}

#[test]
fn an_ignored_if_match_does_not_ask_for_existence_either() {
    let policy = LockPolicy {
        if_match: IfMatchPolicy::Ignored,
        no_current: NoCurrentVersion::NotFound,
        ..LockPolicy::fhir()
    };
    let update = Intent::Update(Content::Unseen);
    for current in [Current::NEVER, Current::Deleted(HEAD)] {
        for intent in [update, Intent::Delete] {
            assert_eq!(
                decide(&if_match(b"9"), current, intent, &policy),
                decide(&Precondition::NONE, current, intent, &policy),
            );
        }
    }
}

fn compulsory(update_create: UpdateCreate, no_current: NoCurrentVersion) -> LockPolicy {
    LockPolicy { if_match: IfMatchPolicy::Compulsory, update_create, no_current, ..LockPolicy::fhir() }
}

#[test]
fn any_counts_as_missing_where_missing_is_noticed_before_existence() {
    let policy = compulsory(UpdateCreate::Refused, NoCurrentVersion::FailsPrecondition);
    let any = Precondition::NONE.with_if_match(TagSet::Any);
    let missing = |named| Decision::Refuse(Refusal::IfMatchMissing(named));
    for intent in [Intent::Patch(Content::Unseen), Intent::Delete] {
        assert_eq!(decide(&any, Current::NEVER, intent, &policy), missing(None));
    }
    for intent in [Intent::Update(Content::Unseen), Intent::Patch(Content::Unseen), Intent::Delete] {
        // The tombstone is what the client could have named, so the refusal shows it.
        assert_eq!(decide(&any, Current::Deleted(HEAD), intent, &policy), missing(Some(HEAD.version)));
    }
}

#[test]
fn with_update_create_a_missing_if_match_concerns_live_resources_only() {
    let update = Intent::Update(Content::Unseen);
    for no_current in [NoCurrentVersion::FailsPrecondition, NoCurrentVersion::NotFound] {
        let policy = compulsory(UpdateCreate::Allowed, no_current);
        let decision = decide(&Precondition::NONE, Current::NEVER, update, &policy);
        assert!(matches!(decision, Decision::Write { change: Change::Created, .. }), "{decision:?}");
        let decision = decide(&Precondition::NONE, Current::Live(HEAD), update, &policy);
        assert_eq!(decision, Decision::Refuse(Refusal::IfMatchMissing(Some(HEAD.version))));
    }
}

fn unmodified_since(second: i64) -> Precondition {
    Precondition::NONE.with_if_unmodified_since(crate::HttpDate(second))
}

#[test]
fn a_date_cannot_vouch_for_the_first_version_after_a_purge() {
    // Version 1 was read in second 60 and purged; version 2 came in the same second.
    let after_purge = Head { previous_at: None, ..HEAD };
    let first =
        Head { version: VersionToken { number: VersionNumber::FIRST, ..HEAD.version }, ..after_purge };
    let update = |head| {
        decide(
            &unmodified_since(60),
            Current::Live(head),
            Intent::Update(Content::Unseen),
            &LockPolicy::fhir(),
        )
    };
    assert_eq!(update(after_purge), Decision::Refuse(Refusal::ModifiedSince(HEAD.version)));
    assert!(matches!(update(first), Decision::Write { .. }));
}

#[test]
fn a_read_by_date_is_judged_as_the_rfc_has_it() {
    let twice_in_a_second = Head { previous_at: Some(Timestamp(60_000_000)), ..HEAD };
    let current = Current::Live(twice_in_a_second);
    let decision = decide(&unmodified_since(60), current, Intent::Read, &LockPolicy::fhir());
    assert_eq!(decision, Decision::Show(twice_in_a_second));
    let decision = decide(&unmodified_since(60), current, Intent::Delete, &LockPolicy::fhir());
    assert_eq!(decision, Decision::Refuse(Refusal::ModifiedSince(HEAD.version)));
}
