//! What a client asks for, free of HTTP.

use core::fmt;

use std::sync::Arc;

use bytes::Bytes;
use fhir_model::json::Value;
use rulebook::{Caller, Failure, Interaction, ParameterProblem, Return};
use storage_api::{HistoryScope, Key};
use versioning_core::Precondition;

use crate::HistoryParameters;
use crate::present::Format;

/// One request to one API.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub operation: Operation,
    /// On which condition.
    pub precondition: Precondition,
    /// What to answer with.
    pub preferences: Preferences,
    /// The name that the client gave this write, so that it may be sent again safely.
    pub idempotency_key: Option<String>,
    /// How often a lost race is decided again at most, if the client says so (`X-Retry-On-Version-Conflict`). Never more
    /// often than the lock policy allows, and never where the client's own precondition fails.
    pub retries_max: Option<u16>,
    /// The public base URL of the API, without a slash at its end.
    pub base: String,
    /// The id of the request, for logs and outcomes.
    pub trace: Arc<str>,
    /// Who asks, as the rulebook admitted them.
    pub caller: Caller,
}

/// A body with what it is written in.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// What it is written in.
    pub encoding: Encoding,
    /// As it came.
    pub bytes: Bytes,
}

/// What a body is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A resource in one of FHIR's formats.
    Fhir(Format),
    /// Content of another media type, for Binary.
    Native(String),
    /// A resource that was read as part of another one; there are no bytes.
    Tree(Arc<Value>),
}

impl Default for Encoding {
    fn default() -> Self {
        Self::Fhir(Format::default())
    }
}

impl Content {
    /// A body in JSON.
    pub fn json(bytes: impl Into<Bytes>) -> Self {
        Self { encoding: Encoding::Fhir(Format::Json), bytes: bytes.into() }
    }

    /// A resource that was read already.
    pub fn tree(resource: Value) -> Self {
        Self { encoding: Encoding::Tree(Arc::new(resource)), bytes: Bytes::new() }
    }
}

/// The criteria of a conditional write, as the client wrote them: names and values, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Criteria(pub Vec<(String, String)>);

impl fmt::Display for Criteria {
    /// As in a URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs = self.0.iter().map(|(name, value)| (name, value));
        f.write_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    }
}

/// A patch with what it is written in.
#[derive(Clone, Debug)]
pub struct Patch {
    /// What it is written in.
    pub format: PatchFormat,
    /// As it came.
    pub bytes: Bytes,
}

/// A format of patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatchFormat {
    /// JSON Patch (RFC 6902).
    Json,
    /// JSON Merge Patch (RFC 7396).
    Merge,
    /// XML Patch (RFC 5261).
    Xml,
    /// FHIRPath Patch: Parameters in one of FHIR's formats.
    FhirPath(Format),
}

impl PatchFormat {
    /// A name that tells it from the others.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json-patch",
            Self::Merge => "merge-patch",
            Self::Xml => "xml-patch",
            Self::FhirPath(_) => "fhirpath-patch",
        }
    }
}

/// Where a search looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchScope {
    /// Everywhere.
    System,
    /// In one type.
    Type(String),
    /// In what belongs to a patient, a practitioner and so on (FHIR, CompartmentDefinition).
    Compartment {
        /// Whose compartment.
        key: Key,
        /// In this type only.
        member: Option<String>,
    },
}

impl fmt::Display for SearchScope {
    /// As in a URL behind the base.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => Ok(()),
            Self::Type(name) => write!(f, "/{name}"),
            Self::Compartment { key, member } => write!(f, "/{key}/{}", member.as_deref().unwrap_or("*")),
        }
    }
}

/// The kind of patch that tells a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DiffFormat {
    /// FHIRPath Patch: a Parameters resource.
    #[default]
    FhirPath,
    /// JSON Patch (RFC 6902).
    Json,
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Operation {
    /// GET `[type]/[id]`
    Read(Key),
    /// GET `[type]/[id]/_history/[vid]`
    Vread {
        /// Of what.
        key: Key,
        /// Which version, as the client wrote it.
        version_id: String,
    },
    /// POST `[type]`
    Create {
        /// The type.
        resource_type: String,
        /// The resource.
        body: Content,
    },
    /// PUT `[type]/[id]`
    Update {
        /// What.
        key: Key,
        /// The resource.
        body: Content,
    },
    /// PATCH `[type]/[id]`
    Patch {
        /// What.
        key: Key,
        /// The change.
        patch: Patch,
    },
    /// DELETE `[type]/[id]`
    Delete(Key),
    /// POST `[type]` with If-None-Exist
    ConditionalCreate {
        /// The type.
        resource_type: String,
        /// What must not exist.
        criteria: Criteria,
        /// The resource.
        body: Content,
    },
    /// PUT `[type]?[criteria]`
    ConditionalUpdate {
        /// The type.
        resource_type: String,
        /// Which one.
        criteria: Criteria,
        /// The resource.
        body: Content,
    },
    /// PATCH `[type]?[criteria]`
    ConditionalPatch {
        /// The type.
        resource_type: String,
        /// Which one.
        criteria: Criteria,
        /// The change.
        patch: Patch,
    },
    /// DELETE `[type]?[criteria]`
    ConditionalDelete {
        /// The type.
        resource_type: String,
        /// Which one.
        criteria: Criteria,
    },
    /// GET `[type]?[parameters]`, POST `[type]/_search`, and the same on the system or in a compartment
    Search {
        /// Where.
        scope: SearchScope,
        /// As the client wrote them, those that shape the layout included.
        parameters: Vec<(String, String)>,
    },
    /// GET `_history`, on the system, a type or an instance.
    History {
        /// Whose.
        scope: HistoryScope,
        /// Which part.
        parameters: HistoryParameters,
    },
    /// POST `[type]/$validate`, POST or GET `[type]/[id]/$validate`
    Validate {
        /// What; the id is empty for a resource that is not stored.
        key: Key,
        /// `create`, `update` or `delete`.
        mode: Option<String>,
        /// The URL of a profile that the resource must keep.
        profile: Option<String>,
        /// The resource, or Parameters with it.
        body: Content,
    },
    /// POST `$reindex`
    Reindex {
        /// Whether everything is made anew, also what did not change.
        full: bool,
    },
    /// GET `$reindex`
    ReindexStatus,
    /// GET `[type]/[id]/$diff`
    Diff {
        /// Of what.
        key: Key,
        /// The version that is changed, as the client wrote it; the one before `to` if there is none.
        from: Option<String>,
        /// The version that it becomes; the current one if there is none.
        to: Option<String>,
        /// As which kind of patch.
        format: DiffFormat,
    },
    /// POST `$[name]`
    Perform {
        /// The operation's name, without `$`.
        name: String,
        /// Parameters.
        body: Content,
    },
    /// POST `[base]`: a transaction or a batch.
    Bundle(Content),
    /// GET `metadata`
    Capabilities(CapabilityMode),
}

impl Operation {
    /// Its interaction.
    pub fn interaction(&self) -> Interaction {
        match self {
            Self::Read(_) => Interaction::Read,
            Self::Vread { .. } => Interaction::Vread,
            Self::Create { .. } => Interaction::Create,
            Self::Update { .. } => Interaction::Update,
            Self::Patch { .. } => Interaction::Patch,
            Self::Delete(_) => Interaction::Delete,
            Self::History { scope: HistoryScope::Key(_), .. } => Interaction::HistoryInstance,
            Self::History { scope: HistoryScope::Kind(_), .. } => Interaction::HistoryType,
            Self::History { scope: HistoryScope::All, .. } => Interaction::HistorySystem,
            Self::ConditionalCreate { .. } => Interaction::ConditionalCreate,
            Self::ConditionalUpdate { .. } => Interaction::ConditionalUpdate,
            Self::ConditionalPatch { .. } => Interaction::ConditionalPatch,
            Self::ConditionalDelete { .. } => Interaction::ConditionalDelete,
            Self::Search { scope: SearchScope::System, .. } => Interaction::SearchSystem,
            Self::Search { .. } => Interaction::SearchType,
            Self::Validate { .. } => Interaction::Validate,
            Self::Reindex { .. } | Self::ReindexStatus => Interaction::Reindex,
            Self::Diff { .. } => Interaction::Diff,
            Self::Perform { .. } => Interaction::Operation,
            Self::Bundle(_) => Interaction::Transaction,
            Self::Capabilities(_) => Interaction::Capabilities,
        }
    }
}

/// `Prefer`, as far as it is understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preferences {
    /// `return=…`
    pub returning: Option<Return>,
    /// `handling=…`
    pub handling: Option<Handling>,
    /// `rebase`: an update whose If-Match is stale may be merged with what was written meanwhile, where the API
    /// allows that.
    pub rebase: bool,
}

impl Preferences {
    /// Parameters that nothing took are passed over, unless the client asked for strictness.
    pub fn expect_known(self, rest: Vec<(String, String)>) -> Result<(), Failure> {
        match rest.into_iter().next() {
            Some((name, _)) if self.handling == Some(Handling::Strict) => {
                let name = name.chars().take(64).collect();
                Err(Failure::Parameter { name, problem: ParameterProblem::Unknown })
            }
            _ => Ok(()),
        }
    }
}

/// What a client wants done with parameters that are not known (`Prefer: handling=…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Handling {
    /// The request is refused.
    Strict,
    /// They are passed over, as without the preference.
    Lenient,
}

impl Handling {
    /// The preference as RFC 7240 spells it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Lenient => "lenient",
        }
    }
}

/// Parameter `mode` of capabilities (R4 and later).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CapabilityMode {
    /// Everything, as a CapabilityStatement.
    #[default]
    Full,
    /// The same; Firelock does not tell normative parts apart.
    Normative,
    /// A TerminologyCapabilities.
    Terminology,
}

impl CapabilityMode {
    /// Reads the parameter; what is no mode is refused with those that are.
    pub fn parse(mode: Option<&str>) -> Result<Self, Failure> {
        match mode {
            None | Some("full") => Ok(Self::Full),
            Some("normative") => Ok(Self::Normative),
            Some("terminology") => Ok(Self::Terminology),
            Some(value) => {
                let (value, expected) = (value.chars().take(64).collect(), "full, normative or terminology");
                let problem = ParameterProblem::Malformed { value, expected };
                Err(Failure::Parameter { name: "mode".to_owned(), problem })
            }
        }
    }
}
