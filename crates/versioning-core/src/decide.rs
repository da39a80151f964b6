//! The decision: may this request go on, and what would it write?

use crate::current::{Current, Head};
use crate::policy::{IdenticalUpdate, IfMatchPolicy, LockPolicy, NoCurrentVersion, UpdateCreate};
use crate::tag::TagSet;
use crate::{Precondition, VersionNumber, VersionToken};

/// How the content of an update compares with what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// Not looked at yet: a stale client is refused before its body is parsed.
    Unseen,
    /// The same, byte for byte, apart from version meta.
    Identical,
    /// Another content.
    Different,
}

/// What a request wants of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Intent {
    /// POST: a new resource under an id that the server drew.
    Create,
    /// PUT.
    Update(Content),
    /// PATCH; the content is that of the patched resource.
    Patch(Content),
    /// DELETE.
    Delete,
    /// GET, HEAD and vread.
    Read,
}

/// What a commit must find for the decision to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expect {
    /// Nothing stored, with exactly this floor.
    Absent {
        /// The highest number used so far.
        floor: VersionNumber,
    },
    /// This version as the newest, live or deleted.
    Exactly(VersionNumber),
}

/// What a write does to its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// The key's first version, or the first after a purge.
    Created,
    /// A new version of a live resource.
    Updated,
    /// A new version after a deletion.
    Restored,
    /// A tombstone.
    Deleted,
}

/// Why a request may not go on. Statuses and words are the rulebook's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The policy wants If-Match and no version was named. Carries the version that the client
    /// could have named, if there is one: the head, or the tombstone where that can be restored.
    IfMatchMissing(Option<VersionToken>),
    /// If-Match names another version than the newest, given here.
    Stale(VersionToken),
    /// A version was named, or `*`, or a date, and there is no resource to compare it with; the
    /// tombstone, if the resource was deleted.
    NothingToMatch(Option<VersionToken>),
    /// If-None-Match is `*` and the resource exists.
    Exists(VersionToken),
    /// If-None-Match names the current version.
    NamedByIfNoneMatch(VersionToken),
    /// If-Unmodified-Since: modified since, or not to be told with a grain of one second.
    ModifiedSince(VersionToken),
    /// Never existed, or purged.
    NotFound,
    /// Deleted; the tombstone.
    Gone(VersionToken),
    /// PUT on an id that never existed where only the server assigns ids.
    CreateNotAllowed,
    /// The id drawn for a create is taken: draw another.
    IdTaken,
    /// Lost more races in a row than the policy's bound. Nothing was written.
    Contended {
        /// How often the write was decided.
        attempts: u16,
    },
}

/// The answer of [`decide`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Write version `next` if the store still has what is expected.
    Write {
        /// The guard.
        expect: Expect,
        /// The number of the new version.
        next: VersionNumber,
        /// What the write amounts to.
        change: Change,
    },
    /// A read goes on: this is the version it shows.
    Show(Head),
    /// Nothing has to be written and the request succeeds: identical content (the head), or a
    /// deletion of what is not there (the tombstone, or `None`).
    Keep(Option<Head>),
    /// 304: the client has the current version.
    NotModified(Head),
    /// The request fails.
    Refuse(Refusal),
}

/// Decides a request on the state of its key. Pure, and without allocation.
///
/// If-Match where it is compulsory comes first, then existence where the method cannot create,
/// then the preconditions in the order of RFC 9110 13.2.2. The decision holds for `current` only:
/// its [`Expect`] must be checked again in the commit that carries it out.
pub fn decide(
    precondition: &Precondition,
    current: Current,
    intent: Intent,
    policy: &LockPolicy,
) -> Decision {
    let decided = match intent {
        Intent::Read => read(precondition, &current, policy),
        Intent::Create => create(precondition, &current, policy),
        Intent::Update(content) => update(precondition, &current, content, policy),
        Intent::Patch(content) => patch(precondition, &current, content, policy),
        Intent::Delete => delete(precondition, &current, policy),
    };
    decided.unwrap_or_else(Decision::Refuse)
}

fn read(precondition: &Precondition, current: &Current, policy: &LockPolicy) -> Result<Decision, Refusal> {
    let head = match current {
        Current::Absent { .. } => return Err(Refusal::NotFound),
        Current::Deleted(tombstone) => return Err(Refusal::Gone(tombstone.version)),
        Current::Live(head) => head,
    };
    check_if_match_or_date(precondition, current, policy)?;
    let not_modified = match precondition.if_none_match() {
        Some(TagSet::Any) => true,
        Some(tags) => tags.names(head.version, policy.scheme),
        None => precondition.if_modified_since().is_some_and(|date| head.at.seconds() <= date.0),
    };
    Ok(if not_modified { Decision::NotModified(*head) } else { Decision::Show(*head) })
}

fn create(precondition: &Precondition, current: &Current, policy: &LockPolicy) -> Result<Decision, Refusal> {
    let Current::Absent { floor } = *current else { return Err(Refusal::IdTaken) };
    check_write(precondition, current, policy)?;
    Ok(create_above(floor))
}

fn update(
    precondition: &Precondition,
    current: &Current,
    content: Content,
    policy: &LockPolicy,
) -> Result<Decision, Refusal> {
    let may_create = policy.update_create == UpdateCreate::Allowed;
    // Comes before a missing If-Match: an id that never existed is no target for PUT at all.
    let never_existed = matches!(current, Current::Absent { .. });
    let names_target = policy.no_current == NoCurrentVersion::FailsPrecondition;
    if !may_create && never_existed && names_target {
        return Err(Refusal::CreateNotAllowed);
    }
    check_if_match_present(precondition, current, policy)?;
    check_exists_where_named(precondition, current, may_create, policy)?;
    check_write(precondition, current, policy)?;
    Ok(match current {
        Current::Absent { floor } => create_above(*floor),
        Current::Deleted(tombstone) => replace(tombstone, Change::Restored),
        Current::Live(head) => replace_or_keep(head, content, policy),
    })
}

fn patch(
    precondition: &Precondition,
    current: &Current,
    content: Content,
    policy: &LockPolicy,
) -> Result<Decision, Refusal> {
    check_if_match_present(precondition, current, policy)?;
    let head = match current {
        Current::Absent { .. } => return Err(Refusal::NotFound),
        Current::Deleted(tombstone) => return Err(Refusal::Gone(tombstone.version)),
        Current::Live(head) => head,
    };
    check_write(precondition, current, policy)?;
    Ok(replace_or_keep(head, content, policy))
}

fn delete(precondition: &Precondition, current: &Current, policy: &LockPolicy) -> Result<Decision, Refusal> {
    check_if_match_present(precondition, current, policy)?;
    // A deletion of what is not there is no error by itself, only when a version is named.
    check_exists_where_named(precondition, current, true, policy)?;
    check_write(precondition, current, policy)?;
    Ok(match current {
        Current::Absent { .. } => Decision::Keep(None),
        Current::Deleted(tombstone) => Decision::Keep(Some(*tombstone)),
        Current::Live(head) => replace(head, Change::Deleted),
    })
}

fn create_above(floor: VersionNumber) -> Decision {
    Decision::Write { expect: Expect::Absent { floor }, next: floor.next(), change: Change::Created }
}

fn replace(head: &Head, change: Change) -> Decision {
    let number = head.version.number;
    Decision::Write { expect: Expect::Exactly(number), next: number.next(), change }
}

fn replace_or_keep(head: &Head, content: Content, policy: &LockPolicy) -> Decision {
    if content == Content::Identical && policy.identical == IdenticalUpdate::Keep {
        Decision::Keep(Some(*head))
    } else {
        replace(head, Change::Updated)
    }
}

/// If-Match where the policy wants it. `*` names no version and counts as missing.
///
/// Where PUT may create, a missing If-Match concerns live resources only; elsewhere it is noticed
/// before existence is.
fn check_if_match_present(
    precondition: &Precondition,
    current: &Current,
    policy: &LockPolicy,
) -> Result<(), Refusal> {
    if policy.if_match != IfMatchPolicy::Compulsory || precondition.names_a_version() {
        return Ok(());
    }
    let nameable = match (current, policy.no_current) {
        (Current::Live(head), _) => return Err(Refusal::IfMatchMissing(Some(head.version))),
        (Current::Deleted(tombstone), NoCurrentVersion::FailsPrecondition) => Some(tombstone.version),
        (Current::Deleted(_), NoCurrentVersion::NotFound) | (Current::Absent { .. }, _) => None,
    };
    match policy.update_create {
        UpdateCreate::Allowed => Ok(()),
        UpdateCreate::Refused => Err(Refusal::IfMatchMissing(nameable)),
    }
}

/// Under [`NoCurrentVersion::NotFound`] a change that names a version of nothing, or may not
/// create, finds nothing.
fn check_exists_where_named(
    precondition: &Precondition,
    current: &Current,
    may_be_absent: bool,
    policy: &LockPolicy,
) -> Result<(), Refusal> {
    if policy.no_current == NoCurrentVersion::FailsPrecondition {
        return Ok(());
    }
    if may_be_absent && judged_if_match(precondition, policy).is_none() {
        return Ok(());
    }
    match current {
        Current::Absent { .. } => Err(Refusal::NotFound),
        Current::Deleted(tombstone) => Err(Refusal::Gone(tombstone.version)),
        Current::Live(_) => Ok(()),
    }
}

/// If-Match, unless the policy does not look at it: then the request is decided as if it had not
/// been sent, existence included.
fn judged_if_match<'p>(precondition: &'p Precondition, policy: &LockPolicy) -> Option<&'p TagSet> {
    precondition.if_match().filter(|_| policy.if_match != IfMatchPolicy::Ignored)
}

/// RFC 9110 13.2.2 for a method that writes.
#[expect(clippy::inline_always, reason = "measured: a refusal passed on costs a third of a decision")]
#[inline(always)]
fn check_write(precondition: &Precondition, current: &Current, policy: &LockPolicy) -> Result<(), Refusal> {
    check_if_match_or_date(precondition, current, policy)?;
    check_date_names_one_version(precondition, current, policy)?;
    match (precondition.if_none_match(), current) {
        (Some(TagSet::Any), Current::Live(head)) => Err(Refusal::Exists(head.version)),
        (Some(tags), Current::Live(head)) if tags.names(head.version, policy.scheme) => {
            Err(Refusal::NamedByIfNoneMatch(head.version))
        }
        _ => Ok(()),
    }
}

/// Steps 1 and 2 of RFC 9110 13.2.2: If-Match, or without it If-Unmodified-Since.
fn check_if_match_or_date(
    precondition: &Precondition,
    current: &Current,
    policy: &LockPolicy,
) -> Result<(), Refusal> {
    match judged_if_match(precondition, policy) {
        Some(tags) => match (tags, current) {
            (TagSet::Any, Current::Live(_)) => Ok(()),
            (TagSet::Any, _) | (_, Current::Absent { .. }) => {
                Err(Refusal::NothingToMatch(current.head().map(|head| head.version)))
            }
            (_, Current::Live(head) | Current::Deleted(head)) => {
                if tags.names(head.version, policy.scheme) {
                    Ok(())
                } else {
                    Err(Refusal::Stale(head.version))
                }
            }
        },
        None => check_unmodified_since(precondition, current),
    }
}

/// If-Unmodified-Since. RFC 9110 13.1.4 passes over it where there is no date to compare with; a
/// write that expects a version is refused all the same when there is none.
fn check_unmodified_since(precondition: &Precondition, current: &Current) -> Result<(), Refusal> {
    let Some(date) = precondition.if_unmodified_since() else { return Ok(()) };
    let Some(head) = current.head() else { return Err(Refusal::NothingToMatch(None)) };
    if head.at.seconds() <= date.0 { Ok(()) } else { Err(Refusal::ModifiedSince(head.version)) }
}

/// A date names the newest version only if the version before it has another second. Refusing a
/// read for that would help nobody; a write would replace a version that its client never saw.
fn check_date_names_one_version(
    precondition: &Precondition,
    current: &Current,
    policy: &LockPolicy,
) -> Result<(), Refusal> {
    if judged_if_match(precondition, policy).is_some() {
        return Ok(());
    }
    let (Some(date), Some(head)) = (precondition.if_unmodified_since(), current.head()) else {
        return Ok(());
    };
    let alone_in_its_second = match head.previous_at {
        Some(previous) => previous.seconds() != head.at.seconds(),
        // A later version without a known predecessor follows a purge, perhaps within the second.
        None => head.version.number <= VersionNumber::FIRST,
    };
    if head.at.seconds() < date.0 || alone_in_its_second {
        Ok(())
    } else {
        Err(Refusal::ModifiedSince(head.version))
    }
}

#[cfg(test)]
mod tests;
