//! Every reference to a resource of this server, whether or not a search parameter finds it.

use core::fmt::Write as _;

use fhir_definitions::{Definitions, Fields};
use fhir_model::json::{Object, Value as Json};
use fhir_model::{Reference as Written, Target};
use storage_api::{Key, Reference, Term, Value};

/// The parameter of the terms that say what a resource refers to. No search parameter has this name.
pub const REFERS: &str = "@refers";

/// A reference to a resource of this server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outgoing {
    /// To what.
    pub target: Key,
    /// Where it stands, as a FHIRPath expression.
    pub path: String,
}

/// What a resource refers to on this server, each target once, where it comes first. References without an id of a
/// resource (to contained ones, by identifier, conditional) do not count, nor do those inside the resources that a
/// Bundle or a Parameters carries: they belong to other places. An absolute one below one of `bases` counts.
pub fn outgoing(resource: &Json, definitions: Definitions, bases: &[&str]) -> Vec<Outgoing> {
    let mut found = Vec::new();
    if let Some(object) = resource.as_object()
        && let Some(name) = object.get("resourceType").and_then(Json::as_str)
        && let Some(known) = definitions.resource_type(name)
    {
        let mut walk = Walk { definitions, bases, found: &mut found };
        walk.object(object, known.fields(), &mut name.to_owned());
    }
    found.sort_by(|a: &Outgoing, b| a.target.cmp(&b.target));
    found.dedup_by(|later, first| later.target == first.target);
    found
}

/// The terms that keep them: sorted.
pub fn outgoing_terms(found: &[Outgoing]) -> Vec<Term> {
    let value = |outgoing: &Outgoing| Value::Reference(Reference::Local(outgoing.target.clone()));
    found.iter().map(|outgoing| Term::new(REFERS, value(outgoing))).collect()
}

struct Walk<'a> {
    definitions: Definitions,
    bases: &'a [&'a str],
    found: &'a mut Vec<Outgoing>,
}

impl Walk<'_> {
    /// Nesting is bounded by the limits of parsing.
    fn object(&mut self, object: &Object, fields: Fields, path: &mut String) {
        for (name, value) in object.iter() {
            let Some((element, inside)) = fields.resolve_json_name(name.strip_prefix('_').unwrap_or(name))
            else {
                continue;
            };
            let whole = path.len();
            path.push('.');
            path.push_str(name);
            let kind = inside.name();
            match value {
                Json::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        let before = path.len();
                        let _ = write!(path, "[{index}]");
                        self.value(item, kind, element.fields_as(inside), path);
                        path.truncate(before);
                    }
                }
                one => self.value(one, kind, element.fields_as(inside), path),
            }
            path.truncate(whole);
        }
    }

    fn value(&mut self, value: &Json, kind: &str, fields: Fields, path: &mut String) {
        let Json::Object(object) = value else { return };
        if kind == "Reference" {
            self.reference(object, path);
        }
        if kind == "Resource" || object.get("resourceType").is_some() {
            // Those that are contained are part of the resource around them; others are on their way.
            let name = object.get("resourceType").and_then(Json::as_str).unwrap_or_default();
            let known = self.definitions.resource_type(name);
            if let Some(known) =
                known.filter(|_| path.rsplit('.').next().is_some_and(|last| last.starts_with("contained[")))
            {
                self.object(object, known.fields(), path);
            }
            return;
        }
        self.object(object, fields, path);
    }

    fn reference(&mut self, object: &Object, path: &str) {
        let text = object.get("reference").and_then(Json::as_str).unwrap_or_default();
        let Ok(Written { target: Target::Literal { base, resource_type, id, .. }, .. }) =
            Written::parse(text)
        else {
            return;
        };
        if base.is_none_or(|base| self.bases.contains(&base))
            && self.definitions.resource_type(resource_type).is_some()
        {
            self.found
                .push(Outgoing { target: Key::new(resource_type, id), path: format!("{path}.reference") });
        }
    }
}
