//! The small domain that the decision tests enumerate: labels for states, preconditions, intents
//! and policies, and the values behind each label.

use versioning_core::{
    Content, Current, EntityTag, Head, HttpDate, IdenticalUpdate, IfMatchPolicy, Intent, LockPolicy,
    NoCurrentVersion, Precondition, TagSet, Timestamp, UpdateCreate, VersionNumber, VersionScheme,
    VersionTag, VersionToken,
};

/// When the newest version was committed: a second, and half of one more.
const SECOND: i64 = 1_527_264_590;
const AT: Timestamp = Timestamp(SECOND * 1_000_000 + 500_000);

/// When the version before the newest one was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Previous {
    Unknown,
    SameSecond,
    Earlier,
}

/// The state of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Never,
    Purged,
    LiveFirst,
    Live(Previous),
    Deleted(Previous),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfMatch {
    None,
    Any,
    Current,
    Stale,
    Foreign,
    StaleAndCurrent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfNoneMatch {
    None,
    Any,
    Current,
    Other,
}

/// A date field, by how it compares with the second of the newest version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Date {
    None,
    Before,
    Same,
    After,
}

/// The four fields of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) if_match: IfMatch,
    pub(crate) if_none_match: IfNoneMatch,
    pub(crate) modified_since: Date,
    pub(crate) unmodified_since: Date,
}

impl State {
    pub(crate) const ALL: [Self; 9] = [
        Self::Never,
        Self::Purged,
        Self::LiveFirst,
        Self::Live(Previous::Unknown),
        Self::Live(Previous::SameSecond),
        Self::Live(Previous::Earlier),
        Self::Deleted(Previous::Unknown),
        Self::Deleted(Previous::SameSecond),
        Self::Deleted(Previous::Earlier),
    ];

    pub(crate) fn current(self) -> Current {
        match self {
            Self::Never => Current::Absent { floor: VersionNumber::new(0) },
            Self::Purged => Current::Absent { floor: VersionNumber::new(3) },
            Self::LiveFirst | Self::Live(_) => Current::Live(self.head()),
            Self::Deleted(_) => Current::Deleted(self.head()),
        }
    }

    /// The newest version, for the states that have one.
    pub(crate) fn head(self) -> Head {
        let previous = match self {
            Self::Live(previous) | Self::Deleted(previous) => previous,
            Self::Never | Self::Purged | Self::LiveFirst => Previous::Unknown,
        };
        let previous_at = match previous {
            Previous::Unknown => None,
            Previous::SameSecond => Some(Timestamp(SECOND * 1_000_000)),
            Previous::Earlier => Some(Timestamp(SECOND * 1_000_000 - 1)),
        };
        Head { version: self.version(), at: AT, previous_at }
    }

    /// The newest version. Where there is none, the one that an absent-minded client names.
    pub(crate) fn version(self) -> VersionToken {
        token(if self == Self::LiveFirst { 1 } else { 2 })
    }
}

fn token(number: u64) -> VersionToken {
    VersionToken {
        number: VersionNumber::new(number),
        tag: VersionTag(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
    }
}

impl Fields {
    pub(crate) const NONE: Self = Self {
        if_match: IfMatch::None,
        if_none_match: IfNoneMatch::None,
        modified_since: Date::None,
        unmodified_since: Date::None,
    };

    pub(crate) fn all() -> Vec<Self> {
        const IF_MATCH: [IfMatch; 6] = [
            IfMatch::None,
            IfMatch::Any,
            IfMatch::Current,
            IfMatch::Stale,
            IfMatch::Foreign,
            IfMatch::StaleAndCurrent,
        ];
        const IF_NONE_MATCH: [IfNoneMatch; 4] =
            [IfNoneMatch::None, IfNoneMatch::Any, IfNoneMatch::Current, IfNoneMatch::Other];
        const DATES: [Date; 4] = [Date::None, Date::Before, Date::Same, Date::After];

        let mut all = Vec::new();
        for if_match in IF_MATCH {
            for if_none_match in IF_NONE_MATCH {
                for modified_since in DATES {
                    for unmodified_since in DATES {
                        all.push(Self { if_match, if_none_match, modified_since, unmodified_since });
                    }
                }
            }
        }
        all
    }

    /// What a client sends that knows `version` as the newest one.
    pub(crate) fn precondition(self, version: VersionToken, scheme: VersionScheme) -> Precondition {
        let mut precondition = Precondition::NONE;
        if let Some(tags) = self.if_match_tags(version, scheme) {
            precondition = precondition.with_if_match(tags);
        }
        if let Some(tags) = self.if_none_match_tags(version, scheme) {
            precondition = precondition.with_if_none_match(tags);
        }
        if let Some(date) = self.modified_since.value() {
            precondition = precondition.with_if_modified_since(date);
        }
        if let Some(date) = self.unmodified_since.value() {
            precondition = precondition.with_if_unmodified_since(date);
        }
        precondition
    }

    fn if_match_tags(self, version: VersionToken, scheme: VersionScheme) -> Option<TagSet> {
        // Strong on purpose: the comparison has to be weak for If-Match too.
        let current = EntityTag::new(false, scheme.print(version).as_bytes());
        let stale = EntityTag::of(token(version.number.get() + 7), scheme);
        match self.if_match {
            IfMatch::None => None,
            IfMatch::Any => Some(TagSet::Any),
            IfMatch::Current => Some(TagSet::one(current)),
            IfMatch::Stale => Some(TagSet::one(stale)),
            IfMatch::Foreign => Some(TagSet::one(EntityTag::new(true, b"2,\xff not from here"))),
            IfMatch::StaleAndCurrent => Some(TagSet::Tags { first: stale, more: vec![current] }),
        }
    }

    fn if_none_match_tags(self, version: VersionToken, scheme: VersionScheme) -> Option<TagSet> {
        match self.if_none_match {
            IfNoneMatch::None => None,
            IfNoneMatch::Any => Some(TagSet::Any),
            IfNoneMatch::Current => Some(TagSet::one(EntityTag::of(version, scheme))),
            IfNoneMatch::Other => Some(TagSet::one(EntityTag::of(token(9), scheme))),
        }
    }
}

impl Date {
    fn value(self) -> Option<HttpDate> {
        match self {
            Self::None => None,
            Self::Before => Some(HttpDate(SECOND - 1)),
            Self::Same => Some(HttpDate(SECOND)),
            Self::After => Some(HttpDate(SECOND + 1)),
        }
    }
}

/// Every intent with every content.
pub(crate) const INTENTS: [Intent; 9] = [
    Intent::Create,
    Intent::Update(Content::Unseen),
    Intent::Update(Content::Identical),
    Intent::Update(Content::Different),
    Intent::Patch(Content::Unseen),
    Intent::Patch(Content::Identical),
    Intent::Patch(Content::Different),
    Intent::Delete,
    Intent::Read,
];

/// Every policy; `retries_max` does not concern a single decision.
pub(crate) fn policies() -> Vec<LockPolicy> {
    let mut all = Vec::new();
    for scheme in [VersionScheme::Sequential, VersionScheme::Opaque] {
        for if_match in [IfMatchPolicy::Ignored, IfMatchPolicy::Optional, IfMatchPolicy::Compulsory] {
            for update_create in [UpdateCreate::Allowed, UpdateCreate::Refused] {
                for no_current in [NoCurrentVersion::FailsPrecondition, NoCurrentVersion::NotFound] {
                    for identical in [IdenticalUpdate::Keep, IdenticalUpdate::NewVersion] {
                        let retries_max = 0;
                        all.push(LockPolicy {
                            scheme,
                            if_match,
                            update_create,
                            no_current,
                            identical,
                            retries_max,
                        });
                    }
                }
            }
        }
    }
    all
}
