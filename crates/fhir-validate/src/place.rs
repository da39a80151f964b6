//! [`Place`]: where the walk stands, as a list on the stack that costs nothing until it is printed.

use std::fmt;

/// Names longer than this are cut in paths: a client chooses them.
const NAME_CHARS_MAX: usize = 64;

/// A place in the resource, linked to the places around it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    name: &'a str,
    index: Option<usize>,
    depth: usize,
}

impl<'a> Place<'a> {
    /// The root of a resource, named by its type.
    pub(crate) const fn root(name: &'a str) -> Self {
        Self { parent: None, name, index: None, depth: 0 }
    }

    /// The element `name` inside this place.
    pub(crate) fn child(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), name, index: None, depth: self.depth + 1 }
    }

    /// The item at `index` of the list that this place is.
    pub(crate) fn item(self, index: usize) -> Self {
        Self { index: Some(index), ..self }
    }

    /// How many places there are around this one.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Whether this is the item of a list of extensions inside of an extension.
    pub(crate) fn is_in_extension(&self) -> bool {
        let is_list = |name: &str| matches!(name, "extension" | "modifierExtension");
        is_list(self.name) && self.parent.is_some_and(|parent| is_list(parent.name))
    }

    /// The name of the element here.
    pub(crate) fn name(&self) -> &'a str {
        self.name
    }
}

impl fmt::Display for Place<'_> {
    /// FHIRPath with element names and indices only, as `OperationOutcome.issue.expression` wants it: a choice has
    /// no type suffix, so the member `valueQuantity` is `Observation.value`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut places = Vec::with_capacity(self.depth + 1);
        let mut here = Some(self);
        while let Some(place) = here {
            places.push(place);
            here = place.parent;
        }
        for (number, place) in places.into_iter().rev().enumerate() {
            if number > 0 {
                f.write_str(".")?;
            }
            write_name(place.name, f)?;
            if let Some(index) = place.index {
                write!(f, "[{index}]")?;
            }
        }
        Ok(())
    }
}

/// A name that is no FHIRPath identifier is delimited (FHIRPath, section "Symbols").
fn write_name(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_plain = name.len() <= NAME_CHARS_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain {
        return f.write_str(name);
    }
    f.write_str("`")?;
    for char in name.chars().take(NAME_CHARS_MAX) {
        match char {
            '`' | '\\' => write!(f, "\\{char}")?,
            _ if char.is_control() => write!(f, "\\u{:04x}", u32::from(char))?,
            _ => write!(f, "{char}")?,
        }
    }
    if name.chars().nth(NAME_CHARS_MAX).is_some() {
        f.write_str("...")?;
    }
    f.write_str("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_prints_as_fhirpath() {
        let root = Place::root("Patient");
        let name = root.child("name").item(0);
        let given = name.child("given").item(1);
        assert_eq!(given.to_string(), "Patient.name[0].given[1]");
        assert_eq!((root.to_string().as_str(), given.depth(), given.name()), ("Patient", 2, "given"));
    }

    #[test]
    fn names_that_are_no_identifiers_are_delimited_and_cut() {
        let root = Place::root("Flag");
        assert_eq!(root.child("a b`c\\\n").to_string(), r"Flag.`a b\`c\\\u000a`");
        assert_eq!(root.child("").to_string(), "Flag.``");
        assert_eq!(root.child(&"x".repeat(70)).to_string(), format!("Flag.`{}...`", "x".repeat(64)));
        assert_eq!(root.child("_birthDate").to_string(), "Flag._birthDate");
    }
}
