//! The one path of every single write: the core decides, the store compares.

use fhir_search::REFERS;
use rulebook::{Failure, Interaction, Success, Warning};
use storage_api::{
    Body, Commit, Committed, Current, Guard, Head, IndexGeneration, Key, Lost, Method, Now, Query, RequestId,
    StoredVersion, Timestamp, VersionSelector, VersionToken, VersionWrite, WriteSet,
};
use versioning_core::{
    Attempt, Change, Committing, Content, Effect, LockPolicy, Refusal, Reply, WriteOperation,
};

use crate::answer::VersionChange;
use crate::content::{Incoming, Prepared};
use crate::idempotency::{Claim, FirstResult, Kept};
use crate::integrity::{broken, live_guards};
use crate::ruling::{Joint, OnLost};
use crate::service::{Context, Outcome, Service, resource, store_failure};

/// The index generation changes rarely; a write that meets more changes than this gives up.
pub(crate) const RESTARTS_MAX: u32 = 8;

/// A write to carry out.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) operation: WriteOperation,
    pub(crate) interaction: Interaction,
    pub(crate) method: Method,
    pub(crate) key: &'a Key,
    /// Who asks, on which condition; with the idempotency key that the write uses up, if the
    /// client sent one.
    pub(crate) context: &'a Context,
    /// What criteria found, if there are any.
    pub(crate) matched: Option<&'a Matched>,
}

/// Criteria and all that they found: it must still be so in the commit.
#[derive(Clone, Debug)]
pub(crate) struct Matched {
    pub(crate) query: Query,
    /// Sorted.
    pub(crate) keys: Vec<Key>,
    /// The generation of the index that the query is for.
    pub(crate) index: IndexGeneration,
}

/// How a write ended, failures apart.
pub(crate) enum Ended {
    Written(Written),
    /// The criteria find something else by now: they have to be resolved again.
    Rematch,
}

/// How one drive ended, failures apart.
enum Driven {
    Written(Written),
    /// The idempotency key was used by another request meanwhile.
    Claimed,
    Rematch,
}

/// A write that was carried out, or that found nothing to do.
pub(crate) struct Written {
    /// Of which resource; for a create that is repeated, the one made first.
    pub(crate) key: Key,
    /// What was done; `None` when everything stayed as it was.
    pub(crate) change: Option<Change>,
    version: Option<VersionToken>,
    at: Option<Timestamp>,
    body: Option<Body>,
    warnings: Vec<Warning>,
    changes: Vec<VersionChange>,
}

impl Written {
    /// What a version tells of the write that made it, or that found it.
    pub(crate) fn of(version: StoredVersion, change: Option<Change>) -> Self {
        Self {
            key: version.key,
            change,
            version: Some(version.version),
            at: Some(version.at),
            body: version.body,
            warnings: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// What a commit made of what was prepared.
    fn made(
        key: &Key,
        (change, version, at): (Change, VersionToken, Timestamp),
        prepared: Option<Prepared>,
        changes: Vec<VersionChange>,
    ) -> Self {
        let (body, warnings) = prepared.map(|ready| (ready.body, ready.warnings)).unzip();
        Self {
            key: key.clone(),
            change: Some(change),
            version: Some(version),
            at: Some(at),
            body,
            warnings: warnings.unwrap_or_default(),
            changes,
        }
    }

    /// There was nothing.
    fn nothing(key: &Key) -> Self {
        Self {
            key: key.clone(),
            change: None,
            version: None,
            at: None,
            body: None,
            warnings: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// What an update, conditional or not, came to.
    pub(crate) fn updated(&self) -> Success {
        match self.change {
            Some(Change::Created) => Success::Created,
            Some(Change::Restored) => Success::Restored,
            Some(Change::Updated | Change::Deleted) => Success::Updated,
            None => Success::Unchanged,
        }
    }

    /// What a deletion, conditional or not, came to.
    pub(crate) fn deleted(&self) -> Success {
        if self.change.is_some() { Success::Deleted } else { Success::NothingToDelete }
    }

    pub(crate) fn outcome(&self, success: Success) -> Outcome<'_> {
        let body = match (self.version, self.at, &self.body) {
            (Some(version), Some(at), Some(body)) => Some((version, at, body)),
            _ => None,
        };
        let warnings = &self.warnings;
        let changes = &self.changes;
        Outcome { key: &self.key, success, version: self.version, at: self.at, body, warnings, changes }
    }
}

impl Write<'_> {
    /// Whether the resource must not exist yet: criteria found none, so one under this id is
    /// another one.
    fn makes_new(&self) -> bool {
        self.matched.is_some_and(|matched| matched.keys.is_empty())
    }
}

/// What a write meets before it is prepared.
#[derive(Clone, Copy)]
pub(crate) struct Loaded<'a> {
    pub(crate) head: Option<Head>,
    pub(crate) body: Option<&'a Body>,
}

/// What a commit came to.
enum Settled {
    Committed(Committed),
    Lost(Current),
    /// Unknown, and what is there now was not written by it.
    NotFound(Current),
    /// The index generation changed under the write: it starts over.
    Stale,
    /// The idempotency key was used by another request meanwhile.
    Claimed,
    /// The criteria find something else by now.
    Rematch,
    /// What the rules of the API looked at is otherwise by now: it is judged again.
    Otherwise,
    /// What no repetition helps: what must be unique is there already, or references do not lead anywhere.
    Refused(Failure),
    Unknown,
}

impl Settled {
    /// Whether the commit may still come back; nothing where it says nothing of it.
    fn leaves_doubt(&self) -> Option<bool> {
        match self {
            Self::NotFound(_) => Some(true),
            Self::Stale | Self::Unknown => None,
            Self::Committed(_)
            | Self::Lost(_)
            | Self::Claimed
            | Self::Rematch
            | Self::Otherwise
            | Self::Refused(_) => Some(false),
        }
    }
}

impl Service {
    /// Carries out a write without criteria.
    pub(crate) async fn write_alone(
        &self,
        write: Write<'_>,
        prepare: impl Fn(Loaded<'_>) -> Result<Incoming, Failure>,
    ) -> Result<Written, Failure> {
        match self.write(write, prepare).await? {
            Ended::Written(written) => Ok(written),
            // Without criteria nothing can be matched again.
            Ended::Rematch => Err(Failure::Internal),
        }
    }

    /// Carries out one write, or answers it with its first result if its idempotency key was
    /// used. `prepare` is called only for a client that is not stale, and once, but for a
    /// patch, which is applied again to what won a race: it parses and gives what to store,
    /// which is checked here.
    pub(crate) async fn write(
        &self,
        write: Write<'_>,
        prepare: impl Fn(Loaded<'_>) -> Result<Incoming, Failure>,
    ) -> Result<Ended, Failure> {
        let Some(claim) = &write.context.claim else {
            return match self.drive(write, prepare).await? {
                Driven::Written(written) => Ok(Ended::Written(written)),
                Driven::Rematch => Ok(Ended::Rematch),
                Driven::Claimed => Err(Failure::Internal),
            };
        };
        if let Some(first) = self.replay_on(&write, claim).await? {
            return Ok(Ended::Written(first));
        }
        match self.drive(write, prepare).await {
            Ok(Driven::Written(written)) => Ok(Ended::Written(written)),
            // The same request may have been carried out between the look and the attempt; then
            // this one is refused as stale, or loses the key, or finds its own resource.
            Ok(Driven::Claimed) => {
                self.replay_on(&write, claim).await?.map(Ended::Written).ok_or(Failure::Busy)
            }
            Ok(Driven::Rematch) => {
                Ok(self.replay_on(&write, claim).await?.map_or(Ended::Rematch, Ended::Written))
            }
            Err(failure @ (Failure::Refused(_) | Failure::Rule(_))) => {
                self.replay_on(&write, claim).await?.map(Ended::Written).ok_or(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The first result of a request whose idempotency key was used.
    pub(crate) async fn replay(&self, claim: &Claim) -> Result<Option<FirstResult>, Failure> {
        let first = self.first_result(claim).await?;
        if first.is_some() {
            self.counters.replays.add(1);
        }
        Ok(first)
    }

    /// The same for a request that is known to be about one key.
    pub(crate) async fn replay_on(
        &self,
        write: &Write<'_>,
        claim: &Claim,
    ) -> Result<Option<Written>, Failure> {
        Ok(match self.replay(claim).await? {
            None => None,
            Some(FirstResult::Written { version, change }) => Some(Written::of(*version, Some(change))),
            Some(FirstResult::Kept(seq)) => match self.version_at(write.key, seq).await? {
                Some(version) => Some(Written::of(version, None)),
                None if write.operation == WriteOperation::Delete => Some(Written::nothing(write.key)),
                // It was about what its criteria found, which is looked for when it is sent again.
                None if write.matched.is_some() => return Err(Failure::Busy),
                None => return Err(Failure::FirstResultGone),
            },
        })
    }

    /// Drives one write to its end.
    async fn drive(
        &self,
        write: Write<'_>,
        prepare: impl Fn(Loaded<'_>) -> Result<Incoming, Failure>,
    ) -> Result<Driven, Failure> {
        let mut in_doubt = false;
        match self.attempt(write, prepare, &mut in_doubt).await {
            // A failure says that nothing was written, which nobody knows.
            Err(_) if in_doubt => Err(Failure::OutcomeUnknown { resource: resource(write.key) }),
            ended => ended,
        }
    }

    /// `in_doubt` says that a commit ended unknown and was not found. When the store recovers it
    /// may still come back; a commit that is answered after it rules that out.
    async fn attempt(
        &self,
        write: Write<'_>,
        prepare: impl Fn(Loaded<'_>) -> Result<Incoming, Failure>,
        in_doubt: &mut bool,
    ) -> Result<Driven, Failure> {
        let policy = &self.lock_policy(&write);
        let mut prepared: Option<Prepared> = None;
        let mut stored: Option<Body> = None;
        let mut before: Option<VersionToken> = None;
        let (mut restarts, mut rejudged) = (0, 0);
        let precondition = &write.context.precondition;
        let mut effect = Attempt::start(precondition, policy, write.operation);
        loop {
            effect = match effect {
                // An id that was just drawn is looked up by the commit's guard, which suffices.
                Effect::Load(loading) if write.operation == WriteOperation::Create => {
                    loading.handle_loaded(Current::NEVER)
                }
                Effect::Load(loading) => {
                    let record = self.store.read(write.key).await.map_err(store_failure)?;
                    if write.makes_new() && matches!(record.current, Current::Live(_)) {
                        return Err(Failure::IdInUse { resource: resource(write.key) });
                    }
                    stored = record.body;
                    before = record.current.head().map(|head| head.version);
                    loading.handle_loaded(record.current)
                }
                Effect::Prepare(preparing) => {
                    // A patch makes something else of every version, and rules may; a whole resource
                    // stays what it is.
                    let reusable = prepared
                        .take()
                        .filter(|ready| write.operation != WriteOperation::Patch && ready.joint.is_none());
                    let loaded = Loaded { head: preparing.current().head().copied(), body: stored.as_ref() };
                    let ready = match reusable {
                        Some(ready) => ready,
                        None => self.prepared(&write, loaded, prepare(loaded)?).await?,
                    };
                    let identical = stored.as_ref().is_some_and(|stored| stored.bytes == ready.body.bytes);
                    prepared = Some(ready);
                    preparing.handle_prepared(if identical { Content::Identical } else { Content::Different })
                }
                Effect::Commit(committing) => {
                    let deletion = match write.operation {
                        WriteOperation::Delete => self.judge_deletion(&write, stored.as_ref()).await?,
                        _ => None,
                    };
                    let joint =
                        deletion.as_ref().or(prepared.as_ref().and_then(|ready| ready.joint.as_deref()));
                    let usual = committing.next();
                    let next = VersionToken {
                        number: joint.map_or(usual, |joint| joint.number(usual, committing.change())),
                        tag: write.context.planned.tag.unwrap_or_else(|| self.ids.version_tag()),
                    };
                    let settled = self.commit(&write, &committing, next, (prepared.as_ref(), joint)).await?;
                    *in_doubt = settled.leaves_doubt().unwrap_or(*in_doubt);
                    // What was read belongs to a head that is no longer the newest.
                    let deleted = stored.take();
                    match settled {
                        Settled::Committed(committed) => {
                            let content = prepared.as_ref().map(|ready| &ready.body).or(deleted.as_ref());
                            let changes = self.changes(write.key, (before, next), content, joint);
                            let made = (committing.change(), next, committed.at);
                            let written = Written::made(write.key, made, prepared, changes);
                            return Ok(Driven::Written(written));
                        }
                        Settled::NotFound(now) => committing.handle_lost(now),
                        Settled::Lost(now) => {
                            self.counters.conflicts.add(1);
                            let effect = committing.handle_lost(now);
                            if matches!(effect, Effect::Load(_)) {
                                self.counters.retries.add(1);
                            }
                            effect
                        }
                        Settled::Stale => {
                            self.follow_generation().await?;
                            if write.matched.is_some() {
                                return Ok(Driven::Rematch);
                            }
                            // Its terms are of the generation before.
                            prepared = None;
                            start_over(&mut restarts)?;
                            Attempt::start(precondition, policy, write.operation)
                        }
                        Settled::Otherwise => {
                            self.judge_again(&write, &mut rejudged)?;
                            Attempt::start(precondition, policy, write.operation)
                        }
                        Settled::Refused(failure) => return Err(failure),
                        Settled::Claimed => return Ok(Driven::Claimed),
                        Settled::Rematch => return Ok(Driven::Rematch),
                        Settled::Unknown => committing.handle_unknown(),
                    }
                }
                Effect::Reply(reply) => match self.claim_kept(&write, &reply).await? {
                    Kept::Done => return self.reply(&write, reply, stored).map(Driven::Written),
                    Kept::Claimed => return Ok(Driven::Claimed),
                    Kept::Otherwise => {
                        self.follow_generation().await?;
                        (prepared, stored) = (None, None);
                        start_over(&mut restarts)?;
                        Attempt::start(precondition, policy, write.operation)
                    }
                },
            }
        }
    }

    /// Uses the idempotency key up where nothing has to be written. A refusal uses none up.
    async fn claim_kept(&self, write: &Write<'_>, reply: &Reply) -> Result<Kept, Failure> {
        let Reply::Kept(head) = reply else { return Ok(Kept::Done) };
        let is_refusal = write.operation == WriteOperation::Delete
            && self.rulebook.nothing_to_delete(&resource(write.key)).is_some();
        let claim = write.context.claim.as_ref().filter(|_| !is_refusal);
        self.keep(claim, head.map(|head| (write.key, head))).await
    }

    /// Which versions a commit made of which.
    fn changes(
        &self,
        key: &Key,
        (from, to): (Option<VersionToken>, VersionToken),
        body: Option<&Body>,
        joint: Option<&Joint>,
    ) -> Vec<VersionChange> {
        let print = |version| self.version_id(&key.kind, version);
        let content = body.filter(|_| self.rulebook.is_audited()).map(|body| body.bytes.clone());
        let own = VersionChange { key: key.clone(), from: from.map(print), to: print(to), content };
        let others = joint.map(Joint::changes).unwrap_or_default();
        std::iter::once(own).chain(others.iter().cloned()).collect()
    }

    /// The lock policy of a write, with as many attempts as its client wants.
    fn lock_policy(&self, write: &Write<'_>) -> LockPolicy {
        let (kind, context) = (&write.key.kind, write.context);
        let policy = if context.planned.in_transaction {
            self.rulebook.transaction_lock_policy(kind)
        } else {
            *self.rulebook.lock_policy(kind)
        };
        LockPolicy { retries_max: self.retries_max(kind, context), ..policy }
    }

    /// What the rules looked at changed: once more, up to the bound of the lock policy.
    fn judge_again(&self, write: &Write<'_>, times: &mut u16) -> Result<(), Failure> {
        self.counters.conflicts.add(1);
        *times = times.saturating_add(1);
        if *times > self.retries_max(&write.key.kind, write.context) {
            let contended = Refusal::Contended { attempts: *times };
            return Err(self.refused(contended, write.key, write.interaction, &write.context.precondition));
        }
        self.counters.retries.add(1);
        Ok(())
    }

    async fn commit(
        &self,
        write: &Write<'_>,
        committing: &Committing<'_>,
        next: VersionToken,
        (prepared, joint): (Option<&Prepared>, Option<&Joint>),
    ) -> Result<Settled, Failure> {
        let request = self.ids.request_id();
        let in_force = self.in_force();
        let index = prepared.map_or(in_force.generation, |ready| ready.index);
        if write.matched.is_some_and(|matched| matched.index != index) {
            return Ok(Settled::Stale);
        }
        let mut guards = vec![Guard::Head(write.key.clone(), committing.expect().into())];
        let references = prepared.map_or(&[][..], |ready| &ready.references);
        let (live, checked): (Vec<Guard>, Vec<_>) = live_guards(write.key, references).unzip();
        let start = guards.len();
        guards.extend(live);
        if write.method == Method::Delete && self.checks_references() {
            in_force.expect_references()?;
            guards.push(Guard::Unreferred { key: write.key.clone(), param: REFERS.into() });
        }
        let mut writes = vec![storage_api::Write::Version(VersionWrite {
            key: write.key.clone(),
            next,
            method: write.method,
            body: prepared.map(|ready| ready.body.clone()),
            terms: prepared.map(|ready| ready.terms.clone()).unwrap_or_default(),
        })];
        if let Some(Matched { query, keys, .. }) = write.matched {
            guards.push(Guard::Matches(query.clone(), keys.clone()));
        }
        if let Some(claim) = &write.context.claim {
            guards.extend(claim.guards());
            writes.extend(claim.writes());
        }
        let joint_at = guards.len();
        let mut set = WriteSet { request, index, guards, writes };
        if let Some(joint) = joint {
            if joint.index().is_some_and(|joined| joined != index) {
                return Ok(Settled::Stale);
            }
            joint.join(&mut set);
        }
        match self.store.commit(set).await.map_err(store_failure)? {
            Commit::Committed(committed) => Ok(Settled::Committed(committed)),
            Commit::Lost(lost) => {
                settle(&lost, joint_at, joint, |own| broken(write.key, own, start, &checked))
            }
            Commit::StaleIndex(_) => Ok(Settled::Stale),
            Commit::Unknown => Ok(self.look_up(write.key, next, request).await),
        }
    }

    /// After a commit whose outcome is unknown: the version row, if there is one, says who wrote
    /// it. Nothing is written twice, because nothing is sent again without this look.
    async fn look_up(&self, key: &Key, next: VersionToken, request: RequestId) -> Settled {
        let found = self.store.read_version(key, VersionSelector::Number(next.number)).await;
        match found {
            Ok(Some(version)) if version.request == request => {
                Settled::Committed(Committed { seq: version.seq, at: version.at })
            }
            Ok(found) => match self.store.read(key).await {
                // The number was used and its version purged: it may have been this one.
                Ok(record) if found.is_none() && record.current.number() >= next.number => Settled::Unknown,
                Ok(record) => Settled::NotFound(record.current),
                Err(_) => Settled::Unknown,
            },
            Err(_) => Settled::Unknown,
        }
    }

    fn reply(&self, write: &Write<'_>, reply: Reply, stored: Option<Body>) -> Result<Written, Failure> {
        match reply {
            Reply::Kept(head) => Ok(Written {
                key: write.key.clone(),
                change: None,
                version: head.map(|head| head.version),
                at: head.map(|head| head.at),
                body: stored,
                warnings: Vec::new(),
                changes: Vec::new(),
            }),
            Reply::Refused(refusal) => {
                Err(self.refused(refusal, write.key, write.interaction, &write.context.precondition))
            }
            Reply::Unknown => Err(Failure::OutcomeUnknown { resource: resource(write.key) }),
            // A written version returns where its commit is answered.
            Reply::Written { .. } => Err(Failure::Internal),
        }
    }
}

/// Counts how often a write started over, up to where it is given up.
fn start_over(restarts: &mut u32) -> Result<(), Failure> {
    *restarts += 1;
    if *restarts > RESTARTS_MAX { Err(Failure::Busy) } else { Ok(()) }
}

/// What a lost single write met: a used key, other matches, another head, or what references want.
fn settle(
    lost: &[Lost],
    joint_at: usize,
    joint: Option<&Joint>,
    broken: impl FnOnce(&[&Lost]) -> Option<Failure>,
) -> Result<Settled, Failure> {
    let (own, joined): (Vec<&Lost>, Vec<&Lost>) = lost.iter().partition(|lost| lost.guard < joint_at);
    if own.is_empty()
        && let (Some(first), Some(joint)) = (joined.first(), joint)
    {
        return Ok(match joint.on_lost(first.guard - joint_at) {
            OnLost::JudgeAgain => Settled::Otherwise,
            OnLost::Refuse(failure) => Settled::Refused(failure),
        });
    }
    if own.iter().any(|lost| matches!(lost.now, Now::Claimed(_))) {
        return Ok(Settled::Claimed);
    }
    if own.iter().any(|lost| matches!(lost.now, Now::Matched(_))) {
        return Ok(Settled::Rematch);
    }
    // The guard of the resource itself comes first.
    let head = own.iter().find_map(|lost| match lost.now {
        Now::Head(current) if lost.guard == 0 => Some(current),
        _ => None,
    });
    if let Some(current) = head {
        return Ok(Settled::Lost(current));
    }
    broken(&own).map(Settled::Refused).ok_or(Failure::Internal)
}
