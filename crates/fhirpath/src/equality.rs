//! When items are equal, and when they are equivalent (FHIRPath, "Equality", "Equivalence").

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use fhir_model::json::{Object, Value};

use crate::budget::Budget;
use crate::error::EvalError;
use crate::item::Item;
use crate::quantity::{Quantity, equivalent_decimals};
use crate::system::{System, parse_decimal};
use crate::temporal::DateTime;

/// Whether two items are equal; none if their precision or units leave it open.
pub(crate) fn equal(left: &Item<'_>, right: &Item<'_>, budget: &Budget) -> Result<Option<bool>, EvalError> {
    budget.charge(1)?;
    if let (Some(left), Some(right)) = (left.operand(), right.operand()) {
        if let (System::String(left), System::String(right)) = (&left, &right)
            && left.len() == right.len()
        {
            budget.charge(left.len() / 64)?;
        }
        return Ok(equal_systems(&left, &right));
    }
    match (left, right) {
        (Item::Element(left), Item::Element(right)) => Ok(Some(
            equal_optional(left.value(), right.value(), budget)?
                && (left.value().is_some() || equal_optional(left.extra(), right.extra(), budget)?),
        )),
        (Item::Type(left), Item::Type(right)) => Ok(Some(left == right)),
        _ => Ok(Some(false)),
    }
}

fn equal_systems(left: &System<'_>, right: &System<'_>) -> Option<bool> {
    use System as S;
    let by_order = |order: Option<Ordering>| order.map(|order| order == Ordering::Equal);
    match (left, right) {
        (S::Boolean(left), S::Boolean(right)) => Some(left == right),
        (S::String(left), S::String(right)) => Some(left == right),
        (S::Integer(left), S::Integer(right)) => Some(left == right),
        (S::Time(left), S::Time(right)) => by_order(left.compare(*right)),
        _ => {
            if let (Some(left), Some(right)) = (left.to_decimal(), right.to_decimal()) {
                return Some(left == right);
            }
            if let (Some(left), Some(right)) = (to_date_time(left), to_date_time(right)) {
                return by_order(left.compare(right));
            }
            match (to_quantity(left), to_quantity(right)) {
                (Some(left), Some(right)) => by_order(left.compare(&right)),
                _ => Some(false),
            }
        }
    }
}

/// A date is a date-time without time.
pub(crate) fn to_date_time(value: &System<'_>) -> Option<DateTime> {
    match value {
        System::Date(date) => Some((*date).into()),
        System::DateTime(date_time) => Some(*date_time),
        _ => None,
    }
}

/// A number is a quantity without unit, beside another quantity.
pub(crate) fn to_quantity<'a>(value: &System<'a>) -> Option<Quantity<'a>> {
    match value {
        System::Quantity(quantity) => Some(quantity.as_ref().clone()),
        other => other.to_decimal().map(Quantity::unity),
    }
}

fn equal_optional(left: Option<&Value>, right: Option<&Value>, budget: &Budget) -> Result<bool, EvalError> {
    match (left, right) {
        (None, None) => Ok(true),
        (Some(left), Some(right)) => equal_values(left, right, budget),
        _ => Ok(false),
    }
}

/// Whether two subtrees are equal: numbers by value, members in any order. The depth of trees is limited.
fn equal_values(left: &Value, right: &Value, budget: &Budget) -> Result<bool, EvalError> {
    budget.charge(1)?;
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Ok(equal_digits(left.as_str(), right.as_str())),
        (Value::Array(left), Value::Array(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for (left, right) in left.iter().zip(right) {
                if !equal_values(left, right, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Object(left), Value::Object(right)) => {
            if left.len() != right.len() {
                return Ok(false);
            }
            for ((left_name, left), (right_name, right)) in sorted(left).into_iter().zip(sorted(right)) {
                if left_name != right_name || !equal_values(left, right, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(left == right),
    }
}

fn equal_digits(left: &str, right: &str) -> bool {
    left == right
        || matches!((parse_decimal(left), parse_decimal(right)), (Some(left), Some(right)) if left == right)
}

fn sorted(object: &Object) -> Vec<(&str, &Value)> {
    let mut members: Vec<_> = object.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    members
}

/// Whether two collections are equal: the same items in the same order. None if one is empty or an item leaves it
/// open.
pub(crate) fn equal_collections(
    left: &[Item<'_>],
    right: &[Item<'_>],
    budget: &Budget,
) -> Result<Option<bool>, EvalError> {
    if left.is_empty() || right.is_empty() {
        return Ok(None);
    }
    if left.len() != right.len() {
        return Ok(Some(false));
    }
    let mut open = false;
    for (left, right) in left.iter().zip(right) {
        match equal(left, right, budget)? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => open = true,
        }
    }
    Ok((!open).then_some(true))
}

/// Whether two items are equivalent: text without regard to case and white space, numbers at the precision of the less
/// precise one, complex values without regard to order.
fn equivalent(left: &Item<'_>, right: &Item<'_>, budget: &Budget) -> Result<bool, EvalError> {
    budget.charge(1)?;
    if let (Some(left), Some(right)) = (left.operand(), right.operand()) {
        return Ok(equivalent_systems(&left, &right));
    }
    match (left.json(), right.json()) {
        (Some(left), Some(right)) => equivalent_values(left, right, budget),
        _ => Ok(equal(left, right, budget)? == Some(true)),
    }
}

fn equivalent_systems(left: &System<'_>, right: &System<'_>) -> bool {
    match (left, right) {
        (System::String(left), System::String(right)) => equivalent_texts(left, right),
        (System::Quantity(left), System::Quantity(right)) => left.is_equivalent(right),
        _ => match (left.to_decimal(), right.to_decimal()) {
            (Some(left), Some(right)) => equivalent_decimals(left, right),
            // What equality leaves open is not equivalent.
            _ => equal_systems(left, right) == Some(true),
        },
    }
}

fn equivalent_texts(left: &str, right: &str) -> bool {
    let normal = |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>();
    left == right || normal(left) == normal(right)
}

fn equivalent_values(left: &Value, right: &Value, budget: &Budget) -> Result<bool, EvalError> {
    budget.charge(1)?;
    match (left, right) {
        (Value::String(left), Value::String(right)) => Ok(equivalent_texts(left, right)),
        (Value::Number(left), Value::Number(right)) => {
            Ok(match (parse_decimal(left.as_str()), parse_decimal(right.as_str())) {
                (Some(left), Some(right)) => equivalent_decimals(left, right),
                _ => left == right,
            })
        }
        (Value::Array(left), Value::Array(right)) => {
            is_permutation(left, right, |left, right| equivalent_values(left, right, budget))
        }
        (Value::Object(left), Value::Object(right)) => {
            // Ids and extensions tell nothing about what a value means.
            let members = |object| -> Vec<(&str, &Value)> {
                let mut members = sorted(object);
                members.retain(|(name, _)| *name != "id");
                members
            };
            let (left, right) = (members(left), members(right));
            if left.len() != right.len() {
                return Ok(false);
            }
            for ((left_name, left), (right_name, right)) in left.into_iter().zip(right) {
                if left_name != right_name || !equivalent_values(left, right, budget)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(left == right),
    }
}

/// Whether each of the left can be paired with one of the right.
fn is_permutation<T>(
    left: &[T],
    right: &[T],
    is_same: impl Fn(&T, &T) -> Result<bool, EvalError>,
) -> Result<bool, EvalError> {
    if left.len() != right.len() {
        return Ok(false);
    }
    let mut open: Vec<&T> = right.iter().collect();
    for one in left {
        let mut found = None;
        for (place, other) in open.iter().enumerate() {
            if is_same(one, other)? {
                found = Some(place);
                break;
            }
        }
        match found {
            Some(place) => drop(open.swap_remove(place)),
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Whether two collections are equivalent: the same items in any order.
pub(crate) fn equivalent_collections(
    left: &[Item<'_>],
    right: &[Item<'_>],
    budget: &Budget,
) -> Result<bool, EvalError> {
    is_permutation(left, right, |left, right| equivalent(left, right, budget))
}

/// A set of items by equality. Items are found by a hash of what is the same in all equal ones.
pub(crate) struct ItemSet<'b, 'a> {
    budget: &'b Budget,
    /// Items by hash, as places in `items`.
    places: HashMap<u64, Vec<usize>>,
    items: Vec<Item<'a>>,
    hasher: RandomState,
}

impl<'b, 'a> ItemSet<'b, 'a> {
    pub(crate) fn new(budget: &'b Budget) -> Self {
        Self { budget, places: HashMap::new(), items: Vec::new(), hasher: RandomState::new() }
    }

    pub(crate) fn of(items: &[Item<'a>], budget: &'b Budget) -> Result<Self, EvalError> {
        let mut set = Self::new(budget);
        for item in items {
            set.insert(item)?;
        }
        Ok(set)
    }

    pub(crate) fn contains(&self, item: &Item<'_>) -> Result<bool, EvalError> {
        let hash = self.hash(item)?;
        for place in self.places.get(&hash).into_iter().flatten() {
            if let Some(other) = self.items.get(*place)
                && equal(other, item, self.budget)? == Some(true)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Adds an item; whether it was not in the set before.
    pub(crate) fn insert(&mut self, item: &Item<'a>) -> Result<bool, EvalError> {
        if self.contains(item)? {
            return Ok(false);
        }
        let hash = self.hash(item)?;
        self.places.entry(hash).or_default().push(self.items.len());
        self.items.push(item.clone());
        Ok(true)
    }

    /// The items in the order in which they came.
    pub(crate) fn into_items(self) -> Vec<Item<'a>> {
        self.items
    }

    fn hash(&self, item: &Item<'_>) -> Result<u64, EvalError> {
        let mut state = self.hasher.build_hasher();
        match item.operand() {
            Some(System::String(text)) => text.hash(&mut state),
            Some(System::Boolean(value)) => value.hash(&mut state),
            Some(value) => {
                if let Some(number) = value.to_decimal() {
                    number.normalize().hash(&mut state);
                }
                // Equal dates and quantities can look very different: they share one hash.
            }
            None => {
                if let Some(value) = item.json() {
                    return self.hash_value(value);
                }
            }
        }
        Ok(state.finish())
    }

    fn hash_value(&self, value: &Value) -> Result<u64, EvalError> {
        self.budget.charge(1)?;
        let mut state = self.hasher.build_hasher();
        match value {
            Value::Null => {}
            Value::Bool(value) => value.hash(&mut state),
            Value::String(text) => text.as_str().hash(&mut state),
            Value::Number(number) => match parse_decimal(number.as_str()) {
                Some(number) => number.normalize().hash(&mut state),
                None => number.as_str().hash(&mut state),
            },
            Value::Array(items) => {
                for item in items {
                    self.hash_value(item)?.hash(&mut state);
                }
            }
            Value::Object(object) => {
                let mut sum = 0_u64;
                for (name, value) in object.iter() {
                    let member = self.hasher.hash_one(name) ^ self.hash_value(value)?.rotate_left(1);
                    sum = sum.wrapping_add(member);
                }
                sum.hash(&mut state);
            }
        }
        Ok(state.finish())
    }
}
