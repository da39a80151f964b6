//! capabilities: what this API does, made from the tables and rules that serve requests.

use bytes::Bytes;
use fhir_definitions::{Definitions, FhirVersion, SearchType, resource_types};
use fhir_model::json::{Object, Value};
use fhir_model::{array, object};
use fhir_search::{Parameter, Parameters};
use rulebook::{Failure, Interaction, OperationOffer, Rulebook, SearchOffer, TypeOffer};
use storage_api::{Current, Head, Key, Timestamp, VersionNumber, VersionTag, VersionToken};
use versioning_core::{Decision, IfMatchPolicy, Intent, LockPolicy, UpdateCreate, VersionScheme, decide};

use crate::answer::{Answer, Payload};
use crate::index::InForce;
use crate::request::CapabilityMode;
use crate::service::{Context, Service};

/// The day the statements were last changed in a way that clients can see.
const DATE: &str = "2026-11-21";

const NAME: &str = "Firelock";

/// The operations, with the URLs of their definitions. FHIR defines none for differences and indexes.
const OPERATIONS: [(Interaction, &str); 3] = [
    (Interaction::Validate, "http://hl7.org/fhir/OperationDefinition/Resource-validate"),
    (Interaction::Diff, "urn:x-firelock:operation:diff"),
    (Interaction::Reindex, "urn:x-firelock:operation:reindex"),
];

impl Service {
    pub(crate) fn capabilities(&self, mode: CapabilityMode, context: &Context) -> Result<Answer, Failure> {
        let rulebook = self.rulebook();
        let statement = match mode {
            CapabilityMode::Full | CapabilityMode::Normative => {
                capability_statement(rulebook, &self.in_force(), &context.base)
            }
            CapabilityMode::Terminology => terminology_capabilities(&context.base),
        };
        let bytes = Bytes::from(statement.to_bytes());
        let head = Head {
            version: VersionToken { number: VersionNumber::FIRST, tag: VersionTag(hash(&bytes)) },
            at: Timestamp::default(),
            previous_at: None,
        };
        // A statement has no history and no date worth comparing; its tag is made of its text.
        let policy = LockPolicy { scheme: VersionScheme::Opaque, ..LockPolicy::fhir() };
        let key = Key::new("CapabilityStatement", "metadata");
        let answer = match decide(&context.precondition, Current::Live(head), Intent::Read, &policy) {
            Decision::NotModified(_) => self.not_modified(&key, head),
            Decision::Refuse(refusal) => {
                return Err(self.refused(refusal, &key, Interaction::Capabilities, &context.precondition));
            }
            _ => self.content(&key, head, Payload::Json(bytes)),
        };
        Ok(Answer { etag: Some(policy.scheme.print(head.version)), last_modified: None, ..answer })
    }
}

fn capability_statement(rulebook: &dyn Rulebook, index: &InForce, base: &str) -> Object {
    let version = rulebook.version();
    let mut statement = object! {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATE,
        "kind": "instance",
        "software": software(),
        "implementation": object! { "description": "A FHIR server that never loses an update", "url": base },
        "fhirVersion": version.number(),
    };
    if version == FhirVersion::Stu3 {
        statement.insert("acceptUnknown", "no");
    }
    statement.insert("format", array!["application/fhir+json", "application/fhir+xml", "json", "xml"]);
    if let Some(published) = rulebook.statement() {
        if let Some(url) = published.url {
            statement.insert_at(1, "url", url);
        }
        statement.insert("fhirVersion", published.fhir_version);
        let formats: Vec<Value> = published.formats.iter().map(|format| Value::from(*format)).collect();
        statement.insert("format", formats);
    }
    if rulebook.offers(Interaction::Patch) {
        const FHIRPATH: [&str; 2] = ["application/fhir+json", "application/fhir+xml"];
        const OTHERS: [&str; 3] =
            ["application/json-patch+json", "application/merge-patch+json", "application/xml-patch+xml"];
        let others = OTHERS.into_iter().filter(|_| rulebook.patches_freely());
        let formats: Vec<Value> = others.chain(FHIRPATH).map(Value::from).collect();
        statement.insert("patchFormat", formats);
    }
    let resources: Vec<Value> = match rulebook.types() {
        None => {
            resource_types(version).iter().map(|name| resource(rulebook, index, name, None).into()).collect()
        }
        Some(types) => types
            .iter()
            .map(|offer| resource(rulebook, index, offer.resource_type, Some(offer)).into())
            .collect(),
    };
    let mut rest = object! { "mode": "server", "resource": resources };
    let defined = |(interaction, url): &(Interaction, &'static str)| {
        let offer = OperationOffer { name: interaction.code(), definition: url };
        rulebook.offers(*interaction).then(|| operation(version, &offer))
    };
    let of_the_api = rulebook.operations().iter().map(|offer| operation(version, offer));
    let operations: Vec<Value> = OPERATIONS.iter().filter_map(defined).chain(of_the_api).collect();
    if !operations.is_empty() {
        rest.insert("operation", operations);
    }
    let system =
        [Interaction::Transaction, Interaction::Batch, Interaction::HistorySystem, Interaction::SearchSystem];
    let offered: Vec<Value> = system
        .into_iter()
        .filter(|interaction| rulebook.offers(*interaction))
        .map(|interaction| Value::from(object! { "code": interaction.code() }))
        .collect();
    if !offered.is_empty() {
        let place = rest.position("resource").map_or(0, |place| place + 1);
        rest.insert_at(place, "interaction", offered);
    }
    if rulebook.offers(Interaction::SearchSystem) {
        let compartments = Definitions::of(version).compartments();
        let urls: Vec<Value> = compartments.map(|compartment| compartment.url().into()).collect();
        rest.insert("searchParam", system_parameters(version));
        rest.insert("compartment", urls);
    }
    statement.insert("rest", array![rest]);
    statement
}

fn operation(version: FhirVersion, offer: &OperationOffer) -> Value {
    object! { "name": offer.name, "definition": canonical(version, offer.definition) }.into()
}

/// A reference in STU3, a canonical URL from R4 on.
fn canonical(version: FhirVersion, url: &str) -> Value {
    match version {
        FhirVersion::Stu3 => object! { "reference": url }.into(),
        FhirVersion::R4 | FhirVersion::R4b | FhirVersion::R5 => url.into(),
    }
}

/// What one type offers.
fn resource(
    rulebook: &dyn Rulebook,
    index: &InForce,
    resource_type: &str,
    offer: Option<&TypeOffer>,
) -> Object {
    const INTERACTIONS: [Interaction; 9] = [
        Interaction::Read,
        Interaction::Vread,
        Interaction::Update,
        Interaction::Patch,
        Interaction::Delete,
        Interaction::HistoryInstance,
        Interaction::HistoryType,
        Interaction::Create,
        Interaction::SearchType,
    ];
    let policy = rulebook.lock_policy(resource_type);
    let interactions: Vec<Value> = INTERACTIONS
        .into_iter()
        .filter(|interaction| rulebook.offers_on(*interaction, resource_type))
        .map(|interaction| Value::from(object! { "code": interaction.code() }))
        .collect();
    let mut resource = object! {
        "type": resource_type,
        "interaction": interactions,
        "versioning": match policy.if_match {
            IfMatchPolicy::Ignored => "no-version",
            IfMatchPolicy::Optional => "versioned",
            IfMatchPolicy::Compulsory => "versioned-update",
        },
        "readHistory": rulebook.offers(Interaction::Vread),
        "updateCreate": policy.update_create == UpdateCreate::Allowed,
        "conditionalCreate": rulebook.offers(Interaction::ConditionalCreate),
        "conditionalRead": rulebook.statement().map_or("full-support", |known| known.conditional_read),
        "conditionalUpdate": rulebook.offers(Interaction::ConditionalUpdate),
        "conditionalDelete": if rulebook.offers(Interaction::ConditionalDelete) {
            rulebook.conditional_delete().code()
        } else {
            "not-supported"
        },
    };
    if rulebook.version() == FhirVersion::R5 {
        let place = resource.position("conditionalUpdate").map_or(resource.len(), |place| place + 1);
        resource.insert_at(place, "conditionalPatch", rulebook.offers(Interaction::ConditionalPatch));
    }
    if let Some(profile) = offer.and_then(|offer| offer.profile) {
        resource.insert_at(1, "profile", canonical(rulebook.version(), profile));
    }
    if let Some(offer) = offer {
        let listed = |known: &SearchOffer| {
            Value::from(object! { "name": known.name, "type": known.search_type.code() })
        };
        resource.insert("searchParam", offer.search.iter().map(listed).collect::<Vec<_>>());
    } else if rulebook.offers(Interaction::SearchType) {
        resource.insert("searchInclude", includes(index, resource_type));
        let reverse = reverse_includes(index, rulebook.version(), resource_type);
        if !reverse.is_empty() {
            resource.insert("searchRevInclude", reverse);
        }
        resource.insert("searchParam", search_parameters(index, resource_type));
    }
    resource
}

/// The references of a type that can be followed, as `_include` names them.
fn includes(index: &InForce, resource_type: &str) -> Vec<Value> {
    let own = references(index, resource_type).map(|known| known.definition().code());
    let named = own.map(|code| format!("{resource_type}:{code}").into());
    [Value::from("*")].into_iter().chain(named).collect()
}

/// The references to a type that can be followed backwards, as `_revinclude` names them.
fn reverse_includes(index: &InForce, version: FhirVersion, resource_type: &str) -> Vec<Value> {
    let is_target = |parameter: &&Parameter| {
        parameter.definition().targets().any(|target| target.name() == resource_type)
    };
    let named = |kind: &'static str| {
        let to_it = references(index, kind).filter(is_target);
        to_it.map(move |known| format!("{kind}:{}", known.definition().code()).into())
    };
    resource_types(version).iter().flat_map(|kind| named(kind)).collect()
}

fn references<'a>(index: &'a InForce, resource_type: &str) -> impl Iterator<Item = &'a Parameter> {
    let parameters = index.extractor.parameters(resource_type);
    let all = parameters.into_iter().flat_map(Parameters::iter).filter(|known| known.is_supported());
    all.filter(|known| known.definition().search_type() == SearchType::Reference)
}

/// The parameters that every type has and that no resource is needed for.
fn system_parameters(version: FhirVersion) -> Vec<Value> {
    let url = |code: &str| format!("http://hl7.org/fhir/SearchParameter/Resource-{code}");
    let known = [("_list", "list", "special"), ("_filter", "filter", "special")];
    let described = known.into_iter().map(|(name, code, kind)| {
        // STU3 has no special parameters.
        let kind = if version == FhirVersion::Stu3 { "string" } else { kind };
        Value::from(object! { "name": name, "definition": url(code), "type": kind })
    });
    described.collect()
}

/// The parameters that resources of a type can be found by.
fn search_parameters(index: &InForce, resource_type: &str) -> Vec<Value> {
    let parameters = index.extractor.parameters(resource_type);
    let has_words = index.extractor.has_full_text();
    let finds = |known: &&Parameter| known.is_supported() || (has_words && known.is_full_text());
    let described = parameters.into_iter().flat_map(Parameters::iter).filter(finds).map(|known| {
        let definition = known.definition();
        let mut described = object! { "name": definition.code() };
        if !definition.url().is_empty() {
            described.insert("definition", definition.url());
        }
        described.insert("type", definition.search_type().code());
        Value::from(described)
    });
    described.collect()
}

/// Firelock knows no terminology of its own.
fn terminology_capabilities(base: &str) -> Object {
    object! {
        "resourceType": "TerminologyCapabilities",
        "status": "active",
        "date": DATE,
        "kind": "instance",
        "software": software(),
        "implementation": object! { "description": "Firelock has no terminology service", "url": base },
    }
}

fn software() -> Object {
    object! { "name": NAME, "version": env!("CARGO_PKG_VERSION") }
}

/// FNV-1a: any change of the text changes the tag.
fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
