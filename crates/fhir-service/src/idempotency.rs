//! Safe retry: a write that is sent again under the same `Idempotency-Key` answers with its
//! first result, also after a crash, because the key is claimed in the commit of that result.
//!
//! Two claims are made: one of the key, which tells that it was used, and one of the key with a
//! digest of the request, which tells whether this is that request. The scope of the second says
//! whether anything was written: a request that found everything as it should be is a result too,
//! and must not be carried out again when that is no longer so.

use bytes::Bytes;
use rulebook::{Caller, Failure};
use sha2::{Digest, Sha256};
use storage_api::{
    Commit, Guard, Head, HeadGuard, HistoryRequest, HistoryScope, Key, Lost, Method, Now, Order, Scope, Seq,
    StoredVersion, Timestamp, VersionSelector, Write, WriteSet,
};
use versioning_core::{Change, TagSet, VersionNumber};

use crate::request::{Content, Criteria, Encoding, Operation, Patch, Request};
use crate::service::{Service, store_failure};
use crate::write::RESTARTS_MAX;

/// Keys that were used. The number is stored, so it never changes.
const USED: Scope = Scope(1);
/// Keys with the request they were used for, which wrote something.
const WRITTEN: Scope = Scope(2);
/// Keys with the request they were used for, which had nothing to write.
const KEPT: Scope = Scope(3);

/// A key that a client sent, with the request it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    key: Bytes,
    request: Bytes,
    own: Own,
    expires: Timestamp,
}

/// By what the version that a request made is told from those that the rules of the API wrote with it.
#[derive(Clone, Debug)]
struct Own {
    method: Method,
    resource_type: String,
    /// Where the request named it.
    id: Option<String>,
}

impl Own {
    fn is(&self, version: &StoredVersion) -> bool {
        let Self { method, resource_type, id } = self;
        let key = &version.key;
        version.method == *method && key.kind == *resource_type && id.as_ref().is_none_or(|id| key.id == **id)
    }
}

/// The first result of a request that is repeated.
pub(crate) enum FirstResult {
    /// It made this version.
    Written { version: Box<StoredVersion>, change: Change },
    /// It wrote nothing, because everything up to this place in the order of commits was as it should be.
    Kept(Seq),
}

/// What became of a key whose request had nothing to write.
pub(crate) enum Kept {
    /// It is used up, if there was one.
    Done,
    /// It was used by another request meanwhile.
    Claimed,
    /// What the request found is otherwise by now.
    Otherwise,
}

impl Claim {
    /// What a commit must find for the key to be new.
    pub(crate) fn guards(&self) -> [Guard; 3] {
        [(USED, &self.key), (WRITTEN, &self.request), (KEPT, &self.request)]
            .map(|(scope, value)| Guard::Unclaimed(scope, value.clone()))
    }

    /// What a commit writes to use the key.
    pub(crate) fn writes(&self) -> [Write; 2] {
        self.claims(WRITTEN)
    }

    fn claims(&self, scope: Scope) -> [Write; 2] {
        [(USED, &self.key), (scope, &self.request)].map(|(scope, value)| Write::Claim {
            scope,
            value: value.clone(),
            expires: Some(self.expires),
        })
    }
}

impl Service {
    /// What an idempotency key stands for: this operation, on this resource, with this content
    /// and these conditions. Where callers say who they are, each system has keys of its own.
    pub(crate) fn claim(&self, request: &Request) -> Option<Claim> {
        let key = request.idempotency_key.as_deref()?;
        let (own, criteria, (encoding, body)) = subject(&request.operation)?;
        let tags = |tags: Option<&TagSet>| tags.map(ToString::to_string).unwrap_or_default();
        let precondition = &request.precondition;
        let unmodified = precondition.if_unmodified_since().map(|date| date.0.to_string());
        let Caller { system, organization, user, patient, .. } = &request.caller;
        let [system, organization, user, patient] =
            [system, organization, user, patient].map(|name| name.as_deref().unwrap_or_default());
        let mut digest = Sha256::new();
        for part in [
            request.operation.interaction().code(),
            &own.resource_type,
            own.id.as_deref().unwrap_or_default(),
            &criteria.map(ToString::to_string).unwrap_or_default(),
            &tags(precondition.if_match()),
            &tags(precondition.if_none_match()),
            &unmodified.unwrap_or_default(),
            encoding,
            user,
            patient,
        ] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.update(body);
        // None of these has a character that is not printed.
        let key = [system, organization, key].join("\0").into_bytes();
        let digest: Vec<u8> = digest.finalize().iter().chain(&key).copied().collect();
        let expires = Timestamp(self.ids.now().0.saturating_add(self.limits.idempotency_time_us));
        Some(Claim { key: Bytes::from(key), request: Bytes::from(digest), own, expires })
    }

    /// The first result under this key, if the key was used: for this request, or the failure
    /// that says it was another one.
    pub(crate) async fn first_result(&self, claim: &Claim) -> Result<Option<FirstResult>, Failure> {
        for _ in 0..=RESTARTS_MAX {
            // A write set without writes asks whether its guards hold, in the order of commits.
            let set = WriteSet {
                request: self.ids.request_id(),
                index: self.store.index_generation(),
                guards: claim.guards().into(),
                writes: Vec::new(),
            };
            match self.store.commit(set).await.map_err(store_failure)? {
                Commit::Lost(lost) => return self.repeated(claim, &lost).await,
                Commit::Committed(_) => return Ok(None),
                // The question has nothing to do with the generation, which changed under it.
                Commit::StaleIndex(_) => {}
                Commit::Unknown => return Err(Failure::Unavailable),
            }
        }
        Err(Failure::Busy)
    }

    /// Reads what failed guards say of a key.
    async fn repeated(&self, claim: &Claim, lost: &[Lost]) -> Result<Option<FirstResult>, Failure> {
        let claimed = |guard| {
            lost.iter().find_map(|lost| match lost.now {
                Now::Claimed(seq) if lost.guard == guard => Some(seq),
                _ => None,
            })
        };
        match (claimed(0), claimed(1), claimed(2)) {
            (None, ..) => Ok(None),
            (Some(_), Some(seq), _) => self.result_at(claim, seq).await.map(Some),
            (Some(_), None, Some(seq)) => Ok(Some(FirstResult::Kept(seq))),
            (Some(_), None, None) => Err(Failure::IdempotencyKeyReused),
        }
    }

    /// Uses a key up for a request that had nothing to write; `found` is what it found, where it found a version. This
    /// takes a commit, since the answer may get lost too.
    pub(crate) async fn keep(
        &self,
        claim: Option<&Claim>,
        found: Option<(&Key, Head)>,
    ) -> Result<Kept, Failure> {
        let Some(claim) = claim else { return Ok(Kept::Done) };
        let is_still =
            |(key, head): (&Key, Head)| Guard::Head(key.clone(), HeadGuard::Exactly(head.version.number));
        let set = WriteSet {
            request: self.ids.request_id(),
            index: self.store.index_generation(),
            guards: claim.guards().into_iter().chain(found.map(is_still)).collect(),
            writes: claim.claims(KEPT).into(),
        };
        match self.store.commit(set).await.map_err(store_failure)? {
            Commit::Committed(_) => Ok(Kept::Done),
            Commit::Lost(lost) if lost.iter().any(|lost| matches!(lost.now, Now::Claimed(_))) => {
                Ok(Kept::Claimed)
            }
            Commit::Lost(_) | Commit::StaleIndex(_) => Ok(Kept::Otherwise),
            // Whether or not the key is used now, sending the request again is what helps.
            Commit::Unknown => Err(Failure::Unavailable),
        }
    }

    /// The newest version that a key had at a place in the order of commits.
    pub(crate) async fn version_at(&self, key: &Key, seq: Seq) -> Result<Option<StoredVersion>, Failure> {
        let request = HistoryRequest {
            scope: HistoryScope::Key(key.clone()),
            order: Order::Newest,
            after: Some(Seq(seq.0.saturating_add(1))),
            since: None,
            at: None,
            limit: 1,
        };
        Ok(self.store.history(&request).await.map_err(store_failure)?.versions.into_iter().next())
    }

    /// The version that a request made, whose commit ends at this place. What the rules of the API wrote with it is
    /// behind it.
    async fn result_at(&self, claim: &Claim, seq: Seq) -> Result<FirstResult, Failure> {
        const PAGE: usize = 16;
        let mut request = HistoryRequest {
            scope: HistoryScope::All,
            order: Order::Newest,
            after: Some(Seq(seq.0.saturating_add(1))),
            since: None,
            at: None,
            limit: PAGE,
        };
        let (mut last, mut own) = (None, None);
        'commit: loop {
            let page = self.store.history(&request).await.map_err(store_failure)?;
            for version in page.versions {
                // A purge may have removed what the key stands for; its result cannot be told then.
                let last = *last.get_or_insert((version.request, version.seq));
                if last != (version.request, seq) {
                    break 'commit;
                }
                if claim.own.is(&version) {
                    own = Some(version);
                }
            }
            match page.next {
                Some(next) => request.after = Some(next),
                None => break,
            }
        }
        let version = own.ok_or(Failure::FirstResultGone)?;
        let change = self.change(&version).await?;
        Ok(FirstResult::Written { version: Box::new(version), change })
    }

    /// What a stored version did to its key.
    async fn change(&self, version: &StoredVersion) -> Result<Change, Failure> {
        if version.method == Method::Delete {
            return Ok(Change::Deleted);
        }
        let before =
            VersionSelector::Number(VersionNumber::new(version.version.number.get().saturating_sub(1)));
        let before = self.store.read_version(&version.key, before).await.map_err(store_failure)?;
        Ok(match before {
            None => Change::Created,
            Some(StoredVersion { method: Method::Delete, .. }) => Change::Restored,
            Some(_) => Change::Updated,
        })
    }
}

/// A body, with its media type where that tells it from another one with the same bytes.
type Sent<'a> = (&'a str, &'a [u8]);

/// What a write is about: what it makes, its criteria and its content, where it has them. Nothing for what has no one
/// result that could be told again.
fn subject(operation: &Operation) -> Option<(Own, Option<&Criteria>, Sent<'_>)> {
    let of_type =
        |method, resource_type: &String| Own { method, resource_type: resource_type.clone(), id: None };
    let of_key =
        |method, key: &Key| Own { method, resource_type: key.kind.to_string(), id: Some(key.id.to_string()) };
    Some(match operation {
        Operation::Create { resource_type, body } => (of_type(Method::Post, resource_type), None, sent(body)),
        Operation::Update { key, body } => (of_key(Method::Put, key), None, sent(body)),
        Operation::Patch { key, patch } => (of_key(Method::Patch, key), None, sent_patch(patch)),
        Operation::Delete(key) => (of_key(Method::Delete, key), None, ("", &[])),
        Operation::ConditionalCreate { resource_type, criteria, body } => {
            (of_type(Method::Post, resource_type), Some(criteria), sent(body))
        }
        Operation::ConditionalUpdate { resource_type, criteria, body } => {
            (of_type(Method::Put, resource_type), Some(criteria), sent(body))
        }
        Operation::ConditionalPatch { resource_type, criteria, patch } => {
            (of_type(Method::Patch, resource_type), Some(criteria), sent_patch(patch))
        }
        Operation::ConditionalDelete { resource_type, criteria } => {
            (of_type(Method::Delete, resource_type), Some(criteria), ("", &[]))
        }
        Operation::Read(_)
        | Operation::Vread { .. }
        | Operation::History { .. }
        | Operation::Search { .. }
        | Operation::Validate { .. }
        | Operation::Reindex { .. }
        | Operation::ReindexStatus
        | Operation::Diff { .. }
        | Operation::Perform { .. }
        | Operation::Bundle(_)
        | Operation::Capabilities(_) => return None,
    })
}

fn sent(body: &Content) -> Sent<'_> {
    match &body.encoding {
        Encoding::Native(media_type) => (media_type, &body.bytes),
        Encoding::Fhir(_) | Encoding::Tree(_) => ("", &body.bytes),
    }
}

fn sent_patch(patch: &Patch) -> Sent<'_> {
    (patch.format.name(), &patch.bytes)
}
