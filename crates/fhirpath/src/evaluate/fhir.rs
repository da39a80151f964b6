//! The functions that FHIR adds (FHIR, "FHIRPath", "Additional functions").

use fhir_definitions::TypeDef;
use fhir_model::json::Value;

use super::{Evaluated, Evaluator, Items, Scope, boolean, optional_boolean, singleton, value};
use crate::environment::Dialect;
use crate::error::EvalError;
use crate::functions::Function;
use crate::item::{Element, Item};
use crate::syntax::Call;

impl<'a> Evaluator<'a> {
    pub(super) fn fhir(&self, call: &'a Call, items: &[Item<'a>], scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let at = call.function.name();
        match call.function {
            Function::Extension => self.extensions(items, call, scope),
            Function::HasExtension => Ok(boolean(!self.extensions(items, call, scope)?.is_empty())),
            Function::HasValue => Ok(boolean(matches!(items, [one] if one.system().is_some()))),
            Function::GetValue => Ok(value(singleton(items, at)?.and_then(Item::system))),
            Function::Resolve => self.resolved(items),
            Function::HtmlChecks => {
                let Some(item) = singleton(items, at)? else { return Ok(Items::new()) };
                Ok(optional_boolean(item.as_str().and_then(|html| self.environment.host.html_checks(html))))
            }
            Function::Subsumes | Function::SubsumedBy => {
                let others = self.argument(call, 0, scope)?;
                let (Some(item), Some(other)) = (singleton(items, at)?, singleton(&others, at)?) else {
                    return Ok(Items::new());
                };
                let (above, below) =
                    if call.function == Function::Subsumes { (item, other) } else { (other, item) };
                self.answered(self.environment.host.subsumes(above, below))
            }
            _ => {
                let (Some(item), Some(url)) = (singleton(items, at)?, self.text_argument(call, 0, scope)?)
                else {
                    return Ok(Items::new());
                };
                self.answered(match call.function {
                    Function::MemberOf => self.environment.host.member_of(item, &url),
                    _ => self.environment.host.conforms_to(item, &url),
                })
            }
        }
    }

    fn answered(&self, answer: Result<Option<bool>, String>) -> Evaluated<'a> {
        self.budget.charge(1)?;
        answer.map(optional_boolean).map_err(EvalError::Host)
    }

    /// The extensions with a URL.
    fn extensions(&self, items: &[Item<'a>], call: &'a Call, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let Some(url) = self.text_argument(call, 0, scope)? else { return Ok(Items::new()) };
        let mut found = Items::new();
        for item in items {
            self.members("extension", item, &mut found)?;
        }
        self.budget.check_items(found.len())?;
        found.retain(|extension| {
            let found = extension.json().and_then(|extension| extension.get("url"));
            found.and_then(Value::as_str) == Some(url.as_ref())
        });
        Ok(found)
    }

    /// What references point to. In searches the type alone: a search parameter asks for no more.
    fn resolved(&self, items: &[Item<'a>]) -> Evaluated<'a> {
        let mut out = Items::new();
        for item in items {
            self.budget.charge(1)?;
            out.extend(
                match self.environment.dialect {
                    Dialect::Search => self.target_type(item).map(Element::of_type),
                    _ => self.target(item),
                }
                .map(Item::Element),
            );
        }
        Ok(out)
    }

    fn target(&self, item: &Item<'a>) -> Option<Element<'a>> {
        let reference = reference_text(item)?;
        let definitions = self.environment.definitions;
        match reference.strip_prefix('#') {
            Some("") => self.root_resource(),
            Some(id) => self.contained(id).map(|found| Element::resource(found, definitions)),
            None => {
                self.environment.host.resolve(reference).map(|found| Element::resource(found, definitions))
            }
        }
    }

    fn contained_all(&self) -> &'a [Value] {
        let root = self.root_resource().and_then(|root| root.value());
        root.and_then(|root| root.get("contained")?.as_array()).unwrap_or_default()
    }

    fn contained(&self, id: &str) -> Option<&'a Value> {
        self.contained_all().iter().find(|found| found.get("id").and_then(Value::as_str) == Some(id))
    }

    /// The type that a reference states: in its text, by the resource contained, or in its `type`.
    fn target_type(&self, item: &Item<'a>) -> Option<TypeDef> {
        let definitions = self.environment.definitions;
        let text = reference_text(item);
        let contained = text.and_then(|text| text.strip_prefix('#')).and_then(|id| self.contained(id));
        let stated = || item.json()?.get("type")?.as_str();
        text.and_then(stated_type)
            .or_else(|| contained?.get("resourceType")?.as_str())
            .and_then(|name| definitions.resource_type(name))
            .or_else(|| stated().and_then(|name| definitions.resource_type(name)))
    }
}

/// The text of a Reference, a canonical or a URI.
fn reference_text<'a>(item: &Item<'a>) -> Option<&'a str> {
    let json = item.json()?;
    json.as_str().or_else(|| json.get("reference")?.as_str())
}

/// The segment of a reference that names a type: `Patient` in `Patient/1`, `http://a/b/Patient/1/_history/2`,
/// `Patient?identifier=x` and `http://a/Patient/1|2.0`.
fn stated_type(reference: &str) -> Option<&str> {
    if let Some((criteria, _)) = reference.split_once('?') {
        return criteria.rsplit('/').next();
    }
    let path = reference.split(['|', '#']).next()?;
    let mut segments = path.rsplit('/');
    segments.next()?;
    match segments.next()? {
        "_history" => segments.nth(1),
        found => Some(found),
    }
}

#[cfg(test)]
mod tests {
    use super::stated_type;

    #[test]
    fn references_state_their_type() {
        for (reference, found) in [
            ("Patient/1", Some("Patient")),
            ("Patient/1/_history/2", Some("Patient")),
            ("http://a/b/Patient/1", Some("Patient")),
            ("http://a/b/Patient/1/_history/2", Some("Patient")),
            ("http://a/Library/x|2.0#part", Some("Library")),
            ("Patient?identifier=a/b|c", Some("Patient")),
            ("urn:uuid:x", None),
            ("#x", None),
            ("Patient", None),
            ("", None),
        ] {
            assert_eq!(stated_type(reference), found, "for {reference}");
        }
    }
}
