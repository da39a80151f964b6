//! Writing: members are put into the order of the definition, and each is written as what it is there.

use std::ops::Range;

use fhir_definitions::{
    Definitions, ElementDef, FhirVersion, Fields, JsonShape, Primitive, Representation, TypeKind, TypeRef,
};

use super::characters::write_attribute_text;
use super::fault::{Trail, quote};
use super::parser::parent_name;
use super::write_error::{XmlWriteError, XmlWriteErrorKind};
use super::{DECLARATION, FHIR_NAMESPACE, narrative};
use crate::json::{DEPTH_CEILING, Number, Object, Value};

/// Spaces per level in [`write_pretty`].
const INDENT: usize = 2;

/// Lines are not indented further than this many levels, as in JSON.
const INDENT_LEVELS_MAX: usize = 32;

/// Appends a resource as an XML document without white space between elements, [`DECLARATION`] first. On an error
/// `out` is as it was.
pub fn write(resource: &Object, definitions: Definitions, out: &mut Vec<u8>) -> Result<(), XmlWriteError> {
    document(resource, definitions, Layout::Compact, out)
}

/// Appends a resource as an XML document with one element per line, two spaces per level (up to 32 levels) and no
/// line break at the end. Narrative stays as it is written. On an error `out` is as it was.
pub fn write_pretty(
    resource: &Object,
    definitions: Definitions,
    out: &mut Vec<u8>,
) -> Result<(), XmlWriteError> {
    document(resource, definitions, Layout::Pretty, out)
}

fn document(
    resource: &Object,
    definitions: Definitions,
    layout: Layout,
    out: &mut Vec<u8>,
) -> Result<(), XmlWriteError> {
    let start = out.len();
    out.extend_from_slice(DECLARATION);
    let mut writer = Writer { definitions, layout, out, depth: 0, plans: Vec::new() };
    let written = writer.resource(resource).map_err(|mut fault| {
        let name = resource.get("resourceType").and_then(Value::as_str);
        if let Some(found) = name.and_then(|name| definitions.resource_type(name)) {
            fault.trail.push(found.name(), None);
        }
        XmlWriteError { kind: fault.kind, path: fault.trail.render() }
    });
    if written.is_err() {
        out.truncate(start);
    }
    written
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Compact,
    Pretty,
}

/// An error on its way up.
struct Fault {
    kind: XmlWriteErrorKind,
    trail: Trail,
}

type Written = Result<(), Box<Fault>>;

#[cold]
fn fault<T>(kind: XmlWriteErrorKind) -> Result<T, Box<Fault>> {
    Err(Box::new(Fault { kind, trail: Trail::default() }))
}

struct Writer<'o, 't> {
    definitions: Definitions,
    layout: Layout,
    out: &'o mut Vec<u8>,
    /// Elements that are open; what bounds the nesting of the tree bounds them.
    depth: usize,
    /// The members of all objects that are open, innermost last, each in XML order.
    plans: Vec<Plan<'t>>,
}

/// A member that is to be written: the value, and of a primitive the id and extensions beside it.
#[derive(Clone, Copy)]
struct Plan<'t> {
    name: &'t str,
    place: u16,
    element: ElementDef,
    type_ref: TypeRef,
    value: Option<&'t Value>,
    extra: Option<&'t Value>,
}

impl<'t> Writer<'_, 't> {
    /// A resource, whole: its start tag, what is inside and its end tag.
    fn resource(&mut self, resource: &'t Object) -> Written {
        let named = resource.get("resourceType").and_then(Value::as_str);
        let version = self.definitions.version();
        let Some(found) = named.and_then(|name| self.definitions.resource_type(name)) else {
            return fault(XmlWriteErrorKind::NotAResource { found: named.map(quote), version });
        };
        let fields = found.fields();
        let plans = self.plan(fields, resource, Holder::Resource)?;
        self.open(found.name())?;
        if self.depth == 1 {
            self.out.extend_from_slice(b" xmlns=\"");
            self.out.extend_from_slice(FHIR_NAMESPACE.as_bytes());
            self.out.push(b'"');
        }
        self.content(plans, found.name(), None)
    }

    /// Puts the members of an object into order. What is returned is its part of `plans`, for [`Self::content`].
    fn plan(
        &mut self,
        fields: Fields,
        object: &'t Object,
        holder: Holder,
    ) -> Result<Range<usize>, Box<Fault>> {
        let first = self.plans.len();
        let mut is_sorted = true;
        let mut last = 0;
        for (key, value) in object.iter() {
            let (name, is_extra) = match key.strip_prefix('_') {
                Some(name) => (name, true),
                None => (key, false),
            };
            let Some((place, element, type_ref)) = fields.locate_json_name(name) else {
                self.expect_known(fields, key, holder)?;
                continue;
            };
            let (value, extra) = if is_extra { (None, Some(value)) } else { (Some(value), None) };
            is_sorted &= last <= place;
            last = place;
            self.plans.push(Plan { name, place, element, type_ref, value, extra });
        }
        if !is_sorted && let Some(plans) = self.plans.get_mut(first..) {
            plans.sort_by_key(|plan| plan.place);
        }
        self.join(first);
        Ok(first..self.plans.len())
    }

    /// Members that are no elements: the type of a resource, and comments in STU3.
    fn expect_known(&self, fields: Fields, key: &str, holder: Holder) -> Written {
        let is_type = key == "resourceType" && holder == Holder::Resource;
        let is_comment = key == "fhir_comments" && self.definitions.version() == FhirVersion::Stu3;
        if is_type || is_comment {
            return Ok(());
        }
        let kind = XmlWriteErrorKind::UnknownMember { name: quote(key), parent: parent_name(fields) };
        located(fault(kind), &quote(key), None)
    }

    /// Makes one of a value and the id and extensions beside it.
    fn join(&mut self, first: usize) {
        let mut kept = first;
        for at in first..self.plans.len() {
            let Some(&plan) = self.plans.get(at) else { break };
            match kept.checked_sub(1).filter(|last| *last >= first).and_then(|last| self.plans.get_mut(last))
            {
                // Names are distinct, so the other one has what this one lacks.
                Some(last) if last.place == plan.place => {
                    last.value = last.value.or(plan.value);
                    last.extra = last.extra.or(plan.extra);
                }
                _ => {
                    if let Some(slot) = self.plans.get_mut(kept) {
                        *slot = plan;
                    }
                    kept += 1;
                }
            }
        }
        self.plans.truncate(kept);
    }

    /// The rest of the element that is open: attributes, the last of them the value of a primitive, child elements,
    /// end.
    fn content(&mut self, plans: Range<usize>, name: &str, value: Option<&str>) -> Written {
        let mut is_empty = true;
        for at in plans.clone() {
            let Some(&plan) = self.plans.get(at) else { break };
            if plan.element.representation() == Representation::Attribute {
                located(self.attribute(plan), plan.name, None)?;
            } else {
                is_empty = false;
            }
        }
        if let Some(text) = value {
            self.write_attribute("value", text)?;
        }
        if !is_empty {
            self.out.push(b'>');
            for at in plans.clone() {
                let Some(&plan) = self.plans.get(at) else { break };
                if plan.element.representation() != Representation::Attribute {
                    self.member(plan)?;
                }
            }
        }
        self.plans.truncate(plans.start);
        self.close(name, is_empty);
        Ok(())
    }

    fn attribute(&mut self, plan: Plan<'t>) -> Written {
        if plan.extra.is_some() || plan.type_ref.type_def().kind() == TypeKind::System {
            return fault(XmlWriteErrorKind::Extra);
        }
        match plan.value {
            Some(Value::String(text)) => self.write_attribute(plan.name, text),
            Some(value) => wrong_kind("a string", value),
            None => Ok(()),
        }
    }

    fn write_attribute(&mut self, name: &str, text: &str) -> Written {
        self.out.push(b' ');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"=\"");
        if let Err(char) = write_attribute_text(text, self.out) {
            return fault(XmlWriteErrorKind::ForbiddenCharacter(char));
        }
        self.out.push(b'"');
        Ok(())
    }

    /// One element, or as many as there are items.
    fn member(&mut self, plan: Plan<'t>) -> Written {
        if !plan.element.is_list() {
            return located(self.element(plan, plan.value, plan.extra), plan.name, None);
        }
        let items = located(list(plan.value), plan.name, None)?;
        let extras = located(list(plan.extra), plan.name, None)?;
        for index in 0..items.len().max(extras.len()) {
            let written = self.element(plan, items.get(index), extras.get(index));
            located(written, plan.name, Some(index))?;
        }
        Ok(())
    }

    fn element(&mut self, plan: Plan<'t>, value: Option<&'t Value>, extra: Option<&'t Value>) -> Written {
        let found = plan.type_ref.type_def();
        // In JSON, null fills the place of what is not there.
        let value = value.filter(|value| !value.is_null());
        let extra = extra.filter(|extra| !extra.is_null());
        match (found.kind(), value, extra) {
            (_, None, None) => fault(XmlWriteErrorKind::Null),
            (TypeKind::Primitive(Primitive::Xhtml), Some(value), None) => self.narrative(value),
            (TypeKind::Primitive(Primitive::Xhtml), _, _) => fault(XmlWriteErrorKind::Extra),
            (TypeKind::Primitive(primitive), _, _) => self.primitive(plan, primitive, value, extra),
            (_, _, Some(_)) => fault(XmlWriteErrorKind::Extra),
            (TypeKind::Resource, Some(Value::Object(resource)), _) => {
                self.open(plan.name)?;
                self.out.push(b'>');
                self.resource(resource)?;
                self.close(plan.name, false);
                Ok(())
            }
            (_, Some(Value::Object(object)), _) => {
                let plans = self.plan(plan.element.fields_as(plan.type_ref), object, Holder::Element)?;
                self.open(plan.name)?;
                self.content(plans, plan.name, None)
            }
            (_, Some(Value::Array(_)), _) => fault(XmlWriteErrorKind::WrongShape { is_list: false }),
            (_, Some(value), _) => wrong_kind("an object", value),
        }
    }

    fn narrative(&mut self, value: &Value) -> Written {
        let Value::String(text) = value else { return wrong_kind("a string", value) };
        self.line_start();
        narrative::write(text, self.out).or_else(|found| {
            fault(XmlWriteErrorKind::Narrative { kind: Box::new(found.kind), offset: found.offset })
        })
    }

    fn primitive(
        &mut self,
        plan: Plan<'t>,
        primitive: Primitive,
        value: Option<&'t Value>,
        extra: Option<&'t Value>,
    ) -> Written {
        let plans = match extra {
            Some(Value::Object(extra)) if extra.is_empty() && value.is_some() => {
                return fault(XmlWriteErrorKind::EmptyExtra);
            }
            Some(Value::Object(extra)) => {
                self.plan(plan.type_ref.type_def().fields(), extra, Holder::Element)?
            }
            None => self.plans.len()..self.plans.len(),
            Some(Value::Array(_)) => return fault(XmlWriteErrorKind::WrongShape { is_list: false }),
            Some(extra) => return wrong_kind("an object", extra),
        };
        let text = value.map(|value| primitive_text(primitive, value)).transpose()?;
        self.open(plan.name)?;
        self.content(plans, plan.name, text)
    }

    /// Starts a tag, to which attributes may be added.
    fn open(&mut self, name: &str) -> Written {
        if self.depth == 2 * DEPTH_CEILING {
            return fault(XmlWriteErrorKind::TooDeep);
        }
        self.line_start();
        self.depth += 1;
        self.out.push(b'<');
        self.out.extend_from_slice(name.as_bytes());
        Ok(())
    }

    fn close(&mut self, name: &str, is_empty: bool) {
        self.depth -= 1;
        if is_empty {
            self.out.extend_from_slice(b"/>");
            return;
        }
        self.line_start();
        self.out.extend_from_slice(b"</");
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'>');
    }

    fn line_start(&mut self) {
        if self.layout == Layout::Pretty {
            self.out.push(b'\n');
            self.out.resize(self.out.len() + self.depth.min(INDENT_LEVELS_MAX) * INDENT, b' ');
        }
    }
}

/// What an object stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holder {
    Resource,
    Element,
}

/// The items of a member that repeats.
fn list(value: Option<&Value>) -> Result<&[Value], Box<Fault>> {
    match value {
        None => Ok(&[]),
        Some(Value::Array(items)) if items.is_empty() => fault(XmlWriteErrorKind::EmptyArray),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => fault(XmlWriteErrorKind::WrongShape { is_list: true }),
    }
}

/// The text of a primitive's value. A string is taken for a boolean or a number only if it would read back as a
/// string, so that nothing changes its kind on the way.
fn primitive_text(primitive: Primitive, value: &Value) -> Result<&str, Box<Fault>> {
    let shape = primitive.json_shape();
    match (shape, value) {
        (JsonShape::String, Value::String(text)) => Ok(text),
        (JsonShape::Boolean, Value::Bool(value)) => Ok(if *value { "true" } else { "false" }),
        (JsonShape::Number, Value::Number(number)) => Ok(number.as_str()),
        (JsonShape::Boolean, Value::String(text)) if !matches!(text.as_str(), "true" | "false") => Ok(text),
        (JsonShape::Number, Value::String(text)) if text.parse::<Number>().is_err() => Ok(text),
        (_, Value::Array(_)) => fault(XmlWriteErrorKind::WrongShape { is_list: false }),
        (JsonShape::String, _) => wrong_kind("a string", value),
        (JsonShape::Boolean, _) => wrong_kind("a boolean", value),
        (JsonShape::Number, _) => wrong_kind("a number", value),
    }
}

#[cold]
fn wrong_kind<T>(expected: &'static str, value: &Value) -> Result<T, Box<Fault>> {
    fault(XmlWriteErrorKind::WrongKind { expected, found: value.kind() })
}

/// Adds a step to the way of a fault.
fn located<T>(found: Result<T, Box<Fault>>, name: &str, index: Option<usize>) -> Result<T, Box<Fault>> {
    found.map_err(|mut fault| {
        fault.trail.push(name, index);
        fault
    })
}
