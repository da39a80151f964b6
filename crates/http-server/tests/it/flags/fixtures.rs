//! Payloads out of `fixtures/spine/flags`, and requests with everything that the API demands.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir_model::json::{Limits, Object, Value, parse};
use fhir_model::{array, object};

use crate::client::Request;

pub(crate) const ASID: &str = "200000000205";
pub(crate) const SPINE: &str = "999999999999";

/// A resource that a test changes before it sends it.
#[derive(Clone, Debug)]
pub(crate) struct Payload(pub(crate) Value);

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Payload {
    /// A file of the fixtures.
    pub(crate) fn of(name: &str) -> Self {
        let path = format!("{}/../../fixtures/spine/flags/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self(parse(&bytes, &Limits::default()).expect("a fixture is JSON"))
    }

    pub(crate) fn resource_type(&self) -> String {
        self.0.get("resourceType").and_then(Value::as_str).expect("a resource").to_owned()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// With another value at a path of names and indexes; nothing removes what is there.
    #[track_caller]
    pub(crate) fn with(mut self, path: &str, value: impl Into<Option<Value>>) -> Self {
        set(&mut self.0, path, value.into());
        self
    }

    /// As an update that ends the resource, with its reason.
    pub(crate) fn ended(self) -> Self {
        let (element, last) = match self.resource_type().as_str() {
            "Condition" => ("clinicalStatus", "inactive"),
            "List" => ("status", "retired"),
            _ => ("status", "inactive"),
        };
        let ended = self.with(element, Value::from(last));
        if ended.resource_type() == "List" { ended } else { ended.reasoned("") }
    }

    /// With a removal reason in the resource at a path; the whole one for an empty path.
    #[track_caller]
    pub(crate) fn reasoned(mut self, path: &str) -> Self {
        let reason = Self::of("reason").0;
        let object = place(&mut self.0, path).as_object_mut().expect("a resource");
        match object.get_mut("extension").and_then(Value::as_array_mut) {
            Some(extensions) => extensions.push(reason),
            None => {
                object.insert("extension", array![reason]);
            }
        }
        self
    }

    /// As the same resource of another patient.
    pub(crate) fn of_patient(self, number: &str) -> Self {
        let text = String::from_utf8(self.bytes()).expect("text").replace("9876543210", number);
        Self(parse(text.as_bytes(), &Limits::default()).expect("JSON"))
    }
}

#[track_caller]
fn place<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').filter(|step| !step.is_empty()).fold(value, |value, step| match step.parse::<usize>() {
        Ok(index) => &mut value.as_array_mut().expect("a list")[index],
        Err(_) => {
            value.as_object_mut().expect("an object").get_mut(step).unwrap_or_else(|| panic!("no {step}"))
        }
    })
}

#[track_caller]
fn set(value: &mut Value, path: &str, new: Option<Value>) {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = place(value, parent);
    match (name.parse::<usize>(), new) {
        (Ok(index), Some(new)) => {
            let list = parent.as_array_mut().expect("a list");
            if index == list.len() { list.push(new) } else { list[index] = new }
        }
        (Ok(index), None) => drop(parent.as_array_mut().expect("a list").remove(index)),
        (Err(_), Some(new)) => drop(parent.as_object_mut().expect("an object").insert(name, new)),
        (Err(_), None) => drop(parent.as_object_mut().expect("an object").remove(name)),
    }
}

/// The claims of a token that is good for a scope.
pub(crate) fn claims(scope: &str) -> Object {
    object! {
        "iss": "https://client.example",
        "sub": "https://fhir.nhs.uk/Id/sds-role-profile-id|387429785309275",
        "aud": "https://clinicals.spineservices.nhs.uk/STU3",
        "exp": 1_527_264_890_i64,
        "iat": 1_527_264_590_i64,
        "reason_for_request": "directcare",
        "scope": scope,
        "requesting_system": format!("https://fhir.nhs.uk/Id/accredited-system|{ASID}"),
        "requesting_organization": "https://fhir.nhs.uk/Id/ods-organization-code|RXA",
        "requesting_user": "https://fhir.nhs.uk/Id/sds-role-profile-id|387429785309275",
    }
}

/// An unsigned token with these claims.
pub(crate) fn token(claims: &Object) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims.to_bytes()))
}

/// What a request of this method to this target needs: a scope and an interaction id.
pub(crate) fn demands(method: &str, target: &str) -> (String, String) {
    let verb = if matches!(method, "GET" | "HEAD") || target.contains("/_search") { "read" } else { "write" };
    let below = target.strip_prefix(super::BASE).unwrap_or(target).trim_start_matches('/');
    let name = below.split(['/', '?']).next().unwrap_or_default();
    if name.is_empty() {
        let scopes = ["Consent", "Flag", "List", "Condition"]
            .map(|kind| format!("user/{kind}.write user/{kind}.read"));
        return (scopes.join(" "), "urn:nhs:names:services:raflags:List.write:1".to_owned());
    }
    if let Some(operation) = name.strip_prefix('$') {
        return (
            "user/Consent.write".to_owned(),
            format!("urn:nhs:names:services:raflags:{operation}.write:1"),
        );
    }
    (format!("user/{name}.{verb}"), format!("urn:nhs:names:services:raflags:{name}.{verb}:1"))
}

/// The request with the header fields that every request has.
pub(crate) fn signed(request: Request) -> Request {
    let (scope, interaction) = demands(&request.method, &request.target);
    request
        .header("Authorization", format!("Bearer {}", token(&claims(&scope))))
        .header("FromASID", ASID)
        .header("ToASID", SPINE)
        .header("InteractionID", interaction)
        .header("TraceID", "09a01679-2564-0fb4-5129-aecc81ea2706")
}
