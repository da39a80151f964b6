//! From an element to the values that a parameter of some type finds it by (FHIR, search, "search parameter types").

mod dates;
mod numbers;
mod positions;
mod references;
mod texts;
mod tokens;

use compact_str::{CompactString, format_compact};
use fhir_definitions::{FhirVersion, SearchType};
use fhir_model::json::{Object, Value as Json};
use fhirpath::{Element, Item, System};
use storage_api::{Coding, Term, Value};

use crate::normal::normalised;

pub(crate) use references::{contained, points_to, read as read_reference, type_of};

/// Stands behind the name of a reference's terms for those that name contained resources, and between the type of a
/// resource and that of what it contains.
pub(crate) const CONTAINED: char = '#';

/// What an element is looked at for.
pub(crate) struct Place<'a> {
    pub(crate) search_type: SearchType,
    /// The system of bare codes.
    pub(crate) system: Option<&'static str>,
    /// Where this server is known under.
    pub(crate) bases: &'a [&'a str],
    pub(crate) version: FhirVersion,
}

/// Takes values one by one.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Value);

/// Gives the values of an item. An element of a kind that the parameter's type has no use for gives none.
pub(crate) fn values(item: &Item<'_>, place: &Place<'_>, sink: Sink<'_>) {
    let element = match item {
        Item::Element(element) => element,
        Item::Value(System::Boolean(truth)) if place.search_type == SearchType::Token => {
            return tokens::truth(*truth, sink);
        }
        Item::Value(System::String(text)) => {
            return match place.search_type {
                SearchType::String => texts::text(text, sink),
                SearchType::Token => tokens::bare(text, None, sink),
                SearchType::Uri => sink(Value::Uri(CompactString::from(&**text))),
                _ => {}
            };
        }
        Item::Value(_) | Item::Type(_) => return,
    };
    match place.search_type {
        SearchType::Token => tokens::values(element, place.system, sink),
        SearchType::String => texts::values(element, sink),
        SearchType::Reference => references::values(element, place.bases, sink),
        SearchType::Date => dates::values(element, sink),
        SearchType::Number => numbers::number(element, sink),
        SearchType::Quantity => numbers::quantities(element, sink),
        SearchType::Uri => {
            if let Some(text) = element.value().and_then(Json::as_str) {
                sink(Value::Uri(text.into()));
            }
        }
        SearchType::Special => positions::values(element, sink),
        SearchType::Composite => {}
    }
}

/// Adds the terms that modifiers and chains ask for: the contained resource that is referred to, the identifier in a reference (`:identifier`), the type of an identifier
/// (`:of-type`), and what people read of a code (`:text`), from R5 on of a reference too.
pub(crate) fn side_terms(item: &Item<'_>, place: &Place<'_>, term: &str, terms: &mut Vec<Term>) {
    if place.search_type == SearchType::Reference
        && let Some(id) = references::contained(item)
    {
        let param = format_compact!("{term}{CONTAINED}");
        tokens::bare(id, None, &mut |value| terms.push(Term { param: param.clone(), value }));
    }
    let Some(object) = item.as_element().and_then(Element::value).and_then(Json::as_object) else { return };
    match place.search_type {
        SearchType::Reference => {
            if let Some(identifier) = object.get("identifier").and_then(Json::as_object)
                && object.get("resourceType").is_none()
            {
                let param = format_compact!("{term}:identifier");
                tokens::identifier(identifier, &mut |value| terms.push(Term { param: param.clone(), value }));
            }
            if place.version == FhirVersion::R5 {
                let shown = string(object, "display").into_iter();
                add_texts(shown.chain(concept_texts(member(object, "concept"))), term, terms);
            }
        }
        SearchType::Token => {
            let kind = item.as_element().map_or("", Element::type_name);
            let shown = match kind {
                "CodeableConcept" => Some(object),
                "CodeableReference" => member(object, "concept"),
                "Identifier" => member(object, "type"),
                "Coding" => {
                    add_texts(string(object, "display").into_iter(), term, terms);
                    None
                }
                _ => None,
            };
            add_texts(concept_texts(shown), term, terms);
            if let (Some(concept), Some(value)) =
                (object.get("type").and_then(Json::as_object), string(object, "value"))
            {
                let param = format_compact!("{term}:of-type");
                tokens::concept(concept, &mut |kind| {
                    let code = Value::Token(Coding { code: value.into(), system: None });
                    terms.push(Term { param: param.clone(), value: Value::Composite(vec![kind, code]) });
                });
            }
        }
        _ => {}
    }
}

/// The texts of a concept and of its codings.
fn concept_texts(concept: Option<&Object>) -> impl Iterator<Item = &str> {
    concept.into_iter().flat_map(|concept| {
        let codings = each(concept, "coding").iter().filter_map(Json::as_object);
        string(concept, "text").into_iter().chain(codings.filter_map(|coding| string(coding, "display")))
    })
}

fn add_texts<'a>(texts: impl Iterator<Item = &'a str>, term: &str, terms: &mut Vec<Term>) {
    for text in texts {
        // Nobody asks how these are written: `:text` and `:text-advanced` compare what is normal.
        let value = Value::Text { normal: normalised(text), original: CompactString::default() };
        terms.push(Term { param: format_compact!("{term}:text"), value });
    }
}

/// The name of a system. That of most quantities is one letter longer than what is held in place, and copied very often.
fn system_name(system: &str) -> CompactString {
    const UNITS: &str = "http://unitsofmeasure.org";
    if system == UNITS { CompactString::const_new(UNITS) } else { system.into() }
}

fn member<'a>(object: &'a Object, name: &str) -> Option<&'a Object> {
    object.get(name).and_then(Json::as_object)
}

fn string<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).and_then(Json::as_str)
}

/// The items of a member that is a list, or the one that it is.
fn each<'a>(object: &'a Object, name: &str) -> &'a [Json] {
    match object.get(name) {
        Some(Json::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    }
}
