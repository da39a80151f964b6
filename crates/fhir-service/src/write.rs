//! The one path of every single write: the core decides, the store compares.

use fhir_search::REFERS;
use rulebook::{Failure, Interaction, Success};
use storage_api::{
    Body, Commit, Committed, Current, Guard, Head, IndexGeneration, Key, Lost, Method, Now, Query, RequestId,
    Timestamp, VersionSelector, VersionToken, VersionWrite, WriteSet,
};
use versioning_core::{Attempt, Change, Committing, Content, Effect, Precondition, Reply, WriteOperation};

use crate::content::Prepared;
use crate::idempotency::{Claim, FirstResult};
use crate::integrity::{broken, live_guards};
use crate::service::{Outcome, Service, resource, store_failure};

/// The index generation changes rarely; a write that meets more changes than this gives up.
const RESTARTS_MAX: u32 = 8;

/// A write to carry out.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) operation: WriteOperation,
    pub(crate) interaction: Interaction,
    pub(crate) method: Method,
    pub(crate) key: &'a Key,
    pub(crate) precondition: &'a Precondition,
    /// The idempotency key that the write uses up, if the client sent one.
    pub(crate) claim: Option<&'a Claim>,
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
}

impl Written {
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
        Outcome { key: &self.key, success, version: self.version, at: self.at, body }
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
    /// A guard that no repetition helps.
    Refused(Failure),
    /// The idempotency key was used by another request meanwhile.
    Claimed,
    /// The criteria find something else by now.
    Rematch,
    Unknown,
}

impl Service {
    /// Carries out a write without criteria.
    pub(crate) async fn write_alone(
        &self,
        write: Write<'_>,
        prepare: impl Fn(Loaded<'_>) -> Result<Prepared, Failure>,
    ) -> Result<Written, Failure> {
        match self.write(write, prepare).await? {
            Ended::Written(written) => Ok(written),
            // Without criteria nothing can be matched again.
            Ended::Rematch => Err(Failure::Internal),
        }
    }

    /// Carries out one write, or answers it with its first result if its idempotency key was
    /// used. `prepare` is called only for a client that is not stale, and once, but for a
    /// patch, which is applied again to what won a race: it parses, checks and gives what to store.
    pub(crate) async fn write(
        &self,
        write: Write<'_>,
        prepare: impl Fn(Loaded<'_>) -> Result<Prepared, Failure>,
    ) -> Result<Ended, Failure> {
        let Some(claim) = write.claim else {
            return match self.drive(write, prepare).await? {
                Driven::Written(written) => Ok(Ended::Written(written)),
                Driven::Rematch => Ok(Ended::Rematch),
                Driven::Claimed => Err(Failure::Internal),
            };
        };
        if let Some(first) = self.replay(claim).await? {
            return Ok(Ended::Written(first));
        }
        match self.drive(write, prepare).await {
            Ok(Driven::Written(written)) => Ok(Ended::Written(written)),
            // The same request may have been carried out between the look and the attempt; then
            // this one is refused as stale, or loses the key, or finds its own resource.
            Ok(Driven::Claimed) => self.replay(claim).await?.map(Ended::Written).ok_or(Failure::Busy),
            Ok(Driven::Rematch) => Ok(self.replay(claim).await?.map_or(Ended::Rematch, Ended::Written)),
            Err(failure @ Failure::Refused(_)) => {
                self.replay(claim).await?.map(Ended::Written).ok_or(failure)
            }
            Err(failure) => Err(failure),
        }
    }

    /// The first result of a request whose idempotency key was used.
    pub(crate) async fn replay(&self, claim: &Claim) -> Result<Option<Written>, Failure> {
        let first = self.first_result(claim).await?;
        if first.is_some() {
            self.counters.replays.add(1);
        }
        Ok(first.map(Written::from))
    }

    /// Drives one write to its end.
    async fn drive(
        &self,
        write: Write<'_>,
        prepare: impl Fn(Loaded<'_>) -> Result<Prepared, Failure>,
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
        prepare: impl Fn(Loaded<'_>) -> Result<Prepared, Failure>,
        in_doubt: &mut bool,
    ) -> Result<Driven, Failure> {
        let policy = self.rulebook.lock_policy(&write.key.kind);
        let mut prepared: Option<Prepared> = None;
        let mut stored: Option<Body> = None;
        let mut restarts = 0;
        let mut effect = Attempt::start(write.precondition, policy, write.operation);
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
                    loading.handle_loaded(record.current)
                }
                Effect::Prepare(preparing) => {
                    // A patch makes something else of every version; a whole resource stays what it is.
                    let reusable = prepared.take().filter(|_| write.operation != WriteOperation::Patch);
                    let loaded = Loaded { head: preparing.current().head().copied(), body: stored.as_ref() };
                    let ready = match reusable {
                        Some(ready) => ready,
                        None => prepare(loaded)?,
                    };
                    let identical = stored.as_ref().is_some_and(|stored| stored.bytes == ready.body.bytes);
                    prepared = Some(ready);
                    preparing.handle_prepared(if identical { Content::Identical } else { Content::Different })
                }
                Effect::Commit(committing) => {
                    let next = VersionToken { number: committing.next(), tag: self.ids.version_tag() };
                    let settled = self.commit(&write, &committing, next, prepared.as_ref()).await?;
                    match settled {
                        Settled::Committed(_)
                        | Settled::Lost(_)
                        | Settled::Claimed
                        | Settled::Rematch
                        | Settled::Refused(_) => {
                            *in_doubt = false;
                        }
                        Settled::NotFound(_) => *in_doubt = true,
                        Settled::Stale | Settled::Unknown => {}
                    }
                    // What was read belongs to a head that is no longer the newest.
                    stored = None;
                    match settled {
                        Settled::Committed(committed) => {
                            return Ok(Driven::Written(Written {
                                key: write.key.clone(),
                                change: Some(committing.change()),
                                version: Some(next),
                                at: Some(committed.at),
                                body: prepared.map(|ready| ready.body),
                            }));
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
                        Settled::Refused(failure) => return Err(failure),
                        Settled::Stale => {
                            self.follow_generation().await?;
                            if write.matched.is_some() {
                                return Ok(Driven::Rematch);
                            }
                            // Its terms are of the generation before.
                            prepared = None;
                            restarts += 1;
                            if restarts > RESTARTS_MAX {
                                return Err(Failure::Busy);
                            }
                            Attempt::start(write.precondition, policy, write.operation)
                        }
                        Settled::Claimed => return Ok(Driven::Claimed),
                        Settled::Rematch => return Ok(Driven::Rematch),
                        Settled::Unknown => committing.handle_unknown(),
                    }
                }
                Effect::Reply(reply) => return self.reply(&write, reply, stored).map(Driven::Written),
            }
        }
    }

    async fn commit(
        &self,
        write: &Write<'_>,
        committing: &Committing<'_>,
        next: VersionToken,
        prepared: Option<&Prepared>,
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
        if let Some(claim) = write.claim {
            guards.extend(claim.guards());
            writes.extend(claim.writes());
        }
        match self.store.commit(WriteSet { request, index, guards, writes }).await.map_err(store_failure)? {
            Commit::Committed(committed) => Ok(Settled::Committed(committed)),
            Commit::Lost(lost) => settle(&lost, || broken(write.key, &lost, start, &checked)),
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
            }),
            Reply::Refused(refusal) => {
                Err(self.refused(refusal, write.key, write.interaction, write.precondition))
            }
            Reply::Unknown => Err(Failure::OutcomeUnknown { resource: resource(write.key) }),
            // A written version returns where its commit is answered.
            Reply::Written { .. } => Err(Failure::Internal),
        }
    }
}

impl From<FirstResult> for Written {
    fn from(FirstResult { version, change }: FirstResult) -> Self {
        Self {
            key: version.key,
            change: Some(change),
            version: Some(version.version),
            at: Some(version.at),
            body: version.body,
        }
    }
}

/// What a lost single write met: a used key, other matches, another head, or what references want.
fn settle(lost: &[Lost], broken: impl FnOnce() -> Option<Failure>) -> Result<Settled, Failure> {
    if lost.iter().any(|lost| matches!(lost.now, Now::Claimed(_))) {
        return Ok(Settled::Claimed);
    }
    if lost.iter().any(|lost| matches!(lost.now, Now::Matched(_))) {
        return Ok(Settled::Rematch);
    }
    // The guard of the resource itself comes first.
    let head = lost.iter().find_map(|lost| match lost.now {
        Now::Head(current) if lost.guard == 0 => Some(current),
        _ => None,
    });
    if let Some(current) = head {
        return Ok(Settled::Lost(current));
    }
    broken().map(Settled::Refused).ok_or(Failure::Internal)
}
