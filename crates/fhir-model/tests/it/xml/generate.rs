//! Resources made from the definitions: every type, every element, every primitive, sooner or later.

use fhir_definitions::{
    Definitions, ElementDef, FhirVersion, Fields, JsonShape, Primitive, Representation, TypeKind, TypeRef,
    resource_types,
};
use fhir_model::json::{Number, Object, Value};
use proptest::prelude::*;

/// A version and a resource of it, as JSON would hold it, with its members in the order of the definition.
pub(crate) fn resource() -> impl Strategy<Value = (FhirVersion, Object)> {
    (prop::sample::select(FhirVersion::ALL.to_vec()), any::<u64>()).prop_map(|(version, seed)| {
        let mut maker = Maker { definitions: Definitions::of(version), dice: Dice(seed | 1), budget: 80 };
        (version, maker.resource(0))
    })
}

/// A pseudo-random sequence: its seed is what proptest chooses and shrinks.
struct Dice(u64);

impl Dice {
    /// A number below `bound`.
    fn roll(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }
}

struct Maker {
    definitions: Definitions,
    dice: Dice,
    /// Elements still to be made.
    budget: usize,
}

impl Maker {
    fn resource(&mut self, depth: usize) -> Object {
        let names = resource_types(self.definitions.version());
        let name = names[self.dice.roll(names.len())];
        let mut object = Object::new();
        object.insert("resourceType", name);
        let found = self.definitions.resource_type(name).expect("the list holds resource types");
        self.fill(&mut object, found.fields(), depth);
        object
    }

    /// Chooses some of the elements, never two types of one choice.
    fn fill(&mut self, object: &mut Object, fields: Fields, depth: usize) {
        let names: Vec<_> = fields.json_names().collect();
        let mut last: Option<ElementDef> = None;
        for (name, element, type_ref) in &names {
            // Deeper places get fewer elements, so that resources stay small but reach everywhere.
            let is_chosen = self.dice.roll(names.len()) < 8_usize.saturating_sub(depth).max(1);
            if self.budget > 0 && is_chosen && last != Some(*element) {
                self.budget -= 1;
                last = Some(*element);
                self.member(object, name, *element, *type_ref, depth + 1);
            }
        }
    }

    fn member(
        &mut self,
        object: &mut Object,
        name: &str,
        element: ElementDef,
        type_ref: TypeRef,
        depth: usize,
    ) {
        let count = if element.is_list() { 1 + self.dice.roll(3) } else { 1 };
        let (mut values, mut extras) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (value, extra) = self.value(element, type_ref, depth);
            values.push(value);
            extras.push(extra);
        }
        for (name, mut list) in [(name.to_owned(), values), (format!("_{name}"), extras)] {
            if list.iter().all(Value::is_null) {
                continue;
            }
            let value = if element.is_list() { Value::Array(list) } else { list.remove(0) };
            object.insert(name, value);
        }
    }

    /// A value and what stands beside it.
    fn value(&mut self, element: ElementDef, type_ref: TypeRef, depth: usize) -> (Value, Value) {
        match type_ref.type_def().kind() {
            TypeKind::System => (Value::Null, Value::Null),
            TypeKind::Resource if depth > 6 => (Value::Null, Value::Null),
            TypeKind::Resource => (self.resource(depth).into(), Value::Null),
            TypeKind::Primitive(Primitive::Xhtml) => (self.narrative().into(), Value::Null),
            TypeKind::Primitive(primitive) => self.primitive(element, primitive, type_ref, depth),
            TypeKind::Complex => {
                let mut object = Object::new();
                self.fill(&mut object, element.fields_as(type_ref), depth);
                (object.into(), Value::Null)
            }
        }
    }

    fn primitive(
        &mut self,
        element: ElementDef,
        primitive: Primitive,
        type_ref: TypeRef,
        depth: usize,
    ) -> (Value, Value) {
        let value = match primitive.json_shape() {
            JsonShape::Boolean => Value::Bool(self.dice.roll(2) == 0),
            JsonShape::Number => {
                let digits = self.dice.pick(&["0", "-1", "1.50", "12345678901234567890", "1e9", "-2.5E-03"]);
                Value::Number(digits.parse::<Number>().expect("these are numbers"))
            }
            JsonShape::String => self.text().into(),
        };
        if element.representation() == Representation::Attribute || self.dice.roll(6) > 0 {
            return (value, Value::Null);
        }
        let mut extra = Object::new();
        self.fill(&mut extra, type_ref.fields(), depth + 2);
        if self.dice.roll(2) == 0 {
            return (Value::Null, extra.into());
        }
        (value, if extra.is_empty() { Value::Null } else { extra.into() })
    }

    fn text(&mut self) -> String {
        let pieces = [
            "",
            "a",
            "plain text",
            " ",
            "\t",
            "\n",
            "\r\n",
            "&",
            "<",
            ">",
            "\"",
            "'",
            "]]>",
            "é",
            "愛🙂",
            "\u{85}\u{2028}",
            "&amp;",
            "\\",
        ];
        (0..self.dice.roll(5)).map(|_| self.dice.pick(&pieces)).collect()
    }

    fn narrative(&mut self) -> String {
        let pieces = [
            "",
            "a b",
            "\r\n",
            "&lt;&#160;",
            "<br/>",
            "<p class=\"x\">y</p >",
            "<!-- c -->",
            "<![CDATA[<&]]>",
            "<b ><i/></b>",
            "愛",
        ];
        let inside: String = (0..self.dice.roll(5)).map(|_| self.dice.pick(&pieces)).collect();
        format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inside}</div>")
    }
}
