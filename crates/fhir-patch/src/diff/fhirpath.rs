//! Differences as a FHIRPath Patch.

use std::fmt;

use fhir_definitions::{Definitions, ElementDef, Fields, TypeDef, TypeKind, TypeRef};
use fhir_model::json::{Object, Value};
use fhir_model::object;
use fhirpath::Element;

use super::list::{ListStep, script};
use super::pairing::{Item, pair};
use crate::elements::{ElementRef, Row, Side, rows};
use crate::fhirpath_patch::part_fields;
use crate::path::{ElementPath, PathStep, Place};

/// Why a difference cannot be said as a FHIRPath Patch, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotExpressible {
    /// The element.
    pub path: ElementPath,
    /// Why.
    pub reason: NotExpressibleReason,
}

/// Why a difference cannot be said as a FHIRPath Patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotExpressibleReason {
    /// The two are resources of different types, or none.
    OtherType,
    /// The definitions do not know the element, so its value has no type.
    Unknown,
    /// The element has a shape that the definitions do not give it: an array where one value belongs, an empty
    /// object, one choice under two names.
    Shape,
}

/// The FHIRPath Patch, as a Parameters resource, that turns one version of a resource into the other: applying it to
/// `old` gives a value equal to `new`.
///
/// An item of a list that came, went or changed its order takes one operation. Nothing is patched in parts where
/// replacing it would be shorter, measured in bytes of the patch as JSON.
///
/// ```
/// use fhir_definitions::{Definitions, FhirVersion};
/// use fhir_model::object;
/// use fhir_patch::fhirpath_diff;
///
/// let old = object! { "resourceType": "Patient", "birthDate": "1920-01-01" };
/// let new = object! { "resourceType": "Patient", "birthDate": "1930-01-01" };
/// let patch = fhirpath_diff(&old.into(), &new.into(), Definitions::of(FhirVersion::R4))?;
/// assert_eq!(
///     patch.to_string(),
///     r#"{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"replace"},{"name":"path","valueString":"Patient.birthDate"},{"name":"value","valueDate":"1930-01-01"}]}]}"#,
/// );
/// # Ok::<(), fhir_patch::NotExpressible>(())
/// ```
pub fn fhirpath_diff(old: &Value, new: &Value, definitions: Definitions) -> Result<Value, NotExpressible> {
    let path = ElementPath::of_resource(new);
    let fields = Element::resource(new, definitions).fields();
    let is_same_type =
        old.get("resourceType").is_some() && old.get("resourceType") == new.get("resourceType");
    let (Some(old), Some(new), Some(fields), Some(part), true) =
        (old.as_object(), new.as_object(), fields, part_fields(definitions), is_same_type)
    else {
        return Err(NotExpressible { path, reason: NotExpressibleReason::OtherType });
    };
    let mut diff = Diff { part, path, operations: Vec::new(), bytes: 0 };
    diff.object(old, new, fields)?;
    let mut parameters = object! { "resourceType": "Parameters" };
    if !diff.operations.is_empty() {
        parameters.insert("parameter", diff.operations);
    }
    Ok(parameters.into())
}

type Diffed<T = ()> = Result<T, NotExpressible>;

struct Diff {
    /// What may stand inside a part of Parameters.
    part: Fields,
    /// The element that is being compared.
    path: ElementPath,
    operations: Vec<Object>,
    /// The length of all operations when printed.
    bytes: usize,
}

/// Where the operations stood at some time.
#[derive(Clone, Copy)]
struct Mark {
    operations: usize,
    bytes: usize,
}

impl Item for ElementRef<'_> {
    fn fingerprint(&self) -> u64 {
        (*self).fingerprint()
    }

    fn id(&self) -> Option<&str> {
        (*self).id()
    }
}

impl Diff {
    fn fault<T>(&self, reason: NotExpressibleReason) -> Diffed<T> {
        Err(NotExpressible { path: self.path.clone(), reason })
    }

    fn mark(&self) -> Mark {
        Mark { operations: self.operations.len(), bytes: self.bytes }
    }

    fn emit(&mut self, name: &str, path: &ElementPath, rest: impl IntoIterator<Item = Object>) {
        let mut parts = vec![
            object! { "name": "type", "valueCode": name },
            object! { "name": "path", "valueString": path.to_string() },
        ];
        parts.extend(rest);
        let operation = object! { "name": "operation", "part": parts };
        self.bytes += operation.to_bytes().len() + 1;
        self.operations.push(operation);
    }

    /// Works one step further down.
    fn within<T>(&mut self, step: PathStep, work: impl FnOnce(&mut Self) -> Diffed<T>) -> Diffed<T> {
        self.path.push(step);
        let result = work(self)?;
        self.path.pop();
        Ok(result)
    }

    /// Takes the operations since the mark back if others are shorter.
    fn shorten(&mut self, mark: Mark, others: impl FnOnce(&mut Self) -> Diffed) -> Diffed {
        let (bytes, kept) = (self.bytes - mark.bytes, self.operations.split_off(mark.operations));
        self.bytes = mark.bytes;
        others(self)?;
        if self.bytes - mark.bytes >= bytes {
            self.operations.truncate(mark.operations);
            self.operations.extend(kept);
            self.bytes = mark.bytes + bytes;
        }
        Ok(())
    }

    /// Deletions come last: on the way nothing is empty, which would make it go away.
    fn object(&mut self, old: &Object, new: &Object, fields: Fields) -> Diffed {
        let rows = rows([old, new], Some(fields));
        for row in &rows {
            if let [old, Some(new)] = &row.sides {
                let is_same = old.as_ref().is_some_and(|old| old.is_same(new));
                if !is_same {
                    let empty = Side { items: Vec::new(), ..new.clone() };
                    self.element(row, old.as_ref().unwrap_or(&empty), new, fields)?;
                }
            }
        }
        for row in &rows {
            if let [Some(old), None] = &row.sides {
                let element = self.known(row, old)?;
                for index in (0..old.items.len()).rev() {
                    let index = element.is_list().then_some(index);
                    let path = self.path.child(PathStep::new(row.name, old.member, index));
                    self.emit("delete", &path, []);
                }
            }
        }
        Ok(())
    }

    /// The definition of an element that has the shape it is given there.
    fn known(&mut self, row: &Row<'_, 2>, side: &Side<'_>) -> Diffed<ElementDef> {
        let step = PathStep::new(row.name, side.member, None);
        self.within(step, |diff| {
            let Some(element) = row.element else { return diff.fault(NotExpressibleReason::Unknown) };
            let is_shaped = side.is_array == element.is_list()
                && side.more.is_empty()
                && !side.items.is_empty()
                && side.items.iter().all(|item| item.value.is_some() || item.extra.is_some());
            if is_shaped { Ok(element) } else { diff.fault(NotExpressibleReason::Shape) }
        })
    }

    /// An element that the new version has, and the old one not, or not the same.
    fn element(&mut self, row: &Row<'_, 2>, old: &Side<'_>, new: &Side<'_>, fields: Fields) -> Diffed {
        let element = self.known(row, new)?;
        if !old.items.is_empty() {
            self.known(row, old)?;
        }
        let Some(type_ref) = new.type_ref else { return self.fault(NotExpressibleReason::Unknown) };
        let place = Place { beside: fields, element, type_ref };
        if element.is_list() {
            return self.list(row.name, old, new, place);
        }
        let Some(after) = new.items.first() else { return self.fault(NotExpressibleReason::Shape) };
        let step = PathStep::new(row.name, new.member, None);
        match old.items.first() {
            None => self.add(row.name, new.member, *after, place),
            Some(before) if old.member == new.member => {
                self.within(step, |diff| diff.changed(*before, *after, place))
            }
            Some(_) => self.within(step, |diff| diff.replace(*after, place)),
        }
    }

    /// An element or item that is there in both versions and of one type. The path leads to it.
    fn changed(&mut self, old: ElementRef<'_>, new: ElementRef<'_>, place: Place) -> Diffed {
        if old == new {
            return Ok(());
        }
        let mark = self.mark();
        let empty = Object::new();
        let is_primitive = place.type_ref.type_def().primitive().is_some();
        let inside = match (old.object(), new.object()) {
            (Some(old), Some(new)) if old.get("resourceType") == new.get("resourceType") => Some((old, new)),
            _ if is_primitive && old.value.is_some() && old.value == new.value => {
                let extra = |item: ElementRef<'_>| item.extra.and_then(Value::as_object).is_some();
                if (old.extra.is_some() && !extra(old)) || (new.extra.is_some() && !extra(new)) {
                    return self.fault(NotExpressibleReason::Shape);
                }
                Some((
                    old.extra.and_then(Value::as_object).unwrap_or(&empty),
                    new.extra.and_then(Value::as_object).unwrap_or(&empty),
                ))
            }
            _ => None,
        };
        match (inside, place.inside(new.value)) {
            (Some((old, new_inside)), Some(fields)) => {
                self.object(old, new_inside, fields)?;
                self.shorten(mark, |diff| diff.replace(new, place))
            }
            _ => self.replace(new, place),
        }
    }

    fn replace(&mut self, new: ElementRef<'_>, place: Place) -> Diffed {
        let value = self.part("value", new, place)?;
        let path = self.path.clone();
        self.emit("replace", &path, [value]);
        Ok(())
    }

    /// Adds inside the element that the path leads to.
    fn add(&mut self, name: &str, member: &str, new: ElementRef<'_>, place: Place) -> Diffed {
        let step = PathStep::new(name, member, None);
        let value = self.within(step, |diff| diff.part("value", new, place))?;
        let name = if self.is_direct(place) { name } else { member };
        let path = self.path.clone();
        self.emit("add", &path, [object! { "name": "name", "valueString": name }, value]);
        Ok(())
    }

    fn list(&mut self, name: &str, old: &Side<'_>, new: &Side<'_>, place: Place) -> Diffed {
        let mark = self.mark();
        let member = new.member;
        let pairs = pair(&old.items, &new.items);
        for (item, at) in new.items.iter().zip(&pairs) {
            if let Some((at, before)) = at.and_then(|at| Some((at, old.items.get(at)?))) {
                let step = PathStep::new(name, member, Some(at));
                self.within(step, |diff| diff.changed(*before, *item, place))?;
            }
        }
        let list = self.path.child(PathStep::new(name, member, None));
        let integer = |name: &str, number: usize| object! { "name": name, "valueInteger": number };
        let mut len = old.items.len();
        for step in script(len, &pairs) {
            match step {
                ListStep::Insert { at, item } => {
                    let Some(item) = new.items.get(item) else { continue };
                    if at == len {
                        self.add(name, member, *item, place)?;
                    } else {
                        let step = PathStep::new(name, member, None);
                        let value = self.within(step, |diff| diff.part("value", *item, place))?;
                        self.emit("insert", &list, [integer("index", at), value]);
                    }
                    len += 1;
                }
                ListStep::Move { from, to } => {
                    self.emit("move", &list, [integer("source", from), integer("destination", to)]);
                }
                ListStep::Delete { at } => {
                    let path = self.path.child(PathStep::new(name, member, Some(at)));
                    self.emit("delete", &path, []);
                    len = len.saturating_sub(1);
                }
            }
        }
        // Replacing the list takes an operation for each item of either version, none shorter than its punctuation.
        let shortest = (old.items.len() + new.items.len()) * OPERATION_BYTES_MIN;
        if self.bytes - mark.bytes <= shortest {
            return Ok(());
        }
        self.shorten(mark, |diff| {
            for item in &new.items {
                diff.add(name, member, *item, place)?;
            }
            for at in (0..old.items.len()).rev() {
                let path = diff.path.child(PathStep::new(name, member, Some(at)));
                diff.emit("delete", &path, []);
            }
            Ok(())
        })
    }

    /// Whether Parameters can carry a value of that type as such, so that the type alone tells the choice.
    fn is_direct(&self, place: Place) -> bool {
        self.value_member(place.type_ref.type_def(), place.element).is_some() || !place.element.is_choice()
    }

    /// The member of a part for values of this type.
    fn value_member(&self, type_def: TypeDef, element: ElementDef) -> Option<&'static str> {
        if element.children().is_some() {
            return None;
        }
        let mut names = self.part.json_names().filter(|(_, element, _)| element.is_choice());
        names.find(|(_, _, type_ref)| type_ref.type_def() == type_def).map(|(name, ..)| name)
    }

    /// A part with a value. The path leads to the element that it is for.
    fn part(&mut self, name: &str, item: ElementRef<'_>, place: Place) -> Diffed<Object> {
        let type_def = place.type_ref.type_def();
        let mut part = object! { "name": name };
        let is_text = matches!(type_def.kind(), TypeKind::Primitive(_) | TypeKind::System);
        let value_member = self.value_member(type_def, place.element).or(is_text.then_some("valueString"));
        match (value_member, item.value) {
            (Some(value_member), _) => {
                let is_complex = type_def.kind() == TypeKind::Complex;
                if is_complex && (item.object().is_none_or(Object::is_empty) || item.extra.is_some()) {
                    return self.fault(NotExpressibleReason::Shape);
                }
                if !is_complex && matches!(item.value, Some(Value::Array(_) | Value::Object(_))) {
                    return self.fault(NotExpressibleReason::Shape);
                }
                if let Some(value) = item.value {
                    part.insert(value_member, value.clone());
                }
                if let Some(extra) = item.extra {
                    part.insert(format!("_{value_member}"), extra.clone());
                }
            }
            (None, Some(value @ Value::Object(_))) if type_def.kind() == TypeKind::Resource => {
                part.insert("resource", value.clone());
            }
            (None, Some(Value::Object(inside))) => {
                let Some(fields) = place.inside(item.value) else {
                    return self.fault(NotExpressibleReason::Unknown);
                };
                part.insert("part", self.parts(inside, fields)?);
            }
            (None, _) => return self.fault(NotExpressibleReason::Shape),
        }
        Ok(part)
    }

    /// The elements of a value that Parameters cannot carry as such.
    fn parts(&mut self, object: &Object, fields: Fields) -> Diffed<Vec<Object>> {
        let mut parts = Vec::new();
        for row in rows([object, &Object::new()], Some(fields)) {
            let [Some(side), _] = &row.sides else { continue };
            let element = self.known(&row, side)?;
            let type_ref: Option<TypeRef> = side.type_ref;
            let Some(type_ref) = type_ref else { return self.fault(NotExpressibleReason::Unknown) };
            let place = Place { beside: fields, element, type_ref };
            let name = if self.is_direct(place) { row.name } else { side.member };
            for item in &side.items {
                let step = PathStep::new(row.name, side.member, None);
                parts.push(self.within(step, |diff| diff.part(name, *item, place))?);
            }
        }
        if parts.is_empty() { self.fault(NotExpressibleReason::Shape) } else { Ok(parts) }
    }
}

/// The length of the shortest operation, without path and value.
const OPERATION_BYTES_MIN: usize =
    r#"{"name":"operation","part":[{"name":"type","valueCode":"add"},{"name":"path","valueString":""}]},"#
        .len();

impl fmt::Display for NotExpressible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.reason)
    }
}

impl fmt::Display for NotExpressibleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherType => "a patch cannot turn a resource into one of another type",
            Self::Unknown => {
                "the definitions do not know this element, so a patch cannot name the type of its value"
            }
            Self::Shape => "this element has another shape than its definition",
        })
    }
}

impl std::error::Error for NotExpressible {}
