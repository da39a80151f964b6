//! What the resources of a transaction are found by, so that thousands of entries with criteria do not each look at
//! thousands of resources.

use std::collections::{BTreeSet, HashMap};

use storage_api::{Clause, Condition, Key, Query, Reference, Term, Test, Value};

/// A value that a test can ask for as it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Exact {
    Code(String),
    Text(String),
    Reference(Reference),
    Uri(String),
}

impl Exact {
    /// What a test that passes this value may ask for.
    fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::Token(coding) => Some(Self::Code(coding.code.to_string())),
            Value::Text { normal, .. } => Some(Self::Text(normal.to_string())),
            Value::Reference(reference) => Some(Self::Reference(reference.clone())),
            Value::Uri(uri) => Some(Self::Uri(uri.to_string())),
            Value::Date(_)
            | Value::Number(_)
            | Value::Quantity { .. }
            | Value::Position(_)
            | Value::Composite(_)
            | Value::Words(_) => None,
        }
    }

    /// The value that all which pass a test have; `None` where there are several.
    fn of_test(test: &Test) -> Option<Self> {
        match test {
            Test::Token(coding) => coding.code.as_ref().map(|code| Self::Code(code.to_string())),
            Test::Text { normal, .. } => Some(Self::Text(normal.to_string())),
            Test::Reference(reference) => Some(Self::Reference(reference.clone())),
            Test::Uri(uri) => Some(Self::Uri(uri.to_string())),
            _ => None,
        }
    }
}

/// Resources by type, parameter and value.
#[derive(Clone, Debug, Default)]
pub(crate) struct FoundBy(HashMap<(String, String, Exact), Vec<Key>>);

impl FoundBy {
    /// A resource has these terms.
    pub(crate) fn add(&mut self, key: &Key, terms: &[Term]) {
        for term in terms {
            if let Some(exact) = Exact::of_value(&term.value) {
                self.0
                    .entry((key.kind.to_string(), term.param.to_string(), exact))
                    .or_default()
                    .push(key.clone());
            }
        }
    }

    /// Resources among which are all that match; `None` if nothing but a look at each would tell.
    pub(crate) fn candidates(&self, query: &Query) -> Option<BTreeSet<Key>> {
        query.conditions.iter().find_map(|condition| self.of_condition(query, condition))
    }

    fn of_condition(&self, query: &Query, condition: &Condition) -> Option<BTreeSet<Key>> {
        if condition.negated {
            return None;
        }
        let mut found = BTreeSet::new();
        for clause in &condition.any {
            match clause {
                Clause::Id(id) => {
                    found.insert(Key::new(query.kind.clone(), id.clone()));
                }
                Clause::Term { param, test } => {
                    let name = (query.kind.to_string(), param.to_string(), Exact::of_test(test)?);
                    found.extend(self.0.get(&name).into_iter().flatten().cloned());
                }
                Clause::Updated(_)
                | Clause::All(_)
                | Clause::Part { .. }
                | Clause::Refers { .. }
                | Clause::Referred { .. } => {
                    return None;
                }
            }
        }
        Some(found)
    }
}
