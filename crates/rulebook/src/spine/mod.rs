//! The APIs of NHS Spine (STU3): what all of them share, and each of them.

pub mod catalogue;
mod comments;
mod core;
pub mod directory;
mod flags;
pub mod headers;
pub mod identifiers;
pub mod jwt;
pub mod nrl;
mod provenance_link;
pub mod readings;
mod signature;

pub use self::core::{ConflictBody, SpineRulebook};
pub use self::directory::{Directory, DirectoryError};
pub use self::flags::{FlagsRulebook, RemovalReason};
pub use self::headers::{HeaderMode, Security};
pub use self::jwt::{JwtTexts, TimeCheck};
pub use self::nrl::{NrlErrors, NrlRulebook, NrlSpec};
pub use self::readings::Readings;
pub use self::signature::{TokenKeyError, TokenKeys};
