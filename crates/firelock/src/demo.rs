//! `firelock serve --demo`: a small data set of our own, and commands that show what the server
//! does with a conflict.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fhir_model::json::{Limits, Value, parse};
use fhir_service::{Content, Operation, Preferences, Request};
use http_server::Mount;
use rulebook::Caller;
use versioning_core::Precondition;

use crate::demo_pointers;

/// The path of the API that the flags are loaded into.
const FLAGS: &str = "/flags/STU3";

const ASID: &str = "200000000205";
const SPINE_ASID: &str = "999999999999";
const ORGANIZATION: &str = "RXA";
const USER: &str = "387429785309275";

/// What is loaded: a record of one patient.
const RECORD: [&str; 4] = [
    include_str!("../../../fixtures/spine/flags/consent.json"),
    include_str!("../../../fixtures/spine/flags/flag.json"),
    include_str!("../../../fixtures/spine/flags/flag.json"),
    include_str!("../../../fixtures/spine/flags/list.json"),
];

const REASON: &str = include_str!("../../../fixtures/spine/flags/reason.json");

/// Loads the data set into the mounts that take it, and gives the commands to print.
pub(crate) async fn load(mounts: &[Mount], origin: &str) -> Result<String> {
    Ok(load_flags(mounts, origin).await? + &demo_pointers::load(mounts, origin).await?)
}

async fn load_flags(mounts: &[Mount], origin: &str) -> Result<String> {
    let Some(mount) = mounts.iter().find(|mount| mount.path == FLAGS) else {
        return Ok(String::new());
    };
    let base = format!("{origin}{FLAGS}");
    let mut flags = Vec::new();
    for text in RECORD {
        let resource = parse(text.as_bytes(), &Limits::default()).context("the demonstration's data")?;
        let stored = create(mount, &base, &resource).await?;
        if stored.text("resourceType") == "Flag" {
            flags.push(stored);
        }
    }
    let [first, second] = flags.as_slice() else { return Ok(String::new()) };
    commands(&base, first, second)
}

/// A resource that was created, with its entity tag.
struct Stored {
    resource: Value,
    etag: String,
}

impl Stored {
    fn text(&self, name: &str) -> &str {
        self.resource.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

async fn create(mount: &Mount, base: &str, resource: &Value) -> Result<Stored> {
    let resource_type = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let answer = mount
        .service
        .handle(Request {
            operation: Operation::Create {
                resource_type: resource_type.to_owned(),
                body: Content::json(resource.to_bytes()),
            },
            precondition: Precondition::NONE,
            preferences: Preferences::default(),
            retries_max: None,
            idempotency_key: None,
            base: base.to_owned(),
            trace: "demo".into(),
            caller: Caller {
                system: Some(ASID.to_owned()),
                organization: Some(ORGANIZATION.to_owned()),
                user: Some(USER.to_owned()),
                ..Caller::default()
            },
        })
        .await;
    let body = match &answer.payload {
        Some(fhir_service::Payload::Json(bytes)) => bytes.clone(),
        _ => bytes::Bytes::default(),
    };
    ensure!(answer.status == 201, "the demonstration's data: {}", String::from_utf8_lossy(&body));
    let resource = parse(&body, &Limits::default()).context("the demonstration's data")?;
    let etag = answer.etag.map(|etag| format!("W/\"{etag}\"")).unwrap_or_default();
    Ok(Stored { resource, etag })
}

/// The commands: what succeeds, and what is refused.
fn commands(base: &str, first: &Stored, second: &Stored) -> Result<String> {
    let reason = parse(REASON.as_bytes(), &Limits::default()).context("the demonstration's data")?;
    let mut ended = first.resource.clone();
    let mut changed = second.resource.clone();
    if let Some(object) = ended.as_object_mut() {
        object.insert("status", "inactive");
        if let Some(extensions) = object.get_mut("extension").and_then(Value::as_array_mut) {
            extensions.push(reason);
        }
    }
    if let Some(code) = changed.as_object_mut().and_then(|object| object.get_mut("code")) {
        *code = fhir_model::object! { "text": "something else" }.into();
    }
    let one = format!("{base}/Flag/{}", first.text("id"));
    let two = format!("{base}/Flag/{}", second.text("id"));
    let put = |url: &str, etag: Option<&str>, body: &Value| {
        let condition = etag.map(|etag| format!(" -H 'If-Match: {etag}'")).unwrap_or_default();
        format!(
            "curl -si \"${{H[@]}}\" -H 'InteractionID: urn:nhs:names:services:raflags:Flag.write:1'{condition} \\\n  -X PUT -H 'Content-Type: application/fhir+json' {url} -d '{}'",
            String::from_utf8_lossy(&body.to_bytes()).replace('\'', "'\\''")
        )
    };
    Ok(format!(
        "\nFor bash. The token is unsigned, as the specification has it.\n\n\
        H=(-H 'Authorization: Bearer {token}' -H 'FromASID: {ASID}' -H 'ToASID: {SPINE_ASID}' -H 'TraceID: 09a01679-2564-4fb4-9129-aecc81ea2706')\n\n\
        # 200: find the patient's active flags\n\
        curl -si \"${{H[@]}}\" -H 'InteractionID: urn:nhs:names:services:raflags:Flag.read:1' \\\n  '{base}/Flag?patient=9876543210&status=active'\n\n\
        # 200: remove a flag, naming the version that was read\n{success}\n\n\
        # 409: the same again; the version is not current any more\n{success}\n\n\
        # 412: without If-Match\n{missing}\n\n\
        # 422: a change of anything but the status names what is frozen\n{forbidden}\n",
        token = token(),
        success = put(&one, Some(&first.etag), &ended),
        missing = put(&one, None, &ended),
        forbidden = put(&two, Some(&second.etag), &changed),
    ))
}

/// A token that is good for every request to the flags.
fn token() -> String {
    let scope: Vec<String> = ["Consent", "Flag", "List", "Condition"]
        .iter()
        .flat_map(|name| ["read", "write"].map(|verb| format!("user/{name}.{verb}")))
        .collect();
    let user = format!("https://fhir.nhs.uk/Id/sds-role-profile-id|{USER}");
    let claims = fhir_model::object! {
        "iss": "https://client.example",
        "sub": user.as_str(),
        "aud": "https://clinicals.spineservices.nhs.uk/STU3",
        "exp": 1_527_264_890_i64,
        "iat": 1_527_264_590_i64,
        "reason_for_request": "directcare",
        "scope": scope.join(" "),
        "requesting_system": format!("https://fhir.nhs.uk/Id/accredited-system|{ASID}"),
        "requesting_organization": format!("https://fhir.nhs.uk/Id/ods-organization-code|{ORGANIZATION}"),
        "requesting_user": user.as_str(),
    };
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    format!("{header}.{}.", URL_SAFE_NO_PAD.encode(claims.to_bytes()))
}
