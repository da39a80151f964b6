//! One write as a state machine: what it needs next comes out as an [`Effect`], and each effect
//! carries the only thing that can be answered to it. The driver does the I/O.

use crate::current::{Current, Head};
use crate::decide::{Change, Content, Decision, Expect, Intent, Refusal, decide};
use crate::{LockPolicy, Precondition, VersionNumber};

/// The writes that an [`Attempt`] can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WriteOperation {
    /// POST under a drawn id.
    Create,
    /// PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl WriteOperation {
    fn intent(self, content: Content) -> Intent {
        match self {
            Self::Create => Intent::Create,
            Self::Update => Intent::Update(content),
            Self::Patch => Intent::Patch(content),
            Self::Delete => Intent::Delete,
        }
    }

    /// Whether the stored body is needed: to patch it, or to see that nothing changes.
    fn needs_body(self) -> bool {
        matches!(self, Self::Update | Self::Patch)
    }

    /// Whether the request has content that must be parsed and checked before a commit.
    fn has_content(self) -> bool {
        self != Self::Delete
    }
}

/// What the driver has to do next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect<'a> {
    /// Read the key's state, and its body if [`Loading::needs_body`].
    Load(Loading<'a>),
    /// The request may go on: parse, patch, validate, compare with what was loaded.
    Prepare(Preparing<'a>),
    /// Commit the new version under the guard.
    Commit(Committing<'a>),
    /// Done.
    Reply(Reply),
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// Committed as this version.
    Written {
        /// Its number.
        number: VersionNumber,
        /// What was done.
        change: Change,
    },
    /// Nothing had to be written.
    Kept(Option<Head>),
    /// Refused; nothing was written.
    Refused(Refusal),
    /// The store cannot say whether the commit happened, nor find it afterwards.
    Unknown,
}

/// One write on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt<'a> {
    precondition: &'a Precondition,
    policy: &'a LockPolicy,
    operation: WriteOperation,
    // How many commits were lost so far.
    lost: u16,
}

/// Waits for the state of the key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Loading<'a>(Attempt<'a>);

/// Waits for the content.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Preparing<'a> {
    attempt: Attempt<'a>,
    current: Current,
}

/// Waits for the commit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Committing<'a> {
    attempt: Attempt<'a>,
    expect: Expect,
    next: VersionNumber,
    change: Change,
}

impl<'a> Attempt<'a> {
    /// Begins a write.
    pub fn start(
        precondition: &'a Precondition,
        policy: &'a LockPolicy,
        operation: WriteOperation,
    ) -> Effect<'a> {
        Effect::Load(Loading(Self { precondition, policy, operation, lost: 0 }))
    }

    fn decide(&self, current: Current, content: Content) -> Decision {
        decide(self.precondition, current, self.operation.intent(content), self.policy)
    }

    fn carry_out(self, decision: Decision) -> Effect<'a> {
        match decision {
            Decision::Write { expect, next, change } => {
                Effect::Commit(Committing { attempt: self, expect, next, change })
            }
            // `Show` and `NotModified` answer reads, and an attempt is never a read.
            Decision::Show(head) | Decision::NotModified(head) | Decision::Keep(Some(head)) => {
                Effect::Reply(Reply::Kept(Some(head)))
            }
            Decision::Keep(None) => Effect::Reply(Reply::Kept(None)),
            Decision::Refuse(refusal) => Effect::Reply(Reply::Refused(refusal)),
        }
    }
}

impl<'a> Loading<'a> {
    /// Whether the stored body has to be loaded with the head.
    pub fn needs_body(&self) -> bool {
        self.0.operation.needs_body()
    }

    /// Takes what the store has. A stale client is refused here, before its body is parsed.
    pub fn handle_loaded(self, current: Current) -> Effect<'a> {
        let attempt = self.0;
        match attempt.decide(current, Content::Unseen) {
            Decision::Write { .. } if attempt.operation.has_content() => {
                Effect::Prepare(Preparing { attempt, current })
            }
            decision => attempt.carry_out(decision),
        }
    }
}

impl<'a> Preparing<'a> {
    /// The state that the content is to be compared with.
    pub fn current(&self) -> Current {
        self.current
    }

    /// Takes how the prepared content compares with the loaded body. A driver whose content
    /// turns out to be invalid drops the attempt instead.
    pub fn handle_prepared(self, content: Content) -> Effect<'a> {
        let decision = self.attempt.decide(self.current, content);
        self.attempt.carry_out(decision)
    }
}

impl<'a> Committing<'a> {
    /// The guard of the commit.
    pub fn expect(&self) -> Expect {
        self.expect
    }

    /// The number of the version to write.
    pub fn next(&self) -> VersionNumber {
        self.next
    }

    /// What the write amounts to.
    pub fn change(&self) -> Change {
        self.change
    }

    /// The store committed.
    pub fn handle_committed(self) -> Effect<'a> {
        Effect::Reply(Reply::Written { number: self.next, change: self.change })
    }

    /// Another writer was first, and left `now`. Decided again against it: a client that named
    /// a version is told that it is stale; one that named none starts over, a bounded number
    /// of times.
    pub fn handle_lost(self, now: Current) -> Effect<'a> {
        let mut attempt = self.attempt;
        let may_retry = attempt.lost < attempt.policy.retries_max;
        attempt.lost = attempt.lost.saturating_add(1);
        match attempt.decide(now, Content::Unseen) {
            Decision::Write { .. } if may_retry => Effect::Load(Loading(attempt)),
            Decision::Write { .. } => {
                Effect::Reply(Reply::Refused(Refusal::Contended { attempts: attempt.lost }))
            }
            decision => attempt.carry_out(decision),
        }
    }

    /// The store cannot say whether it committed, and its record of requests cannot either.
    ///
    /// A driver whose commit was not answered first looks for the version [`next`](Self::next) in
    /// the history. Its own request wrote it: [`handle_committed`](Self::handle_committed). Another
    /// request did: [`handle_lost`](Self::handle_lost). Nobody did, and the newest number is below
    /// it: the same commit again, under the same guard. The number was used but its version was
    /// purged: nobody can tell, and only this answer is left; to decide again could write twice.
    pub fn handle_unknown(self) -> Effect<'a> {
        Effect::Reply(Reply::Unknown)
    }
}

#[cfg(test)]
mod tests;
