//! The resource of an entry, as it was sent.

use bytes::Bytes;
use fhir_definitions::Definitions;
use fhir_model::json::{self, JsonError, Limits, Value};

use crate::links::Links;

/// The resource of an entry: its text, and what the plan needs to know of it.
///
/// A tree takes several times the memory of its text. A Bundle may have thousands of resources, which are carried out
/// one after the other, so only one of them is a tree at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    text: Bytes,
    id: Option<String>,
    url: Option<Box<str>>,
    conditional: Vec<String>,
}

impl Sent {
    /// A resource that was read from this text.
    pub(crate) fn new(text: Bytes, tree: &Value, definitions: Definitions) -> Self {
        let id = tree.get("id").and_then(Value::as_str).map(str::to_owned);
        let url = tree.get("url").and_then(Value::as_str).map(Box::from);
        let conditional = Links::conditional_references(tree, definitions).into_iter().collect();
        Self { text, id, url, conditional }
    }

    /// Its JSON.
    pub fn text(&self) -> &Bytes {
        &self.text
    }

    /// The tree, read anew. It was read once before, within the limits of its Bundle.
    pub fn tree(&self, limits: &Limits) -> Result<Value, JsonError> {
        json::parse(&self.text, limits)
    }

    /// Its `id`.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Its `url`: of a definition the canonical name.
    pub fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// Its conditional references, each once: `Patient?identifier=…`.
    pub fn conditional_references(&self) -> &[String] {
        &self.conditional
    }
}
