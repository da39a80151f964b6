//! Entity tags (RFC 9110 8.8.3), kept as bytes and never decoded: what a client sent is only
//! ever compared with what this server would print.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::{VersionScheme, VersionToken};

/// One field may name this many tags; more is refused as malformed.
pub const TAGS_MAX: usize = 128;

/// Every tag that this server prints fits inline, and the smaller a tag the faster it is moved.
const INLINE_MAX: usize = 21;

/// An entity tag as a client sent it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EntityTag(Repr);

/// Bytes after `length` are zero, so that equal tags are equal bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Inline { weak: bool, length: u8, bytes: [u8; INLINE_MAX] },
    Long { weak: bool, bytes: Box<[u8]> },
}

impl EntityTag {
    /// A tag from its opaque part, which is taken as it is.
    pub fn new(weak: bool, opaque: &[u8]) -> Self {
        Self(match u8::try_from(opaque.len()) {
            Ok(length) if opaque.len() <= INLINE_MAX => {
                let mut bytes = [0; INLINE_MAX];
                bytes[..opaque.len()].copy_from_slice(opaque);
                Repr::Inline { weak, length, bytes }
            }
            _ => Repr::Long { weak, bytes: opaque.into() },
        })
    }

    /// The tag under which `scheme` shows `version`. FHIR tags are always weak.
    pub fn of(version: VersionToken, scheme: VersionScheme) -> Self {
        Self::new(true, scheme.print(version).as_bytes())
    }

    /// Sent with the prefix `W/`.
    pub fn is_weak(&self) -> bool {
        match self.0 {
            Repr::Inline { weak, .. } | Repr::Long { weak, .. } => weak,
        }
    }

    /// The bytes between the quotes.
    pub fn opaque(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { length, bytes, .. } => &bytes[..usize::from(*length)],
            Repr::Long { bytes, .. } => bytes,
        }
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.is_weak() { "W/" } else { "" }, self.opaque().escape_ascii())
    }
}

impl fmt::Debug for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntityTag({self})")
    }
}

/// What If-Match or If-None-Match names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TagSet {
    /// `*`: any current version.
    Any,
    /// One or more tags, over all lines of the field. The first stands apart so that the usual
    /// field costs no allocation.
    Tags {
        /// The first tag.
        first: EntityTag,
        /// Those after it.
        more: Vec<EntityTag>,
    },
}

impl TagSet {
    /// A set of one.
    pub fn one(tag: EntityTag) -> Self {
        Self::Tags { first: tag, more: Vec::new() }
    }

    /// The tags named; none for `*`.
    pub fn tags(&self) -> impl Iterator<Item = &EntityTag> {
        let (first, more) = match self {
            Self::Any => (None, [].as_slice()),
            Self::Tags { first, more } => (Some(first), more.as_slice()),
        };
        first.into_iter().chain(more)
    }

    /// Whether one of the tags names `version` as `scheme` prints it; `*` names none. The
    /// comparison is weak (RFC 9110 8.8.3.2): the opaque parts decide, for If-Match too, because
    /// every FHIR tag is weak.
    pub fn names(&self, version: VersionToken, scheme: VersionScheme) -> bool {
        match self {
            Self::Any => false,
            Self::Tags { first, more } => {
                scheme.prints(version, first.opaque())
                    || more.iter().any(|tag| scheme.prints(version, tag.opaque()))
            }
        }
    }
}

impl fmt::Display for TagSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Tags { first, more } => {
                first.fmt(f)?;
                more.iter().try_for_each(|tag| write!(f, ", {tag}"))
            }
        }
    }
}
