//! The paths of scripts: what the suite uses of XPath and JSONPath, on the tree of a resource.

use fhir_model::json::Value;

/// A step: a name, perhaps with what chooses among several.
struct Step<'a> {
    name: &'a str,
    choice: Option<Choice<'a>>,
}

enum Choice<'a> {
    /// From 0.
    Index(usize),
    /// A member that must have this value.
    Member(&'a str, &'a str),
}

/// What a path leads to, as texts.
pub(super) fn select(resource: &Value, path: &str) -> Vec<String> {
    // A slash within quotes is no step.
    let plain: String = path.split('\'').step_by(2).collect();
    let is_json = !plain.contains('/');
    let mut found = vec![resource];
    for (n, text) in steps(path, if is_json { '.' } else { '/' }).into_iter().enumerate() {
        let step = step(text, is_json);
        // The root, which may stand anywhere, and the type within `resource`.
        if step.name.starts_with(|first: char| first.is_ascii_uppercase()) {
            if n == 0 {
                found = of_type(resource, step.name);
            }
            found.retain(|value| is_of(value, step.name));
            continue;
        }
        if step.name == "@value" {
            continue;
        }
        found = found.into_iter().flat_map(|value| follow(value, &step)).collect();
    }
    found.into_iter().filter_map(text_of).collect()
}

fn is_of(value: &Value, name: &str) -> bool {
    value.get("resourceType").and_then(Value::as_str) == Some(name)
}

/// The resources of a type, wherever they stand.
fn of_type<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    let inside: Vec<&Value> = match value {
        Value::Object(object) => object.iter().flat_map(|(_, value)| of_type(value, name)).collect(),
        Value::Array(items) => items.iter().flat_map(|item| of_type(item, name)).collect(),
        _ => Vec::new(),
    };
    let own = Some(value).filter(|value| is_of(value, name));
    own.into_iter().chain(inside).collect()
}

/// The parts between separators outside of brackets.
fn steps(path: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, letter) in path.char_indices() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ if letter == separator && depth == 0 => {
                parts.push(&path[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[start..]);
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

fn step(text: &str, is_json: bool) -> Step<'_> {
    let text = text.strip_prefix("fhir:").unwrap_or(text);
    let Some((name, rest)) = text.split_once('[') else { return Step { name: text, choice: None } };
    let inside = rest.trim_end_matches(']').trim_start_matches("?(").trim_end_matches(')');
    let choice = match inside.parse::<usize>() {
        Ok(index) => Some(Choice::Index(if is_json { index } else { index - 1 })),
        Err(_) => inside.split_once('=').map(|(member, value)| {
            let member = member.trim().trim_start_matches(['@', '.']);
            Choice::Member(member, value.trim_start_matches('=').trim().trim_matches('\''))
        }),
    };
    Step { name, choice }
}

fn follow<'a>(value: &'a Value, step: &Step<'_>) -> Vec<&'a Value> {
    let member = |name: &str| value.get(name);
    // In XML the extension of a primitive stands below it; in JSON beside it.
    let beside = format!("_{}", step.name);
    let found = match (member(step.name), member(&beside)) {
        (Some(Value::Array(items)), _) => items.iter().collect(),
        (own, beside) => own.into_iter().chain(beside).collect::<Vec<_>>(),
    };
    match &step.choice {
        None => found,
        Some(Choice::Index(index)) => found.into_iter().skip(*index).take(1).collect(),
        Some(Choice::Member(name, wanted)) => {
            let has = |value: &&Value| value.get(name).and_then(Value::as_str) == Some(*wanted);
            found.into_iter().filter(has).collect()
        }
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.as_str().to_owned()),
        Value::Number(number) => Some(number.as_str().to_owned()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Whether a resource, or one in a Bundle, has at least what another has (`minimumId`).
pub(super) fn holds_at_least(whole: &Value, part: &Value) -> bool {
    let name = part.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    of_type(whole, name).into_iter().any(|resource| has_at_least(resource, part))
}

fn has_at_least(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, wanted)| whole.get(name).is_some_and(|found| has_at_least(found, wanted)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            part.iter().all(|wanted| whole.iter().any(|found| has_at_least(found, wanted)))
        }
        (whole, part) => whole == part,
    }
}

#[test]
fn paths_of_both_kinds() {
    let patient = r#"{"resourceType":"Patient","id":"p","name":[{"family":"Neal","given":["Eve","Ann"]}],"birthDate":"1970-01-01",
        "_birthDate":{"extension":[{"url":"u/v","valueDateTime":"t"}]}}"#;
    let patient =
        fhir_model::json::parse(patient.as_bytes(), &fhir_model::json::Limits::default()).expect("JSON");
    let bundle = format!(r#"{{"resourceType":"Bundle","total":1,"entry":[{{"resource":{patient}}}]}}"#);
    let bundle =
        fhir_model::json::parse(bundle.as_bytes(), &fhir_model::json::Limits::default()).expect("JSON");
    for (path, expected) in [
        ("Patient/name/given", &["Eve", "Ann"][..]),
        ("fhir:Patient/fhir:name/fhir:family/@value", &["Neal"]),
        (".name[0].given[1]", &["Ann"]),
        ("Patient/id", &["p"]),
        ("Person/id", &[]),
        ("Patient/birthDate/extension[@url='u/v']/valueDateTime", &["t"]),
        ("_birthDate.extension[?(@.url == 'u/v')].valueDateTime", &["t"]),
    ] {
        assert_eq!(select(&patient, path), expected, "{path}");
    }
    for path in ["Bundle/entry[1]/resource/Patient/name/family", "entry[0].resource.name[0].family"] {
        assert_eq!(select(&bundle, path), ["Neal"], "{path}");
    }
    assert_eq!(select(&bundle, "/Bundle/total"), ["1"]);
    assert_eq!(select(&bundle, "Patient/id"), ["p"]);
    assert!(holds_at_least(&bundle, &bundle) && holds_at_least(&bundle, &patient));
    assert!(!holds_at_least(&patient, &bundle));
}
