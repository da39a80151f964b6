//! The fixed part of an exploration: who takes part, under which policy, what may go wrong.

use std::fmt;

use versioning_core::{
    Current, EntityTag, Head, HttpDate, LockPolicy, Precondition, Refusal, TagSet, Timestamp, VersionNumber,
    VersionTag, VersionToken, WriteOperation,
};

/// What one client does, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// PUT of its own content, whatever is there.
    BlindPut,
    /// GET, then PUT of what it read and its own mark, with If-Match.
    ReadPut,
    /// GET, then PUT of what it read and its own mark, with If-Unmodified-Since.
    DatedPut,
    /// PUT with If-Match: *.
    AnyPut,
    /// PUT with If-None-Match: *.
    CreateOnce,
    /// POST under an id that all of them drew.
    Create,
    /// PATCH that adds its mark, without a precondition.
    Patch,
    /// DELETE, whatever is there.
    Delete,
    /// GET, then DELETE with If-Match.
    ReadDelete,
    /// An administrator removes the key with its history.
    Purge,
}

impl Kind {
    pub(crate) const ALL: [Self; 10] = [
        Self::BlindPut,
        Self::ReadPut,
        Self::DatedPut,
        Self::AnyPut,
        Self::CreateOnce,
        Self::Create,
        Self::Patch,
        Self::Delete,
        Self::ReadDelete,
        Self::Purge,
    ];

    pub(crate) fn operation(self) -> WriteOperation {
        match self {
            Self::BlindPut | Self::ReadPut | Self::DatedPut | Self::AnyPut | Self::CreateOnce => {
                WriteOperation::Update
            }
            Self::Create => WriteOperation::Create,
            Self::Patch => WriteOperation::Patch,
            Self::Delete | Self::ReadDelete => WriteOperation::Delete,
            Self::Purge => unreachable!("a purge is no attempt"),
        }
    }

    /// Whether the client looks first and then says what it saw.
    pub(crate) fn reads_first(self) -> bool {
        matches!(self, Self::ReadPut | Self::DatedPut | Self::ReadDelete)
    }

    /// Whether the client's If-Match names one version.
    pub(crate) fn names_a_version(self) -> bool {
        matches!(self, Self::ReadPut | Self::ReadDelete)
    }

    /// Whether what it writes is what it saw, and a mark of its own.
    pub(crate) fn adds(self) -> bool {
        matches!(self, Self::ReadPut | Self::DatedPut | Self::Patch)
    }

    /// The only reasons for which this client may be refused.
    pub(crate) fn may_hear(self, refusal: Refusal, policy: &LockPolicy) -> bool {
        let strict = policy.if_match == LockPolicy::spine().if_match;
        match refusal {
            Refusal::Stale(_) => self.names_a_version(),
            Refusal::IfMatchMissing(_) => {
                strict && !self.names_a_version() && !matches!(self, Self::Create | Self::Purge)
            }
            Refusal::NothingToMatch(_) => self.reads_first() || self == Self::AnyPut,
            Refusal::ModifiedSince(_) => self == Self::DatedPut,
            Refusal::Exists(_) => self == Self::CreateOnce,
            Refusal::NotFound | Refusal::Gone(_) => self == Self::Patch || (strict && self.reads_first()),
            Refusal::IdTaken => self == Self::Create,
            Refusal::Contended { attempts } => {
                !self.reads_first() && attempts == policy.retries_max.saturating_add(1)
            }
            Refusal::NamedByIfNoneMatch(_) | Refusal::CreateNotAllowed => false,
        }
    }
}

/// A mistake built in on purpose: the explorer has to find each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The store commits whatever the guard says.
    GuardIgnored,
    /// The driver commits a retry under the guard of its first load.
    GuardOfOlderLoad,
    /// The driver commits a retry with the content it prepared from its first load.
    ContentOfOlderLoad,
    /// The driver takes every unknown outcome for "did not happen".
    UnknownRetried,
    /// The driver takes a request that is not in the history for one that did not happen, though
    /// a purge may have removed it.
    PurgedRetried,
    /// The driver calls a lost commit contended instead of asking the core again.
    LossNotDecided,
}

/// Everything that does not change while clients take turns.
pub(crate) struct World {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) policy: LockPolicy,
    pub(crate) fault: Fault,
    pub(crate) start: Current,
    /// So many replies of the store may be lost on the way.
    pub(crate) lost_replies_max: u8,
    none: Precondition,
    any: Precondition,
    not_any: Precondition,
    named: Vec<Precondition>,
    dated: Vec<Precondition>,
}

/// Versions that a small world can reach.
const VERSIONS_MAX: u64 = 16;

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kinds, policy, fault, start, lost_replies_max, .. } = self;
        write!(f, "{kinds:?} from {start:?} with {fault:?}, {lost_replies_max} lost replies, {policy:?}")
    }
}

impl World {
    pub(crate) fn new(kinds: &[Kind], start: Current, policy: LockPolicy) -> Self {
        let none = Precondition::NONE;
        let named = (0..VERSIONS_MAX).map(|number| {
            let tag = EntityTag::of(token(VersionNumber::new(number)), policy.scheme);
            none.clone().with_if_match(TagSet::one(tag))
        });
        let dated = (0..VERSIONS_MAX).map(|number| {
            let date = HttpDate(stamp(VersionNumber::new(number)).seconds());
            none.clone().with_if_unmodified_since(date)
        });
        Self {
            kinds: kinds.to_vec(),
            policy,
            fault: Fault::None,
            start,
            lost_replies_max: 0,
            any: none.clone().with_if_match(TagSet::Any),
            not_any: none.clone().with_if_none_match(TagSet::Any),
            named: named.collect(),
            dated: dated.collect(),
            none,
        }
    }

    pub(crate) fn with_fault(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    pub(crate) fn with_lost_replies(self, lost_replies_max: u8) -> Self {
        Self { lost_replies_max, ..self }
    }

    /// What a client of this kind sends that has read `seen`.
    pub(crate) fn precondition(&self, kind: Kind, seen: Option<VersionNumber>) -> &Precondition {
        let seen = seen.and_then(|number| usize::try_from(number.get()).ok()).unwrap_or_default();
        match kind {
            Kind::BlindPut | Kind::Create | Kind::Patch | Kind::Delete | Kind::Purge => &self.none,
            Kind::AnyPut => &self.any,
            Kind::CreateOnce => &self.not_any,
            Kind::ReadPut | Kind::ReadDelete => &self.named[seen],
            Kind::DatedPut => &self.dated[seen],
        }
    }

    /// No client may need more turns than this: a look, a load and a commit for every attempt,
    /// and for every reply that was lost a search for it and the commit again.
    pub(crate) fn turns_max(&self) -> u32 {
        1 + 2 * (u32::from(self.policy.retries_max) + 1) + 2 * u32::from(self.lost_replies_max)
    }
}

pub(crate) fn token(number: VersionNumber) -> VersionToken {
    VersionToken { number, tag: VersionTag(number.get().wrapping_mul(0x9e37_79b9_7f4a_7c15)) }
}

/// Two versions share a second, so that dates have something to fail on.
pub(crate) fn stamp(number: VersionNumber) -> Timestamp {
    let number = i64::try_from(number.get()).unwrap_or(i64::MAX / 500_000);
    Timestamp(number * 500_000)
}

pub(crate) fn head(number: VersionNumber, replaced: Current) -> Head {
    let previous_at = replaced.head().map(|head| head.at);
    Head { version: token(number), at: stamp(number), previous_at }
}
