//! What a stale client is told beyond the refusal, if it asks for it: what has changed since the version that it
//! knows, and whether its own change has anything to do with that.

use core::fmt;

use versioning_core::VersionId;

use crate::failure::Refused;

/// A refusal as stale, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The refusal.
    pub refused: Refused,
    /// What has changed since the version that the client named; none if it named no version that there is.
    pub since: Option<ChangesSince>,
}

/// What lies between the version that a client named and the current one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesSince {
    /// The version that the client named.
    pub base: VersionId,
    /// The elements that are different now, in the order of the definitions; a long list is cut.
    pub elements: Vec<ChangedElement>,
    /// How many more there are.
    pub more: usize,
    /// What the client's own change has to do with them.
    pub own: OwnChange,
}

/// An element that is different now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedElement {
    /// The FHIRPath expression that finds it.
    pub expression: String,
    /// Whether the client changed it too.
    pub by_both: bool,
}

/// What the change of a stale client has to do with the changes that came before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnChange {
    /// Nothing: it touches other elements.
    Apart,
    /// It touches some of the same elements.
    Overlaps,
    /// The current version is what the client sent.
    Same,
    /// Nobody can tell: what was sent cannot be read, or does not fit the version that was named.
    Unknown,
}

impl Conflict {
    /// A stable code for what the explanation comes to.
    pub(crate) fn code(&self) -> &'static str {
        match self.since.as_ref().map(|since| since.own) {
            None => "base-unknown",
            Some(OwnChange::Apart) => "changes-apart",
            Some(OwnChange::Overlaps) => "changes-overlap",
            Some(OwnChange::Same) => "same-content",
            Some(OwnChange::Unknown) => "changes-since",
        }
    }

    /// What the explanation comes to, in sentences.
    pub(crate) fn summary(&self) -> String {
        let Some(since) = &self.since else {
            let resource = &self.refused.resource;
            return format!(
                "If-Match names no version of {resource} that is kept, so nobody can tell what changed."
            );
        };
        let count = since.elements.len() + since.more;
        let what = match since.own {
            OwnChange::Apart => "Your change touches none of that.",
            OwnChange::Overlaps => "Your change touches some of that.",
            OwnChange::Same => "The current version has the content that you sent.",
            OwnChange::Unknown => "What you sent cannot be compared with that.",
        };
        let elements = if count == 1 { "element differs" } else { "elements differ" };
        format!("Since W/\"{}\", {count} {elements}. {what}", since.base)
    }

    /// The elements, each with its sentence and a stable code.
    pub(crate) fn elements(&self) -> impl Iterator<Item = (&ChangedElement, &'static str, String)> {
        self.since.iter().flat_map(|since| {
            since.elements.iter().map(|element| {
                let code = if element.by_both { "changed-by-both" } else { "changed" };
                (element, code, since.sentence(element))
            })
        })
    }
}

impl ChangesSince {
    fn sentence(&self, element: &ChangedElement) -> String {
        let also = if element.by_both { ", and your change touches it" } else { "" };
        format!("{} is different since W/\"{}\"{also}.", element.expression, self.base)
    }
}

impl fmt::Display for Conflict {
    /// The refusal, and all of the explanation in one text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.refused, self.summary())?;
        self.elements().try_for_each(|(_, _, sentence)| write!(f, " {sentence}"))
    }
}
