//! The interactions that the server carries out (FHIR "RESTful API").

use core::fmt;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interaction {
    /// The current version of a resource.
    Read,
    /// One version of a resource.
    Vread,
    /// A new version under an id.
    Update,
    /// A new version, told as a change.
    Patch,
    /// Removal, which is a version too.
    Delete,
    /// The versions of one resource.
    HistoryInstance,
    /// The versions of one type.
    HistoryType,
    /// All versions.
    HistorySystem,
    /// A new resource under an id of the server's.
    Create,
    /// A new resource, unless one matches.
    ConditionalCreate,
    /// A new version of the one resource that matches, or a new resource.
    ConditionalUpdate,
    /// A change of the one resource that matches.
    ConditionalPatch,
    /// Removal of the one resource that matches.
    ConditionalDelete,
    /// The resources of a type that match.
    SearchType,
    /// The resources of any type that match.
    SearchSystem,
    /// `$validate`: findings, nothing stored.
    Validate,
    /// `$reindex`: the index is made anew, or how far that is.
    Reindex,
    /// `$diff`: what one version changed in another, as a patch.
    Diff,
    /// An operation on the whole system that an API defines.
    Operation,
    /// A Bundle, all of it or nothing.
    Transaction,
    /// A Bundle, each entry by itself.
    Batch,
    /// What the server can do.
    Capabilities,
}

impl Interaction {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Read,
        Self::Vread,
        Self::Update,
        Self::Patch,
        Self::Delete,
        Self::HistoryInstance,
        Self::HistoryType,
        Self::HistorySystem,
        Self::Create,
        Self::ConditionalCreate,
        Self::ConditionalUpdate,
        Self::ConditionalPatch,
        Self::ConditionalDelete,
        Self::SearchType,
        Self::SearchSystem,
        Self::Validate,
        Self::Reindex,
        Self::Diff,
        Self::Operation,
        Self::Transaction,
        Self::Batch,
        Self::Capabilities,
    ];

    /// The code of `CapabilityStatement.rest.resource.interaction`, or the nearest word where
    /// that list has none.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Vread => "vread",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::HistoryInstance => "history-instance",
            Self::HistoryType => "history-type",
            Self::HistorySystem => "history-system",
            Self::Create => "create",
            Self::ConditionalCreate => "conditional-create",
            Self::ConditionalUpdate => "conditional-update",
            Self::ConditionalPatch => "conditional-patch",
            Self::ConditionalDelete => "conditional-delete",
            Self::SearchType => "search-type",
            Self::SearchSystem => "search-system",
            Self::Validate => "validate",
            Self::Reindex => "reindex",
            Self::Diff => "diff",
            Self::Operation => "operation",
            Self::Transaction => "transaction",
            Self::Batch => "batch",
            Self::Capabilities => "capabilities",
        }
    }

    /// Whether it leaves everything as it was.
    pub const fn is_safe(self) -> bool {
        !matches!(
            self,
            Self::Update
                | Self::Patch
                | Self::Delete
                | Self::Create
                | Self::ConditionalCreate
                | Self::ConditionalUpdate
                | Self::ConditionalPatch
                | Self::ConditionalDelete
                | Self::Reindex
                | Self::Operation
                | Self::Transaction
                | Self::Batch
        )
    }
}

impl fmt::Display for Interaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
