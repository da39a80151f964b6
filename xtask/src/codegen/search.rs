//! SearchParameters become, per resource type, a code, a type and the part of the expression that concerns it.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, ensure};

use super::expressions::{Node, alternatives, first_name, select};
use super::model::{Component, Model, Parameter};
use super::source;

/// Fills [`Model::parameters`].
pub(super) fn add(model: &mut Model, published: &[source::SearchParameter]) -> Result<()> {
    let kept: Vec<&source::SearchParameter> =
        published.iter().filter(|parameter| is_kept(parameter)).collect();
    for parameter in &kept {
        ensure!(
            parameter.modifier.is_empty(),
            "{} lists modifiers: the tables have no place for them",
            parameter.id
        );
        ensure!(
            parameter.multiple_and.is_none(),
            "{} has multipleAnd: the tables have no place for it",
            parameter.id
        );
        let new = convert(model, parameter);
        model.parameters.push(new);
    }
    remove_repeated(&mut model.parameters);
    add_components(model, &kept)
}

/// Left out: the examples, extension parameters without a base, and those that say nothing about where their
/// values are, unless they are the server's own business (`_text`, `_content`, `_filter`, ..).
fn is_kept(parameter: &source::SearchParameter) -> bool {
    let is_general = || parameter.base.iter().any(|base| base == "Resource" || base == "DomainResource");
    !parameter.id.starts_with("example")
        && !parameter.base.is_empty()
        && (parameter.expression.is_some() || is_general())
}

fn convert(model: &Model, parameter: &source::SearchParameter) -> Parameter {
    let mut targets = parameter.target.clone();
    targets.sort_unstable();
    targets.dedup();
    let mut uses = BTreeMap::new();
    for base in &parameter.base {
        match &parameter.expression {
            None => drop(uses.insert(base.clone(), None)),
            Some(whole) => {
                if let Some(part) = part_for(model, whole, base) {
                    uses.insert(base.clone(), Some(part));
                }
            }
        }
    }
    Parameter {
        id: parameter.id.clone(),
        code: parameter.code.clone(),
        kind: parameter.kind.clone(),
        url: parameter.url.clone(),
        multiple_or: parameter.multiple_or,
        comparators: parameter.comparator.clone(),
        targets,
        uses,
        components: Vec::new(),
    }
}

/// The alternatives of an expression that begin with the type's name. A few are relative to the resource: they
/// stand for the types that have no alternative of their own and do have an element of that name.
fn part_for(model: &Model, whole: &str, base: &str) -> Option<String> {
    let all = alternatives(whole);
    let mut own: Vec<&str> = all.iter().copied().filter(|part| first_name(part) == base).collect();
    if own.is_empty() {
        let fields = model.types.get(base)?.fields?;
        own = all.into_iter().filter(|part| model.element(fields, first_name(part)).is_some()).collect();
    }
    (!own.is_empty()).then(|| own.join(" | "))
}

/// Leaves each code once per type: the one of type `special` if there is one (R4B publishes `_filter` twice, once
/// as a token), else the first. Parameters that no type uses are dropped.
fn remove_repeated(parameters: &mut Vec<Parameter>) {
    let mut winners: HashMap<(String, String), usize> = HashMap::new();
    for (index, parameter) in parameters.iter().enumerate() {
        for base in parameter.uses.keys() {
            let key = (base.clone(), parameter.code.clone());
            let winner = winners.entry(key).or_insert(index);
            if parameters[*winner].kind != "special" && parameter.kind == "special" {
                *winner = index;
            }
        }
    }
    for (index, parameter) in parameters.iter_mut().enumerate() {
        let code = parameter.code.clone();
        parameter.uses.retain(|base, _| winners.get(&(base.clone(), code.clone())) == Some(&index));
    }
    parameters.retain(|parameter| !parameter.uses.is_empty());
}

/// Resolves the components of the composite parameters.
fn add_components(model: &mut Model, published: &[&source::SearchParameter]) -> Result<()> {
    let by_id: HashMap<&str, &source::SearchParameter> =
        published.iter().map(|parameter| (parameter.id.as_str(), *parameter)).collect();
    for index in 0..model.parameters.len() {
        let Some(composite) = by_id.get(model.parameters[index].id.as_str()) else { continue };
        let components: Result<Vec<Component>> =
            composite.component.iter().map(|component| resolve(model, index, component)).collect();
        model.parameters[index].components = components?;
    }
    Ok(())
}

/// Finds the parameter that a component names: by URL, or, since several URLs are stale, by the type and code
/// that the URL is made of. Where neither exists, the elements it selects decide its type.
fn resolve(model: &Model, composite: usize, component: &source::Component) -> Result<Component> {
    let url = component.url();
    let named = |parameter: &Parameter| {
        let last = url.rsplit('/').next().unwrap_or_default();
        last.split_once('-')
            .is_some_and(|(base, code)| parameter.code == code && parameter.uses.contains_key(base))
    };
    let by_url = model.parameters.iter().position(|parameter| parameter.url == url);
    let parameter = by_url.or_else(|| model.parameters.iter().position(named));
    let kind = match parameter {
        Some(index) => model.parameters[index].kind.clone(),
        None => infer_kind(model, &model.parameters[composite], &component.expression)
            .with_context(|| format!("{url} does not exist and its type does not show"))?,
    };
    Ok(Component { kind, parameter, expression: component.expression.clone() })
}

/// The search type that fits all elements that the component selects.
fn infer_kind(model: &Model, composite: &Parameter, expression: &str) -> Option<String> {
    let mut kinds = Vec::new();
    for (base, root) in &composite.uses {
        let roots = select(model, &[Node::root(base)], root.as_deref()?);
        kinds.extend(select(model, &roots, expression).iter().map(|found| search_type(&found.type_name)));
    }
    kinds.dedup();
    match kinds.as_slice() {
        [Some(kind)] => Some((*kind).to_owned()),
        _ => None,
    }
}

/// The search type for values of a data type (FHIR "Search", table of parameter types and data types).
fn search_type(data_type: &str) -> Option<&'static str> {
    Some(match data_type {
        "CodeableConcept" | "Coding" | "Identifier" | "ContactPoint" | "boolean" | "code" => "token",
        "Quantity" | "Range" | "Ratio" => "quantity",
        "date" | "dateTime" | "instant" | "Period" | "Timing" => "date",
        "string" | "markdown" | "HumanName" | "Address" => "string",
        "Reference" | "canonical" => "reference",
        "integer" | "decimal" => "number",
        "uri" | "url" | "oid" | "uuid" => "uri",
        _ => return None,
    })
}
