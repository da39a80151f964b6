//! StructureDefinitions become types and element trees.
//!
//! A snapshot repeats what the type inherits. An element that says the same as the base type's element of that
//! name is not stored again: both trees hold the one element.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail, ensure};

use super::model::{
    Binding, Element, ElementIndex, Fields, FieldsIndex, Invariant, Kind, Model, Representation, Shape, Type,
    TypeRef,
};
use super::source::{Constraint, ElementDefinition, ElementType, Extension, StructureDefinition};

const DEFINITION: &str = "http://hl7.org/fhir/StructureDefinition/";
const BEST_PRACTICE: &str = "http://hl7.org/fhir/StructureDefinition/elementdefinition-bestpractice";
const REGEX: [&str; 2] = [
    "http://hl7.org/fhir/StructureDefinition/structuredefinition-regex",
    "http://hl7.org/fhir/StructureDefinition/regex",
];

/// Restrictions of data types that element definitions use by name; they are types in the XML schemas too.
const NAMED_PROFILES: [&str; 2] = ["SimpleQuantity", "MoneyQuantity"];

/// Fills [`Model::types`], [`Model::fields`] and [`Model::elements`].
pub(super) fn add(model: &mut Model, structures: &[StructureDefinition]) -> Result<()> {
    let by_name = base_types(structures)?;
    // Backbone elements of every type inherit from it, which no type's base says.
    add_type(model, &by_name, "BackboneElement")?;
    for name in by_name.keys() {
        add_type(model, &by_name, name)?;
    }
    resolve_content_references(model, &by_name)
}

/// The definitions that define a type, by its name; profiles, extensions and logical models are left out.
fn base_types(structures: &[StructureDefinition]) -> Result<BTreeMap<&str, &StructureDefinition>> {
    let mut by_name = BTreeMap::new();
    for structure in structures {
        let is_constraint = structure.derivation.as_deref() == Some("constraint");
        let is_wanted = match structure.kind.as_str() {
            "resource" | "primitive-type" => !is_constraint,
            "complex-type" => !is_constraint || NAMED_PROFILES.contains(&structure.name.as_str()),
            _ => false,
        };
        if is_wanted {
            let name = if is_constraint { Some(&structure.name) } else { structure.type_name.as_ref() };
            let name = name.with_context(|| format!("{} names no type", structure.name))?;
            ensure!(by_name.insert(name.as_str(), structure).is_none(), "{name} is defined twice");
        }
    }
    Ok(by_name)
}

/// Adds one type, its base first.
fn add_type(model: &mut Model, by_name: &BTreeMap<&str, &StructureDefinition>, name: &str) -> Result<()> {
    if model.types.contains_key(name) {
        return Ok(());
    }
    let structure = by_name.get(name).with_context(|| format!("{name} is a base but not defined"))?;
    let base = structure.base_definition.as_deref().map(|url| profile_name(url).to_owned());
    if let Some(base) = &base {
        add_type(model, by_name, base)?;
    }
    let kind = match structure.kind.as_str() {
        "resource" => Kind::Resource,
        "primitive-type" => Kind::Primitive,
        _ => Kind::Complex,
    };
    let mut tree = TreeBuilder::new(model, structure, name, kind)?;
    let fields = tree.add_type_fields(base.as_deref())?;
    let new = Type {
        kind,
        is_abstract: structure.is_abstract,
        is_profile: structure.derivation.as_deref() == Some("constraint"),
        base,
        fields: Some(fields),
        regex: tree.regex(),
        invariants: tree.invariants(tree.root_path()),
    };
    model.types.insert(name.to_owned(), new);
    Ok(())
}

/// Builds the element tree of one type.
struct TreeBuilder<'a> {
    model: &'a mut Model,
    structure: &'a StructureDefinition,
    name: &'a str,
    kind: Kind,
    /// Snapshot elements by the path of their parent, in order.
    children: HashMap<&'a str, Vec<&'a ElementDefinition>>,
    /// The rules that this definition adds itself, by path; a snapshot repeats those of every base and type.
    constraints: HashMap<&'a str, &'a [Constraint]>,
}

impl<'a> TreeBuilder<'a> {
    fn new(
        model: &'a mut Model,
        structure: &'a StructureDefinition,
        name: &'a str,
        kind: Kind,
    ) -> Result<Self> {
        let snapshot = structure.snapshot.as_ref().with_context(|| format!("{name} has no snapshot"))?;
        let differential =
            structure.differential.as_ref().with_context(|| format!("{name} has no differential"))?;
        let mut children: HashMap<&str, Vec<&ElementDefinition>> = HashMap::new();
        for element in &snapshot.element {
            if let Some((parent, _)) = element.path.rsplit_once('.') {
                children.entry(parent).or_default().push(element);
            }
        }
        let constraints = differential
            .element
            .iter()
            .map(|element| (element.path.as_str(), &*element.constraint))
            .collect();
        Ok(Self { model, structure, name, kind, children, constraints })
    }

    /// The path of the snapshot's first element: the type, or the profile's base type.
    fn root_path(&self) -> &'a str {
        self.structure.type_name.as_deref().unwrap_or(self.name)
    }

    /// The fields of the type itself.
    fn add_type_fields(&mut self, base: Option<&str>) -> Result<FieldsIndex> {
        let inherited = base.and_then(|base| self.model.types.get(base)).and_then(|base| base.fields);
        self.add_fields(self.root_path(), None, inherited)
    }

    /// The fields under `path`, which is the type or one of its backbone elements.
    fn add_fields(
        &mut self,
        path: &str,
        element: Option<ElementIndex>,
        inherited: Option<FieldsIndex>,
    ) -> Result<FieldsIndex> {
        let index = self.model.fields.len();
        self.model.fields.push(Fields { type_name: self.name.to_owned(), element, elements: Vec::new() });
        for definition in self.children.get(path).cloned().unwrap_or_default() {
            let child = self.add_element(definition, index, inherited)?;
            self.model.fields[index].elements.push(child);
        }
        Ok(index)
    }

    fn add_element(
        &mut self,
        definition: &'a ElementDefinition,
        parent: FieldsIndex,
        inherited: Option<FieldsIndex>,
    ) -> Result<ElementIndex> {
        let last = definition.path.rsplit('.').next().unwrap_or_default();
        let name = last.strip_suffix("[x]").unwrap_or(last);
        let mut shape = self.shape(definition)?;
        if let Some(base) = inherited.and_then(|fields| self.model.element(fields, name)) {
            let base_shape = &self.model.elements[base].shape;
            shape.invariants.splice(0..0, base_shape.invariants.iter().cloned());
            if *base_shape == shape {
                return Ok(base);
            }
        }
        let index = self.model.elements.len();
        self.model.elements.push(Element {
            name: name.to_owned(),
            parent,
            shape,
            children: None,
            content_reference: None,
        });
        if self.children.contains_key(definition.path.as_str()) {
            let base = self.model.elements[index].shape.types.first().map(|base| base.name.clone());
            let base = base.and_then(|base| self.model.types.get(&base)).and_then(|base| base.fields);
            let children = self.add_fields(&definition.path, Some(index), base)?;
            self.model.elements[index].children = Some(children);
        }
        Ok(index)
    }

    fn shape(&self, definition: &ElementDefinition) -> Result<Shape> {
        let path = &definition.path;
        let types = self.types(definition)?;
        let has_xhtml = types.iter().any(|allowed| allowed.name == "xhtml");
        let representation = match definition.representation.first().map(String::as_str) {
            None if has_xhtml => Representation::Xhtml,
            None => Representation::Element,
            Some("xmlAttr") => Representation::Attribute,
            Some("xhtml") => Representation::Xhtml,
            Some(other) => bail!("{path} has the unknown representation {other}"),
        };
        let max = match definition.max.as_str() {
            "*" => None,
            number => Some(number.parse().with_context(|| format!("{path} has the max {number:?}"))?),
        };
        Ok(Shape {
            is_choice: path.ends_with("[x]"),
            is_summary: definition.is_summary,
            is_modifier: definition.is_modifier,
            representation,
            min: definition.min,
            max,
            types,
            binding: binding(definition),
            invariants: self.invariants(path),
        })
    }

    /// The types of an element; entries that differ in their targets only (STU3) become one.
    fn types(&self, definition: &ElementDefinition) -> Result<Vec<TypeRef>> {
        let mut merged: Vec<TypeRef> = Vec::new();
        for entry in &definition.types {
            let name = self.type_name(definition, entry)?;
            let at = merged.iter().position(|known| known.name == name).unwrap_or_else(|| {
                merged.push(TypeRef { name, targets: Vec::new(), profile: None });
                merged.len() - 1
            });
            let known = &mut merged[at];
            known
                .targets
                .extend(entry.target_profile.as_slice().iter().map(|url| profile_name(url).to_owned()));
            let profile = entry.profile.as_slice().iter().map(|url| profile_name(url));
            known.profile = profile.into_iter().find(|name| NAMED_PROFILES.contains(name)).map(str::to_owned);
        }
        for known in &mut merged {
            known.targets.sort_unstable();
            known.targets.dedup();
            if known.targets.iter().any(|target| target == "Resource") {
                known.targets.clear();
            }
        }
        Ok(merged)
    }

    /// The type of one entry. The attributes `id` and `url` and the `value` of primitives are published with
    /// FHIRPath system types, with FHIR types or with none, depending on the version; here they are alike.
    fn type_name(&self, definition: &ElementDefinition, entry: &ElementType) -> Result<String> {
        let path = &definition.path;
        let is_system = entry.code.as_deref().is_none_or(|code| code.contains("/fhirpath/"));
        let last = path.rsplit('.').next().unwrap_or_default();
        let depth = path.matches('.').count();
        let name = match last {
            "id" if depth == 1 && self.kind == Kind::Resource => "id",
            "id" if is_system => "string",
            "url" if is_system => "uri",
            "value" if depth == 1 && self.kind == Kind::Primitive => system_type(self.name),
            _ if is_system => bail!("{path} has a system type where a FHIR type belongs"),
            _ => entry.code.as_deref().unwrap_or_default(),
        };
        Ok(name.to_owned())
    }

    /// The rules that this definition adds at `path`.
    fn invariants(&self, path: &str) -> Vec<Invariant> {
        let constraints = self.constraints.get(path).copied().unwrap_or_default();
        let is_best_practice =
            |extension: &Extension| extension.url == BEST_PRACTICE && extension.value_boolean == Some(true);
        constraints
            .iter()
            .map(|constraint| Invariant {
                key: constraint.key.clone(),
                is_error: constraint.severity == "error",
                is_best_practice: constraint.extension.iter().any(is_best_practice),
                human: constraint.human.clone(),
                expression: constraint.expression.clone().unwrap_or_default(),
            })
            .collect()
    }

    /// The pattern on the `value` of a primitive.
    fn regex(&self) -> Option<String> {
        if self.kind != Kind::Primitive {
            return None;
        }
        let value = self
            .children
            .get(self.name)?
            .iter()
            .find(|child| child.path.rsplit('.').next() == Some("value"))?;
        let extensions = value.types.iter().flat_map(|entry| &entry.extension);
        extensions
            .filter(|extension| REGEX.contains(&extension.url.as_str()))
            .find_map(|extension| extension.value_string.clone())
    }
}

/// Last step of a profile's URL: for the base definitions this is the type's name.
fn profile_name(url: &str) -> &str {
    url.strip_prefix(DEFINITION).unwrap_or(url)
}

/// The FHIRPath type of a primitive's value.
fn system_type(primitive: &str) -> &'static str {
    match primitive {
        "boolean" => "System.Boolean",
        "integer" | "integer64" | "positiveInt" | "unsignedInt" => "System.Integer",
        "decimal" => "System.Decimal",
        "date" => "System.Date",
        "dateTime" | "instant" => "System.DateTime",
        "time" => "System.Time",
        _ => "System.String",
    }
}

fn binding(definition: &ElementDefinition) -> Option<Binding> {
    let binding = definition.binding.as_ref()?;
    let full = binding.value_set()?;
    let (url, version) = full.split_once('|').map_or((full, None), |(url, version)| (url, Some(version)));
    Some(Binding {
        url: url.to_owned(),
        version: version.map(str::to_owned),
        strength: binding.strength.clone(),
    })
}

/// Points every element with a `contentReference` at its target, whose types and fields it takes over.
fn resolve_content_references(
    model: &mut Model,
    by_name: &BTreeMap<&str, &StructureDefinition>,
) -> Result<()> {
    let mut targets = BTreeMap::new();
    for structure in by_name.values().filter_map(|structure| structure.snapshot.as_ref()) {
        for element in &structure.element {
            if let Some(reference) = &element.content_reference {
                let (_, path) = reference.split_once('#').with_context(|| format!("{reference} has no #"))?;
                targets.insert(element.path.clone(), path.to_owned());
            }
        }
    }
    let by_path: HashMap<String, ElementIndex> =
        (0..model.elements.len()).map(|index| (model.path(index), index)).collect();
    let find = |path: &String| by_path.get(path).copied().with_context(|| format!("{path} does not exist"));
    for (from, to) in targets {
        let (from, to) = (find(&from)?, find(&to)?);
        model.elements[from].content_reference = Some(to);
        model.elements[from].children = model.elements[to].children;
        let types = model.elements[to].shape.types.clone();
        model.elements[from].shape.types = types;
    }
    Ok(())
}

/// Adds the FHIRPath system types that elements name, and checks that every other named type exists.
pub(super) fn close(model: &mut Model) -> Result<()> {
    let named: Vec<String> = model
        .elements
        .iter()
        .flat_map(|element| &element.shape.types)
        .flat_map(|allowed| std::iter::once(&allowed.name).chain(&allowed.targets).chain(&allowed.profile))
        .cloned()
        .collect();
    for name in named {
        if name.starts_with("System.") {
            model.types.entry(name).or_insert_with(system);
        } else {
            ensure!(model.types.contains_key(&name), "{name} is used as a type but not defined");
        }
    }
    Ok(())
}

fn system() -> Type {
    Type {
        kind: Kind::System,
        is_abstract: false,
        is_profile: false,
        base: None,
        fields: None,
        regex: None,
        invariants: Vec::new(),
    }
}
