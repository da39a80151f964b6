//! update: a new version under an id, replacing exactly the version the client named.

use rulebook::{Failure, Interaction};
use storage_api::{Key, Method};
use versioning_core::{VersionId, WriteOperation};

use crate::answer::Answer;
use crate::conflict::Wanted;
use crate::content::Incoming;
use crate::request::Content;
use crate::service::{Context, Service};
use crate::write::{Ended, Loaded, Write};

impl Service {
    pub(crate) async fn update(
        &self,
        key: &Key,
        body: &Content,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let write = Write {
            operation: WriteOperation::Update,
            interaction: Interaction::Update,
            method: Method::Put,
            key,
            context,
            matched: None,
        };
        let incoming = || {
            let incoming = self.incoming(body, &key.kind, Some(&key.id))?;
            incoming.check_url_id(&key.id)?;
            Ok(incoming)
        };
        match self.update_one(write, body, incoming).await? {
            (Ended::Written(written), rebased_onto) => {
                let answer = self.written(&written.outcome(written.updated()), context)?;
                Ok(Answer { rebased_onto, ..answer })
            }
            // Without criteria nothing can be matched again.
            (Ended::Rematch, _) => Err(Failure::Internal),
        }
    }

    /// Carries out one update, as a merge if that is what a stale client asks for and may have; then the version is
    /// the one that it was merged with.
    pub(crate) async fn update_one(
        &self,
        write: Write<'_>,
        body: &Content,
        incoming: impl Fn() -> Result<Incoming, Failure>,
    ) -> Result<(Ended, Option<VersionId>), Failure> {
        let context = write.context;
        let prepare = |_: Loaded<'_>| incoming();
        let ended = match self.write(write, prepare).await {
            Err(stale) if self.may_rebase(&stale, context) => {
                self.rebase(write, incoming()?, stale).await.map(|(ended, onto)| (ended, Some(onto)))
            }
            ended => ended.map(|ended| (ended, None)),
        };
        // The same request may have been merged while this one was, which then finds its own change in the way.
        let ended = match (ended, &context.claim) {
            (Err(failure @ Failure::Refused(_)), Some(claim)) if context.preferences.rebase => {
                let first = self.replay_on(&write, claim).await?;
                first.map(|first| (Ended::Written(first), None)).ok_or(failure)
            }
            (ended, _) => ended,
        };
        match ended {
            Ok((Ended::Written(written), None)) => {
                let onto = self.merged_at_first(&written, context).await;
                Ok((Ended::Written(written), onto))
            }
            Ok(ended) => Ok(ended),
            Err(failure) => Err(self.explained(failure, write.key, Wanted::Content(body), context).await),
        }
    }
}
