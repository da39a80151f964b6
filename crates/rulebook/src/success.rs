//! How a request can go well.

/// A request that went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Success {
    /// A resource, a history or a statement is shown.
    Shown,
    /// Something was begun that goes on beside other work.
    Accepted,
    /// A resource was validated.
    Valid,
    /// The client has what it asks for.
    NotModified,
    /// A resource was created.
    Created,
    /// A resource has a new version.
    Updated,
    /// A deleted resource exists again.
    Restored,
    /// The content sent was the current content: the version stays.
    Unchanged,
    /// A conditional create found the resource: nothing was written.
    Matched,
    /// A resource was deleted.
    Deleted,
    /// There was nothing to delete.
    NothingToDelete,
    /// An operation was carried out.
    Performed,
}

impl Success {
    /// The HTTP status, which is the same for every API.
    pub const fn status(self, has_body: bool) -> u16 {
        match self {
            Self::Shown | Self::Valid | Self::Updated | Self::Unchanged | Self::Matched | Self::Performed => {
                200
            }
            Self::Accepted => 202,
            Self::NotModified => 304,
            Self::Created | Self::Restored => 201,
            Self::Deleted | Self::NothingToDelete => {
                if has_body {
                    200
                } else {
                    204
                }
            }
        }
    }
}
