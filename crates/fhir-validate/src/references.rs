//! References: their form, what they may point to, and whether a contained target is there (FHIR, section
//! "Resource References", rule `ref-1`).

use fhir_definitions::{FhirVersion, TypeDef, TypeRef};
use fhir_model::json::{Object, Value};
use fhir_model::{Reference, ReferenceError, Target};

use crate::finding::Rule;
use crate::place::Place;
use crate::report::{AnyOf, Quoted};
use crate::settings::ConditionalReferences;
use crate::walk::{Scope, Walk};

impl Walk<'_> {
    /// Checks an object of type `Reference`. `allowed` says which types it may point to.
    pub(crate) fn reference(
        &mut self,
        object: &Object,
        allowed: TypeRef,
        place: &Place<'_>,
        scope: &Scope<'_>,
    ) {
        let named = self.named_type(object, allowed, place);
        let Some(text) = object.get("reference").and_then(Value::as_str) else { return };
        if text.is_empty() {
            // The walk over the elements has said so.
            return;
        }
        let here = place.child("reference");
        match Reference::parse(text) {
            Err(error) => self.malformed(text, &error, &here),
            Ok(reference) => {
                let Some(target) = self.target(&reference, &here, scope) else { return };
                self.check_target(target, allowed, &here);
                if let Some(named) = named.filter(|named| *named != target) {
                    self.report.add(
                        Rule::ReferenceType,
                        &place.child("type"),
                        format_args!(
                            "the type says {}, but the reference points to the type {}: correct one of them",
                            named.name(),
                            target.name()
                        ),
                    );
                }
            }
        }
    }

    /// Any relative URL may stand in a reference, but only `Type/id` means a resource; what is nearly that is a mistake.
    #[cold]
    fn malformed(&mut self, text: &str, error: &ReferenceError, place: &Place<'_>) {
        let first = text.split('/').next().unwrap_or_default();
        let is_type = |name: &str| name.eq_ignore_ascii_case(first);
        let is_relative = matches!(error, ReferenceError::NoForm | ReferenceError::Type(_));
        if !is_relative || self.definitions.types().any(|found| is_type(found.name())) {
            return self.report.add(Rule::ReferenceForm, place, format_args!("{}: {error}", Quoted(text)));
        }
        let advice = if first.contains('.') && !first.starts_with('.') {
            "put https:// in front if it starts with a host"
        } else {
            "write Type/id, #id or an absolute URL"
        };
        let message = format_args!("{} is a relative URL that means no resource: {advice}", Quoted(text));
        self.report.add(Rule::ReferenceRelative, place, message);
    }

    /// What `Reference.type` names, from R4 on. Types that are not of FHIR are left alone.
    fn named_type(&mut self, object: &Object, allowed: TypeRef, place: &Place<'_>) -> Option<TypeDef> {
        if self.version == FhirVersion::Stu3 {
            return None;
        }
        let name = object.get("type")?.as_str()?;
        let name = name.strip_prefix("http://hl7.org/fhir/StructureDefinition/").unwrap_or(name);
        let named = self.definitions.resource_type(name)?;
        self.check_target(named, allowed, &place.child("type"));
        Some(named)
    }

    fn check_target(&mut self, target: TypeDef, allowed: TypeRef, place: &Place<'_>) {
        if !allowed.accepts_target(target) {
            let names: Vec<&str> = allowed.targets().map(TypeDef::name).collect();
            self.report.add(
                Rule::ReferenceTarget,
                place,
                format_args!(
                    "the type {} cannot be referred to here: refer to {}",
                    target.name(),
                    AnyOf(&names)
                ),
            );
        }
    }

    /// The type of the resource that a reference points to, where the text or the contained resource tells it.
    fn target(&mut self, reference: &Reference<'_>, place: &Place<'_>, scope: &Scope<'_>) -> Option<TypeDef> {
        match reference.target {
            Target::Contained => {
                let name = self.contained_type(reference.fragment.unwrap_or_default(), place, scope)?;
                self.definitions.resource_type(name)
            }
            Target::Literal { base, resource_type, .. } => {
                let found = self.definitions.resource_type(resource_type);
                if found.is_none() && base.is_none() {
                    self.unknown_target(resource_type, place);
                }
                found
            }
            Target::Conditional { resource_type, .. } => {
                if !scope.in_bundle
                    && self.settings.conditional_references == ConditionalReferences::InBundles
                {
                    self.report.add(
                        Rule::ReferenceConditional,
                        place,
                        "a search stands for a reference only inside a transaction: write Type/id",
                    );
                }
                let found = self.definitions.resource_type(resource_type);
                if found.is_none() {
                    self.unknown_target(resource_type, place);
                }
                found
            }
            Target::Uri(_) | Target::Uuid(_) | Target::Oid(_) => None,
        }
    }

    #[cold]
    fn unknown_target(&mut self, name: &str, place: &Place<'_>) {
        let message = format_args!("FHIR {} has no resource type {}", self.version, Quoted(name));
        self.report.add(Rule::ReferenceForm, place, message);
    }

    /// The type of the contained resource `#id`, or of the resource around for `#` alone.
    pub(crate) fn contained_type<'a>(
        &mut self,
        id: &str,
        place: &Place<'_>,
        scope: &Scope<'a>,
    ) -> Option<&'a str> {
        if id.is_empty() {
            if let (Some(contained), Some(index)) = (scope.contained, scope.inside) {
                contained.refer_out(index);
                return Some(scope.resource_type);
            }
            let message =
                "# alone refers from a contained resource to the one around it: write Type/id, or remove it";
            self.report.add(Rule::ContainedNotFound, place, message);
            return None;
        }
        let found = scope.contained.and_then(|contained| contained.refer_to(id));
        if found.is_none() {
            self.report.add(
                Rule::ContainedNotFound,
                place,
                format_args!(
                    "no contained resource has the id {}: contain it, or correct the reference",
                    Quoted(id)
                ),
            );
        }
        found
    }
}
