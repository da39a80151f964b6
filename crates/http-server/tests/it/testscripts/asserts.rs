//! What scripts assert.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::Value;
use fhirpath::{Environment, Expression, Item};

use super::paths::{holds_at_least, select};
use super::player::{Message, Player};
use crate::client::text_at;

type Verdict = Result<(), String>;

/// Judges one assert on the last request or response, or on what it names.
pub(super) fn check(player: &Player<'_>, assert: &Value) -> Verdict {
    let text = |name: &str| text_at(assert, name);
    let message = match (text("sourceId"), text("direction").as_deref()) {
        (Some(id), _) => player.known.get(&id).ok_or_else(|| format!("nothing is known as {id}"))?,
        (None, Some("request")) => &player.request,
        _ => &player.response,
    };
    let operator = text("operator").unwrap_or_else(|| "equals".to_owned());
    let wanted = text("value").map(|value| player.filled(&value)).transpose()?;
    if let Some(id) = text("compareToSourceId") {
        return compare(player, assert, message, &id, &operator);
    }
    if let Some(path) = text("path") {
        let found = message.resource.as_ref().map(|resource| select(resource, &path)).unwrap_or_default();
        return among(&operator, &found, wanted.as_deref(), &path);
    }
    if let Some(expression) = text("expression") {
        return holds(message, &expression);
    }
    if let Some(field) = text("headerField") {
        let found: Vec<String> = message.header(&field).map(str::to_owned).into_iter().collect();
        return among(&operator, &found, wanted.as_deref(), &field);
    }
    if let Some(code) = text("responseCode") {
        return one(&operator, &message.status.to_string(), &code, "the status");
    }
    if let Some(word) = text("response") {
        let wanted = STATUSES.iter().find(|(known, _)| *known == word).map(|(_, status)| *status);
        return same(Some(&message.status), wanted.as_ref(), "the status");
    }
    on_message(player, assert, message, &operator)
}

/// The words for statuses (value set assert-response-code-types).
const STATUSES: [(&str, u16); 12] = [
    ("okay", 200),
    ("created", 201),
    ("noContent", 204),
    ("notModified", 304),
    ("bad", 400),
    ("forbidden", 403),
    ("notFound", 404),
    ("methodNotAllowed", 405),
    ("conflict", 409),
    ("gone", 410),
    ("preconditionFailed", 412),
    ("unprocessable", 422),
];

fn on_message(player: &Player<'_>, assert: &Value, message: &Message, operator: &str) -> Verdict {
    let text = |name: &str| text_at(assert, name);
    if let Some(word) = text("contentType") {
        let wanted = super::player::media_type(&word).unwrap_or_default();
        let found = message.header("content-type").unwrap_or_default();
        return fails_unless(found.starts_with(&wanted), || format!("Content-Type is {found:?}"));
    }
    if let Some(kind) = text("resource") {
        let found = message.resource.as_ref().and_then(|resource| text_at(resource, "resourceType"));
        return same(found.as_ref(), Some(&kind), "the type");
    }
    if text("validateProfileId").is_some() {
        return valid(message);
    }
    if let Some(id) = text("minimumId") {
        let part =
            player.known.get(&id).and_then(|known| known.resource.as_ref()).ok_or("no such fixture")?;
        let whole = message.resource.as_ref().ok_or("no resource")?;
        return fails_unless(holds_at_least(whole, part), || format!("{whole} lacks something of {part}"));
    }
    if let Some(method) = text("requestMethod") {
        return same(Some(&message.method.to_lowercase()), Some(&method), "the method");
    }
    if let Some(url) = text("requestURL") {
        return one(operator, &message.url, &url, "the URL");
    }
    if assert.get("navigationLinks").is_some() {
        let links = message.resource.as_ref().map(|bundle| select(bundle, "Bundle/link/relation"));
        let links = links.unwrap_or_default();
        return fails_unless(links.iter().any(|link| link == "self"), || format!("links {links:?}"));
    }
    Err("an assert that is not known here".to_owned())
}

fn compare(player: &Player<'_>, assert: &Value, message: &Message, id: &str, operator: &str) -> Verdict {
    let other = player.known.get(id).and_then(|known| known.resource.as_ref()).ok_or("nothing to compare")?;
    let Some(own) = message.resource.as_ref() else { return Err("no resource to compare".to_owned()) };
    if let Some(path) = text_at(assert, "compareToSourcePath") {
        let found = select(own, &text_at(assert, "path").unwrap_or_else(|| path.clone()));
        return among(operator, &found, select(other, &path).first().map(String::as_str), &path);
    }
    let expression = text_at(assert, "compareToSourceExpression").ok_or("nothing is compared")?;
    let (found, wanted) = (evaluated(own, &expression)?, evaluated(other, &expression)?);
    fails_unless(found == wanted, || format!("{expression}: {found:?} and not {wanted:?}"))
}

fn fails_unless(holds: bool, fault: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(fault()) }
}

fn same<T: PartialEq + std::fmt::Debug>(found: Option<&T>, wanted: Option<&T>, what: &str) -> Verdict {
    fails_unless(found == wanted, || format!("{what} is {found:?} and not {wanted:?}"))
}

/// An operator on what a path found: one of several is enough.
fn among(operator: &str, found: &[String], wanted: Option<&str>, what: &str) -> Verdict {
    match (operator, wanted) {
        ("notEmpty", _) => fails_unless(!found.is_empty(), || format!("{what} is empty")),
        ("empty", _) => fails_unless(found.is_empty(), || format!("{what} is {found:?}")),
        (_, None) => Err(format!("{what} is compared with nothing")),
        (_, Some(wanted)) => {
            let passes = found.iter().any(|found| one(operator, found, wanted, what).is_ok());
            fails_unless(passes, || format!("{what} is {found:?}: not {operator} {wanted}"))
        }
    }
}

fn one(operator: &str, found: &str, wanted: &str, what: &str) -> Verdict {
    let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
    let holds = match operator {
        "equals" => found == wanted,
        "notEquals" => found != wanted,
        "in" => wanted.split(',').any(|one| one.trim() == found),
        "notIn" => wanted.split(',').all(|one| one.trim() != found),
        "greaterThan" => number(found) > number(wanted),
        "lessThan" => number(found) < number(wanted),
        "contains" => found.contains(wanted),
        "notContains" => !found.contains(wanted),
        other => return Err(format!("operator {other} is not known here")),
    };
    fails_unless(holds, || format!("{what} is {found}: not {operator} {wanted}"))
}

fn evaluated(resource: &Value, expression: &str) -> Result<Vec<String>, String> {
    let definitions = Definitions::of(FhirVersion::Stu3);
    let environment = Environment::new(definitions);
    let expression = Expression::parse(expression).map_err(|error| error.to_string())?;
    let found = expression
        .evaluate(Item::resource(resource, definitions), &environment)
        .map_err(|error| error.to_string())?;
    Ok(found.iter().map(|item| format!("{item:?}")).collect())
}

fn holds(message: &Message, text: &str) -> Verdict {
    let resource = message.resource.as_ref().ok_or("no resource")?;
    let definitions = Definitions::of(FhirVersion::Stu3);
    let environment = Environment::new(definitions);
    let expression = Expression::parse(text).map_err(|error| error.to_string())?;
    let found = expression.evaluate(Item::resource(resource, definitions), &environment);
    let truth = found.map_err(|error| error.to_string())?.to_boolean();
    fails_unless(truth == Ok(Some(true)), || format!("{text} gives {truth:?}"))
}

/// The base profiles are what the validator checks.
fn valid(message: &Message) -> Verdict {
    let resource = message.resource.as_ref().ok_or("no resource to validate")?;
    let settings = fhir_validate::Settings { level: fhir_validate::Level::Strict, ..Default::default() };
    let findings = fhir_validate::validate(resource, Definitions::of(FhirVersion::Stu3), &settings);
    let errors: Vec<String> =
        findings.iter().filter(|finding| finding.is_error()).map(ToString::to_string).collect();
    fails_unless(errors.is_empty(), || format!("not valid: {}", errors.join("; ")))
}
