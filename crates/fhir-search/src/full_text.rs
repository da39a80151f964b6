//! The words of a resource: of its narrative, which `_text` looks for, and of everything in it, for `_content`.

use std::collections::HashSet;

use compact_str::{CompactString, format_compact};
use fhir_definitions::{Definitions, Fields, TypeDef};
use fhir_model::json::{Object, Value as Json};
use fhir_model::narrative_text;
use storage_api::{Term, Value, Words};

use crate::normal::add_words;

/// The field of a document that has the narrative. The other one has all else.
pub(crate) const NARRATIVE: usize = 0;

/// So many bytes of words are kept of a resource, its narrative first. Writers wait while words are indexed: about five
/// milliseconds for as many as these.
const WORDS_BYTES_MAX: usize = 128 << 10;

/// Whether a parameter looks for words.
pub(crate) fn is_full_text(code: &str) -> bool {
    matches!(code, "_text" | "_content")
}

/// The name of the terms that both parameters of a type ask.
pub(crate) fn term_name(owner: TypeDef) -> CompactString {
    format_compact!("{}._content", owner.name())
}

/// The words of a resource, if it has any.
pub(crate) fn full_text(resource: &Object, owner: TypeDef) -> Option<Term> {
    let mut walk = Walk {
        definitions: owner.definitions(),
        words: Words::default(),
        seen: HashSet::new(),
        bytes_left: WORDS_BYTES_MAX,
    };
    let narrative = resource.get("text").and_then(|text| text.get("div")).and_then(Json::as_str);
    if let Some(div) = narrative {
        walk.seen.insert(div);
        walk.add(&narrative_text(div));
    }
    let narrative = std::mem::take(&mut walk.words);
    walk.object(resource, owner.fields(), owner.name());
    let document = [narrative, walk.words];
    let is_empty = document.iter().all(Words::is_empty);
    (!is_empty).then(|| Term { param: term_name(owner), value: Value::Words(document) })
}

struct Walk<'a> {
    definitions: Definitions,
    words: Words,
    /// What people read of a code is often there twice.
    seen: HashSet<&'a str>,
    bytes_left: usize,
}

impl<'a> Walk<'a> {
    fn add(&mut self, text: &str) {
        let before = self.words.as_str().len();
        add_words(&mut self.words, text, self.bytes_left);
        self.bytes_left = self.bytes_left.saturating_sub(self.words.as_str().len() - before);
    }

    /// Nesting is bounded by the limits of parsing.
    fn object(&mut self, object: &'a Object, fields: Fields, kind: &str) {
        for (name, value) in object.iter() {
            if self.bytes_left == 0 {
                return;
            }
            if is_no_text(kind, name) {
                continue;
            }
            let Some((element, inside)) = fields.resolve_json_name(name.strip_prefix('_').unwrap_or(name))
            else {
                continue;
            };
            let items =
                if let Json::Array(items) = value { items.as_slice() } else { std::slice::from_ref(value) };
            for item in items {
                self.value(item, inside.name(), || element.fields_as(inside));
            }
        }
    }

    fn value(&mut self, value: &'a Json, kind: &'static str, fields: impl Fn() -> Fields) {
        match value {
            Json::String(text) => {
                let text = text.as_str();
                match kind {
                    "string" | "markdown" | "code" if self.seen.insert(text) => self.add(text),
                    "xhtml" if self.seen.insert(text) => self.add(&narrative_text(text)),
                    _ => {}
                }
            }
            Json::Object(object) => {
                let fields = fields();
                let named = object.get("resourceType").and_then(Json::as_str);
                match named.and_then(|name| self.definitions.resource_type(name)) {
                    Some(known) => self.object(object, known.fields(), known.name()),
                    None => self.object(object, fields, kind),
                }
            }
            _ => {}
        }
    }
}

/// Members that are texts by their type, and of which nobody reads anything. The narrative of the resource itself has its
/// own field.
fn is_no_text(kind: &str, name: &str) -> bool {
    match name {
        "id" | "resourceType" => true,
        "reference" => kind == "Reference",
        "url" => kind == "Extension",
        "status" => kind == "Narrative",
        _ => false,
    }
}
