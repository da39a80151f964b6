//! Operations on a tree.

use fhir_model::json::{Object, Value};

use super::{JsonOperation, JsonPatchRefusal};
use crate::equality::is_equal;
use crate::error::NotApplicable;
use crate::limits::{Budget, Limits, Size};
use crate::pointer::{Pointer, pointer_text};

type Applied<T = ()> = Result<T, JsonPatchRefusal>;

/// Applies operations to a copy of the document.
pub(super) fn apply(
    operations: &[JsonOperation],
    document: &Value,
    limits: &Limits,
) -> Result<Value, NotApplicable<JsonPatchRefusal>> {
    let refused = |index: usize, operation: &JsonOperation, refusal| NotApplicable {
        operation: index,
        path: operation.path().to_string(),
        refusal,
    };
    let Some(first) = operations.first() else { return Ok(document.clone()) };
    let budget =
        Budget::new(limits, Size::of(document)).map_err(|exceeded| refused(0, first, exceeded.into()))?;
    let mut patching = Patching { document: document.clone(), budget };
    for (index, operation) in operations.iter().enumerate() {
        patching.perform(operation).map_err(|refusal| refused(index, operation, refusal))?;
    }
    Ok(patching.document)
}

struct Patching {
    document: Value,
    budget: Budget,
}

/// Where in an array: at an index, or after the last item.
enum Place {
    At(usize),
    End,
}

impl Patching {
    fn perform(&mut self, operation: &JsonOperation) -> Applied {
        match operation {
            JsonOperation::Add { path, value } => self.put_new(path, value),
            JsonOperation::Remove { path } => self.remove(path).map(drop),
            JsonOperation::Replace { path, value } => {
                self.budget.put(Size::of(value), path.tokens().len())?;
                *self.find(path.tokens())? = value.clone();
                Ok(())
            }
            JsonOperation::Move { from, path } => self.relocate(from, path),
            JsonOperation::Copy { from, path } => {
                let found = self.find(from.tokens())?;
                let size = Size::of(found);
                self.budget.step(size.nodes + size.bytes / 64)?;
                self.budget.put(size, path.tokens().len())?;
                let value = self.find(from.tokens())?.clone();
                self.add(path, value)
            }
            JsonOperation::Test { path, value } => {
                let found = self.find(path.tokens())?;
                if is_equal(found, value) { Ok(()) } else { Err(JsonPatchRefusal::TestFailed) }
            }
        }
    }

    fn put_new(&mut self, path: &Pointer, value: &Value) -> Applied {
        self.budget.put(Size::of(value), path.tokens().len())?;
        self.add(path, value.clone())
    }

    fn relocate(&mut self, from: &Pointer, path: &Pointer) -> Applied {
        if from == path {
            return self.find(from.tokens()).map(drop);
        }
        let value = self.remove(from)?;
        let size = Size::of(&value);
        self.budget.step(size.nodes)?;
        self.budget.check_depth(size, path.tokens().len())?;
        self.add(path, value)
    }

    /// The value that a pointer leads to.
    fn find(&mut self, tokens: &[String]) -> Applied<&mut Value> {
        let budget = &mut self.budget;
        let mut value = &mut self.document;
        for (depth, token) in tokens.iter().enumerate() {
            let above = || tokens.get(..depth).map(pointer_text).unwrap_or_default();
            value = match value {
                Value::Object(object) => {
                    budget.walk(object.len())?;
                    object.get_mut(token)
                }
                Value::Array(items) => {
                    budget.step(1)?;
                    match place(token, items.len(), above)? {
                        Place::At(index) => items.get_mut(index),
                        Place::End => None,
                    }
                }
                other => return Err(JsonPatchRefusal::NotAContainer { at: above(), found: other.kind() }),
            }
            .ok_or_else(|| not_found(tokens, depth))?;
        }
        Ok(value)
    }

    /// The object or array that holds what the pointer leads to, and the last part of the pointer.
    fn container<'p>(&mut self, path: &'p Pointer) -> Applied<Option<(&mut Value, &'p str)>> {
        let Some((above, last)) = path.split_last() else { return Ok(None) };
        let items = match self.find(above)? {
            Value::Array(items) => items.len(),
            Value::Object(object) => object.len(),
            other => {
                return Err(JsonPatchRefusal::NotAContainer { at: pointer_text(above), found: other.kind() });
            }
        };
        self.budget.walk(items)?;
        Ok(Some((self.find(above)?, last)))
    }

    fn add(&mut self, path: &Pointer, value: Value) -> Applied {
        let Some((container, last)) = self.container(path)? else {
            self.document = value;
            return Ok(());
        };
        match container {
            Value::Array(items) => {
                let len = items.len();
                match place(last, len, || parent_text(path))? {
                    Place::At(index) if index <= len => items.insert(index, value),
                    Place::At(index) => {
                        return Err(JsonPatchRefusal::OutOfRange { at: parent_text(path), index, len });
                    }
                    Place::End => items.push(value),
                }
            }
            Value::Object(object) => drop(object.insert(last, value)),
            _ => {}
        }
        Ok(())
    }

    fn remove(&mut self, path: &Pointer) -> Applied<Value> {
        let Some((container, last)) = self.container(path)? else {
            return Err(JsonPatchRefusal::WholeDocument);
        };
        let removed = match container {
            Value::Array(items) => match place(last, items.len(), || parent_text(path))? {
                Place::At(index) if index < items.len() => Some(items.remove(index)),
                _ => None,
            },
            Value::Object(object) => Object::remove(object, last),
            _ => None,
        };
        removed.ok_or_else(|| JsonPatchRefusal::NotFound { at: path.to_string() })
    }
}

/// The refusal of a path of which a part leads nowhere.
fn not_found(tokens: &[String], depth: usize) -> JsonPatchRefusal {
    JsonPatchRefusal::NotFound { at: tokens.get(..=depth).map(pointer_text).unwrap_or_default() }
}

fn parent_text(path: &Pointer) -> String {
    path.split_last().map(|(above, _)| pointer_text(above)).unwrap_or_default()
}

/// What an array makes of a part of a pointer (RFC 6901 section 4).
fn place(token: &str, len: usize, above: impl Fn() -> String) -> Applied<Place> {
    if token == "-" {
        return Ok(Place::End);
    }
    let is_index = token.bytes().all(|byte| byte.is_ascii_digit())
        && (token == "0" || token.starts_with(|first: char| ('1'..='9').contains(&first)));
    if !is_index {
        return Err(JsonPatchRefusal::BadIndex { at: above(), found: token.to_owned() });
    }
    // Digits that are no index of this machine lie beyond the end of every array.
    let index = token.parse().unwrap_or(usize::MAX);
    if index > len {
        return Err(JsonPatchRefusal::OutOfRange { at: above(), index, len });
    }
    Ok(Place::At(index))
}
