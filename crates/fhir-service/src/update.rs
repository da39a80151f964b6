//! update: a new version under an id, replacing exactly the version the client named.

use rulebook::{Failure, Interaction};
use storage_api::{Key, Method};
use versioning_core::WriteOperation;

use crate::answer::Answer;
use crate::request::Content;
use crate::service::{Context, Service};
use crate::write::{Loaded, Write};

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
        let prepare = |_: Loaded<'_>| {
            let incoming = self.incoming(body, &key.kind, Some(&key.id))?;
            incoming.check_url_id(&key.id)?;
            Ok(incoming)
        };
        let written = self.write_alone(write, prepare).await?;
        self.written(&written.outcome(written.updated()), context)
    }
}
