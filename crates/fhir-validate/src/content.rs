//! Single values: primitives with their codes, and what some data types ask for beyond their elements.

use fhir_definitions::{ElementDef, Primitive, TypeDef, TypeKind, TypeRef};
use fhir_model::json::{Object, Value};

use crate::finding::Rule;
use crate::place::Place;
use crate::primitive::{self, Explained};
use crate::report::Quoted;
use crate::settings::Subsetted;
use crate::walk::{Member, Scope, Walk};
use crate::{codes, narrative};

impl Walk<'_> {
    /// Checks one value of a member; `index` is its place if it stands in an array.
    pub(crate) fn value(
        &mut self,
        member: &Member<'_>,
        value: &Value,
        index: Option<usize>,
        place: &Place<'_>,
        scope: &Scope<'_>,
    ) {
        let type_def = member.type_ref.type_def();
        match (type_def.kind(), value) {
            (TypeKind::Primitive(_), Value::Null) => self.null(member, index, place),
            (TypeKind::Primitive(primitive), _) => {
                self.primitive(value, primitive, member.element, place, scope);
            }
            (_, Value::Null) => {
                self.report.add(Rule::NullValue, place, "null has no place here: remove it or write a value");
            }
            (TypeKind::Complex, Value::Object(object)) => {
                self.complex(object, member.element, member.type_ref, place, scope);
            }
            (TypeKind::Resource, _) => self.nested(value, member.element, index, place, scope),
            (TypeKind::Complex, _) => {
                let (name, found) = (type_def.name(), value.kind());
                let message = format_args!("a value of type {name} is an object, not {found}");
                self.report.add(Rule::JsonType, place, message);
            }
            (TypeKind::System, _) => {
                let message = "the value of a primitive stands under the name without the underscore";
                self.report.add(Rule::UnknownElement, place, message);
            }
        }
    }

    fn primitive(
        &mut self,
        value: &Value,
        primitive: Primitive,
        element: ElementDef,
        place: &Place<'_>,
        scope: &Scope<'_>,
    ) {
        if let Some(fault) = primitive::fault_in(value, primitive, self.version) {
            let explained = Explained { fault, value, primitive, version: self.version };
            return self.report.add(fault.rule(), place, explained);
        }
        let Some(text) = value.as_str() else { return };
        match primitive {
            Primitive::Code => codes::check_code(text, element, place, &mut self.report),
            Primitive::Canonical => {
                if let Some(id) = text.strip_prefix('#') {
                    self.contained_type(id, place, scope);
                }
            }
            // A fragment alone may mean a contained resource, and may mean something else.
            Primitive::Uri | Primitive::Url => {
                if let (Some(id), Some(contained)) = (text.strip_prefix('#'), scope.contained) {
                    contained.refer_to(id);
                }
            }
            Primitive::Xhtml => {
                for fault in narrative::faults_in(text) {
                    self.report.add(fault.rule, place, fault.message);
                }
            }
            _ => {}
        }
    }

    /// Checks an object of a data type or of a backbone element.
    fn complex(
        &mut self,
        object: &Object,
        element: ElementDef,
        type_ref: TypeRef,
        place: &Place<'_>,
        scope: &Scope<'_>,
    ) {
        if has_nothing_but_id(object) {
            let message = "an object needs an element besides id: add one or remove the object";
            self.report.add(Rule::ObjectEmpty, place, message);
        }
        // `SimpleQuantity` forbids what `Quantity` allows.
        let fields = type_ref.profile().map_or_else(|| element.fields_as(type_ref), TypeDef::fields);
        self.object(object, fields, place, scope);
        match type_ref.name() {
            "Extension" => self.extension(object, place),
            "Coding" => codes::check_coding(object, element, place, &mut self.report),
            "CodeableConcept" => codes::check_concept(object, element, place, &mut self.report),
            "Reference" => self.reference(object, type_ref, place, scope),
            "CodeableReference" => {
                if let Some(reference) = object.get("reference").and_then(Value::as_object) {
                    self.reference(reference, type_ref, &place.child("reference"), scope);
                }
            }
            _ => {}
        }
    }

    /// An extension has a value or extensions (rule `ext-1`), and its url says what it means.
    fn extension(&mut self, object: &Object, place: &Place<'_>) {
        let has_extensions = object.contains("extension");
        let is_value = |name: &str| name.strip_prefix('_').unwrap_or(name).starts_with("value");
        if has_extensions == object.names().any(is_value) {
            let message = if has_extensions {
                "an extension has either a value or extensions: remove one of them"
            } else {
                "an extension needs a value or extensions: add value[x] or remove it"
            };
            self.report.add(Rule::ExtensionContent, place, message);
        }
        let Some(url) = object.get("url").and_then(Value::as_str) else { return };
        if !url.contains(':') && !url.is_empty() && !place.is_in_extension() {
            let url = Quoted(url);
            let message = format_args!("{url} is not absolute: write the URL where the extension is defined");
            self.report.add(Rule::ExtensionUrl, &place.child("url"), message);
        }
    }

    /// Refuses what is tagged as a partial copy (FHIR, search, section "Summary").
    pub(crate) fn refuse_subsetted(&mut self, object: &Object, place: &Place<'_>) {
        if self.settings.subsetted == Subsetted::Accepted {
            return;
        }
        let tags = object.get("meta").and_then(|meta| meta.get("tag")?.as_array()).unwrap_or_default();
        let is_subsetted = |tag: &Value| tag.get("code").and_then(Value::as_str) == Some("SUBSETTED");
        if let Some(index) = tags.iter().position(is_subsetted) {
            let message = "this is a partial copy, and storing it would lose the rest: read the whole resource, \
                           change that, and send it without the tag";
            let meta = place.child("meta");
            self.report.add(Rule::Subsetted, &meta.child("tag").item(index), message);
        }
    }
}

/// Rule `ele-1`: an id alone is no content.
pub(crate) fn has_nothing_but_id(object: &Object) -> bool {
    object.len() <= 2 && object.names().all(|name| matches!(name, "id" | "_id"))
}
