//! The walk over a resource: what stands where it may not, what is missing, what has the wrong shape.

use fhir_definitions::{Definitions, ElementDef, FhirVersion, Fields, TypeDef, TypeKind, TypeRef};
use fhir_model::json::{Object, Value};

use crate::contained::{self, Contained};
use crate::finding::Rule;
use crate::place::Place;
use crate::report::{Quoted, Report};
use crate::settings::Settings;
use crate::suggestion;

/// Elements inside elements are followed to this depth. No published example is deeper than 20; the stack holds this
/// many on any thread.
const DEPTH_MAX: usize = 128;

/// An object with more members is not looked into: the largest type has fewer than 500 names, twins included.
const MEMBERS_MAX: usize = 1024;

/// The walk, with what it carries along.
pub(crate) struct Walk<'s> {
    pub(crate) definitions: Definitions,
    pub(crate) version: FhirVersion,
    pub(crate) settings: &'s Settings,
    pub(crate) report: Report<'s>,
}

/// What the resource around a place says about it.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// The contained resources that `#id` means here.
    pub(crate) contained: Option<&'a Contained<'a>>,
    /// Which of them the place is in.
    pub(crate) inside: Option<usize>,
    /// The type of the resource that contains them.
    pub(crate) resource_type: &'a str,
    /// Whether there is a Bundle around.
    pub(crate) in_bundle: bool,
}

/// A member of an object, and what it is.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) object: &'a Object,
    /// The name in JSON, without the underscore of a twin.
    pub(crate) key: &'a str,
    pub(crate) element: ElementDef,
    pub(crate) type_ref: TypeRef,
}

impl<'s> Walk<'s> {
    pub(crate) fn new(definitions: Definitions, settings: &'s Settings) -> Self {
        let report = Report::new(settings);
        Self { definitions, version: definitions.version(), settings, report }
    }

    /// Checks the outermost value.
    pub(crate) fn root(&mut self, value: &Value) {
        let resource = match self.typed(value) {
            Ok(resource) => resource,
            Err((rule, message)) => return self.report.add_nowhere(rule, message),
        };
        let place = Place::root(resource.type_def.name());
        self.refuse_subsetted(resource.object, &place);
        self.container(resource, &place, false);
    }

    /// Checks a resource that stands inside of another one: an entry of a Bundle, a parameter, or, with its number
    /// among them, a contained resource.
    pub(crate) fn nested(
        &mut self,
        value: &Value,
        element: ElementDef,
        index: Option<usize>,
        place: &Place<'_>,
        scope: &Scope<'_>,
    ) {
        let resource = match self.typed(value) {
            Ok(resource) => resource,
            Err((rule, message)) => return self.report.add(rule, place, message),
        };
        if element.name() == "contained" {
            contained::report_own(resource.object, place, self.version, &mut self.report);
            let inside = Scope { inside: index, ..*scope };
            return self.object(resource.object, resource.type_def.fields(), place, &inside);
        }
        self.container(resource, place, scope.in_bundle);
    }

    /// Checks a resource that may contain others.
    fn container(&mut self, resource: Typed<'_>, place: &Place<'_>, in_bundle: bool) {
        let Typed { object, type_def } = resource;
        let contained = Contained::of(object);
        let resource_type = type_def.name();
        let scope = Scope {
            contained: contained.as_ref(),
            inside: None,
            resource_type,
            in_bundle: in_bundle || resource_type == "Bundle",
        };
        self.object(object, type_def.fields(), place, &scope);
        if let Some(contained) = &contained
            && !self.report.is_full()
        {
            contained.report(place, &mut self.report);
        }
    }

    /// The resource that a value is, or why it is none.
    fn typed<'a>(&self, value: &'a Value) -> Result<Typed<'a>, (Rule, String)> {
        let Some(object) = value.as_object() else {
            let message = format!("a resource is a JSON object, not {}", value.kind());
            return Err((Rule::NotAResource, message));
        };
        let name = match object.get("resourceType") {
            Some(Value::String(name)) => name.as_str(),
            Some(other) => {
                return Err((Rule::NotAResource, format!("resourceType is a string, not {}", other.kind())));
            }
            None => {
                let message = "a resource names its type: add the member resourceType".to_owned();
                return Err((Rule::NotAResource, message));
            }
        };
        self.definitions.resource_type(name).map(|type_def| Typed { object, type_def }).ok_or_else(|| {
            let message = format!("FHIR {} has no resource type {}", self.version, Quoted(name));
            (Rule::UnknownResourceType, message)
        })
    }

    /// Checks the members of an object against the elements that may stand in it.
    pub(crate) fn object(&mut self, object: &Object, fields: Fields, place: &Place<'_>, scope: &Scope<'_>) {
        if object.len() > MEMBERS_MAX {
            let message = format_args!("this object has {} members, and no type has so many", object.len());
            return self.report.add(Rule::TooManyMembers, place, message);
        }
        if place.depth() > DEPTH_MAX {
            let message = format_args!("elements are nested more than {DEPTH_MAX} levels deep");
            return self.report.add(Rule::TooDeep, place, message);
        }
        for (index, (key, value)) in object.iter().enumerate() {
            if self.report.is_full() {
                return;
            }
            match fields.resolve_json_name(key) {
                Some((element, type_ref)) => {
                    let member = Member { object, key, element, type_ref };
                    if element.is_choice() {
                        self.choice(index, &member, fields, place);
                    }
                    self.member(&member, value, place, scope);
                }
                None => self.unresolved(object, index, value, fields, place, scope),
            }
        }
        self.mandatory(object, fields, place);
    }

    /// A member whose name is no element's: the type of a resource, the twin of a primitive, or a mistake.
    fn unresolved(
        &mut self,
        object: &Object,
        index: usize,
        value: &Value,
        fields: Fields,
        place: &Place<'_>,
        scope: &Scope<'_>,
    ) {
        let Some((key, _)) = object.at(index) else { return };
        let is_resource_type = key == "resourceType"
            && fields.backbone().is_none()
            && fields.type_def().kind() == TypeKind::Resource;
        if is_resource_type {
            return;
        }
        let twin = key.strip_prefix('_').and_then(|name| Some((name, fields.resolve_json_name(name)?)));
        if key == "fhir_comments" && self.version == FhirVersion::Stu3 {
            let message = "fhir_comments is of DSTU2 and means nothing here: remove it";
            return self.report.add(Rule::Comments, &place.child(key), message);
        }
        let Some((name, (element, type_ref))) = twin else {
            let (rule, message) = suggestion::for_unknown(key, fields);
            return self.report.add(rule, &place.child(key), message);
        };
        let member = Member { object, key: name, element, type_ref };
        if element.is_choice() {
            self.choice(index, &member, fields, place);
        }
        self.twin(&member, value, place, scope);
    }

    /// Checks that a choice has one value only: no member before has another type of it.
    fn choice(&mut self, index: usize, member: &Member<'_>, fields: Fields, place: &Place<'_>) {
        let name = member.element.name();
        for before in member.object.names().take(index) {
            let before = before.strip_prefix('_').unwrap_or(before);
            if before.starts_with(name)
                && before != member.key
                && fields.resolve_json_name(before).is_some_and(|(element, _)| element == member.element)
            {
                let message =
                    format_args!("{before} and {} exclude each other: keep one of them", member.key);
                return self.report.add(Rule::ChoiceRepeated, &place.child(name), message);
            }
        }
    }

    /// Checks that every mandatory element is there; its twin alone will do, because it says why the value is not.
    fn mandatory(&mut self, object: &Object, fields: Fields, place: &Place<'_>) {
        for element in fields.elements() {
            if element.min() > 0 && !is_present(object, element, fields) && !is_bare_value(element) {
                let name = element.name();
                let message = if element.is_choice() {
                    format!(
                        "the element {name}[x] is mandatory: add one of {}",
                        suggestion::choice_names(element, fields)
                    )
                } else {
                    format!("the element {name} is mandatory: add it")
                };
                self.report.add(Rule::ElementMissing, place, message);
            }
        }
    }

    /// Checks one member: an array of values if the element repeats, else one value.
    fn member(&mut self, member: &Member<'_>, value: &Value, place: &Place<'_>, scope: &Scope<'_>) {
        let place = place.child(member.element.name());
        if member.element.max() == Some(0) {
            return self.report.add(
                Rule::ElementForbidden,
                &place,
                "this element cannot stand here: remove it",
            );
        }
        let is_list = member.element.is_list();
        let Value::Array(items) = value else {
            if is_list {
                let message = format_args!("{} repeats: write an array, also for one value", member.key);
                self.report.add(Rule::ArrayExpected, &place, message);
            }
            return self.value(member, value, None, &place, scope);
        };
        if !is_list {
            self.unwanted_array(items, &place);
        } else if items.is_empty() {
            self.report.add(Rule::ArrayEmpty, &place, "an array must not be empty: remove it or add an item");
        }
        for (index, item) in items.iter().enumerate() {
            if self.report.is_full() {
                return;
            }
            self.value(member, item, Some(index), &place.item(index), scope);
        }
    }

    #[cold]
    pub(crate) fn unwanted_array(&mut self, items: &[Value], place: &Place<'_>) {
        let message = format_args!(
            "{} does not repeat: write the value itself, without the array{}",
            place.name(),
            if items.len() > 1 { ", and decide for one" } else { "" }
        );
        self.report.add(Rule::ArrayForbidden, place, message);
    }
}

/// An object whose type is known.
#[derive(Clone, Copy)]
struct Typed<'a> {
    object: &'a Object,
    type_def: TypeDef,
}

/// Whether this is the value inside a primitive type, which JSON writes in place of the primitive.
fn is_bare_value(element: ElementDef) -> bool {
    element.types().any(|type_ref| type_ref.type_def().kind() == TypeKind::System)
}

/// Whether an element is there, under any of its names, or its twin.
fn is_present(object: &Object, element: ElementDef, fields: Fields) -> bool {
    let name = element.name();
    if !element.is_choice() {
        return object.names().any(|member| member.strip_prefix('_').unwrap_or(member) == name);
    }
    object.names().any(|member| {
        let member = member.strip_prefix('_').unwrap_or(member);
        member.starts_with(name)
            && fields.resolve_json_name(member).is_some_and(|(found, _)| found == element)
    })
}
