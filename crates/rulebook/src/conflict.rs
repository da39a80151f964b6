//! What a stale client is told beyond the refusal, if it asks for it: what has changed since the version that it
//! knows, and whether its own change has anything to do with that.

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

/// The stable codes of what explains a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplanationCode {
    /// Nobody can tell what changed.
    BaseUnknown,
    /// What changed has nothing to do with the client's change.
    ChangesApart,
    /// Both changed some element.
    ChangesOverlap,
    /// The current version is what the client sent.
    SameContent,
    /// This is what changed; the client's change cannot be compared with it.
    ChangesSince,
    /// One element that changed.
    Changed,
    /// One element that both changed.
    ChangedByBoth,
}

impl ExplanationCode {
    /// As clients see it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BaseUnknown => "base-unknown",
            Self::ChangesApart => "changes-apart",
            Self::ChangesOverlap => "changes-overlap",
            Self::SameContent => "same-content",
            Self::ChangesSince => "changes-since",
            Self::Changed => "changed",
            Self::ChangedByBoth => "changed-by-both",
        }
    }
}

impl Conflict {
    /// What there is to say, in order: what it comes to, then each element; codes, sentences, and the places of elements.
    pub(crate) fn explanations(&self) -> Vec<(ExplanationCode, String, Option<String>)> {
        let Some(since) = &self.since else {
            let resource = &self.refused.resource;
            let words = format!(
                "If-Match names no version of {resource} that is kept, so nobody can tell what changed."
            );
            return vec![(ExplanationCode::BaseUnknown, words, None)];
        };
        let (code, words) = since.summary();
        let elements = since.elements.iter().map(|element| since.explain(element));
        std::iter::once((code, words, None)).chain(elements).collect()
    }
}

impl ChangesSince {
    fn summary(&self) -> (ExplanationCode, String) {
        let count = self.elements.len() + self.more;
        let (code, what) = match self.own {
            OwnChange::Apart => (ExplanationCode::ChangesApart, "Your change touches none of that."),
            OwnChange::Overlaps => (ExplanationCode::ChangesOverlap, "Your change touches some of that."),
            OwnChange::Same => {
                (ExplanationCode::SameContent, "The current version has the content that you sent.")
            }
            OwnChange::Unknown => {
                (ExplanationCode::ChangesSince, "What you sent cannot be compared with that.")
            }
        };
        let elements = if count == 1 { "element differs" } else { "elements differ" };
        (code, format!("Since W/\"{}\", {count} {elements}. {what}", self.base))
    }

    fn explain(&self, element: &ChangedElement) -> (ExplanationCode, String, Option<String>) {
        let (code, also) = if element.by_both {
            (ExplanationCode::ChangedByBoth, ", and your change touches it")
        } else {
            (ExplanationCode::Changed, "")
        };
        let words = format!("{} is different since W/\"{}\"{also}.", element.expression, self.base);
        (code, words, Some(element.expression.clone()))
    }
}
