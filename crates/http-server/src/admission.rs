//! Whether a request may come in at all: what the API has, and whom it admits.

use fhir_service::Service;
use hyper::HeaderMap;
use rulebook::{Caller, Failure, Interaction, RequestHead, Rulebook};

use crate::route::Target;

/// An operation that the API does not have is a path that leads nowhere, whatever the method.
pub(crate) fn check_operation(rulebook: &dyn Rulebook, target: &Target, path: &str) -> Result<(), Failure> {
    let Some(name) = target.operation() else { return Ok(()) };
    if rulebook.operations().iter().any(|operation| operation.name == name) {
        return Ok(());
    }
    Err(Failure::NoRoute { path: path.chars().take(200).collect() })
}

/// Whether the API has this interaction here.
pub(crate) fn check_offered(
    rulebook: &dyn Rulebook,
    target: &Target,
    interaction: Interaction,
) -> Result<(), Failure> {
    let offered = match target.resource_type() {
        Some(resource_type) => rulebook.offers_on(interaction, resource_type),
        None => rulebook.offers(interaction),
    };
    if offered { Ok(()) } else { Err(Failure::NotOffered(interaction)) }
}

/// Who asks. An API that reads no header fields of its own admits everyone.
pub(crate) fn admit(
    service: &Service,
    target: &Target,
    interaction: Interaction,
    headers: &HeaderMap,
) -> Result<Caller, Failure> {
    let rulebook = service.rulebook();
    let wanted = rulebook.request_fields();
    if wanted.is_empty() {
        return Ok(Caller::default());
    }
    let mut fields = Vec::new();
    for name in wanted {
        for value in headers.get_all(*name) {
            fields.push((*name, value.to_str().unwrap_or_default().to_owned()));
        }
    }
    rulebook.admit(&RequestHead {
        interaction,
        resource_type: target.resource_type(),
        operation: target.operation(),
        fields: &fields,
        now: service.ids().now(),
    })
}
