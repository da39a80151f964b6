//! How strict one API is about versions, per resource type.

use crate::VersionScheme;

/// Whether a change must say which version it replaces
/// (FHIR `CapabilityStatement.rest.resource.versioning`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IfMatchPolicy {
    /// `no-version`: If-Match is not looked at.
    Ignored,
    /// `versioned`: judged when sent.
    #[default]
    Optional,
    /// `versioned-update`: a change of a live resource without it is refused. `*` names no
    /// version and counts as missing.
    Compulsory,
}

/// Whether PUT on an id that never existed creates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UpdateCreate {
    /// The client may choose the id.
    #[default]
    Allowed,
    /// Only the server assigns ids.
    Refused,
}

/// What answers a change that names a version of something that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NoCurrentVersion {
    /// The precondition fails, as RFC 9110 13.1.1 has it; a deleted resource can be restored
    /// under its tombstone's tag.
    #[default]
    FailsPrecondition,
    /// The resource is not found, deleted ones included (NHS Spine).
    NotFound,
}

/// What an update does whose content is the current content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IdenticalUpdate {
    /// Success, and the version stays.
    #[default]
    Keep,
    /// A new version as for any other content.
    NewVersion,
}

/// The locking rules of one resource type under one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LockPolicy {
    /// How version ids are printed, and so what preconditions are compared with.
    pub scheme: VersionScheme,
    /// Whether a change must carry If-Match.
    pub if_match: IfMatchPolicy,
    /// Whether PUT may create.
    pub update_create: UpdateCreate,
    /// What a named version of nothing means.
    pub no_current: NoCurrentVersion,
    /// What an update without a change does.
    pub identical: IdenticalUpdate,
    /// How often a write that lost a race is decided again before it gives up.
    pub retries_max: u16,
}

impl LockPolicy {
    /// Lost races are decided again this often by default. Each loss means that another
    /// writer won, so the bound is only met under a storm on one resource.
    pub const RETRIES_MAX_DEFAULT: u16 = 64;

    /// The defaults of a plain FHIR server: If-Match judged when sent, PUT may create,
    /// identical content keeps its version, sequential version ids.
    pub const fn fhir() -> Self {
        Self {
            scheme: VersionScheme::Sequential,
            if_match: IfMatchPolicy::Optional,
            update_create: UpdateCreate::Allowed,
            no_current: NoCurrentVersion::FailsPrecondition,
            identical: IdenticalUpdate::Keep,
            retries_max: Self::RETRIES_MAX_DEFAULT,
        }
    }

    /// The update rules of NHS Spine: If-Match compulsory, the server assigns ids, deleted is
    /// gone, every accepted update is a new version, opaque version ids.
    pub const fn spine() -> Self {
        Self {
            scheme: VersionScheme::Opaque,
            if_match: IfMatchPolicy::Compulsory,
            update_create: UpdateCreate::Refused,
            no_current: NoCurrentVersion::NotFound,
            identical: IdenticalUpdate::NewVersion,
            retries_max: Self::RETRIES_MAX_DEFAULT,
        }
    }
}

impl Default for LockPolicy {
    fn default() -> Self {
        Self::fhir()
    }
}
