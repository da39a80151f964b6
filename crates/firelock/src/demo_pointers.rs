//! The record locator's part of the demonstration: three pointers, and commands that show what may
//! become of them.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir_model::json::{Limits, Value, parse};
use fhir_model::object;
use fhir_service::{Content, Operation, Preferences, Request};
use http_server::Mount;
use rulebook::Caller;
use versioning_core::Precondition;

/// The path of the API that the pointers are loaded into.
const PATH: &str = "/nrl/STU3";

const ASID: &str = "200000000118";
const SPINE_ASID: &str = "999999999999";
const ORGANIZATION: &str = "RR8";
const USER: &str = "387429785309275";

const POINTER: &str = include_str!("../../../fixtures/spine/nrl-pointer.json");

/// What a pointer is taken back with.
const PATCH: &str = r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"DocumentReference.status"},{"name":"value","valueString":"entered-in-error"}]}]}"#;

/// Loads the pointers, if the API is there, and gives the commands to print.
pub(crate) async fn load(mounts: &[Mount], origin: &str) -> Result<String> {
    let Some(mount) = mounts.iter().find(|mount| mount.path == PATH) else { return Ok(String::new()) };
    let base = format!("{origin}{PATH}");
    let mut urls = Vec::new();
    for number in 1..=3 {
        urls.push(create(mount, &base, &pointer(number)?).await?);
    }
    let [first, second, _] = urls.as_slice() else { return Ok(String::new()) };
    commands(&base, first, second)
}

/// The pointer of the fixtures under a master identifier of its own.
fn pointer(number: u32) -> Result<Value> {
    let mut pointer = parse(POINTER.as_bytes(), &Limits::default()).context("the demonstration's data")?;
    if let Some(identifier) = pointer.as_object_mut().and_then(|it| it.get_mut("masterIdentifier")) {
        let value = format!("urn:uuid:6f1a3a52-0c5b-4a8e-9d57-00000000000{number}");
        *identifier = object! { "system": "urn:ietf:rfc:3986", "value": value }.into();
    }
    Ok(pointer)
}

/// The URL of a pointer that is created.
async fn create(mount: &Mount, base: &str, resource: &Value) -> Result<String> {
    let body = Content::json(resource.to_bytes());
    let answer = mount
        .service
        .handle(Request {
            operation: Operation::Create { resource_type: "DocumentReference".to_owned(), body },
            precondition: Precondition::NONE,
            preferences: Preferences::default(),
            retries_max: None,
            idempotency_key: None,
            base: base.to_owned(),
            trace: "demo".into(),
            caller: Caller {
                system: Some(ASID.to_owned()),
                organization: Some(ORGANIZATION.to_owned()),
                ..Caller::default()
            },
        })
        .await;
    ensure!(answer.status == 201, "the demonstration's pointers were answered with {}", answer.status);
    answer.location.context("the demonstration's pointers have no URL")
}

/// The commands: what succeeds, and what is refused.
fn commands(base: &str, first: &str, second: &str) -> Result<String> {
    let fields = |scope: &str, subject: &str| {
        let token = token(scope, subject);
        format!("-H 'Authorization: Bearer {token}' -H 'fromASID: {ASID}' -H 'toASID: {SPINE_ASID}'")
    };
    let system = format!("https://fhir.nhs.uk/Id/accredited-system|{ASID}");
    let user = format!("https://fhir.nhs.uk/Id/sds-role-profile-id|{USER}");
    let mut replacement = pointer(4)?;
    if let Some(object) = replacement.as_object_mut() {
        let target = object! { "reference": second };
        let relation = object! { "code": "replaces", "target": target };
        object.insert("relatesTo", vec![Value::from(relation)]);
    }
    let json = "-H 'Content-Type: application/fhir+json'";
    let patch = format!("curl -si \"${{W[@]}}\" {json} -X PATCH {first} \\\n  -d '{PATCH}'");
    let replace = format!(
        "curl -si \"${{W[@]}}\" {json} {base}/DocumentReference \\\n  -d '{}'",
        String::from_utf8_lossy(&replacement.to_bytes())
    );
    Ok(format!(
        "\nR=({read})\n\nW=({write})\n\n\
        # 200: the patient's current pointers, in XML unless something else is asked for\n\
        curl -si \"${{R[@]}}\" '{base}/DocumentReference?subject=https://demographics.spineservices.nhs.uk/STU3/Patient/9876543210'\n\n\
        # 200: take a pointer back\n{patch}\n\n\
        # 400: the same again; the pointer is not current any more\n{patch}\n\n\
        # 201: a pointer in the place of another, in one step\n{replace}\n\n\
        # 400: the same again; neither half of it is done\n{replace}\n",
        read = fields("patient/DocumentReference.read", &user),
        write = fields("patient/DocumentReference.write", &system),
    ))
}

/// A token of a person, or of the system itself, which provides while nobody is at it.
fn token(scope: &str, subject: &str) -> String {
    let system = format!("https://fhir.nhs.uk/Id/accredited-system|{ASID}");
    let mut claims = object! {
        "iss": "https://client.example",
        "sub": subject,
        "aud": "https://clinicals.spineservices.nhs.uk/STU3",
        "exp": 1_527_264_890_i64,
        "iat": 1_527_264_590_i64,
        "reason_for_request": "directcare",
        "scope": scope,
        "requesting_system": system.as_str(),
        "requesting_organization": format!("https://fhir.nhs.uk/Id/ods-organization-code|{ORGANIZATION}"),
    };
    if subject != system {
        claims.insert("requesting_user", subject);
    }
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims.to_bytes()))
}
