//! What a collection holds: elements of the tree, and values of the system types.

use std::borrow::Cow;
use std::fmt;

use fhir_definitions::{Definitions, Fields, Primitive, TypeDef, TypeKind, TypeRef};
use fhir_model::json::Value;

use crate::quantity::{Quantity, Unit};
use crate::system::{System, parse_decimal_rounded};
use crate::temporal::{Date, DateTime, Time};

/// One item of a [`Collection`]. It borrows the tree; cloning it costs nothing but the text of computed strings.
#[derive(Debug, Clone)]
pub enum Item<'a> {
    /// An element of the tree.
    Element(Element<'a>),
    /// A value: a literal, something computed, or the bare value inside a primitive.
    Value(System<'a>),
    /// What `type()` tells.
    Type(TypeInfo),
}

/// An element of the tree: a resource, a complex value, or a primitive with its id and extensions.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    value: Option<&'a Value>,
    extra: Option<&'a Value>,
    fields: Option<Fields>,
}

/// The name of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeInfo {
    /// `FHIR` or `System`.
    pub namespace: &'static str,
    /// `Patient`, `code`, `Integer`.
    pub name: &'static str,
}

impl<'a> Element<'a> {
    /// An element of which the definitions say what may stand inside.
    ///
    /// `value` is its JSON value, if it has one; `extra` is the object with the id and the extensions of a primitive,
    /// which JSON keeps beside it under the same name with a leading `_`.
    pub fn new(value: Option<&'a Value>, extra: Option<&'a Value>, fields: Fields) -> Self {
        Self { value, extra, fields: Some(fields) }
    }

    /// An element of which nothing is known.
    pub fn untyped(value: Option<&'a Value>, extra: Option<&'a Value>) -> Self {
        Self { value, extra, fields: None }
    }

    /// A resource, typed by its `resourceType`; without type if the definitions do not know it.
    pub fn resource(value: &'a Value, definitions: Definitions) -> Self {
        let named = value.get("resourceType").and_then(Value::as_str);
        let fields = named.and_then(|name| definitions.resource_type(name)).map(TypeDef::fields);
        Self { value: Some(value), extra: None, fields }
    }

    /// Nothing but a type: what a reference points to when only its type is known.
    pub(crate) fn of_type(found: TypeDef) -> Self {
        Self { value: None, extra: None, fields: Some(found.fields()) }
    }

    /// The JSON value. A primitive that has only extensions has none.
    pub const fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// The object with the id and the extensions of a primitive.
    pub const fn extra(&self) -> Option<&'a Value> {
        self.extra
    }

    /// What may stand inside, if that is known.
    pub const fn fields(&self) -> Option<Fields> {
        self.fields
    }

    /// The type, if it is known: `Patient`, `code`, `BackboneElement`.
    pub fn type_def(&self) -> Option<TypeDef> {
        self.fields.map(type_of)
    }

    /// The name of the type; what JSON shows where it is not known.
    pub fn type_name(&self) -> &'static str {
        match (self.type_def(), self.value) {
            (Some(found), _) => found.name(),
            (None, Some(Value::Object(_) | Value::Array(_))) => "Element",
            (None, Some(Value::Bool(_))) => "boolean",
            (None, Some(Value::Number(_))) => "decimal",
            (None, _) => "string",
        }
    }

    /// The primitive type, if it is one.
    pub fn primitive(&self) -> Option<Primitive> {
        self.fields
            .filter(|fields| fields.backbone().is_none())
            .and_then(|fields| fields.type_def().primitive())
    }

    /// Whether this is a resource of its own: the outermost, a contained one, or one in a Bundle.
    pub(crate) fn is_resource(&self) -> bool {
        match self.fields {
            Some(fields) => fields.backbone().is_none() && fields.type_def().kind() == TypeKind::Resource,
            None => self.value.is_some_and(|value| value.get("resourceType").is_some()),
        }
    }

    /// Whether it is a value with a unit.
    fn is_quantity(&self) -> bool {
        let mut names = self.type_def().into_iter().flat_map(TypeDef::lineage).map(TypeDef::name);
        names.any(|name| name == "Quantity")
    }

    /// The bare value of a primitive. Text that does not fit its date or time type stays text.
    pub fn system(&self) -> Option<System<'a>> {
        let text = match self.value? {
            Value::Bool(value) => return Some(System::Boolean(*value)),
            Value::Number(number) => return Some(self.number(number.as_str())),
            Value::String(text) => text.as_str(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let parsed = match self.primitive() {
            Some(Primitive::Date) => Date::parse(text).map(System::Date),
            Some(Primitive::DateTime | Primitive::Instant) => DateTime::parse(text).map(System::DateTime),
            Some(Primitive::Time) => Time::parse(text).map(System::Time),
            Some(Primitive::Integer64) => text.parse().ok().map(System::Integer),
            _ => None,
        };
        Some(parsed.unwrap_or(System::String(Cow::Borrowed(text))))
    }

    fn number(&self, digits: &'a str) -> System<'a> {
        let integer = || digits.parse().ok().map(System::Integer);
        let decimal = || parse_decimal_rounded(digits).map(System::Decimal);
        let number =
            if self.primitive() == Some(Primitive::Decimal) { decimal() } else { integer().or_else(decimal) };
        // Digits that no decimal holds are left as they stand.
        number.unwrap_or(System::String(Cow::Borrowed(digits)))
    }

    /// A FHIR Quantity as a value with a unit, if it has a number and no comparator.
    pub(crate) fn quantity(&self) -> Option<Quantity<'a>> {
        let object = self.value.filter(|_| self.is_quantity())?.as_object()?;
        if object.contains("comparator") {
            return None;
        }
        let value = parse_decimal_rounded(object.get("value")?.as_number()?.as_str())?;
        let text = |name| object.get(name).and_then(Value::as_str);
        let unit = match (text("system"), text("code").or(text("unit"))) {
            (_, None) => Cow::Borrowed("1"),
            (None | Some("http://unitsofmeasure.org"), Some(code)) => Cow::Borrowed(code),
            // Codes of other systems are equal to themselves only.
            (Some(system), Some(code)) => Cow::Owned(format!("{system}|{code}")),
        };
        Some(Quantity { value, unit: Unit::Ucum(unit) })
    }
}

/// The type whose insides these are: of a backbone element, what it is defined as.
pub(crate) fn type_of(fields: Fields) -> TypeDef {
    let backbone = fields.backbone().and_then(|backbone| backbone.types().next());
    backbone.map_or_else(|| fields.type_def(), TypeRef::type_def)
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.type_name())?;
        if let Some(value) = self.value {
            write!(f, "{value}")?;
        }
        if let Some(extra) = self.extra {
            write!(f, " {extra}")?;
        }
        f.write_str(")")
    }
}

impl<'a> Item<'a> {
    /// A resource as the context of an evaluation, typed by its `resourceType`.
    pub fn resource(value: &'a Value, definitions: Definitions) -> Self {
        Self::Element(Element::resource(value, definitions))
    }

    /// The element, if it is one.
    pub const fn as_element(&self) -> Option<&Element<'a>> {
        match self {
            Self::Element(element) => Some(element),
            Self::Value(_) | Self::Type(_) => None,
        }
    }

    /// The JSON value of an element.
    pub fn json(&self) -> Option<&'a Value> {
        self.as_element().and_then(Element::value)
    }

    /// The value that operators and functions see: that of a primitive, or the item itself.
    pub fn system(&self) -> Option<System<'a>> {
        match self {
            Self::Element(element) => element.system(),
            Self::Value(value) => Some(value.clone()),
            Self::Type(_) => None,
        }
    }

    /// The same, and a FHIR Quantity as a System one.
    pub(crate) fn operand(&self) -> Option<System<'a>> {
        self.system().or_else(|| self.quantity().map(|quantity| System::Quantity(Box::new(quantity))))
    }

    fn quantity(&self) -> Option<Quantity<'a>> {
        self.as_element().and_then(Element::quantity)
    }

    /// The text of a string or of a primitive that is written as one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Element(element) => element.value.and_then(Value::as_str),
            Self::Value(System::String(text)) => Some(text),
            Self::Value(_) | Self::Type(_) => None,
        }
    }

    /// The namespace and the name of the type.
    pub fn type_info(&self) -> TypeInfo {
        match self {
            Self::Element(element) => TypeInfo { namespace: "FHIR", name: element.type_name() },
            Self::Value(value) => TypeInfo { namespace: "System", name: value.system_type().name() },
            Self::Type(_) => TypeInfo { namespace: "System", name: "TypeInfo" },
        }
    }
}

impl fmt::Display for TypeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.namespace, self.name)
    }
}

/// The result of an evaluation: items in order.
#[derive(Debug, Clone, Default)]
pub struct Collection<'a>(pub(crate) Vec<Item<'a>>);

impl Collection<'_> {
    /// What a rule makes of the collection (FHIRPath, "Singleton Evaluation of Collections"): nothing for no item, the
    /// value of a single boolean, true for any other single item. Several items have no truth value.
    pub fn to_boolean(&self) -> Result<Option<bool>, crate::EvalError> {
        crate::evaluate::truth(&self.0, "a condition")
    }
}

impl<'a> std::ops::Deref for Collection<'a> {
    type Target = [Item<'a>];

    fn deref(&self) -> &[Item<'a>] {
        &self.0
    }
}

impl<'a> IntoIterator for Collection<'a> {
    type Item = Item<'a>;
    type IntoIter = std::vec::IntoIter<Item<'a>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> FromIterator<Item<'a>> for Collection<'a> {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}
