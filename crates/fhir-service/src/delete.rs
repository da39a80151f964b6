//! delete: a tombstone, which is a version like any other.

use rulebook::{Failure, Interaction};
use storage_api::{Key, Method};
use versioning_core::WriteOperation;

use crate::answer::Answer;
use crate::service::{Context, Service};
use crate::write::Write;

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
        self.written(&written.outcome(written.deleted()), context)
    }
}
