//! Safe retry: a write that is sent again under the same `Idempotency-Key` answers with its
//! first result, also after a crash, because the key is claimed in the commit of that result.
//!
//! Two claims are made: one of the key, which tells that it was used, and one of the key with a
//! digest of the request, which tells whether this is that request.

use bytes::Bytes;
use rulebook::Failure;
use sha2::{Digest, Sha256};
use storage_api::{
    Commit, Guard, HistoryRequest, HistoryScope, Lost, Method, Now, Order, Scope, Seq, StoredVersion,
    Timestamp, VersionSelector, Write, WriteSet,
};
use versioning_core::{Change, VersionNumber};

use crate::service::{Service, store_failure};

/// Keys that were used. The number is stored, so it never changes.
const USED: Scope = Scope(1);
/// Keys with the request they were used for.
const REQUESTS: Scope = Scope(2);

/// A key that a client sent, with the request it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    key: Bytes,
    request: Bytes,
    expires: Timestamp,
}

/// The first result of a request that is repeated.
pub(crate) struct FirstResult {
    pub(crate) version: StoredVersion,
    pub(crate) change: Change,
}

impl Claim {
    /// The claim of `key` for a request, which is told apart by its parts.
    pub(crate) fn new(key: &str, parts: &[&[u8]], expires: Timestamp) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        let key = key.as_bytes();
        let request: Vec<u8> = digest.finalize().iter().chain(key).copied().collect();
        Self { key: Bytes::copy_from_slice(key), request: Bytes::from(request), expires }
    }

    /// What a commit must find for the key to be new.
    pub(crate) fn guards(&self) -> [Guard; 2] {
        [Guard::Unclaimed(USED, self.key.clone()), Guard::Unclaimed(REQUESTS, self.request.clone())]
    }

    /// What a commit writes to use the key.
    pub(crate) fn writes(&self) -> [Write; 2] {
        [(USED, &self.key), (REQUESTS, &self.request)].map(|(scope, value)| Write::Claim {
            scope,
            value: value.clone(),
            expires: Some(self.expires),
        })
    }
}

impl Service {
    /// The first result under this key, if the key was used: for this request, or the failure
    /// that says it was another one.
    pub(crate) async fn first_result(&self, claim: &Claim) -> Result<Option<FirstResult>, Failure> {
        // A write set without writes asks whether its guards hold, in the order of commits.
        let set = WriteSet {
            request: self.ids.request_id(),
            index: self.store.index_generation(),
            guards: claim.guards().into(),
            writes: Vec::new(),
        };
        match self.store.commit(set).await.map_err(store_failure)? {
            Commit::Lost(lost) => self.repeated(&lost).await,
            Commit::Committed(_) | Commit::StaleIndex(_) => Ok(None),
            Commit::Unknown => Err(Failure::Unavailable),
        }
    }

    /// Reads what failed guards say of a key.
    async fn repeated(&self, lost: &[Lost]) -> Result<Option<FirstResult>, Failure> {
        let claimed = |guard| {
            lost.iter().find_map(|lost| match lost.now {
                Now::Claimed(seq) if lost.guard == guard => Some(seq),
                _ => None,
            })
        };
        match (claimed(0), claimed(1)) {
            (None, _) => Ok(None),
            (Some(_), None) => Err(Failure::IdempotencyKeyReused),
            (Some(_), Some(seq)) => self.result_at(seq).await.map(Some),
        }
    }

    async fn result_at(&self, seq: Seq) -> Result<FirstResult, Failure> {
        let request = HistoryRequest {
            scope: HistoryScope::All,
            order: Order::Newest,
            after: Some(Seq(seq.0 + 1)),
            since: None,
            at: None,
            limit: 1,
        };
        let page = self.store.history(&request).await.map_err(store_failure)?;
        // A purge may have removed what the key stands for; its result cannot be told then.
        let found = page.versions.into_iter().find(|version| version.seq == seq);
        let version = found.ok_or(Failure::FirstResultGone)?;
        let change = self.change(&version).await?;
        Ok(FirstResult { version, change })
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
