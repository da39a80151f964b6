//! FHIRPath Patch: operations in a Parameters resource (FHIR, "FHIRPath Patch").

mod apply;
mod coerce;
mod error;
mod parse;
mod place;
mod select;
mod value;

use fhir_definitions::Definitions;
use fhir_model::json::Value;

pub use self::error::{FhirPathPatchFault, FhirPathPatchRefusal, PartFault};
pub(crate) use self::parse::part_fields;
use self::select::PatchPath;
use self::value::PatchValue;
use crate::error::{Malformed, NotApplicable};
use crate::limits::Limits;

/// A FHIRPath Patch: operations that are applied in order, all of them or none.
///
/// ```
/// use fhir_definitions::{Definitions, FhirVersion};
/// use fhir_model::json::{Limits as JsonLimits, parse};
/// use fhir_patch::{FhirPathPatch, Limits};
///
/// let parameters = br#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[
///     {"name":"type","valueCode":"add"},
///     {"name":"path","valueString":"Patient.name.where(use = 'official')"},
///     {"name":"name","valueString":"given"},
///     {"name":"value","valueString":"Ada"}]}]}"#;
/// let patient = br#"{"resourceType":"Patient","name":[{"use":"usual"},{"use":"official","family":"L"}]}"#;
///
/// let read = |text: &[u8]| parse(text, &JsonLimits::default());
/// let limits = Limits::default();
/// let patch = FhirPathPatch::parse(&read(parameters)?, Definitions::of(FhirVersion::R4), &limits)?;
/// assert_eq!(
///     patch.apply(&read(patient)?, &limits)?.to_string(),
///     r#"{"resourceType":"Patient","name":[{"use":"usual"},{"use":"official","family":"L","given":["Ada"]}]}"#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct FhirPathPatch {
    definitions: Definitions,
    operations: Vec<Operation>,
}

/// One operation, with where it works.
#[derive(Debug, Clone)]
struct Operation {
    path: PatchPath,
    kind: OperationKind,
}

#[derive(Debug, Clone)]
enum OperationKind {
    Add { name: String, value: PatchValue },
    Insert { list: Option<List>, index: usize, value: PatchValue },
    Delete,
    Replace { value: PatchValue },
    Move { list: Option<List>, source: usize, destination: usize },
}

/// A path that ends in the name of a list, taken apart.
#[derive(Debug, Clone)]
struct List {
    parent: PatchPath,
    name: String,
}

impl FhirPathPatch {
    /// Reads a Parameters resource with one parameter `operation` for each operation. Its values are typed by these
    /// definitions, and so are the resources that the patch is applied to.
    pub fn parse(
        parameters: &Value,
        definitions: Definitions,
        limits: &Limits,
    ) -> Result<Self, Malformed<FhirPathPatchFault>> {
        let operations = parse::operations(parameters, definitions, limits)?;
        Ok(Self { definitions, operations })
    }

    /// The resource after all operations.
    pub fn apply(
        &self,
        resource: &Value,
        limits: &Limits,
    ) -> Result<Value, NotApplicable<FhirPathPatchRefusal>> {
        apply::apply(&self.operations, resource, self.definitions, limits)
    }

    /// The number of operations.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is no operation at all.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}

#[cfg(test)]
mod tests;
