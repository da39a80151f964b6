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
