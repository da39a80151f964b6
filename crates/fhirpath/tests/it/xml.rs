//! FHIR XML to the JSON tree, as far as the inputs of the published suite need it. Only for tests: it trusts its input.

use fhir_definitions::{Definitions, ElementDef, Fields, JsonShape, Primitive, TypeDef, TypeKind};
use fhir_model::json::{Number, Object, Value};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An XML element.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) children: Vec<Tree>,
    pub(crate) text: String,
}

impl Tree {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Tree> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// The outermost element of a document.
pub(crate) fn read(document: &str) -> Tree {
    let mut reader = Reader::from_str(document);
    let mut open = vec![Tree::default()];
    loop {
        match reader.read_event().expect("well-formed XML") {
            Event::Start(start) => open.push(started(&start)),
            Event::Empty(start) => {
                let child = started(&start);
                open.last_mut().unwrap().children.push(child);
            }
            Event::End(_) => {
                let child = open.pop().unwrap();
                open.last_mut().unwrap().children.push(child);
            }
            Event::Text(text) => open.last_mut().unwrap().text.push_str(&text),
            Event::GeneralRef(name) => {
                let text = quick_xml::escape::unescape(&format!("&{};", &*name)).unwrap().into_owned();
                open.last_mut().unwrap().text.push_str(&text);
            }
            Event::Eof => return open.pop().unwrap().children.pop().expect("an element"),
            _ => {}
        }
    }
}

fn started(start: &BytesStart<'_>) -> Tree {
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.unwrap();
        let value = quick_xml::escape::unescape(&attribute.value).unwrap().into_owned();
        (attribute.key.as_ref().to_owned(), value)
    });
    Tree { name: start.name().as_ref().to_owned(), attributes: attributes.collect(), ..Tree::default() }
}

/// The resource that an XML document holds.
pub(crate) fn resource(document: &str, definitions: Definitions) -> Value {
    resource_of(&read(document), definitions)
}

fn resource_of(tree: &Tree, definitions: Definitions) -> Value {
    let found = definitions.resource_type(&tree.name).unwrap_or_else(|| panic!("no resource: {}", tree.name));
    let mut object = Object::new();
    object.insert("resourceType", tree.name.as_str());
    fill(&mut object, tree, found.fields());
    object.into()
}

fn fill(object: &mut Object, tree: &Tree, fields: Fields) {
    for name in ["id", "url"] {
        // Inside a resource these are elements, and there are no such attributes.
        if let Some(text) = tree.attribute(name) {
            object.insert(name, text);
        }
    }
    for child in &tree.children {
        let Some((element, type_ref)) = fields.resolve_json_name(&child.name) else {
            panic!("the element {} is unknown in {fields:?}", child.name);
        };
        if let TypeKind::Primitive(primitive) = type_ref.type_def().kind() {
            add_primitive(object, child, element, primitive, type_ref.fields());
        } else {
            add(
                object,
                &child.name,
                complex(child, element.fields_as(type_ref), type_ref.type_def()),
                element,
            );
        }
    }
}

fn complex(tree: &Tree, fields: Fields, found: TypeDef) -> Value {
    if found.kind() == TypeKind::Resource {
        return resource_of(&tree.children[0], found.definitions());
    }
    let mut object = Object::new();
    fill(&mut object, tree, fields);
    object.into()
}

fn add(object: &mut Object, name: &str, value: Value, element: ElementDef) {
    if !element.is_list() {
        object.insert(name, value);
        return;
    }
    if !object.contains(name) {
        object.insert(name, Value::Array(Vec::new()));
    }
    object.get_mut(name).unwrap().as_array_mut().unwrap().push(value);
}

fn add_primitive(
    object: &mut Object,
    tree: &Tree,
    element: ElementDef,
    primitive: Primitive,
    fields: Fields,
) {
    if primitive == Primitive::Xhtml {
        add(object, &tree.name, Value::from(format!("<div>{}</div>", tree.text)), element);
        return;
    }
    let value = match (tree.attribute("value"), primitive.json_shape()) {
        (None, _) => Value::Null,
        (Some(text), JsonShape::Boolean) => Value::Bool(text == "true"),
        (Some(text), JsonShape::Number) => Value::Number(text.parse::<Number>().unwrap()),
        (Some(text), JsonShape::String) => Value::from(text),
    };
    let mut extra = Object::new();
    fill(&mut extra, tree, fields);
    let extra = if extra.is_empty() { Value::Null } else { Value::from(extra) };
    if element.is_list() || !value.is_null() {
        add(object, &tree.name, value, element);
    }
    if element.is_list() || !extra.is_null() {
        add(object, &format!("_{}", tree.name), extra, element);
    }
}
