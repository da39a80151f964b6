//! From a StructureDefinition to a [`Profile`]: what the snapshot, or else the differential, asks for beyond the
//! definition of the type.

use std::collections::HashMap;

use fhir_definitions::{BindingStrength, Definitions, ElementDef, Fields, TypeRef};
use fhir_model::IssueSeverity;
use fhir_model::json::Value;
use fhirpath::Expression;

use super::CORE;
use super::node::{Binding, Discriminator, DiscriminatorKind, Expected, Node, Profile, ProfileRule, Slicing};
use super::value_sets::{items, without_version};

/// Paths with more steps are left out: no published one has 20.
const PATH_STEPS_MAX: usize = 64;

/// Compiles one StructureDefinition.
pub(super) struct Compiler<'a> {
    pub(super) definitions: Definitions,
    /// The type that each known profile constrains.
    pub(super) types_by_url: &'a HashMap<&'a str, &'a str>,
    /// What is not checked, in sentences.
    pub(super) notes: Vec<String>,
}

/// An element of the profile in the definition of its type.
#[derive(Clone, Copy)]
struct Base {
    element: ElementDef,
    /// The type, where the name says which one of a choice.
    type_ref: Option<TypeRef>,
}

impl Base {
    /// What may stand inside.
    fn fields(self) -> Option<Fields> {
        let type_ref = self.type_ref.or_else(|| self.element.types().next())?;
        Some(self.element.fields_as(type_ref))
    }
}

/// A name on the way to an element, and the slice that is meant.
#[derive(Clone)]
struct Step {
    name: String,
    slice: Option<String>,
    base: Base,
}

impl Compiler<'_> {
    /// The profile, or why it is none.
    pub(super) fn profile(&mut self, definition: &Value) -> Result<Profile, String> {
        let text = |name: &str| definition.get(name).and_then(Value::as_str);
        let url = text("url").ok_or("it has no url")?;
        let type_name = text("type").ok_or("it names no type")?;
        let type_def =
            self.definitions.type_named(type_name).ok_or_else(|| format!("there is no type {type_name}"))?;
        let snapshot = items(definition.get("snapshot"), "element");
        let elements =
            if snapshot.is_empty() { items(definition.get("differential"), "element") } else { snapshot };
        let base = text("baseDefinition").map(without_version);
        let needs_base = snapshot.is_empty() && base.is_some_and(|base| !base.starts_with(CORE));
        let mut root = Node::named(type_name);
        self.elements(elements, type_def.fields(), &mut root);
        root.min = 0;
        root.max = None;
        root.prune();
        Ok(Profile {
            url: without_version(url).to_owned(),
            type_name: type_name.to_owned(),
            base: base.filter(|_| needs_base).map(str::to_owned),
            root,
        })
    }

    fn elements(&mut self, elements: &[Value], fields: Fields, root: &mut Node) {
        // Where each path leads at this point of the list: the elements of a slice follow it.
        let mut ways: HashMap<&str, Vec<Step>> = HashMap::new();
        for element in elements {
            let Some(path) = element.get("path").and_then(Value::as_str) else { continue };
            let slice = element.get("sliceName").and_then(Value::as_str);
            if path.split('.').count() > PATH_STEPS_MAX {
                self.notes.push(format!("{path:.64}.. is deeper than elements are checked"));
                continue;
            }
            let Some((parent, name)) = path.rsplit_once('.') else {
                self.rules(element, None, root);
                continue;
            };
            let Some(way) = way_to(&ways, parent, name, slice, fields) else {
                self.notes.push(format!("{path} is no element of its type"));
                continue;
            };
            let Some(base) = way.last().map(|step| step.base) else { continue };
            let is_slice = way.last().is_some_and(|step| step.slice.is_some());
            self.element(element, base, is_slice, node_at(root, &way));
            // What was said of another slice below this path is over.
            ways.retain(|known, _| !known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')));
            ways.insert(path, way);
        }
    }

    /// What one element definition asks for.
    fn element(&mut self, definition: &Value, base: Base, is_slice: bool, node: &mut Node) {
        let min = definition.get("min").and_then(Value::as_number).and_then(fhir_model::json::Number::as_u64);
        let min = min.and_then(|min| usize::try_from(min).ok()).unwrap_or(0);
        let is_typed = base.element.is_choice() && base.type_ref.is_some();
        // A finding of the walk over the structure need not be told twice.
        if is_slice || is_typed || min > usize::from(base.element.min()) {
            node.min = min;
        }
        let max = definition.get("max").and_then(Value::as_str).and_then(|max| max.parse().ok());
        let base_max = base.element.max().map(usize::from);
        node.max = max.filter(|max: &usize| is_slice || base_max.is_none_or(|base| *max < base));
        if let Some(expected) = expected(definition) {
            node.expected = Some(expected);
        }
        self.types(definition, base, node);
        node.binding = binding(definition, base);
        self.rules(definition, Some(base), node);
        // The types of a choice are told apart by their names.
        if let Some(slicing) = definition.get("slicing").filter(|_| !base.element.is_choice()) {
            node.slicing = self.slicing(slicing, &node.name);
        }
    }

    fn types(&mut self, definition: &Value, base: Base, node: &mut Node) {
        let types = items(Some(definition), "type");
        if types.is_empty() {
            return;
        }
        let code = |entry: &Value| entry.get("code").and_then(Value::as_str).map(str::to_owned);
        let mut names: Vec<String> = types.iter().filter_map(code).collect();
        names.sort();
        names.dedup();
        if base.element.is_choice() && base.type_ref.is_none() && names.len() < base.element.types().len() {
            node.types = Some(names);
        }
        let profiles = types.iter().flat_map(|entry| canonicals(entry, "profile"));
        node.profiles = profiles.filter(|url| !url.starts_with(CORE)).map(str::to_owned).collect();
        node.targets = self.targets(types, base);
    }

    /// The resource types that a reference may point to, if they are fewer than in the definition.
    fn targets(&mut self, types: &[Value], base: Base) -> Option<Vec<String>> {
        let mut names = Vec::new();
        for entry in types {
            let code = entry.get("code").and_then(Value::as_str);
            if !matches!(code, Some("Reference" | "CodeableReference")) {
                continue;
            }
            let mut urls = canonicals(entry, "targetProfile").peekable();
            urls.peek()?;
            for url in urls {
                match url.strip_prefix(CORE).or_else(|| self.types_by_url.get(url).copied()) {
                    Some("Resource") => return None,
                    Some(name) => names.push(name.to_owned()),
                    None => {
                        self.notes.push(format!(
                            "{}: the target profile {url} is not known, so targets are not checked",
                            base.element.path()
                        ));
                        return None;
                    }
                }
            }
        }
        names.sort();
        names.dedup();
        let type_ref = base.type_ref.or_else(|| base.element.types().find(|found| found.targets().len() > 0));
        let allowed = type_ref.map_or(0, |found| found.targets().len());
        (!names.is_empty() && (allowed == 0 || names.len() < allowed)).then_some(names)
    }

    /// The rules that the definition does not have, by key.
    fn rules(&mut self, definition: &Value, base: Option<Base>, node: &mut Node) {
        for constraint in items(Some(definition), "constraint") {
            let text = |name: &str| constraint.get(name).and_then(Value::as_str);
            let (Some(key), Some(source)) = (text("key"), text("expression")) else { continue };
            if is_known(key, base, &node.name, self.definitions) {
                continue;
            }
            match Expression::parse(source) {
                Ok(expression) => node.rules.push(ProfileRule {
                    key: key.to_owned(),
                    human: text("human").unwrap_or_default().to_owned(),
                    severity: match text("severity") {
                        Some("warning") => IssueSeverity::Warning,
                        _ => IssueSeverity::Error,
                    },
                    expression,
                }),
                Err(error) => self.notes.push(format!("rule {key} is not checked: {error}")),
            }
        }
    }

    fn slicing(&mut self, slicing: &Value, name: &str) -> Option<Slicing> {
        let mut discriminators = Vec::new();
        for entry in items(Some(slicing), "discriminator") {
            let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
            let (kind, path) = (text("type"), text("path"));
            let Some(found) = discriminator(kind, path) else {
                self.notes.push(format!("slices of {name} by {kind} of {path} are not checked"));
                return None;
            };
            discriminators.push(found);
        }
        let is_closed = slicing.get("rules").and_then(Value::as_str) == Some("closed");
        (!discriminators.is_empty()).then_some(Slicing { discriminators, is_closed })
    }
}

/// The way to the element `name` in `parent`, whose own way is found or made.
fn way_to<'p>(
    ways: &HashMap<&'p str, Vec<Step>>,
    parent: &'p str,
    name: &str,
    slice: Option<&str>,
    fields: Fields,
) -> Option<Vec<Step>> {
    let mut way = match (ways.get(parent), parent.rsplit_once('.')) {
        (Some(way), _) => way.clone(),
        // The root.
        (None, None) => Vec::new(),
        (None, Some((before, last))) => way_to(ways, before, last, None, fields)?,
    };
    let inside = match way.last() {
        Some(step) => step.base.fields()?,
        None => fields,
    };
    way.push(step(inside, name, slice)?);
    Some(way)
}

/// The step into `fields` that a name of a path means. A slice of a choice that is named like one of its types means
/// that type, as does the name in STU3.
fn step(fields: Fields, name: &str, slice: Option<&str>) -> Option<Step> {
    let owned = |slice: Option<&str>| slice.map(str::to_owned);
    let Some(bare) = name.strip_suffix("[x]") else {
        let (element, type_ref) = fields.resolve_json_name(name)?;
        let slice = if element.is_choice() { None } else { owned(slice) };
        return Some(Step { name: name.to_owned(), slice, base: Base { element, type_ref: Some(type_ref) } });
    };
    let element = fields.element(bare)?;
    let typed = slice.and_then(|slice| Some((slice, fields.resolve_json_name(slice)?)));
    match typed {
        Some((typed, (found, type_ref))) if found == element => Some(Step {
            name: typed.to_owned(),
            slice: None,
            base: Base { element, type_ref: Some(type_ref) },
        }),
        _ => {
            Some(Step { name: bare.to_owned(), slice: owned(slice), base: Base { element, type_ref: None } })
        }
    }
}

fn node_at<'n>(root: &'n mut Node, way: &[Step]) -> &'n mut Node {
    way.iter().fold(root, |node, step| {
        let child = node.child_mut(&step.name);
        match &step.slice {
            Some(slice) => child.slice_mut(slice),
            None => child,
        }
    })
}

/// The binding, if the definition does not have it.
fn binding(definition: &Value, base: Base) -> Option<Binding> {
    let binding = definition.get("binding")?;
    let strength = binding.get("strength").and_then(Value::as_str);
    let is_required = strength == Some("required");
    if !is_required && strength != Some("extensible") {
        return None;
    }
    // STU3 has a URI or a Reference, the later versions a canonical.
    let members = ["valueSet", "valueSetUri", "valueSetReference"];
    let named = members.into_iter().find_map(|member| binding.get(member))?;
    let url = named.get("reference").unwrap_or(named).as_str()?;
    let value_set = without_version(url).to_owned();
    let is_base = base.element.binding().is_some_and(|found| {
        let is_as_strong = !is_required || found.strength() == BindingStrength::Required;
        found.value_set().url() == value_set && is_as_strong
    });
    (!is_base).then_some(Binding { value_set, is_required })
}

/// The value of `fixed[x]` or `pattern[x]`.
fn expected(definition: &Value) -> Option<Expected> {
    let typed = |name: &str, prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
    };
    definition.as_object()?.iter().find_map(|(name, value)| {
        if typed(name, "fixed") {
            Some(Expected::Fixed(value.clone()))
        } else if typed(name, "pattern") {
            Some(Expected::Pattern(value.clone()))
        } else {
            None
        }
    })
}

/// The canonical URLs in a member, which STU3 writes as one string and later versions as an array; without versions.
fn canonicals<'a>(entry: &'a Value, name: &str) -> impl Iterator<Item = &'a str> {
    let member = entry.get(name);
    let list = member.and_then(Value::as_array).unwrap_or_default();
    let one = member.and_then(Value::as_str);
    list.iter().filter_map(Value::as_str).chain(one).map(without_version)
}

/// Whether a rule is one of those that the definitions have anyway.
fn is_known(key: &str, base: Option<Base>, name: &str, definitions: Definitions) -> bool {
    let in_type = |type_def: fhir_definitions::TypeDef| type_def.invariants().any(|rule| rule.key() == key);
    match base {
        None => definitions.type_named(name).is_some_and(in_type),
        Some(base) => {
            base.element.invariants().any(|rule| rule.key() == key)
                || base.element.types().any(|found| in_type(found.type_def()))
        }
    }
}

/// A discriminator that can be evaluated: a value or an existence at the end of plain names.
fn discriminator(kind: &str, path: &str) -> Option<Discriminator> {
    let kind = match kind {
        "value" | "pattern" => DiscriminatorKind::Value,
        "exists" => DiscriminatorKind::Exists,
        _ => return None,
    };
    let is_name = |step: &&str| !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let steps: Vec<&str> = path.split('.').filter(|step| *step != "$this").collect();
    let is_plain = steps.iter().all(is_name);
    is_plain.then(|| Discriminator { kind, path: steps.into_iter().map(str::to_owned).collect() })
}
