//! Numbers that are the same for equal values.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;

use fhir_model::json::Value;

use crate::elements::ElementRef;

/// Takes the fingerprints of values, and keeps those of the items of lists: else every list around a list would take
/// them again. They are kept by address, which tells a value for as long as its tree is borrowed.
#[derive(Debug, Default)]
pub(crate) struct Fingerprints<'t> {
    known: BTreeMap<usize, u64>,
    trees: PhantomData<&'t Value>,
}

impl<'t> Fingerprints<'t> {
    /// The same for equal values, whatever the order of members, and nearly always different for others.
    pub(crate) fn of(&mut self, value: &'t Value) -> u64 {
        match value {
            Value::Null => 0,
            Value::Bool(value) => hashed(&(1, value)),
            Value::Number(number) => hashed(&(2, number)),
            Value::String(text) => hashed(&(3, text.as_str())),
            Value::Array(items) => {
                let prints: Vec<u64> = items.iter().map(|item| self.of_item(item)).collect();
                hashed(&(4, prints))
            }
            Value::Object(object) => {
                let members = object.iter().map(|(name, value)| hashed(&(name, self.of(value))));
                let sum = members.fold(0, u64::wrapping_add);
                hashed(&(5, object.len(), sum))
            }
        }
    }

    /// The same for the item of a list, which is kept.
    pub(crate) fn of_item(&mut self, item: &'t Value) -> u64 {
        if !matches!(item, Value::Array(_) | Value::Object(_)) {
            return self.of(item);
        }
        let address = std::ptr::from_ref(item).addr();
        if let Some(known) = self.known.get(&address) {
            return *known;
        }
        let print = self.of(item);
        self.known.insert(address, print);
        print
    }

    /// The same for an item with its id and extensions.
    pub(crate) fn of_element(&mut self, element: ElementRef<'t>) -> u64 {
        let value = element.value.map(|value| self.of_item(value));
        let extra = element.extra.map(|extra| self.of_item(extra));
        hashed(&(value, extra))
    }
}

fn hashed(value: &impl Hash) -> u64 {
    // This hasher has fixed keys: the same input gives the same number in every run.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir_model::json::{Limits, parse};

    #[test]
    fn equal_values_and_others() {
        let read = |text: &str| parse(text.as_bytes(), &Limits::default()).unwrap();
        let texts = [
            "null",
            "false",
            "true",
            "0",
            "1",
            "1.0",
            "\"\"",
            "\"1\"",
            "[]",
            "[null]",
            "[[]]",
            "{}",
            "[{}]",
            r#"{"a":1}"#,
            r#"{"a":2}"#,
            r#"{"b":1}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            "[1,2]",
            "[2,1]",
            r#"[{"a":[1,{"b":2}]}]"#,
        ];
        let values: Vec<Value> = texts.into_iter().map(read).collect();
        let copies: Vec<Value> = texts.into_iter().map(read).collect();
        let mut prints = Fingerprints::default();
        for (value, text) in values.iter().zip(texts) {
            for (copy, other) in copies.iter().zip(texts) {
                assert_eq!(prints.of(value) == prints.of_item(copy), text == other, "{text} and {other}");
            }
        }
        let (one, other) = (read(r#"{"a":[{"x":1,"y":2}],"b":3}"#), read(r#"{"b":3,"a":[{"y":2,"x":1}]}"#));
        assert_eq!(prints.of(&one), prints.of(&other));
    }
}
