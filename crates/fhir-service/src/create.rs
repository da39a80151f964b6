//! create: a new resource under an id of the server's.

use fhir_model::Id;
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
            let id = Id::parse(&self.ids.resource_id().to_string()).map_err(|_| Failure::Internal)?;
            let key = Key::new(resource_type, id.as_str());
            let write = Write {
                operation: WriteOperation::Create,
                interaction: Interaction::Create,
                method: Method::Post,
                key: &key,
                precondition: &context.precondition,
                claim: context.claim.as_ref(),
            };
            let prepare = |_: Loaded<'_>| {
                let mut incoming = self.incoming(body, resource_type, None)?;
                incoming.set_new_id(&id, self.rulebook.client_id())?;
                self.check_valid(incoming)?.into_body()
            };
            draws += 1;
            match self.write(write, prepare).await {
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
