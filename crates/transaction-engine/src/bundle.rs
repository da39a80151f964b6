//! A Bundle as it was sent.

use fhir_definitions::Definitions;
use fhir_model::json::Value;

use crate::entry::{Entry, EntryError};

/// What a Bundle asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// All of it or nothing.
    Transaction,
    /// Each entry by itself.
    Batch,
}

impl Kind {
    /// `Bundle.type` of the request.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Batch => "batch",
        }
    }
}

/// A Bundle of requests. An entry that cannot be read takes its place with the reason: it fails a
/// transaction, and only itself in a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleRequest {
    /// What it asks for.
    pub kind: Kind,
    /// In the order in which they were sent.
    pub entries: Vec<Result<Entry, EntryError>>,
}

/// Why a body is no Bundle of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// It is another resource.
    NotABundle {
        /// Its `resourceType`, or nothing.
        found: String,
    },
    /// `type` is neither `transaction` nor `batch`.
    Type {
        /// What it is, or nothing.
        found: String,
    },
    /// `entry` is no list.
    Entries,
    /// There are too many entries.
    TooMany {
        /// How many there may be.
        max: usize,
        /// How many there are.
        found: usize,
    },
}

/// What a server takes of Bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepts {
    /// Entries at most.
    pub entries_max: usize,
    /// Whether entries may be PATCH. FHIR has them from R4 on.
    pub patch: bool,
}

impl BundleRequest {
    /// Reads a Bundle. It is taken apart, not copied. `base` is the public URL of the API without
    /// a slash at its end: entries may name resources by absolute URLs below it.
    pub fn read(
        bundle: Value,
        definitions: Definitions,
        base: &str,
        accepts: Accepts,
    ) -> Result<Self, BundleError> {
        let kind = check_bundle(&bundle)?;
        let Value::Object(mut bundle) = bundle else { return Err(BundleError::Entries) };
        let entries = match bundle.remove("entry") {
            None => Vec::new(),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(BundleError::Entries),
        };
        if entries.len() > accepts.entries_max {
            return Err(BundleError::TooMany { max: accepts.entries_max, found: entries.len() });
        }
        let read = |(index, entry)| Entry::read(index, entry, definitions, (base, accepts));
        Ok(Self { kind, entries: entries.into_iter().enumerate().map(read).collect() })
    }
}

/// What a Bundle asks for, if it is a Bundle of requests.
pub fn check_bundle(bundle: &Value) -> Result<Kind, BundleError> {
    let text = |name: &str| bundle.get(name).and_then(Value::as_str).unwrap_or_default();
    let short = |text: &str| text.chars().take(64).collect::<String>();
    if text("resourceType") != "Bundle" {
        return Err(BundleError::NotABundle { found: short(text("resourceType")) });
    }
    match text("type") {
        "transaction" => Ok(Kind::Transaction),
        "batch" => Ok(Kind::Batch),
        other => Err(BundleError::Type { found: short(other) }),
    }
}
