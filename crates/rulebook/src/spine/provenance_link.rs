//! References to a Provenance that the server would add, as the examples of 2018 have them.

use fhir_model::IssueType;
use fhir_model::json::Value;

use crate::Warning;
use crate::spine::catalogue::concept;

/// The extension by which resources of that design refer to a Provenance that they contain.
const EXTENSION: &str = "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-RARecord-Provenance-1";

/// Takes extensions out that refer to a Provenance which is not contained, and says so.
pub(super) fn drop_dangling(resource: &mut Value) -> Option<Warning> {
    let object = resource.as_object_mut()?;
    let contained = object.get("contained").and_then(Value::as_array).unwrap_or_default();
    let ids: Vec<String> =
        contained.iter().filter_map(|inner| inner.get("id")?.as_str().map(str::to_owned)).collect();
    let dangles = |extension: &Value| {
        let parts = extension.get("extension").and_then(Value::as_array).unwrap_or_default();
        let mut references =
            parts.iter().filter_map(|part| part.get("valueReference")?.get("reference")?.as_str());
        extension.get("url").and_then(Value::as_str) == Some(EXTENSION)
            && references
                .any(|to| to.strip_prefix('#').is_some_and(|id| !ids.iter().any(|known| known == id)))
    };
    let extensions = object.get_mut("extension").and_then(Value::as_array_mut)?;
    let count = extensions.len();
    extensions.retain(|extension| !dangles(extension));
    let (left, dropped) = (extensions.len(), extensions.len() < count);
    if left == 0 {
        object.remove("extension");
    }
    dropped.then(|| Warning {
        issue: IssueType::Informational,
        coding: concept::INVALID_ELEMENT,
        diagnostics: "A reference to a Provenance that the resource does not contain was left out."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use fhir_model::{array, object};

    use super::*;

    /// A reference to a Provenance that is contained stays.
    #[test]
    fn only_dangling_provenance_is_left_out() {
        let extension = object! {
            "url": EXTENSION,
            "extension": array![object! { "url": "created", "valueReference": object! { "reference": "#p" } }],
        };
        let mut condition = Value::from(object! {
            "resourceType": "Condition",
            "contained": array![object! { "resourceType": "Provenance", "id": "p" }],
            "extension": array![extension],
        });
        assert_eq!(drop_dangling(&mut condition), None);
        assert!(condition.get("extension").is_some());
        condition.as_object_mut().and_then(|object| object.remove("contained"));
        assert!(drop_dangling(&mut condition).is_some());
        assert_eq!(condition.get("extension"), None);
    }
}
