//! What a driver sees of one attempt. Several at once are explored in `tests/it`.

use super::*;
use crate::{EntityTag, TagSet, Timestamp, VersionScheme, VersionTag, VersionToken};

fn live(number: u64) -> Current {
    Current::Live(Head {
        version: VersionToken { number: VersionNumber::new(number), tag: VersionTag(number) },
        at: Timestamp::default(),
        previous_at: None,
    })
}

/// Loses one race after another; gives the number of commits tried and the reply.
fn lose_always(precondition: &Precondition, policy: &LockPolicy, operation: WriteOperation) -> (u32, Reply) {
    let mut effect = Attempt::start(precondition, policy, operation);
    let mut commits = 0;
    loop {
        effect = match effect {
            Effect::Load(loading) => loading.handle_loaded(live(u64::from(commits) + 1)),
            Effect::Prepare(preparing) => preparing.handle_prepared(Content::Different),
            Effect::Commit(committing) => {
                commits += 1;
                committing.handle_lost(live(u64::from(commits) + 1))
            }
            Effect::Reply(reply) => return (commits, reply),
        }
    }
}

#[test]
fn a_write_without_precondition_gives_up_after_its_bound() {
    for retries_max in [0, 1, 2, 64, u16::MAX - 1, u16::MAX] {
        let policy = LockPolicy { retries_max, ..LockPolicy::fhir() };
        for operation in [WriteOperation::Update, WriteOperation::Patch, WriteOperation::Delete] {
            let (commits, reply) = lose_always(&Precondition::NONE, &policy, operation);
            assert_eq!(commits, u32::from(retries_max) + 1);
            let attempts = retries_max.saturating_add(1);
            assert_eq!(reply, Reply::Refused(Refusal::Contended { attempts }));
        }
    }
}

#[test]
fn a_write_that_names_a_version_is_told_at_once() {
    let tag = EntityTag::of(
        VersionToken { number: VersionNumber::new(1), tag: VersionTag(1) },
        VersionScheme::Sequential,
    );
    let precondition = Precondition::NONE.with_if_match(TagSet::one(tag));
    for retries_max in [0, 64] {
        let policy = LockPolicy { retries_max, ..LockPolicy::fhir() };
        let (commits, reply) = lose_always(&precondition, &policy, WriteOperation::Update);
        assert_eq!(commits, 1);
        assert!(matches!(reply, Reply::Refused(Refusal::Stale(now)) if now.number.get() == 2));
    }
}

#[test]
fn a_stale_client_is_refused_before_its_content_is_asked_for() {
    let precondition = Precondition::NONE.with_if_match(TagSet::one(EntityTag::new(true, b"1")));
    let policy = LockPolicy::fhir();
    let Effect::Load(loading) = Attempt::start(&precondition, &policy, WriteOperation::Patch) else {
        panic!("an attempt begins by loading")
    };
    assert!(matches!(loading.handle_loaded(live(2)), Effect::Reply(Reply::Refused(Refusal::Stale(_)))));
}

#[test]
fn identical_content_ends_without_a_commit() {
    let policy = LockPolicy::fhir();
    let Effect::Load(loading) = Attempt::start(&Precondition::NONE, &policy, WriteOperation::Update) else {
        panic!("an attempt begins by loading")
    };
    let Effect::Prepare(preparing) = loading.handle_loaded(live(2)) else { panic!("content is wanted") };
    assert_eq!(preparing.current(), live(2));
    let effect = preparing.handle_prepared(Content::Identical);
    assert_eq!(effect, Effect::Reply(Reply::Kept(live(2).head().copied())));
}
