//! FHIR XML to the JSON tree, as far as the inputs of the published suite need it. Only for tests: it trusts its input.

use fhir_definitions::{Definitions, ElementDef, Fields, JsonShape, Primitive, TypeDef, TypeKind};
use fhir_model::json::{Number, Object, Value};

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

/// The outermost element of a well-formed document.
pub(crate) fn read(document: &str) -> Tree {
    let mut open = vec![Tree::default()];
    let mut rest = document;
    while let Some((text, markup)) = rest.split_once('<') {
        open.last_mut().unwrap().text.push_str(&unescaped(text));
        let end = ["!--", "!", "?"].into_iter().find(|start| markup.starts_with(start));
        let close = end.map_or(">", |start| if start == "!--" { "-->" } else { ">" });
        let (tag, after) = markup.split_once(close).expect("the end of a tag");
        rest = after;
        if end.is_some() {
            continue;
        }
        if tag.starts_with('/') {
            let child = open.pop().unwrap();
            open.last_mut().unwrap().children.push(child);
        } else if let Some(tag) = tag.strip_suffix('/') {
            let child = started(tag);
            open.last_mut().unwrap().children.push(child);
        } else {
            open.push(started(tag));
        }
    }
    open.pop().unwrap().children.pop().expect("an element")
}

/// The element that a tag begins. No attribute in the suite holds a `>`.
fn started(tag: &str) -> Tree {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    while let Some((name, value)) = rest.split_once('=') {
        let value = value.trim_start();
        let quote = value.chars().next().expect("a quote");
        let (value, after) = value[1..].split_once(quote).expect("the end of an attribute");
        attributes.push((name.trim().to_owned(), unescaped(value)));
        rest = after;
    }
    Tree { name: name.to_owned(), attributes, ..Tree::default() }
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) = after.split_once(';').expect("the end of an entity");
        out.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            code => {
                let code = code.strip_prefix('#').expect("a predefined entity");
                let parsed = code.strip_prefix('x').map_or(code.parse(), |hex| u32::from_str_radix(hex, 16));
                char::from_u32(parsed.unwrap()).unwrap()
            }
        });
        rest = after;
    }
    out + rest
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
