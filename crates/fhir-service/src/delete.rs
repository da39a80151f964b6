//! delete: a tombstone, which is a version like any other.

use rulebook::{Failure, Interaction, Success};
use storage_api::{Key, Method};
use versioning_core::WriteOperation;

use crate::answer::Answer;
use crate::service::{Context, Outcome, Service, resource};
use crate::write::{Write, Written};

impl Service {
    pub(crate) async fn delete(&self, key: &Key, context: &Context) -> Result<Answer, Failure> {
        let write = Write {
            operation: WriteOperation::Delete,
            interaction: Interaction::Delete,
            method: Method::Delete,
            key,
            context,
            matched: None,
        };
        // A deletion has no content, so the core never asks for any.
        let written = self.write_alone(write, |_| Err(Failure::Internal)).await?;
        self.answer_deletion(&written, context)
    }

    pub(crate) fn answer_deletion(&self, written: &Written, context: &Context) -> Result<Answer, Failure> {
        let outcome = written.outcome(written.deleted());
        self.check_deletion(&outcome)?;
        self.written(&outcome, context)
    }

    /// For some APIs it is a failure that there is nothing to delete.
    pub(crate) fn check_deletion(&self, outcome: &Outcome<'_>) -> Result<(), Failure> {
        let nothing = outcome.success == Success::NothingToDelete;
        let failure = nothing.then(|| self.rulebook.nothing_to_delete(&resource(outcome.key))).flatten();
        failure.map_or(Ok(()), Err)
    }
}
