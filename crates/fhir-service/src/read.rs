//! read: the current version of a resource, or "you have it".

use rulebook::{Failure, Interaction, Success};
use storage_api::{Current, Head, Key};
use versioning_core::{Decision, Intent, decide};

use crate::answer::{About, Answer, Payload};
use crate::service::{Context, Service, store_failure};

impl Service {
    pub(crate) async fn read(&self, key: &Key, context: &Context) -> Result<Answer, Failure> {
        let record = self.store.read(key).await.map_err(store_failure)?;
        if let Some(body) = &record.body
            && self.rulebook.judges(Interaction::Read, &key.kind)
        {
            self.rulebook.show(&key.kind, &key.id, &self.content_of(body)?, &context.caller)?;
        }
        let answer = self.show(key, record.current, Interaction::Read, context)?;
        let Shown::Content(head) = answer else { return Ok(self.not_modified(key, answer.head())) };
        let body = record.body.ok_or(Failure::Internal)?;
        let shown = self.represent(key, head.version, head.at, &body)?;
        let about = About { key: key.clone(), version: head.version, body: Some(body) };
        Ok(Answer { about: Some(about), ..self.content(key, head, shown) })
    }

    /// Decides a read of a version, current or old.
    pub(crate) fn show(
        &self,
        key: &Key,
        current: Current,
        interaction: Interaction,
        context: &Context,
    ) -> Result<Shown, Failure> {
        let policy = self.rulebook.lock_policy(&key.kind);
        match decide(&context.precondition, current, Intent::Read, policy) {
            Decision::Show(head) => Ok(Shown::Content(head)),
            Decision::NotModified(head) => Ok(Shown::NotModified(head)),
            Decision::Refuse(refusal) => Err(self.refused(refusal, key, interaction, &context.precondition)),
            // The core answers a read with neither.
            Decision::Write { .. } | Decision::Keep(_) => Err(Failure::Internal),
        }
    }

    pub(crate) fn not_modified(&self, key: &Key, head: Head) -> Answer {
        Answer { status: Success::NotModified.status(false), ..self.validators(key, head) }
    }

    pub(crate) fn content(&self, key: &Key, head: Head, payload: Payload) -> Answer {
        Answer { status: Success::Shown.status(true), payload: Some(payload), ..self.validators(key, head) }
    }

    fn validators(&self, key: &Key, head: Head) -> Answer {
        Answer {
            etag: Some(self.version_id(&key.kind, head.version)),
            last_modified: Some(head.at),
            ..Answer::default()
        }
    }
}

/// How a read goes on.
#[derive(Clone, Copy)]
pub(crate) enum Shown {
    Content(Head),
    NotModified(Head),
}

impl Shown {
    pub(crate) fn head(self) -> Head {
        match self {
            Self::Content(head) | Self::NotModified(head) => head,
        }
    }
}
