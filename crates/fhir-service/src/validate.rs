//! `$validate`: what would be wrong with a resource, without storing it.

use fhir_definitions::Definitions;
use fhir_model::Resource;
use fhir_model::json::Value;
use fhir_validate::{Finding, Settings, validate};
use rulebook::{Failure, Interaction, ParameterProblem, Success};
use storage_api::{Current, Key};
use versioning_core::{Precondition, Refusal};

use crate::answer::Answer;
use crate::content::Incoming;
use crate::request::Content;
use crate::service::{Context, Service, json_payload, shortened, store_failure};

/// How strict a mount is about what it stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Validation {
    /// What can be parsed is stored, apart from parts of resources (SUBSETTED).
    Off,
    /// Elements, types, cardinalities, formats, required codes, references, narratives.
    #[default]
    Structure,
    /// Also the invariants of the base definitions.
    Strict,
}

impl Validation {
    pub(crate) fn level(self) -> Option<fhir_validate::Level> {
        match self {
            Self::Off => None,
            Self::Structure => Some(fhir_validate::Level::Structure),
            Self::Strict => Some(fhir_validate::Level::Strict),
        }
    }
}

impl Service {
    /// Refuses a resource that this mount does not store.
    pub(crate) fn check_valid(&self, incoming: Incoming) -> Result<Incoming, Failure> {
        if self.validation == Validation::Off && self.rulebook.validation().is_none() {
            let findings = subset_findings(incoming.resource());
            return if findings.is_empty() { Ok(incoming) } else { Err(Failure::Invalid(findings)) };
        }
        let value = incoming.into_value();
        let findings = self.findings(&value, &self.checks);
        if findings.iter().any(Finding::is_error) {
            return Err(Failure::Invalid(findings));
        }
        Resource::from_value(value).map(Incoming::from).map_err(Failure::NoResource)
    }

    fn findings(&self, resource: &Value, checks: &Settings) -> Vec<Finding> {
        validate(resource, Definitions::of(self.rulebook.version()), checks)
    }

    pub(crate) async fn validate(
        &self,
        key: &Key,
        (mode, profile): (Option<&str>, Option<String>),
        body: &Content,
        context: &Context,
    ) -> Result<Answer, Failure> {
        let Asked { mode, profile, incoming } = self.validation_request(key, (mode, profile), body)?;
        let checks = match profile {
            Some(profile) => &self.checks_with(profile, key)?,
            None => &*self.checks,
        };
        if !key.id.is_empty() && mode != Mode::Create {
            self.check_live(key).await?;
        }
        let findings = match (incoming, mode) {
            (Some(incoming), _) => {
                if mode == Mode::Update && !key.id.is_empty() {
                    incoming.check_url_id(&key.id)?;
                }
                self.findings(&incoming.into_value(), checks)
            }
            // A deletion needs no content, and nothing speaks against it.
            (None, Mode::Delete) => Vec::new(),
            (None, _) => return Err(Failure::EmptyBody),
        };
        let id = if key.id.is_empty() { "(new)".to_owned() } else { key.id.to_string() };
        let about = rulebook::Resource { resource_type: key.kind.to_string(), id };
        let verdict = self.rulebook.validated(&findings, &about, &context.trace);
        Ok(Answer {
            status: Success::Valid.status(true),
            payload: Some(json_payload(&verdict.outcome)),
            ..Answer::default()
        })
    }

    /// The checks of this mount, with one more profile. FHIR, operation `validate`: a profile that cannot be checked is
    /// an error.
    fn checks_with(&self, profile: String, key: &Key) -> Result<Settings, Failure> {
        let type_def = Definitions::of(self.rulebook.version()).resource_type(&key.kind);
        if !type_def.is_some_and(|type_def| self.checks.profiles.constrains(&profile, type_def)) {
            let expected = "the URL of a profile that this server has, and for this type of resource";
            return Err(unsupported("profile", &profile, expected));
        }
        let mut checks = (*self.checks).clone();
        checks.required_profiles.push(profile);
        Ok(checks)
    }

    /// The body is the resource itself, or Parameters with `resource`, `mode` and `profile`.
    fn validation_request(
        &self,
        key: &Key,
        (mode, mut profile): (Option<&str>, Option<String>),
        body: &Content,
    ) -> Result<Asked, Failure> {
        let mut mode = mode.map(Mode::parse).transpose()?;
        if body.bytes.trim_ascii().is_empty() {
            return Ok(Asked { mode: mode.unwrap_or_default(), profile, incoming: None });
        }
        let value = self.parse(body)?;
        let is_parameters = value.get("resourceType").and_then(Value::as_str) == Some("Parameters");
        if !is_parameters || key.kind == "Parameters" {
            let incoming = Some(Incoming::of(value, &key.kind)?);
            return Ok(Asked { mode: mode.unwrap_or_default(), profile, incoming });
        }
        let mut resource = None;
        for parameter in value.get("parameter").and_then(Value::as_array).unwrap_or_default() {
            match parameter.get("name").and_then(Value::as_str) {
                Some("resource") => resource = parameter.get("resource").cloned(),
                Some("mode") => {
                    let code = parameter.get("valueCode").and_then(Value::as_str).unwrap_or_default();
                    mode = Some(Mode::parse(code)?);
                }
                Some("profile") => {
                    // A uri until R4B, a canonical in R5.
                    let url = parameter.get("valueUri").or(parameter.get("valueCanonical"));
                    profile = Some(url.and_then(Value::as_str).unwrap_or_default().to_owned());
                }
                _ => {}
            }
        }
        let incoming = resource.map(|resource| Incoming::of(resource, &key.kind)).transpose()?;
        Ok(Asked { mode: mode.unwrap_or_default(), profile, incoming })
    }

    async fn check_live(&self, key: &Key) -> Result<(), Failure> {
        let refusal = match self.store.read(key).await.map_err(store_failure)?.current {
            Current::Live(_) => return Ok(()),
            Current::Deleted(tombstone) => Refusal::Gone(tombstone.version),
            Current::Absent { .. } => Refusal::NotFound,
        };
        Err(self.refused(refusal, key, Interaction::Validate, &Precondition::NONE))
    }
}

/// What a validation is asked to look at.
struct Asked {
    mode: Mode,
    /// The URL of a profile that the resource must keep.
    profile: Option<String>,
    incoming: Option<Incoming>,
}

/// What the resource is validated for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    /// Nothing in particular.
    #[default]
    General,
    Create,
    Update,
    Delete,
}

impl Mode {
    fn parse(code: &str) -> Result<Self, Failure> {
        match code {
            "create" => Ok(Self::Create),
            "update" => Ok(Self::Update),
            "delete" => Ok(Self::Delete),
            _ => Err(unsupported("mode", code, "create, update or delete")),
        }
    }
}

fn unsupported(name: &str, sent: &str, expected: &'static str) -> Failure {
    let problem = ParameterProblem::Malformed { value: shortened(sent), expected };
    Failure::Parameter { name: name.to_owned(), problem }
}

/// A part of a resource is refused whatever else is: written back, it would undo what it leaves
/// out, and no If-Match could catch that.
fn subset_findings(resource: &Resource) -> Vec<Finding> {
    if resource.tags().all(|tag| tag.code != Some("SUBSETTED")) {
        return Vec::new();
    }
    let rule = fhir_validate::Rule::Subsetted;
    vec![Finding {
        severity: rule.severity(),
        rule,
        expression: format!("{}.meta.tag", resource.resource_type()),
        message: "This is a part of the resource, as the tag SUBSETTED says. Read the whole and send that."
            .to_owned(),
    }]
}
