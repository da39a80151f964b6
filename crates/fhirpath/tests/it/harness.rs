//! What the tests by example share: a resource, a host, and ways to say what is wanted.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhirpath::{Collection, DateTime, Dialect, Environment, EvalError, Expression, Host, Item, System};

const PATIENT: &str = r##"{"resourceType":"Patient","id":"p1","_birthDate":{"extension":[{"url":"http://e/time",
    "valueDateTime":"1974-12-25T14:35:45-05:00"}]},"birthDate":"1974-12-25","active":true,"gender":"male",
    "contained":[{"resourceType":"Organization","id":"o1","name":"Acme"}],"managingOrganization":{"reference":"#o1"},
    "generalPractitioner":[{"reference":"Practitioner/1"},{"reference":"http://a/Organization/2/_history/3"},
    {"type":"PractitionerRole","identifier":{"value":"x"}}],"name":[{"use":"official","family":"Chalmers",
    "given":["Peter",null],"_given":[null,{"extension":[{"url":"http://e/x","valueString":"none"}]}]},
    {"use":"usual","given":["Jim"]}],"multipleBirthInteger":2,"text":{"status":"generated","div":"<div>a</div>"},
    "extension":[{"url":"http://e/amount","valueQuantity":{"value":1.50,"system":"http://unitsofmeasure.org",
    "code":"mg"}},{"url":"http://e/odd","valueQuantity":{"value":2,"comparator":"<","unit":"mg"}}]}"##;

/// Answers what the tests ask.
pub(crate) struct TestHost(Value);

impl Host for TestHost {
    fn resolve(&self, reference: &str) -> Option<&Value> {
        (reference == "Practitioner/1").then_some(&self.0)
    }

    fn member_of(&self, coded: &Item<'_>, value_set: &str) -> Result<Option<bool>, String> {
        match value_set {
            "http://vs/gender" => Ok(coded.as_str().map(|code| code == "male" || code == "female")),
            other => Err(format!("the value set {other} is not known")),
        }
    }

    fn subsumes(&self, ancestor: &Item<'_>, descendant: &Item<'_>) -> Result<Option<bool>, String> {
        Ok(ancestor.as_str().zip(descendant.as_str()).map(|(above, below)| below.starts_with(above)))
    }

    fn conforms_to(&self, _: &Item<'_>, profile: &str) -> Result<Option<bool>, String> {
        Ok(Some(profile.ends_with("/Patient")))
    }

    fn html_checks(&self, html: &str) -> Option<bool> {
        Some(!html.contains("script"))
    }
}

/// The result, as `type text` of each item; or the error.
pub(crate) fn results(
    expression: &str,
    version: FhirVersion,
    dialect: Dialect,
) -> Result<Vec<String>, EvalError> {
    let tree = parse(PATIENT.as_bytes(), &Limits::default()).unwrap();
    let host = TestHost(parse(br#"{"resourceType":"Practitioner","id":"1"}"#, &Limits::default()).unwrap());
    let definitions = Definitions::of(version);
    let ten = std::iter::once(Item::Value(System::Integer(10)));
    let environment = Environment::new(definitions)
        .with_dialect(dialect)
        .with_host(&host)
        .with_now(DateTime::parse("2024-05-06T07:08:09.010+02:00").unwrap())
        .with_variable("ten", ten.collect::<Collection<'_>>());
    let parsed = Expression::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let found = parsed.evaluate(Item::resource(&tree, definitions), &environment)?;
    Ok(found.iter().map(described).collect())
}

pub(crate) fn described(item: &Item<'_>) -> String {
    let text = match (item, item.system()) {
        (Item::Type(info), _) => info.to_string(),
        (_, Some(value)) => value.to_string(),
        (_, None) => item.json().map(Value::to_string).unwrap_or_default(),
    };
    let info = item.type_info();
    let kind = if info.namespace == "FHIR" { info.to_string() } else { info.name.to_owned() };
    format!("{kind} {text}")
}

#[track_caller]
pub(crate) fn check(cases: &[(&str, &[&str])]) {
    for (expression, wanted) in cases {
        let found = results(expression, FhirVersion::R4, Dialect::Standard);
        assert_eq!(
            found.as_deref(),
            Ok(&*wanted.iter().map(|&text| text.to_owned()).collect::<Vec<_>>()),
            "{expression}"
        );
    }
}

/// Conditions that are true.
#[track_caller]
pub(crate) fn check_true(expressions: &[&str]) {
    for expression in expressions {
        check(&[(expression, &["Boolean true"])]);
    }
}

#[track_caller]
pub(crate) fn check_empty(expressions: &[&str]) {
    for expression in expressions {
        check(&[(expression, &[])]);
    }
}

#[track_caller]
pub(crate) fn check_error(cases: &[(&str, EvalError)]) {
    for (expression, wanted) in cases {
        let found = results(expression, FhirVersion::R4, Dialect::Standard);
        assert_eq!(found.as_ref(), Err(wanted), "{expression}");
        assert!(!wanted.to_string().is_empty());
    }
}

pub(crate) fn not_singleton(at: &'static str, found: usize) -> EvalError {
    EvalError::NotSingleton { at, found }
}
