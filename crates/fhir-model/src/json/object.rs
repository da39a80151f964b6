//! Objects: members in order.

use super::text::Text;
use super::value::Value;

/// The members of a JSON object, in the order in which they were written; no name twice.
///
/// Lookup walks the members: FHIR objects are small (the largest resource types have about 60
/// elements), and the walk keeps the tree compact. Two objects are equal when they have the same
/// members, in whatever order (RFC 8259 section 1).
#[derive(Debug, Clone, Default)]
pub struct Object {
    members: Vec<(Text, Value)>,
}

impl Object {
    /// An object without members.
    pub const fn new() -> Self {
        Self { members: Vec::new() }
    }

    /// Members whose names the parser has found to be distinct.
    pub(crate) fn from_distinct(members: Vec<(Text, Value)>) -> Self {
        Self { members }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The place of a member in the order, from 0.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.members.iter().position(|(member, _)| member.as_str() == name)
    }

    /// Whether there is a member of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// The value of a member.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.members.iter().find(|(member, _)| member.as_str() == name).map(|(_, value)| value)
    }

    /// The value of a member, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.members.iter_mut().find(|(member, _)| member.as_str() == name).map(|(_, value)| value)
    }

    /// The name and value of the member at a place.
    pub fn at(&self, index: usize) -> Option<(&str, &Value)> {
        self.members.get(index).map(|(name, value)| (name.as_str(), value))
    }

    /// Sets a member: an existing one keeps its place and its old value is returned, a new one
    /// becomes the last.
    pub fn insert(&mut self, name: impl Into<Text>, value: impl Into<Value>) -> Option<Value> {
        self.insert_at(self.members.len(), name, value)
    }

    /// Sets a member: an existing one keeps its place and its old value is returned, a new one is
    /// put at `index` (at the end if `index` is beyond it).
    pub fn insert_at(
        &mut self,
        index: usize,
        name: impl Into<Text>,
        value: impl Into<Value>,
    ) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        if let Some(existing) = self.get_mut(&name) {
            return Some(std::mem::replace(existing, value));
        }
        self.members.insert(index.min(self.members.len()), (name, value));
        None
    }

    /// Removes a member; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let index = self.position(name)?;
        Some(self.members.remove(index).1)
    }

    /// Keeps the members for which `keep` says so, in their order.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        self.members.retain_mut(|(name, value)| keep(name, value));
    }

    /// The members in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + DoubleEndedIterator + Clone {
        self.members.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The members in order, values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value)> + DoubleEndedIterator {
        self.members.iter_mut().map(|(name, value)| (name.as_str(), value))
    }

    /// The names in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator + Clone {
        self.members.iter().map(|(name, _)| name.as_str())
    }

    /// The members with their names as [`Text`], for the writers.
    pub(crate) fn members(&self) -> &[(Text, Value)] {
        &self.members
    }

    /// The members sorted by name.
    fn sorted(&self) -> Vec<&(Text, Value)> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_by(|left, right| left.0.cmp(&right.0));
        members
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        if self.len() != other.len() {
            return false;
        }
        // Nearly always the order is the same. Where it is not, sorting keeps the cost of hostile
        // objects with very many members bounded.
        let names_agree = self.names().eq(other.names());
        if names_agree {
            return self.iter().zip(other.iter()).all(|(left, right)| left.1 == right.1);
        }
        self.sorted() == other.sorted()
    }
}

impl Eq for Object {}

impl<N: Into<Text>, V: Into<Value>> FromIterator<(N, V)> for Object {
    /// Members in the order given; a later one of the same name replaces the value of the earlier.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(members: I) -> Self {
        let mut object = Self::new();
        for (name, value) in members {
            object.insert(name, value);
        }
        object
    }
}

impl IntoIterator for Object {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}
