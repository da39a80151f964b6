//! Resources inside of others: what they are found by, and what refers to them.

use std::cell::OnceCell;
use std::collections::HashMap;

use compact_str::{CompactString, format_compact};
use fhir_model::json::Value as Json;
use fhirpath::Item;
use storage_api::{Coding, Term, Value};

use crate::error::ExtractError;
use crate::extractor::{Extractor, due};
use crate::parameters::Rule;
use crate::values::{CONTAINED, contained, type_of};

impl Extractor {
    /// What a contained resource is found by: the same terms as if it were one of its own, each together with its id,
    /// so that several conditions can be asked of the same one. By parameters that were defined here it is not found.
    pub(crate) fn contained_terms(
        &self,
        container: &str,
        resource: &Json,
        bases: &[&str],
        terms: &mut Vec<Term>,
    ) -> Result<(), ExtractError> {
        let Some((object, parameters)) = self.known(resource) else { return Ok(()) };
        let (Some(kind), Some(id)) = (
            object.get("resourceType").and_then(Json::as_str),
            object.get("id").and_then(Json::as_str).filter(|id| !id.is_empty()),
        ) else {
            return Ok(());
        };
        let mut published = due(object, parameters);
        published.retain(|rule| !rule.is_custom);
        let mut own = Vec::new();
        self.published_terms(&published, resource, bases, &mut own)?;
        let name = Value::Token(Coding { code: id.into(), system: None });
        terms.push(Term { param: contained_name(container, kind), value: name.clone() });
        terms.extend(own.into_iter().map(|term| Term {
            param: contained_name(container, &term.param),
            value: Value::Composite(vec![term.value, name.clone()]),
        }));
        Ok(())
    }
}

impl Rule {
    /// `patient` finds its references among those of `subject`. A term says when there are references and none of them
    /// is for it, which is seldom.
    pub(crate) fn mark_missing(&self, items: &[Item<'_>], context: &Item<'_>, terms: &mut Vec<Term>) {
        if items.is_empty() || self.narrowed.is_empty() {
            return;
        }
        let types = OnceCell::new();
        let kind_of = |item: &Item<'_>| match contained(item) {
            Some(id) => {
                let types = types.get_or_init(|| context.json().map(contained_types).unwrap_or_default());
                types.get(id).map(|name| CompactString::from(*name))
            }
            None => type_of(item).map(CompactString::from),
        };
        let kinds: Vec<CompactString> = items.iter().filter_map(kind_of).collect();
        for (term, target) in &self.narrowed {
            if !kinds.iter().any(|kind| *kind == target.name()) {
                let value = Value::Token(Coding { code: "true".into(), system: None });
                terms.push(Term { param: term.clone(), value });
            }
        }
    }
}

/// The name of the terms of what a resource of a type contains: of those by a parameter, or, by the name of a type, of
/// the ids.
pub(crate) fn contained_name(container: &str, name: &str) -> CompactString {
    format_compact!("{container}{CONTAINED}{name}")
}

/// The types of contained resources by their ids.
fn contained_types(resource: &Json) -> HashMap<&str, &str> {
    let Some(Json::Array(contained)) = resource.get("contained") else { return HashMap::new() };
    let mut types = HashMap::new();
    for inner in contained {
        if let (Some(id), Some(name)) =
            (inner.get("id").and_then(Json::as_str), inner.get("resourceType").and_then(Json::as_str))
        {
            types.entry(id).or_insert(name);
        }
    }
    types
}
