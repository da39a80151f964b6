//! Differences as a JSON Patch.

use fhir_model::json::{Object, Value, write_string};

use super::list::{ListStep, script};
use super::pairing::{Item, pair};
use crate::elements::fingerprint;
use crate::json_patch::{JsonOperation, JsonPatch};
use crate::pointer::Pointer;

/// The JSON Patch that turns one document into the other: `apply` gives a value equal to `new`, numbers by their
/// digits.
///
/// An item of an array that came, went or changed its order takes one operation; nothing is patched in parts where
/// replacing it would be shorter, measured in bytes of the patch.
///
/// ```
/// use fhir_model::{array, object};
/// use fhir_patch::json_diff;
///
/// let old = object! { "given": array!["Ada", "M", "K"], "family": "L" };
/// let new = object! { "given": array!["K", "Ada", "M"], "family": "Lovelace" };
/// assert_eq!(
///     json_diff(&old.into(), &new.into()).to_string(),
///     r#"[{"op":"replace","path":"/family","value":"Lovelace"},{"op":"move","from":"/given/2","path":"/given/0"}]"#,
/// );
/// ```
pub fn json_diff(old: &Value, new: &Value) -> JsonPatch {
    let mut diff = Diff { path: Pointer::default(), operations: Vec::new(), bytes: 0 };
    diff.value(old, new);
    diff.operations.into_iter().collect()
}

struct Diff {
    path: Pointer,
    operations: Vec<JsonOperation>,
    /// The length of all operations when printed.
    bytes: usize,
}

impl Item for &Value {
    fn fingerprint(&self) -> u64 {
        fingerprint(self)
    }

    fn id(&self) -> Option<&str> {
        self.get("id")?.as_str()
    }
}

impl Diff {
    fn emit(&mut self, operation: JsonOperation) {
        let from = match &operation {
            JsonOperation::Move { from, .. } | JsonOperation::Copy { from, .. } => Some(from),
            _ => None,
        };
        let value = match &operation {
            JsonOperation::Add { value, .. } | JsonOperation::Replace { value, .. } => Some(value),
            _ => None,
        };
        self.bytes += printed_len(operation.name(), operation.path(), from, value);
        self.operations.push(operation);
    }

    fn child<T>(&mut self, token: impl Into<String>, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(token);
        let result = work(self);
        self.path.pop();
        result
    }

    fn value(&mut self, old: &Value, new: &Value) {
        let start = (self.operations.len(), self.bytes);
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => self.object(old, new),
            (Value::Array(old), Value::Array(new)) => self.array(old, new),
            (old, new) if old == new => return,
            _ => return self.emit(JsonOperation::Replace { path: self.path.clone(), value: new.clone() }),
        }
        if self.operations.len() > start.0 {
            if printed_len("replace", &self.path, None, Some(new)) < self.bytes - start.1 {
                self.operations.truncate(start.0);
                self.bytes = start.1;
                self.emit(JsonOperation::Replace { path: self.path.clone(), value: new.clone() });
            }
        }
    }

    fn object(&mut self, old: &Object, new: &Object) {
        let (old, new) = (sorted(old), sorted(new));
        let (mut old, mut new) = (old.as_slice(), new.as_slice());
        loop {
            match (old, new) {
                ([(name, _), rest @ ..], others) if others.first().is_none_or(|(other, _)| name < other) => {
                    self.child(*name, |diff| diff.emit(JsonOperation::Remove { path: diff.path.clone() }));
                    old = rest;
                }
                ([(name, before), olds @ ..], [(other, after), news @ ..]) if name == other => {
                    self.child(*name, |diff| diff.value(before, after));
                    (old, new) = (olds, news);
                }
                (_, [(name, came), rest @ ..]) => {
                    let value = (*came).clone();
                    self.child(*name, |diff| {
                        diff.emit(JsonOperation::Add { path: diff.path.clone(), value })
                    });
                    new = rest;
                }
                _ => return,
            }
        }
    }

    fn array(&mut self, old: &[Value], new: &[Value]) {
        let (olds, news): (Vec<&Value>, Vec<&Value>) = (old.iter().collect(), new.iter().collect());
        let pairs = pair(&olds, &news);
        for (item, place) in news.iter().zip(&pairs) {
            if let Some((place, before)) = place.and_then(|place| Some((place, olds.get(place)?))) {
                self.child(place.to_string(), |diff| diff.value(before, item));
            }
        }
        for step in script(old.len(), &pairs) {
            let place = |index: usize| {
                let mut path = self.path.clone();
                path.push(index.to_string());
                path
            };
            let operation = match step {
                ListStep::Insert { at, item } => {
                    JsonOperation::Add { path: place(at), value: new.get(item).cloned().unwrap_or_default() }
                }
                ListStep::Move { from, to } => JsonOperation::Move { from: place(from), path: place(to) },
                ListStep::Delete { at } => JsonOperation::Remove { path: place(at) },
            };
            self.emit(operation);
        }
    }
}

fn sorted(object: &Object) -> Vec<(&str, &Value)> {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    members
}

/// The length of an operation in a patch document, with the comma behind it.
fn printed_len(name: &str, path: &Pointer, from: Option<&Pointer>, value: Option<&Value>) -> usize {
    let mut out = Vec::new();
    let mut len = r#"{"op":"","path":},"#.len() + name.len();
    write_string(&path.to_string(), &mut out);
    if let Some(from) = from {
        write_string(&from.to_string(), &mut out);
        len += r#","from":"#.len();
    }
    if let Some(value) = value {
        value.write(&mut out);
        len += r#","value":"#.len();
    }
    len + out.len()
}
