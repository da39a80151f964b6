//! Pages of what queries find.

use std::collections::HashSet;

use compact_str::CompactString;

use crate::{Candidate, Query, Reference, Seq, SortKey, SortValue, StoredVersion, Value};

/// Where a store keeps a resource. It never changes, so a walk in its order passes every resource
/// that stays at most once, and exactly once if it matches all the while, whatever is written
/// meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub u64);

/// A question for a page of live resources.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SearchRequest {
    /// Which: those that any of these means. No two have the same kind.
    pub queries: Vec<Query>,
    /// In which order; without any, in that of their places.
    ///
    /// A walk keeps to the values that resources had when it began, so that one that matches all
    /// the while is passed exactly once even if its values change. What did not exist then is not
    /// part of it.
    pub order: Vec<SortKey>,
    /// Continue behind this mark.
    pub after: Option<Mark>,
    /// At most this many. A store may answer with fewer and a mark to continue; with 0 there is
    /// nothing to continue.
    pub limit: usize,
    /// What else is wanted with the page.
    pub includes: Vec<Include>,
    /// Whether to count everything that matches, on whichever page.
    pub total: bool,
}

impl SearchRequest {
    /// The first page of what one query means.
    pub fn of(query: Query, limit: usize) -> Self {
        Self { queries: vec![query], limit, ..Self::default() }
    }
}

/// A place in a walk, behind which it continues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Of the last resource.
    pub place: Place,
    /// The newest commit when the walk began. Of a walk by place alone it does not matter.
    pub began: Seq,
    /// The values that the last resource had then, one for each key of the order.
    pub values: Vec<SortValue>,
}

/// Resources that are wanted together with those that refer to them, or that they refer to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Include {
    /// The kind of the resources that refer.
    pub kind: CompactString,
    /// The parameter by which they do.
    pub param: CompactString,
    /// The kind of what is referred to; `None` for any.
    pub target: Option<CompactString>,
    /// Which end is wanted.
    pub direction: Direction,
    /// Whether it is followed from what was included too.
    pub iterates: bool,
    /// Resources that references elsewhere name, if they are here too.
    pub named: Vec<Named>,
}

/// Resources of a kind that are named by a URI, and perhaps a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// The kind.
    pub kind: CompactString,
    /// The parameter that has the URI.
    pub uri: CompactString,
    /// The parameter that has the version, as the code of a token.
    pub version: CompactString,
}

impl Named {
    /// Whether one resource is named by a reference of another one with this parameter.
    pub fn is_named(&self, one: &Candidate<'_>, by: &Candidate<'_>, param: &str) -> bool {
        let own = by.terms.iter().filter(|term| term.param == *param);
        let texts: Vec<&str> = own
            .filter_map(|term| match &term.value {
                Value::Reference(Reference::External(text)) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let has = |param: &str, is: &dyn Fn(&Value) -> bool| {
            one.terms.iter().any(|term| term.param == *param && is(&term.value))
        };
        names(&texts).into_iter().any(|(uri, version)| {
            has(&self.uri, &|value| matches!(value, Value::Uri(own) if *own == uri))
                && version.is_none_or(|version| {
                    has(&self.version, &|value| matches!(value, Value::Token(own) if own.code == version))
                })
        })
    }
}

/// What references elsewhere name: each URI with the version that follows it behind a bar. A reference that another one
/// continues with a version is that other one.
pub fn names<'a>(references: &[&'a str]) -> Vec<(&'a str, Option<&'a str>)> {
    let versions: Vec<(&str, &str)> = references.iter().filter_map(|text| text.split_once('|')).collect();
    let versioned: HashSet<&str> = versions.iter().map(|(uri, _)| *uri).collect();
    let is_whole = |text: &&&str| !text.contains('|') && !versioned.contains(**text);
    let whole = references.iter().filter(is_whole).map(|uri| (*uri, None));
    whole.chain(versions.iter().map(|(uri, version)| (*uri, Some(*version)))).collect()
}

/// Which end of a reference is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// What is referred to.
    Forward,
    /// What refers.
    Backward,
}

/// A page of live resources, each in its newest version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPage {
    /// In the order asked for.
    pub found: Vec<StoredVersion>,
    /// What the includes lead to from there, none twice and nothing that was found.
    pub included: Vec<StoredVersion>,
    /// Whether there would have been more than [`INCLUDED_MAX`] of those.
    pub included_cut: bool,
    /// How many match on all pages, if that was asked for and not too many had to be looked at.
    pub total: Option<u64>,
    /// Where the next page continues; `None` when this is the last one.
    pub next: Option<Mark>,
}

/// Resources that one page includes at most.
pub const INCLUDED_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_behind_a_bar_is_part_of_the_name() {
        for (references, expected) in [
            (&[][..], &[][..]),
            (&["a", "b"], &[("a", None), ("b", None)]),
            (&["a", "a|1"], &[("a", Some("1"))]),
            (&["a|1", "a|2", "a", "ab"], &[("ab", None), ("a", Some("1")), ("a", Some("2"))]),
            (&["a|1|2"], &[("a", Some("1|2"))]),
        ] {
            assert_eq!(names(references), expected, "{references:?}");
        }
    }
}
