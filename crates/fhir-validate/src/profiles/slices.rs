//! Which slice of a list an item belongs to.

use fhir_model::json::Value;

use super::Loaded;
use super::node::{Discriminator, DiscriminatorKind, Expected, Node, Slice, Slicing};
use super::value_sets::Membership;

/// How extensions are told apart where nothing else is said.
const URL: &str = "url";

/// The slice that a value belongs to, or none. An item belongs to the first slice all of whose discriminators fit.
pub(super) fn slice_of(node: &Node, value: &Value, loaded: &Loaded) -> Option<usize> {
    node.slices.iter().position(|slice| belongs(node, slice, value, loaded))
}

fn belongs(node: &Node, slice: &Slice, value: &Value, loaded: &Loaded) -> bool {
    match &node.slicing {
        Some(Slicing { discriminators, .. }) => {
            discriminators.iter().all(|discriminator| fits(slice, discriminator, value, loaded))
        }
        None if is_extension(&node.name) => {
            let by_url = Discriminator { kind: DiscriminatorKind::Value, path: vec![URL.to_owned()] };
            fits(slice, &by_url, value, loaded)
        }
        None => false,
    }
}

/// Whether the elements of this name are told apart by their url.
pub(super) fn is_extension(name: &str) -> bool {
    matches!(name, "extension" | "modifierExtension")
}

/// Whether it can be told which items belong to a slice.
pub(super) fn is_decidable(node: &Node, slice: &Slice) -> bool {
    let Some(Slicing { discriminators, .. }) = &node.slicing else { return is_extension(&node.name) };
    discriminators.iter().all(|discriminator| match discriminator.kind {
        DiscriminatorKind::Exists => true,
        DiscriminatorKind::Value => {
            let wanted = Wanted::at(&slice.node, &discriminator.path);
            wanted.is_some() || (discriminator.path == [URL] && !slice.node.profiles.is_empty())
        }
    })
}

fn fits(slice: &Slice, discriminator: &Discriminator, value: &Value, loaded: &Loaded) -> bool {
    let found = values_at(value, &discriminator.path);
    match discriminator.kind {
        DiscriminatorKind::Exists => {
            let inside = discriminator.path.iter().try_fold(&slice.node, |node, name| child(node, name));
            let is_absent = inside.is_some_and(|node| node.max == Some(0));
            found.is_empty() == is_absent
        }
        DiscriminatorKind::Value => match Wanted::at(&slice.node, &discriminator.path) {
            Some(wanted) => found.into_iter().any(|found| wanted.fits(found, loaded)),
            // The url of an extension stands in the definition of the extension.
            None if discriminator.path == [URL] => {
                let url = value.get(URL).and_then(Value::as_str);
                slice.node.profiles.iter().any(|profile| Some(profile.as_str()) == url)
            }
            None => false,
        },
    }
}

fn child<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    node.children.iter().find(|child| child.name == name)
}

/// What a slice says about the value of a discriminator.
enum Wanted<'n> {
    Exactly(&'n Value),
    AtLeast(&'n Value),
    /// A code of this value set.
    Code(&'n str),
}

impl<'n> Wanted<'n> {
    /// What is said at the end of a path, there or on the way to it.
    fn at(node: &'n Node, path: &[String]) -> Option<Self> {
        if let Some(expected) = &node.expected {
            let (value, is_fixed) = match expected {
                Expected::Fixed(value) => (value, true),
                Expected::Pattern(value) => (value, false),
            };
            let inner = path.iter().try_fold(value, |value, name| first(value).get(name))?;
            return Some(if is_fixed || path.is_empty() {
                Self::of(inner, is_fixed)
            } else {
                Self::AtLeast(inner)
            });
        }
        match path {
            [] => node
                .binding
                .as_ref()
                .filter(|binding| binding.is_required)
                .map(|binding| Self::Code(&binding.value_set)),
            [name, rest @ ..] => Self::at(child(node, name)?, rest),
        }
    }

    fn of(value: &'n Value, is_fixed: bool) -> Self {
        if is_fixed { Self::Exactly(value) } else { Self::AtLeast(value) }
    }

    fn fits(&self, found: &Value, loaded: &Loaded) -> bool {
        match self {
            Self::Exactly(value) => found == *value,
            Self::AtLeast(value) => matches(found, value),
            Self::Code(url) => loaded.membership(url, found) == Some(Membership::In),
        }
    }
}

/// A value, or the first of a list: patterns repeat what repeats.
fn first(value: &Value) -> &Value {
    value.at(0).unwrap_or(value)
}

/// The values at the end of a path, through every item of the lists on the way.
fn values_at<'v>(value: &'v Value, path: &[String]) -> Vec<&'v Value> {
    let Some((name, rest)) = path.split_first() else { return vec![value] };
    let Some(object) = value.as_object() else { return Vec::new() };
    let is_choice = |member: &str| {
        let rest = member.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(|first: char| first.is_ascii_uppercase()))
    };
    let named = object
        .get(name)
        .or_else(|| object.iter().find(|(member, _)| is_choice(member)).map(|(_, value)| value));
    match named {
        Some(Value::Array(items)) => items.iter().flat_map(|item| values_at(item, rest)).collect(),
        Some(one) => values_at(one, rest),
        None => Vec::new(),
    }
}

/// Whether a value has everything that a pattern has: each member, and for each item of a list some item.
pub(super) fn matches(value: &Value, pattern: &Value) -> bool {
    match (value, pattern) {
        (Value::Object(object), Value::Object(pattern)) => {
            pattern.iter().all(|(name, wanted)| object.get(name).is_some_and(|found| matches(found, wanted)))
        }
        (Value::Array(items), Value::Array(pattern)) => {
            pattern.iter().all(|wanted| items.iter().any(|found| matches(found, wanted)))
        }
        _ => value == pattern,
    }
}
