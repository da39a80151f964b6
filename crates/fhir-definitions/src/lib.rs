#![doc = include_str!("../README.md")]

mod bindings;
mod compartments;
mod elements;
mod fields;
#[allow(dead_code, reason = "this crate unpacks, the generator packs")]
mod format;
mod invariants;
mod primitive;
mod resource_types;
mod search;
mod tables;
mod types;
mod version;

pub use bindings::{BindingDef, BindingStrength, CodeGroup, CodeList, ValueSetDef};
pub use compartments::CompartmentDef;
pub use elements::{ElementDef, ElementPath, Representation, TypeRef};
pub use fields::Fields;
pub use invariants::{InvariantDef, Severity};
pub use primitive::{JsonShape, Primitive};
pub use resource_types::{is_resource_type, resource_types};
pub use search::{ComponentDef, SearchParameterDef, SearchType};
pub use types::{Definitions, TypeDef, TypeKind};
pub use version::{FhirVersion, UnknownFhirVersion};
