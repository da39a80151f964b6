//! Reading: one walk over the tokens, led by the definitions.

use fhir_definitions::{
    Definitions, ElementDef, Fields, JsonShape, Primitive, Representation, TypeDef, TypeKind, TypeRef,
};

use super::FHIR_NAMESPACE;
use super::XHTML_NAMESPACE;
use super::attributes::{self, Attribute};
use super::characters::{attribute_text, find_forbidden, is_blank};
use super::error::{ElementHint, XmlError, XmlErrorKind};
use super::fault::{Parsed, fault, quote};
use super::markup::{Markup, Tag, Token};
use super::narrative::{self, NarrativeText};
use super::scope::{Scope, Space, declared_prefix};
use crate::json::{DEPTH_CEILING, Limits, Number, Object, Text, Value, line_and_column};

/// Reads one resource in XML as the tree that its JSON form gives.
///
/// The limits hold for that tree as they do in [`json::parse`](crate::json::parse): what is read here within some
/// limits on depth and values can be printed as JSON and read again within the same.
pub fn parse(bytes: &[u8], definitions: Definitions, limits: &Limits) -> Result<Value, XmlError> {
    const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();
    let (text, skipped) = match bytes.strip_prefix(BYTE_ORDER_MARK) {
        Some(text) => (text, BYTE_ORDER_MARK.len()),
        None => (bytes, 0),
    };
    if bytes.len() > limits.bytes_max {
        let kind = XmlErrorKind::TooLarge { bytes: bytes.len(), bytes_max: limits.bytes_max };
        return Err(XmlError { kind, offset: 0, line: 1, column: 1, path: String::new() });
    }
    parse_document(text, definitions, limits).map_err(|fault| {
        let (line, column) = line_and_column(text, fault.offset);
        let offset = fault.offset + skipped;
        XmlError { kind: fault.kind, offset, line, column, path: fault.trail.render() }
    })
}

fn parse_document(bytes: &[u8], definitions: Definitions, limits: &Limits) -> Parsed<Value> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return fault(XmlErrorKind::InvalidUtf8, error.valid_up_to()),
    };
    if let Some((at, char)) = find_forbidden(text) {
        return fault(XmlErrorKind::ForbiddenCharacter(char), at);
    }
    let mut parser = Parser {
        markup: Markup::new(text),
        scope: Scope::default(),
        definitions,
        attributes: Vec::new(),
        depth: 0,
        depth_max: limits.depth_max.min(DEPTH_CEILING),
        nodes: 0,
        nodes_max: limits.nodes_max,
        items: Vec::new(),
        extras: Vec::new(),
        members: Vec::new(),
    };
    parser.document()
}

struct Parser<'a> {
    markup: Markup<'a>,
    scope: Scope<'a>,
    definitions: Definitions,
    /// Those of the tag that was opened last.
    attributes: Vec<Attribute<'a>>,
    depth: usize,
    depth_max: usize,
    nodes: usize,
    nodes_max: usize,
    // Of everything that is open, innermost last: each array and object takes its own part when it closes.
    items: Vec<Value>,
    extras: Vec<Value>,
    members: Vec<(Text, Value)>,
}

/// A tag whose attributes were scanned and whose name spaces are in force.
#[derive(Clone, Copy)]
struct Opened<'a> {
    tag: Tag<'a>,
    space: Space,
    /// The name without prefix.
    local: &'a str,
    /// For [`Scope::leave`].
    mark: usize,
}

/// What the definitions say about a child element.
#[derive(Clone, Copy)]
struct Member<'a> {
    name: &'a str,
    place: u16,
    element: ElementDef,
    type_ref: TypeRef,
}

/// The member that the last child belongs to.
#[derive(Clone, Copy)]
struct Current<'a> {
    member: Member<'a>,
    is_list: bool,
    /// Where its items and extras start, if it is a list.
    items_from: usize,
    extras_from: usize,
}

/// A value and, of a primitive, the object with its id and extensions.
type Pair = (Option<Value>, Option<Value>);

impl<'a> Parser<'a> {
    fn document(&mut self) -> Parsed<Value> {
        let opened = loop {
            match self.markup.next()? {
                Token::Start(tag) => break self.open(tag)?,
                Token::Text(text) if is_blank(text) => {}
                Token::Comment | Token::Instruction | Token::Declaration => {}
                Token::Eof => return fault(XmlErrorKind::NoElement, self.markup.start()),
                _ => return fault(XmlErrorKind::Text, self.markup.visible_start()),
            }
        };
        let resource = self.resource(opened).map_err(|mut fault| {
            if let Some(found) = self.definitions.resource_type(opened.local) {
                fault.trail.push(found.name(), None);
            }
            fault
        })?;
        self.scope.leave(opened.mark);
        loop {
            match self.markup.next()? {
                Token::Text(text) if is_blank(text) => {}
                Token::Comment | Token::Instruction => {}
                Token::Eof => return Ok(resource),
                _ => return fault(XmlErrorKind::TrailingContent, self.markup.visible_start()),
            }
        }
    }

    fn open(&mut self, tag: Tag<'a>) -> Parsed<Opened<'a>> {
        attributes::scan(tag.rest, tag.offset + 1 + tag.name.len(), &mut self.attributes)?;
        let mark = self.scope.enter(&self.attributes)?;
        let (space, local) = self.scope.resolve(tag.name, tag.offset)?;
        Ok(Opened { tag, space, local, mark })
    }

    /// The next child of the open element, or none at its end.
    fn next_child(&mut self) -> Parsed<Option<Opened<'a>>> {
        loop {
            match self.markup.next()? {
                Token::Start(tag) => return self.open(tag).map(Some),
                Token::End => return Ok(None),
                Token::Text(text) if is_blank(text) => {}
                Token::Comment | Token::Instruction => {}
                Token::Eof => return fault(XmlErrorKind::CutOff, self.markup.start()),
                Token::Declaration => return fault(XmlErrorKind::BadDeclaration, self.markup.start()),
                Token::Text(_) | Token::Reference(_) | Token::CData => {
                    return fault(XmlErrorKind::Text, self.markup.visible_start());
                }
            }
        }
    }

    /// Counts values that were read.
    fn count(&mut self, values: usize, offset: usize) -> Parsed<()> {
        self.nodes = self.nodes.saturating_add(values);
        if self.nodes > self.nodes_max {
            return fault(XmlErrorKind::TooManyNodes { nodes_max: self.nodes_max }, offset);
        }
        Ok(())
    }

    /// Counts a level of nesting; the caller ends it.
    fn enter(&mut self, offset: usize) -> Parsed<()> {
        if self.depth >= self.depth_max {
            return fault(XmlErrorKind::TooDeep { depth_max: self.depth_max }, offset);
        }
        self.depth += 1;
        Ok(())
    }

    /// The resource whose tag was opened.
    fn resource(&mut self, opened: Opened<'a>) -> Parsed<Value> {
        let offset = opened.tag.offset;
        expect_fhir(opened)?;
        let Some(found) = self.definitions.resource_type(opened.local) else {
            let version = self.definitions.version();
            return fault(XmlErrorKind::UnknownResource { name: quote(opened.local), version }, offset);
        };
        self.enter(offset)?;
        self.count(2, offset)?;
        let first = self.members.len();
        self.members.push(("resourceType".into(), found.name().into()));
        self.content(found.fields(), opened, first)
    }

    /// The object in the element that was opened. The level was entered, the object counted, and members from
    /// `first` on are its own.
    fn content(&mut self, fields: Fields, opened: Opened<'a>, first: usize) -> Parsed<Value> {
        for index in 0..self.attributes.len() {
            let Some(&attribute) = self.attributes.get(index) else { break };
            self.attribute(fields, attribute)?;
        }
        if !opened.tag.is_empty {
            self.children(fields, first)?;
        }
        self.depth -= 1;
        Ok(Value::Object(Object::from_distinct(self.members.drain(first..).collect())))
    }

    /// An attribute of an element with these fields: a member, or one of those without meaning.
    fn attribute(&mut self, fields: Fields, attribute: Attribute<'a>) -> Parsed<()> {
        if self.is_without_meaning(attribute)? {
            return Ok(());
        }
        match fields.locate_json_name(attribute.name) {
            Some((_, element, type_ref))
                if element.representation() == Representation::Attribute
                    && type_ref.type_def().kind() != TypeKind::System =>
            {
                let text = attribute_text(attribute.raw, attribute.raw_offset)?;
                self.count(1, attribute.offset)?;
                self.members.push((attribute.name.into(), Value::String(text.as_ref().into())));
                Ok(())
            }
            found => {
                let is_element =
                    found.is_some_and(|(_, element, _)| element.representation() == Representation::Element);
                let name = quote(attribute.name);
                fault(XmlErrorKind::UnknownAttribute { name, is_element }, attribute.offset)
            }
        }
    }

    /// Whether an attribute declares a name space or tells where a schema is.
    fn is_without_meaning(&self, attribute: Attribute<'a>) -> Parsed<bool> {
        if !attribute.name.contains(':') {
            return Ok(attribute.name == "xmlns");
        }
        if declared_prefix(attribute.name).is_some() {
            return Ok(true);
        }
        let (space, local) = self.scope.resolve(attribute.name, attribute.offset)?;
        Ok(space == Space::Schema && matches!(local, "schemaLocation" | "noNamespaceSchemaLocation"))
    }

    /// The child elements of an element with these fields, up to its end, as members.
    fn children(&mut self, fields: Fields, first: usize) -> Parsed<()> {
        let mut current: Option<Current<'a>> = None;
        while let Some(opened) = self.next_child()? {
            let member = locate(fields, opened)?;
            let here = match current {
                Some(current) if current.member.place == member.place => {
                    if !current.is_list {
                        return fault(XmlErrorKind::Repeated(quote(member.name)), opened.tag.offset);
                    }
                    current
                }
                before => self.next_member(before, member, opened, first)?,
            };
            current = Some(here);
            let index = here.is_list.then(|| self.items.len() - here.items_from);
            self.child(here, opened).map_err(|mut fault| {
                fault.trail.push(member.name, index);
                fault
            })?;
            self.scope.leave(opened.mark);
        }
        current.map_or(Ok(()), |current| self.finish(current, self.markup.start()))
    }

    /// Ends the member before, and starts the one that the child that was opened belongs to.
    fn next_member(
        &mut self,
        before: Option<Current<'a>>,
        member: Member<'a>,
        opened: Opened<'a>,
        first: usize,
    ) -> Parsed<Current<'a>> {
        let offset = opened.tag.offset;
        if let Some(before) = before {
            self.finish(before, offset)?;
            // The types of a choice have no order; that there is only one is for validation, as in JSON.
            let is_same_choice = before.member.element == member.element;
            if member.place < before.member.place && !is_same_choice {
                let (name, before) = (quote(member.name), quote(before.member.name));
                let kind = XmlErrorKind::OutOfOrder { name, before };
                return fault(kind, offset);
            }
            let members = self.members.get(first..).unwrap_or_default();
            if is_same_choice && members.iter().any(|(name, _)| name.as_str() == member.name) {
                return fault(XmlErrorKind::Repeated(quote(member.name)), offset);
            }
        }
        Ok(Current {
            member,
            is_list: member.element.is_list(),
            items_from: self.items.len(),
            extras_from: self.extras.len(),
        })
    }

    /// The child that was opened, as the value or the next item of the current member.
    fn child(&mut self, current: Current<'a>, opened: Opened<'a>) -> Parsed<()> {
        let Member { name, element, type_ref, .. } = current.member;
        if current.is_list {
            self.enter(opened.tag.offset)?;
        }
        let found = type_ref.type_def();
        let (value, extra) = match found.kind() {
            TypeKind::Primitive(Primitive::Xhtml) => (Some(self.narrative(opened)?), None),
            TypeKind::Primitive(primitive) => self.primitive(primitive, found, opened)?,
            TypeKind::Resource => (Some(self.inner_resource(opened)?), None),
            TypeKind::Complex | TypeKind::System => {
                self.enter(opened.tag.offset)?;
                self.count(1, opened.tag.offset)?;
                let first = self.members.len();
                (Some(self.content(element.fields_as(type_ref), opened, first)?), None)
            }
        };
        if current.is_list {
            self.depth -= 1;
            self.push_item(current, value, extra);
            return Ok(());
        }
        if let Some(value) = value {
            self.members.push((name.into(), value));
        }
        if let Some(extra) = extra {
            self.members.push((extra_name(name), extra));
        }
        Ok(())
    }

    fn push_item(&mut self, current: Current<'a>, value: Option<Value>, extra: Option<Value>) {
        let index = self.items.len() - current.items_from;
        let has_extras = self.extras.len() > current.extras_from;
        if extra.is_some() && !has_extras {
            self.extras.resize(current.extras_from + index, Value::Null);
        }
        if extra.is_some() || has_extras {
            self.extras.push(extra.unwrap_or_default());
        }
        self.items.push(value.unwrap_or_default());
    }

    /// Ends a member that is a list: its items become an array, the ids and extensions of primitives another.
    fn finish(&mut self, current: Current<'a>, offset: usize) -> Parsed<()> {
        if !current.is_list {
            return Ok(());
        }
        let name = current.member.name;
        let items: Vec<Value> = self.items.drain(current.items_from..).collect();
        let extras: Vec<Value> = self.extras.drain(current.extras_from..).collect();
        // Without any value there is nothing that ids and extensions stand beside.
        for (name, list) in [(Text::from(name), items), (extra_name(name), extras)] {
            let nulls = list.iter().filter(|item| item.is_null()).count();
            if nulls < list.len() {
                self.count(1 + nulls, offset)?;
                self.members.push((name, Value::Array(list)));
            }
        }
        Ok(())
    }

    /// The primitive that was opened.
    fn primitive(&mut self, primitive: Primitive, found: TypeDef, opened: Opened<'a>) -> Parsed<Pair> {
        let fields = found.fields();
        let offset = opened.tag.offset;
        let first = self.members.len();
        let mut value = None;
        for index in 0..self.attributes.len() {
            let Some(&attribute) = self.attributes.get(index) else { break };
            if attribute.name == "value" {
                let text = attribute_text(attribute.raw, attribute.raw_offset)?;
                self.count(1, attribute.offset)?;
                value = Some(primitive_value(primitive, &text));
            } else {
                self.attribute(fields, attribute)?;
            }
        }
        if !opened.tag.is_empty {
            // Depth is that of the object beside the value; most often there are no children.
            self.depth += 1;
            let children = self.children(fields, first);
            self.depth -= 1;
            children?;
        }
        if self.members.len() == first && value.is_some() {
            return Ok((value, None));
        }
        self.enter(offset)?;
        self.count(1, offset)?;
        self.depth -= 1;
        let extra = Object::from_distinct(self.members.drain(first..).collect());
        Ok((value, Some(Value::Object(extra))))
    }

    /// The resource inside the element that was opened.
    fn inner_resource(&mut self, opened: Opened<'a>) -> Parsed<Value> {
        for index in 0..self.attributes.len() {
            let Some(&attribute) = self.attributes.get(index) else { break };
            if !self.is_without_meaning(attribute)? {
                let name = quote(attribute.name);
                let kind = XmlErrorKind::UnknownAttribute { name, is_element: false };
                return fault(kind, attribute.offset);
            }
        }
        let inner = if opened.tag.is_empty { None } else { self.next_child()? };
        let Some(inner) = inner else {
            return fault(XmlErrorKind::ResourceMissing, opened.tag.offset);
        };
        let resource = self.resource(inner)?;
        self.scope.leave(inner.mark);
        match self.next_child()? {
            None => Ok(resource),
            Some(second) => fault(XmlErrorKind::SecondResource, second.tag.offset),
        }
    }

    /// The narrative whose tag was opened.
    fn narrative(&mut self, opened: Opened<'a>) -> Parsed<Value> {
        self.count(1, opened.tag.offset)?;
        let text = narrative::read(&mut self.markup, opened.tag, &mut self.attributes, &mut self.scope)?;
        Ok(Value::String(match text {
            NarrativeText::AsWritten(text) => text.into(),
            NarrativeText::Rewritten(text) => text.into(),
        }))
    }
}

fn expect_fhir(opened: Opened<'_>) -> Parsed<()> {
    if opened.space == Space::Fhir {
        return Ok(());
    }
    let name = quote(opened.tag.name);
    fault(XmlErrorKind::WrongNamespace { name, expected: FHIR_NAMESPACE }, opened.tag.offset)
}

/// What the definitions say about a child of an element with these fields.
fn locate(fields: Fields, opened: Opened<'_>) -> Parsed<Member<'_>> {
    let name = opened.local;
    let found = fields.locate_json_name(name);
    let representation = found.map(|(_, element, _)| element.representation());
    let (expected, namespace) = match representation {
        Some(Representation::Xhtml) => (Space::Xhtml, XHTML_NAMESPACE),
        _ => (Space::Fhir, FHIR_NAMESPACE),
    };
    if opened.space != expected {
        let name = quote(opened.tag.name);
        let kind = XmlErrorKind::WrongNamespace { name, expected: namespace };
        return fault(kind, opened.tag.offset);
    }
    match found {
        Some((place, element, type_ref)) if representation != Some(Representation::Attribute) => {
            Ok(Member { name, place, element, type_ref })
        }
        _ => {
            let hint = match representation {
                Some(_) => ElementHint::Attribute,
                None if fields.element(name).is_some() => ElementHint::Choice,
                None => ElementHint::None,
            };
            let kind = XmlErrorKind::UnknownElement { name: quote(name), parent: parent_name(fields), hint };
            fault(kind, opened.tag.offset)
        }
    }
}

/// The value of a primitive. Text that does not have the shape of its type becomes a string, as JSON would have it.
fn primitive_value(primitive: Primitive, text: &str) -> Value {
    match primitive.json_shape() {
        JsonShape::Boolean => match text {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => text.into(),
        },
        JsonShape::Number => text.parse::<Number>().map_or_else(|_| text.into(), Value::Number),
        JsonShape::String => text.into(),
    }
}

/// The name of the member that holds id and extensions of a primitive.
fn extra_name(name: &str) -> Text {
    let mut extra = compact_str::CompactString::const_new("_");
    extra.push_str(name);
    extra.into()
}

/// The type or backbone element whose content these are.
pub(super) fn parent_name(fields: Fields) -> String {
    match fields.backbone() {
        Some(element) => element.path().to_string(),
        None => fields.type_def().name().to_owned(),
    }
}
