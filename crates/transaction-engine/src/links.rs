//! References between the entries of a transaction (FHIR "Transaction", section "Resolving references").

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;

use fhir_definitions::{Definitions, FhirVersion, Fields};
use fhir_model::json::{Object, Value};
use fhir_model::{Reference, Target};
use storage_api::Key;

use crate::prose::{links_in_markdown, links_in_xhtml, replace};

/// Asks for a reference to the version that the transaction leaves behind.
const VERSION_SPECIFIC: &str = "http://hl7.org/fhir/StructureDefinition/resolve-as-version-specific";

/// What the resources of a transaction are called by each other, and what they are called in the store.
#[derive(Clone, Debug, Default)]
pub struct Links {
    by_url: HashMap<String, Key>,
    /// Of the URLs those by which definitions call themselves.
    names: HashSet<String>,
    conditional: HashMap<String, Key>,
    versions: HashMap<Key, String>,
}

/// What a rewriting relies on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Resources that a reference names a version of. Where it is not known, the reference names none yet.
    pub versions: BTreeSet<Key>,
}

impl Links {
    /// A resource of the transaction is called this by the others.
    pub fn add(&mut self, full_url: &str, key: Key) {
        self.by_url.insert(spelled_once(full_url).into_owned(), key);
    }

    /// The same of a definition that has this URL as its canonical name: extensions, codes and other definitions go by
    /// the name, so only what is a Reference or a link means the place.
    pub fn add_definition(&mut self, url: &str, key: Key) {
        self.names.insert(url.to_owned());
        self.add(url, key);
    }

    /// A conditional reference means this resource.
    pub fn add_conditional(&mut self, text: &str, key: Key) {
        self.conditional.insert(text.to_owned(), key);
    }

    /// The version of a resource that the transaction leaves behind.
    pub fn add_version(&mut self, key: Key, version_id: &str) {
        self.versions.insert(key, version_id.to_owned());
    }

    /// Whether there is nothing that could be replaced, references to versions apart.
    pub fn is_empty(&self) -> bool {
        self.by_url.is_empty() && self.conditional.is_empty()
    }

    /// The conditional references of a resource, each once: `Patient?identifier=…`.
    pub fn conditional_references(resource: &Value, definitions: Definitions) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut copy = Cow::Borrowed(resource);
        // Most resources have none, and a look at the text is cheaper than a walk by the tables.
        if !has_question(&copy) {
            return found;
        }
        let links = Self::default();
        let mut walk = Walk {
            links: &links,
            definitions,
            base: None,
            relies_on: Named::default(),
            asked: Some(&mut found),
        };
        walk.resource(copy.to_mut());
        found
    }

    /// Replaces what names a resource of the transaction by what it is called in the store: in Reference, uri, url,
    /// oid, uuid, and in links of narratives (in R5 also of markdown); not in canonical. `full_url` is that of the
    /// resource itself: relative references are relative to its base.
    ///
    /// Gives the resources whose versions are named, known or not.
    pub fn rewrite(&self, resource: &mut Value, full_url: Option<&str>, definitions: Definitions) -> Named {
        let mut walk = Walk {
            links: self,
            definitions,
            base: full_url.and_then(base_of),
            relies_on: Named::default(),
            asked: None,
        };
        walk.resource(resource);
        walk.relies_on
    }

    /// The resource that a text names, and what follows the name.
    fn find<'t>(&self, text: &'t str, base: Option<&str>) -> Option<(&Key, Option<&'t str>, &'t str)> {
        let (place, fragment) = match text.find('#') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (place, version) = match place.split_once("/_history/") {
            Some((place, version)) => (place, Some(version)),
            None => (place, None),
        };
        if place.is_empty() {
            return None;
        }
        let known = self.by_url.get(&*spelled_once(place)).or_else(|| {
            let base = base.filter(|_| !place.contains(':'))?;
            self.by_url.get(&format!("{base}/{place}"))
        })?;
        Some((known, version, fragment))
    }
}

/// A UUID as a URN in the one spelling that others are equal to (RFC 9562 section 4, RFC 8141 section 3); anything else as
/// it is.
pub(crate) fn spelled_once(url: &str) -> Cow<'_, str> {
    let is_digit = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    let is_uuid = |text: &str| text.len() == 36 && text.bytes().enumerate().all(is_digit);
    match url.split_at_checked("urn:uuid:".len()) {
        Some((scheme, uuid))
            if url.bytes().any(|byte| byte.is_ascii_uppercase())
                && scheme.eq_ignore_ascii_case("urn:uuid:")
                && is_uuid(uuid) =>
        {
            Cow::Owned(url.to_ascii_lowercase())
        }
        _ => Cow::Borrowed(url),
    }
}

/// The base of a RESTful absolute URL, without a slash at its end.
fn base_of(full_url: &str) -> Option<&str> {
    match Reference::parse(full_url).ok()?.target {
        Target::Literal { base, .. } => base,
        _ => None,
    }
}

fn has_question(value: &Value) -> bool {
    match value {
        Value::String(text) => text.as_str().contains('?'),
        Value::Array(items) => items.iter().any(has_question),
        Value::Object(object) => object.iter().any(|(_, value)| has_question(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

struct Walk<'a> {
    links: &'a Links,
    definitions: Definitions,
    base: Option<&'a str>,
    relies_on: Named,
    /// Collects conditional references instead of replacing anything.
    asked: Option<&'a mut BTreeSet<String>>,
}

impl Walk<'_> {
    fn resource(&mut self, resource: &mut Value) {
        let name = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
        // What a Bundle carries belongs to other places.
        if name == "Bundle" {
            return;
        }
        let Some(known) = self.definitions.resource_type(name) else { return };
        let Value::Object(object) = resource else { return };
        self.object(object, known.fields(), true);
    }

    /// Nesting is bounded by the limits of parsing.
    fn object(&mut self, object: &mut Object, fields: Fields, is_resource: bool) {
        for (name, value) in object.iter_mut() {
            // The url of a definition is its canonical name, not a place.
            if is_resource && name == "url" {
                continue;
            }
            let plain = name.strip_prefix('_').unwrap_or(name);
            let Some((element, inside)) = fields.resolve_json_name(plain) else { continue };
            let kind = inside.name();
            match value {
                Value::Array(items) => {
                    for item in items {
                        self.value(item, kind, element.fields_as(inside));
                    }
                }
                one => self.value(one, kind, element.fields_as(inside)),
            }
        }
    }

    fn value(&mut self, value: &mut Value, kind: &str, fields: Fields) {
        match value {
            Value::Object(object) if object.contains("resourceType") => self.resource(value),
            Value::Object(object) => {
                if kind == "Reference" {
                    self.reference(object);
                }
                self.object(object, fields, false);
            }
            Value::String(text) => {
                let replaced = match kind {
                    "uri" | "url" | "oid" | "uuid" if self.links.names.contains(text.as_str()) => None,
                    "uri" | "url" | "oid" | "uuid" => self.replaced(text.as_str(), false),
                    "xhtml" => self.linked(text.as_str(), links_in_xhtml),
                    "markdown" if self.definitions.version() == FhirVersion::R5 => {
                        self.linked(text.as_str(), links_in_markdown)
                    }
                    _ => None,
                };
                if let Some(replaced) = replaced {
                    *value = replaced.into();
                }
            }
            _ => {}
        }
    }

    fn reference(&mut self, object: &mut Object) {
        let Some(text) = object.get("reference").and_then(Value::as_str) else { return };
        if let Some(asked) = &mut self.asked {
            if is_conditional(text) {
                asked.insert(text.to_owned());
            }
            return;
        }
        let specific = take_version_specific(&mut object.clone()).is_some();
        let replaced = match self.links.conditional.get(text) {
            Some(key) => Some(self.named(&key.clone(), specific, "")),
            None => self.replaced(text, specific),
        };
        // A resource outside of the transaction may be named with its version, too.
        let replaced = replaced.or_else(|| {
            let Target::Literal { base: None, resource_type, id, version: None } =
                Reference::parse(text).ok()?.target
            else {
                return None;
            };
            specific.then(|| self.named(&Key::new(resource_type, id), true, ""))
        });
        if let Some(replaced) = replaced {
            object.insert("reference", replaced);
        }
        if specific {
            let _ = take_version_specific(object);
        }
    }

    /// What takes the place of a text that names a resource of the transaction.
    fn replaced(&mut self, text: &str, specific: bool) -> Option<String> {
        if self.asked.is_some() {
            return None;
        }
        let (key, version, fragment) = self.links.find(text, self.base)?;
        Some(self.named(&key.clone(), specific || version.is_some(), fragment))
    }

    /// A text for people with its links replaced.
    fn linked(&mut self, text: &str, links: fn(&str) -> Vec<Range<usize>>) -> Option<String> {
        replace(text, links(text), |target| self.replaced(target, false))
    }

    fn named(&mut self, key: &Key, with_version: bool, fragment: &str) -> String {
        if !with_version {
            return format!("{key}{fragment}");
        }
        self.relies_on.versions.insert(key.clone());
        match self.links.versions.get(key) {
            Some(version) => format!("{key}/_history/{version}{fragment}"),
            None => format!("{key}{fragment}"),
        }
    }
}

/// Whether a reference names what it means by a search.
fn is_conditional(text: &str) -> bool {
    matches!(Reference::parse(text).map(|reference| reference.target), Ok(Target::Conditional { .. }))
}

/// Takes the extension that asks for a version out of a Reference, if it is there and true.
fn take_version_specific(reference: &mut Object) -> Option<()> {
    let extensions = reference.get_mut("extension")?.as_array_mut()?;
    let before = extensions.len();
    let asks = |extension: &Value| {
        extension.get("url").and_then(Value::as_str) == Some(VERSION_SPECIFIC)
            && extension.get("valueBoolean").and_then(Value::as_bool) == Some(true)
    };
    extensions.retain(|extension| !asks(extension));
    let taken = extensions.len() < before;
    if extensions.is_empty() {
        reference.remove("extension");
    }
    taken.then_some(())
}

/// The state that references are resolved to, for comparisons between rounds.
impl Links {
    /// What conditional references mean, by their texts.
    pub fn conditional(&self) -> BTreeMap<&str, &Key> {
        self.conditional.iter().map(|(text, key)| (text.as_str(), key)).collect()
    }
}
