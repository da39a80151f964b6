//! The parts of the published definitions that the tables are made from, as they stand in the files.

use anyhow::{Result, bail};
use serde::Deserialize;

use super::archive::Entry;

/// FHIR `StructureDefinition`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StructureDefinition {
    pub(super) name: String,
    pub(super) kind: String,
    #[serde(rename = "abstract")]
    pub(super) is_abstract: bool,
    #[serde(rename = "type")]
    pub(super) type_name: Option<String>,
    pub(super) base_definition: Option<String>,
    pub(super) derivation: Option<String>,
    pub(super) snapshot: Option<ElementList>,
    pub(super) differential: Option<ElementList>,
}

/// `StructureDefinition.snapshot` or `.differential`.
#[derive(Deserialize)]
pub(super) struct ElementList {
    pub(super) element: Vec<ElementDefinition>,
}

/// FHIR `ElementDefinition`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ElementDefinition {
    pub(super) path: String,
    #[serde(default)]
    pub(super) min: u16,
    #[serde(default)]
    pub(super) max: String,
    #[serde(default, rename = "type")]
    pub(super) types: Vec<ElementType>,
    pub(super) content_reference: Option<String>,
    #[serde(default)]
    pub(super) is_summary: bool,
    #[serde(default)]
    pub(super) is_modifier: bool,
    #[serde(default)]
    pub(super) representation: Vec<String>,
    pub(super) binding: Option<Binding>,
    #[serde(default)]
    pub(super) constraint: Vec<Constraint>,
}

/// `ElementDefinition.type`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ElementType {
    /// Absent on the `value` of an STU3 primitive.
    pub(super) code: Option<String>,
    #[serde(default)]
    pub(super) target_profile: OneOrMany,
    #[serde(default)]
    pub(super) profile: OneOrMany,
    #[serde(default)]
    pub(super) extension: Vec<Extension>,
}

/// STU3 gives one profile per type entry, later versions give a list.
#[derive(Default, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// FHIR `Extension`, as far as the definitions use it for what concerns us.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Extension {
    pub(super) url: String,
    pub(super) value_string: Option<String>,
    pub(super) value_boolean: Option<bool>,
}

/// `ElementDefinition.binding`: the URL of the value set is in one of three places.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Binding {
    pub(super) strength: String,
    value_set: Option<String>,
    value_set_uri: Option<String>,
    value_set_reference: Option<Reference>,
}

impl Binding {
    /// The canonical URL, possibly with `|version`.
    pub(super) fn value_set(&self) -> Option<&str> {
        let reference = self.value_set_reference.as_ref().map(|reference| &reference.reference);
        self.value_set.as_ref().or(self.value_set_uri.as_ref()).or(reference).map(String::as_str)
    }
}

/// FHIR `Reference`.
#[derive(Deserialize)]
pub(super) struct Reference {
    pub(super) reference: String,
}

/// `ElementDefinition.constraint`.
#[derive(Deserialize)]
pub(super) struct Constraint {
    pub(super) key: String,
    pub(super) severity: String,
    pub(super) human: String,
    pub(super) expression: Option<String>,
    #[serde(default)]
    pub(super) extension: Vec<Extension>,
}

/// FHIR `SearchParameter`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchParameter {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) code: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) base: Vec<String>,
    pub(super) expression: Option<String>,
    #[serde(default)]
    pub(super) target: Vec<String>,
    pub(super) multiple_or: Option<bool>,
    pub(super) multiple_and: Option<bool>,
    #[serde(default)]
    pub(super) comparator: Vec<String>,
    #[serde(default)]
    pub(super) modifier: Vec<String>,
    #[serde(default)]
    pub(super) component: Vec<Component>,
}

/// `SearchParameter.component`.
#[derive(Deserialize)]
pub(super) struct Component {
    definition: ComponentDefinition,
    pub(super) expression: String,
}

/// A Reference in STU3, a canonical URL later.
#[derive(Deserialize)]
#[serde(untagged)]
enum ComponentDefinition {
    Canonical(String),
    Reference(Reference),
}

impl Component {
    /// URL of the parameter that says what this component is.
    pub(super) fn url(&self) -> &str {
        match &self.definition {
            ComponentDefinition::Canonical(url) => url,
            ComponentDefinition::Reference(reference) => &reference.reference,
        }
    }
}

/// FHIR `CompartmentDefinition`.
#[derive(Deserialize)]
pub(super) struct CompartmentDefinition {
    pub(super) id: String,
    pub(super) url: String,
    pub(super) code: String,
    #[serde(default)]
    pub(super) resource: Vec<CompartmentMember>,
}

/// `CompartmentDefinition.resource`.
#[derive(Deserialize)]
pub(super) struct CompartmentMember {
    pub(super) code: String,
    #[serde(default)]
    pub(super) param: Vec<String>,
}

/// FHIR `ValueSet`, with its expansion.
#[derive(Deserialize)]
pub(super) struct ValueSet {
    pub(super) url: String,
    pub(super) expansion: Option<Expansion>,
}

/// `ValueSet.expansion`.
#[derive(Deserialize)]
pub(super) struct Expansion {
    #[serde(default)]
    pub(super) contains: Vec<ExpandedCode>,
}

/// `ValueSet.expansion.contains`.
#[derive(Deserialize)]
pub(super) struct ExpandedCode {
    pub(super) system: Option<String>,
    pub(super) code: Option<String>,
    /// A heading that cannot be chosen.
    #[serde(default, rename = "abstract")]
    pub(super) is_abstract: bool,
    #[serde(default)]
    pub(super) contains: Vec<ExpandedCode>,
}

/// Everything read from the packages of one version.
#[derive(Default)]
pub(super) struct Source {
    pub(super) structures: Vec<StructureDefinition>,
    pub(super) parameters: Vec<SearchParameter>,
    pub(super) compartments: Vec<CompartmentDefinition>,
    pub(super) value_sets: Vec<ValueSet>,
}

/// The file names that [`Source::add`] understands begin with these.
pub(super) const DEFINITION_PREFIXES: [&str; 3] =
    ["StructureDefinition-", "SearchParameter-", "CompartmentDefinition-"];

impl Source {
    /// Adds one definition, told apart by its file name.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<()> {
        match entry.name.split('-').next() {
            Some("StructureDefinition") => self.structures.push(entry.parse()?),
            Some("SearchParameter") => self.parameters.push(entry.parse()?),
            Some("CompartmentDefinition") => self.compartments.push(entry.parse()?),
            Some("ValueSet") => self.value_sets.push(entry.parse()?),
            _ => bail!("{} is no definition that the tables are made from", entry.name),
        }
        Ok(())
    }
}
