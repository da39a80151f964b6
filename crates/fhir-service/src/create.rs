//! create: a new resource under an id of the server's.

use rulebook::{Failure, Interaction, Success};
use storage_api::{Key, Method};
use versioning_core::{Refusal, WriteOperation};

use crate::answer::Answer;
use crate::request::Content;
use crate::service::{Context, Service};
use crate::write::{Loaded, Write};

impl Service {
    pub(crate) async fn create(
        &self,
        resource_type: &str,
        body: &Content,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let mut draws = 0;
        loop {
            let id = self.new_id(resource_type, &context.planned)?;
            let key = Key::new(resource_type, id.as_str());
            let write = Write {
                operation: WriteOperation::Create,
                interaction: Interaction::Create,
                method: Method::Post,
                key: &key,
                context,
                matched: None,
            };
            let prepare = |_: Loaded<'_>| {
                let mut incoming = self.incoming(body, resource_type, None)?;
                incoming.set_new_id(&id, self.rulebook.client_id())?;
                Ok(incoming)
            };
            draws += 1;
            match self.write_alone(write, prepare).await {
                Err(Failure::Refused(refused))
                    if refused.refusal == Refusal::IdTaken && draws < self.limits.id_draws_max => {}
                Err(failure) => return Err(failure),
                Ok(written) => {
                    return self.written(&written.outcome(Success::Created), context);
                }
            }
        }
    }
}
