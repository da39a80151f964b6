//! What someone who wrote an unknown name may have meant.

use fhir_definitions::{ElementDef, Fields};

use crate::finding::Rule;
use crate::report::{AnyOf, Quoted};

/// A choice with more types than this is not listed in a sentence.
const TYPES_LISTED_MAX: usize = 12;

/// The rule that an unknown member breaks, and what to write instead.
#[cold]
pub(crate) fn for_unknown(key: &str, fields: Fields) -> (Rule, String) {
    let name = key.strip_prefix('_').unwrap_or(key);
    if let Some(choice) =
        fields.elements().find(|element| element.is_choice() && is_typed_name(name, *element))
    {
        let message = format!(
            "{} is no type of {}[x]: write {}",
            Quoted(name),
            choice.name(),
            choice_names(choice, fields)
        );
        return (Rule::ChoiceType, message);
    }
    let owner = fields
        .backbone()
        .map_or_else(|| fields.type_def().name().to_owned(), |found| found.path().to_string());
    let message = match nearest(name, fields) {
        Some(near) => format!("{owner} has no element {}: did you mean {near}?", Quoted(key)),
        None => format!("{owner} has no element {}: remove it, or use an extension", Quoted(key)),
    };
    (Rule::UnknownElement, message)
}

/// Whether a name is that of a choice, alone or with what could be a type.
fn is_typed_name(name: &str, choice: ElementDef) -> bool {
    let suffix = name.strip_prefix(choice.name());
    suffix.is_some_and(|suffix| {
        suffix.is_empty() || suffix == "[x]" || suffix.starts_with(|c: char| c.is_ascii_uppercase())
    })
}

/// The names that a choice has in JSON.
pub(crate) fn choice_names(choice: ElementDef, fields: Fields) -> String {
    let of_choice = fields.json_names().filter(|(_, element, _)| *element == choice);
    let names: Vec<&str> = of_choice.map(|(name, ..)| name).collect();
    match names.first() {
        Some(first) if names.len() > TYPES_LISTED_MAX => {
            format!("{}[x] with its type, such as {first}", choice.name())
        }
        _ => AnyOf(&names).to_string(),
    }
}

/// The element whose name is nearly this one: another case, or one letter more, less or different.
fn nearest(name: &str, fields: Fields) -> Option<&'static str> {
    let mut names = fields.json_names().map(|(known, ..)| known);
    names
        .find(|known| known.eq_ignore_ascii_case(name) || is_one_edit_away(known.as_bytes(), name.as_bytes()))
}

/// Whether two names differ by one letter, or by two that changed places.
fn is_one_edit_away(left: &[u8], right: &[u8]) -> bool {
    if left.len().abs_diff(right.len()) > 1 || left.len().min(right.len()) < 3 {
        return false;
    }
    let common = left.iter().zip(right).take_while(|(left, right)| left == right).count();
    let (left, right) = (left.get(common..).unwrap_or_default(), right.get(common..).unwrap_or_default());
    match (left, right) {
        ([a, b, left @ ..], [c, d, right @ ..]) if a == d && b == c && left == right => true,
        ([_, left @ ..], [_, right @ ..]) if left == right => true,
        ([_, rest @ ..], other) | (other, [_, rest @ ..]) => rest == other,
        ([], []) => true,
    }
}
