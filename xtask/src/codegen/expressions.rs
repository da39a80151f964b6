//! As much of FHIRPath as it takes to cut the expressions of search parameters apart.

use super::model::{Element, FieldsIndex, Model};

/// Splits at every `|` outside parentheses and quotes; white space around the parts goes.
pub(super) fn alternatives(expression: &str) -> Vec<&str> {
    split(expression, b'|').into_iter().map(str::trim).collect()
}

/// The first name in an expression, whatever parentheses stand before it.
pub(super) fn first_name(expression: &str) -> &str {
    let start = expression.trim_start_matches(['(', ' ']);
    let end = start.find(|next: char| !next.is_ascii_alphanumeric() && next != '_').unwrap_or(start.len());
    &start[..end]
}

/// What an expression may select: something of a type and, when it is a backbone element, with these fields.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    pub(super) type_name: String,
    nested: Option<FieldsIndex>,
}

impl Node {
    /// A whole resource or value.
    pub(super) fn root(type_name: &str) -> Self {
        Self { type_name: type_name.to_owned(), nested: None }
    }

    /// What stands inside it under `name`.
    fn step(&self, model: &Model, name: &str) -> Vec<Self> {
        let own = model.types.get(&self.type_name).and_then(|known| known.fields);
        let Some(element) = self.nested.or(own).and_then(|fields| model.element(fields, name)) else {
            return Vec::new();
        };
        let Element { shape, children: nested, .. } = &model.elements[element];
        shape.types.iter().map(|allowed| Self { type_name: allowed.name.clone(), nested: *nested }).collect()
    }
}

/// The kinds of thing that `expression` selects from things like `from`. Understands paths, `as`, `ofType` and
/// `where`; follows no references.
pub(super) fn select(model: &Model, from: &[Node], expression: &str) -> Vec<Node> {
    let mut selected = Vec::new();
    for part in alternatives(expression) {
        let part = without_parentheses(part);
        let (path, cast) =
            part.split_once(" as ").map_or((part, None), |(path, cast)| (path, Some(cast.trim())));
        let mut here = from.to_vec();
        for (index, step) in split(path, b'.').into_iter().enumerate() {
            here = take_step(model, here, without_parentheses(step.trim()), index == 0);
        }
        selected.extend(here.into_iter().filter(|node| cast.is_none_or(|cast| cast == node.type_name)));
    }
    selected.sort_unstable();
    selected.dedup();
    selected
}

fn take_step(model: &Model, here: Vec<Node>, step: &str, is_first: bool) -> Vec<Node> {
    let names_root = is_first && here.iter().any(|node| node.type_name == step);
    if names_root || step == "$this" || step.starts_with("where(") {
        return here;
    }
    match step.strip_prefix("ofType(").or(step.strip_prefix("as(")) {
        Some(wanted) => {
            let wanted = wanted.trim_end_matches(')');
            here.into_iter().filter(|node| node.type_name == wanted).collect()
        }
        None => here.iter().flat_map(|node| node.step(model, step)).collect(),
    }
}

/// Takes off parentheses that enclose the whole.
fn without_parentheses(expression: &str) -> &str {
    let inner = expression.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    match inner {
        Some(inner) if is_balanced(inner) => without_parentheses(inner.trim()),
        _ => expression,
    }
}

/// Whether every parenthesis closes after it opens.
fn is_balanced(expression: &str) -> bool {
    let mut depth = 0_i32;
    expression.bytes().all(|byte| {
        depth += i32::from(byte == b'(') - i32::from(byte == b')');
        depth >= 0
    }) && depth == 0
}

/// Splits at a byte outside parentheses and quotes.
fn split(expression: &str, separator: u8) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0_i32, None);
    for (index, byte) in expression.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if open == byte => quote = None,
            (None, b'\'' | b'`') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth -= 1,
            (None, _) if byte == separator && depth == 0 => {
                parts.push(&expression[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&expression[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternatives_end_at_bars_outside_parentheses_and_quotes() {
        let check = |whole, parts: &[&str]| assert_eq!(alternatives(whole), parts, "{whole}");
        check("Patient.name", &["Patient.name"]);
        check("A.x | (B.y as Quantity)|C", &["A.x", "(B.y as Quantity)", "C"]);
        check("(start | other).first() | A.b", &["(start | other).first()", "A.b"]);
        check("A.where(x='a|b') | `B|C`.d", &["A.where(x='a|b')", "`B|C`.d"]);
        check("", &[""]);
    }

    #[test]
    fn the_first_name_stands_behind_parentheses() {
        assert_eq!(first_name("Patient.name"), "Patient");
        assert_eq!(first_name("((Observation.value as Quantity))"), "Observation");
        assert_eq!(first_name("(start | x).first()"), "start");
        assert_eq!(first_name("Resource"), "Resource");
        assert_eq!(first_name("%resource"), "");
    }

    #[test]
    fn only_parentheses_around_the_whole_are_taken_off() {
        assert_eq!(without_parentheses("((a.b))"), "a.b");
        assert_eq!(without_parentheses("(a).b(c)"), "(a).b(c)");
        assert_eq!(without_parentheses("(a) | (b)"), "(a) | (b)");
    }
}
