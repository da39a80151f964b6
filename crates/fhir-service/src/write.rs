//! The one path of every single write: the core decides, the store compares.

use rulebook::{Failure, Interaction, Success};
use storage_api::{
    Body, Commit, Committed, Current, Guard, Key, Lost, Method, Now, RequestId, Timestamp, VersionSelector,
    VersionToken, VersionWrite, WriteSet,
};
use versioning_core::{Attempt, Change, Committing, Content, Effect, Precondition, Reply, WriteOperation};

use crate::service::{Outcome, Service, resource, store_failure};

/// A write to carry out.
#[derive(Clone, Copy)]
pub(crate) struct Write<'a> {
    pub(crate) operation: WriteOperation,
    pub(crate) interaction: Interaction,
    pub(crate) method: Method,
    pub(crate) key: &'a Key,
    pub(crate) precondition: &'a Precondition,
}

/// A write that was carried out, or that found nothing to do.
pub(crate) struct Written {
    /// What was done; `None` when everything stayed as it was.
    pub(crate) change: Option<Change>,
    version: Option<VersionToken>,
    at: Option<Timestamp>,
    body: Option<Body>,
}

impl Written {
    pub(crate) fn outcome<'a>(&'a self, key: &'a Key, success: Success) -> Outcome<'a> {
        let body = match (self.version, self.at, &self.body) {
            (Some(version), Some(at), Some(body)) => Some((version, at, body)),
            _ => None,
        };
        Outcome { key, success, version: self.version, at: self.at, body }
    }
}

/// What a commit came to.
enum Settled {
    Committed(Committed),
    Lost(Current),
    /// Unknown, and what is there now was not written by it.
    NotFound(Current),
    /// The index generation changed under the write: it starts over.
    Stale,
    Unknown,
}

impl Service {
    /// Drives one write to its end. `prepare` is called at most once, and only for a client that
    /// is not stale: it parses, checks and gives the bytes to store.
    pub(crate) async fn write(
        &self,
        write: Write<'_>,
        prepare: impl Fn() -> Result<Body, Failure>,
    ) -> Result<Written, Failure> {
        let mut in_doubt = false;
        match self.drive(write, prepare, &mut in_doubt).await {
            // A failure says that nothing was written, which nobody knows.
            Err(_) if in_doubt => Err(Failure::OutcomeUnknown { resource: resource(write.key) }),
            ended => ended,
        }
    }

    /// `in_doubt`: a commit has no known outcome. It was not found, but that a store recovers may
    /// bring it back; a commit that is answered after it rules that out.
    async fn drive(
        &self,
        write: Write<'_>,
        prepare: impl Fn() -> Result<Body, Failure>,
        in_doubt: &mut bool,
    ) -> Result<Written, Failure> {
        let policy = self.rulebook.lock_policy(&write.key.kind);
        let mut prepared: Option<Body> = None;
        let mut stored: Option<Body> = None;
        let mut effect = Attempt::start(write.precondition, policy, write.operation);
        loop {
            effect = match effect {
                // An id that was just drawn is looked up by the commit's guard, which suffices.
                Effect::Load(loading) if write.operation == WriteOperation::Create => {
                    loading.handle_loaded(Current::NEVER)
                }
                Effect::Load(loading) => {
                    let record = self.store.read(write.key).await.map_err(store_failure)?;
                    stored = record.body;
                    loading.handle_loaded(record.current)
                }
                Effect::Prepare(preparing) => {
                    let body = match prepared.take() {
                        Some(body) => body,
                        None => prepare()?,
                    };
                    let identical = stored.as_ref().is_some_and(|stored| stored.bytes == body.bytes);
                    prepared = Some(body);
                    preparing.handle_prepared(if identical { Content::Identical } else { Content::Different })
                }
                Effect::Commit(committing) => {
                    let next = VersionToken { number: committing.next(), tag: self.ids.version_tag() };
                    match self.commit(&write, &committing, next, prepared.as_ref()).await? {
                        Settled::Committed(committed) => {
                            return Ok(Written {
                                change: Some(committing.change()),
                                version: Some(next),
                                at: Some(committed.at),
                                body: prepared,
                            });
                        }
                        Settled::Lost(now) => {
                            *in_doubt = false;
                            committing.handle_lost(now)
                        }
                        Settled::NotFound(now) => {
                            *in_doubt = true;
                            committing.handle_lost(now)
                        }
                        Settled::Stale => Attempt::start(write.precondition, policy, write.operation),
                        Settled::Unknown => committing.handle_unknown(),
                    }
                }
                Effect::Reply(reply) => return self.reply(&write, reply, stored),
            }
        }
    }

    async fn commit(
        &self,
        write: &Write<'_>,
        committing: &Committing<'_>,
        next: VersionToken,
        body: Option<&Body>,
    ) -> Result<Settled, Failure> {
        let request = self.ids.request_id();
        let set = WriteSet {
            request,
            index: self.store.index_generation(),
            guards: vec![Guard::Head(write.key.clone(), committing.expect().into())],
            writes: vec![storage_api::Write::Version(VersionWrite {
                key: write.key.clone(),
                next,
                method: write.method,
                body: body.cloned(),
                terms: Vec::new(),
            })],
        };
        match self.store.commit(set).await.map_err(store_failure)? {
            Commit::Committed(committed) => Ok(Settled::Committed(committed)),
            Commit::Lost(lost) => Ok(Settled::Lost(head_now(lost)?)),
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
            Ok(_) => match self.store.read(key).await {
                Ok(record) => Settled::NotFound(record.current),
                Err(_) => Settled::Unknown,
            },
            Err(_) => Settled::Unknown,
        }
    }

    fn reply(&self, write: &Write<'_>, reply: Reply, stored: Option<Body>) -> Result<Written, Failure> {
        match reply {
            Reply::Kept(head) => Ok(Written {
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

/// The state that a lost single write met. Its only guard is on a head.
fn head_now(lost: Vec<Lost>) -> Result<Current, Failure> {
    lost.into_iter()
        .find_map(|lost| match lost.now {
            Now::Head(current) => Some(current),
            Now::Claimed(_) | Now::Matched(_) => None,
        })
        .ok_or(Failure::Internal)
}
