//! Differences as a JSON Patch.

use fhir_model::json::{Object, Value};

use super::length::{printed_len, text_len};
use super::list::{ListStep, script};
use super::pairing::{Item, pair};
use crate::fingerprint::Fingerprints;
use crate::json_patch::{JsonOperation, JsonPatch};
use crate::pointer::Pointer;

/// The JSON Patch that turns one document into the other: `apply` gives a value equal to `new`, numbers by their
/// digits.
///
/// An item of an array that came, went or changed its order takes one operation; no array is patched in parts where
/// replacing it would be shorter, measured in bytes of the patch. Objects always are: a patch that names the members
/// that changed goes together with other changes.
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
    let mut diff =
        Diff { path: Pointer::default(), drafts: Vec::new(), bytes: 0, prints: Fingerprints::default() };
    diff.value(old, new);
    diff.drafts.into_iter().map(Draft::finish).collect()
}

/// An operation that may still be dropped for a shorter one, and so does not own its value yet.
enum Draft<'t> {
    Add(Pointer, &'t Value),
    Remove(Pointer),
    Replace(Pointer, &'t Value),
    Move { from: Pointer, path: Pointer },
}

impl Draft<'_> {
    fn finish(self) -> JsonOperation {
        match self {
            Self::Add(path, value) => JsonOperation::Add { path, value: value.clone() },
            Self::Remove(path) => JsonOperation::Remove { path },
            Self::Replace(path, value) => JsonOperation::Replace { path, value: value.clone() },
            Self::Move { from, path } => JsonOperation::Move { from, path },
        }
    }

    /// The length when printed.
    fn len(&self) -> usize {
        let len = match self {
            Self::Add(path, value) => operation_len("add", path, None, Some(value), usize::MAX),
            Self::Remove(path) => operation_len("remove", path, None, None, usize::MAX),
            Self::Replace(path, value) => operation_len("replace", path, None, Some(value), usize::MAX),
            Self::Move { from, path } => operation_len("move", path, Some(from), None, usize::MAX),
        };
        len.unwrap_or(usize::MAX)
    }
}

struct Diff<'t> {
    path: Pointer,
    drafts: Vec<Draft<'t>>,
    /// The length of all operations when printed.
    bytes: usize,
    prints: Fingerprints<'t>,
}

impl Item for &Value {
    fn id(&self) -> Option<&str> {
        self.get("id")?.as_str()
    }
}

impl<'t> Diff<'t> {
    fn emit(&mut self, draft: Draft<'t>) {
        self.bytes += draft.len();
        self.drafts.push(draft);
    }

    fn child<T>(&mut self, token: impl Into<String>, work: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(token);
        let result = work(self);
        self.path.pop();
        result
    }

    fn value(&mut self, old: &'t Value, new: &'t Value) {
        match (old, new) {
            (Value::Object(old), Value::Object(new)) => self.object(old, new),
            (Value::Array(before), Value::Array(after)) => {
                let start = (self.drafts.len(), self.bytes);
                let is_whole_shorter = |diff: &Self| {
                    let limit = (diff.bytes - start.1).checked_sub(1);
                    let len =
                        limit.and_then(|limit| operation_len("replace", &diff.path, None, Some(new), limit));
                    len.is_some()
                };
                let is_given_up = self.items(before, after, is_whole_shorter);
                if is_given_up || is_whole_shorter(self) {
                    self.drafts.truncate(start.0);
                    self.bytes = start.1;
                    self.replace(new);
                }
            }
            (old, new) if old == new => {}
            _ => self.replace(new),
        }
    }

    fn replace(&mut self, new: &'t Value) {
        self.emit(Draft::Replace(self.path.clone(), new));
    }

    fn object(&mut self, old: &'t Object, new: &'t Object) {
        let (old, new) = (sorted(old), sorted(new));
        let (mut old, mut new) = (old.as_slice(), new.as_slice());
        loop {
            match (old, new) {
                ([(name, _), rest @ ..], others) if others.first().is_none_or(|(other, _)| name < other) => {
                    self.child(*name, |diff| diff.emit(Draft::Remove(diff.path.clone())));
                    old = rest;
                }
                ([(name, before), olds @ ..], [(other, after), news @ ..]) if name == other => {
                    self.child(*name, |diff| diff.value(before, after));
                    (old, new) = (olds, news);
                }
                (_, [(name, came), rest @ ..]) => {
                    self.child(*name, |diff| diff.emit(Draft::Add(diff.path.clone(), came)));
                    new = rest;
                }
                _ => return,
            }
        }
    }

    /// The operations for the items of an array; given up once they are long and, as `is_hopeless` tells, too long.
    fn items(&mut self, old: &'t [Value], new: &'t [Value], is_hopeless: impl Fn(&Self) -> bool) -> bool {
        let mut ask_at = self.bytes + HOPELESS_BYTES_MIN;
        let (olds, news): (Vec<&Value>, Vec<&Value>) = (old.iter().collect(), new.iter().collect());
        let pairs = pair(&olds, &news, &mut |item| self.prints.of_item(item));
        for (item, place) in news.iter().zip(&pairs) {
            if let Some((place, before)) = place.and_then(|place| Some((place, olds.get(place)?)))
                && before != item
            {
                self.child(place.to_string(), |diff| diff.value(before, item));
                if self.bytes > ask_at {
                    if is_hopeless(self) {
                        return true;
                    }
                    ask_at = self.bytes * 2;
                }
            }
        }
        for step in script(old.len(), &pairs) {
            let place = |index: usize| {
                let mut path = self.path.clone();
                path.push(index.to_string());
                path
            };
            let draft = match step {
                ListStep::Insert { at, item } => new.get(item).map(|item| Draft::Add(place(at), item)),
                ListStep::Move { from, to } => Some(Draft::Move { from: place(from), path: place(to) }),
                ListStep::Delete { at } => Some(Draft::Remove(place(at))),
            };
            if let Some(draft) = draft {
                self.emit(draft);
            }
        }
        false
    }
}

fn sorted(object: &Object) -> Vec<(&str, &Value)> {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    members
}

/// Operations on one array that are shorter than this are made before it is asked whether they are too long.
const HOPELESS_BYTES_MIN: usize = 64 * 1024;

/// The length of an operation in a patch document, with the comma behind it; none if it is more than the limit.
fn operation_len(
    name: &str,
    path: &Pointer,
    from: Option<&Pointer>,
    value: Option<&Value>,
    limit: usize,
) -> Option<usize> {
    let mut len = r#"{"op":"","path":},"#.len() + name.len() + text_len(&path.to_string());
    if let Some(from) = from {
        len += r#","from":"#.len() + text_len(&from.to_string());
    }
    if let Some(value) = value {
        len += r#","value":"#.len();
        len += printed_len(value, limit.checked_sub(len)?)?;
    }
    (len <= limit).then_some(len)
}
