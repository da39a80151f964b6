//! What a profile asks for, as a tree of the elements that it says something about.

use fhir_model::IssueSeverity;
use fhir_model::json::Value;
use fhirpath::Expression;

/// A profile, ready to be applied.
#[derive(Debug)]
pub(super) struct Profile {
    /// Its canonical URL, without version.
    pub(super) url: String,
    /// The type that it constrains.
    pub(super) type_name: String,
    /// A profile that applies as well, because this one says only what it adds to it.
    pub(super) base: Option<String>,
    pub(super) root: Node,
}

/// An element and what the profile asks of it beyond the definition of its type.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Its name in JSON; the bare name of a choice means any of its types.
    pub(super) name: String,
    pub(super) min: usize,
    /// None: no more than the definition says.
    pub(super) max: Option<usize>,
    pub(super) expected: Option<Expected>,
    /// The types that a choice may have here; none: all of them.
    pub(super) types: Option<Vec<String>>,
    /// The value conforms to one of these, of those that are known.
    pub(super) profiles: Vec<String>,
    /// The resource types that a reference may point to; none: all that the definition allows.
    pub(super) targets: Option<Vec<String>>,
    pub(super) binding: Option<Binding>,
    pub(super) rules: Vec<ProfileRule>,
    pub(super) children: Vec<Node>,
    pub(super) slicing: Option<Slicing>,
    pub(super) slices: Vec<Slice>,
}

/// A value that is asked for.
#[derive(Debug, Clone)]
pub(super) enum Expected {
    /// Exactly this (`fixed[x]`).
    Fixed(Value),
    /// This and possibly more (`pattern[x]`).
    Pattern(Value),
}

/// A value set that an element is bound to.
#[derive(Debug)]
pub(super) struct Binding {
    /// Without version.
    pub(super) value_set: String,
    pub(super) is_required: bool,
}

/// A rule in FHIRPath.
#[derive(Debug)]
pub(super) struct ProfileRule {
    pub(super) key: String,
    pub(super) human: String,
    pub(super) severity: IssueSeverity,
    pub(super) expression: Expression,
}

/// How the items of a list are told apart.
#[derive(Debug)]
pub(super) struct Slicing {
    pub(super) discriminators: Vec<Discriminator>,
    /// Whether every item belongs to a slice.
    pub(super) is_closed: bool,
}

/// What tells items apart, and where it stands in them.
#[derive(Debug, Clone)]
pub(super) struct Discriminator {
    pub(super) kind: DiscriminatorKind,
    /// Names of elements; none for the item itself.
    pub(super) path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiscriminatorKind {
    /// The value there, as the slice fixes or binds it.
    Value,
    /// Whether there is a value.
    Exists,
}

/// Some of the items of a list.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) name: String,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// The node of this name inside, made if there is none.
    pub(super) fn child_mut(&mut self, name: &str) -> &mut Self {
        let found = self.children.iter().position(|child| child.name == name);
        let place = found.unwrap_or(self.children.len());
        if found.is_none() {
            self.children.push(Self::named(name));
        }
        &mut self.children[place]
    }

    /// The slice of this name, made if there is none.
    pub(super) fn slice_mut(&mut self, name: &str) -> &mut Self {
        let found = self.slices.iter().position(|slice| slice.name == name);
        let place = found.unwrap_or(self.slices.len());
        if found.is_none() {
            self.slices.push(Slice { name: name.to_owned(), node: Self::named(&self.name) });
        }
        &mut self.slices[place].node
    }

    /// Calls `visit` with this node and every one inside.
    pub(super) fn for_each(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        let inside = self.children.iter().chain(self.slices.iter().map(|slice| &slice.node));
        inside.for_each(|node| node.for_each(visit));
    }

    /// Removes what says nothing, at every depth; whether anything is left.
    pub(super) fn prune(&mut self) -> bool {
        self.children.retain_mut(Self::prune);
        for slice in &mut self.slices {
            slice.node.prune();
        }
        let is_closed = self.slicing.as_ref().is_some_and(|slicing| slicing.is_closed);
        let says_something = self.min > 0
            || self.max.is_some()
            || self.expected.is_some()
            || self.types.is_some()
            || !self.profiles.is_empty()
            || self.targets.is_some()
            || self.binding.is_some()
            || !self.rules.is_empty();
        says_something || is_closed || !self.children.is_empty() || !self.slices.is_empty()
    }
}
