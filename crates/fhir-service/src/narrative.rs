//! Narratives after the server itself changed data: in a patch, or in a merge.

use fhir_model::Resource;
use fhir_model::json::{Object, Value};
use rulebook::Failure;

use crate::service::Service;

/// What becomes of a narrative that was not generated from the data, where a patch changes the data but not the
/// narrative. (One that was generated goes: it would tell what is not true any more.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Narratives {
    /// It stays: it says more than the data do.
    #[default]
    Keep,
    /// The patch is refused, unless it changes the narrative as well.
    Refuse,
}

impl Service {
    /// A resource that the server made out of `before`, without a narrative that does not fit any more.
    pub(crate) fn settle_narrative(&self, resource: Resource, before: &Value) -> Result<Resource, Failure> {
        let Some(text) = resource.object().get("text") else { return Ok(resource) };
        if before.get("text") != Some(text) || !data_differs(resource.object(), before) {
            return Ok(resource);
        }
        match text.get("status").and_then(Value::as_str) {
            Some("generated" | "extensions") => {
                let Value::Object(mut object) = resource.into_value() else { return Err(Failure::Internal) };
                object.remove("text");
                Resource::from_value(Value::Object(object)).map_err(Failure::NoResource)
            }
            // It tells nothing, so nothing of it is wrong.
            Some("empty") => Ok(resource),
            _ if self.narratives == Narratives::Refuse => Err(Failure::NarrativeOutdated),
            _ => Ok(resource),
        }
    }
}

/// Whether anything but narrative and meta is another.
fn data_differs(after: &Object, before: &Value) -> bool {
    const NO_DATA: [&str; 2] = ["text", "meta"];
    let Value::Object(before) = before else { return true };
    let data = |object: &Object| object.names().filter(|name| !NO_DATA.contains(name)).count();
    data(after) != data(before)
        || after.iter().any(|(name, value)| !NO_DATA.contains(&name) && before.get(name) != Some(value))
}
