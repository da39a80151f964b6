//! Version meta beside the body: the row knows the version, the body does not.
//!
//! A stored body is the compact JSON of a resource without the top level's `meta.versionId` and
//! `meta.lastUpdated`. A [`Splice`] stored beside it says where they go, so that answering a read
//! is copying bytes: no JSON is parsed. Two versions with the same content have the same body.
//!
//! Only those two members of the top level's `meta` are taken out. Contained resources and Bundle
//! entries keep theirs, and so does everything else in `meta`: `_versionId` and `_lastUpdated` (an
//! `id` or extensions of the two values) are the client's content, which stays where it was.

use std::fmt;

use crate::instant::Instant;
use crate::json::{BYTES_AT_FIRST, Kind, Object, Value, write_member_name, write_string, write_value};

const META: &str = "meta";

/// The length of what is put in, besides the version id and the 24 bytes of the instant.
const SPLICE_BYTES: usize = r#","meta":{"versionId":"","lastUpdated":""}"#.len() + 24;

/// Where version meta goes into a stored body; packs into an `i64`.
///
/// A resource that had no `meta` and one whose `meta` held nothing else need no telling apart:
/// both are given a whole `meta`, at the place where it was or where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Splice {
    /// The body has no `meta`: put a whole member in.
    Meta {
        /// The offset in the body, in bytes.
        at: u32,
    },
    /// The body has a `meta` with other members: put the two into it.
    Members {
        /// The offset in the body, in bytes.
        at: u32,
    },
}

/// A resource as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBody {
    /// Compact JSON without version meta.
    pub bytes: Vec<u8>,
    /// Where version meta goes.
    pub splice: Splice,
}

/// Why version meta cannot be taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StripError {
    /// `meta` is not an object.
    MetaNotAnObject(Kind),
    /// The body is 4 GiB or longer.
    TooLarge,
}

/// Why version meta cannot be put in: what was stored is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpliceError {
    /// A number that no [`Splice`] packs into.
    NotASplice(i64),
    /// At that offset the body has no place for a member.
    NoPlace {
        /// The offset, in bytes.
        at: u32,
    },
}

/// Removes the version meta of the top level from a tree.
///
/// A `meta` that is left without members is removed, too. On an error nothing is changed.
pub fn strip(resource: &mut Object) -> Result<(), StripError> {
    match resource.get_mut(META) {
        None => return Ok(()),
        Some(Value::Object(meta)) => {
            meta.retain(|name, _| !is_version_meta(name));
            if !meta.is_empty() {
                return Ok(());
            }
        }
        Some(other) => return Err(StripError::MetaNotAnObject(other.kind())),
    }
    resource.remove(META);
    Ok(())
}

/// A stored body with its version meta put in, as a new vector.
///
/// ```
/// use fhir_model::json::{Limits, parse};
/// use fhir_model::{Instant, StoredBody, splice};
///
/// let text = br#"{"resourceType":"Flag","id":"1","meta":{"versionId":"7"},"status":"active"}"#;
/// let tree = parse(text, &Limits::default()).unwrap();
/// let stored = StoredBody::from_tree(tree.as_object().unwrap()).unwrap();
/// assert_eq!(stored.bytes, br#"{"resourceType":"Flag","id":"1","status":"active"}"#);
///
/// let body = splice(&stored.bytes, stored.splice, "8", Instant::from_micros(0)).unwrap();
/// assert_eq!(
///     String::from_utf8(body).unwrap(),
///     r#"{"resourceType":"Flag","id":"1","meta":{"versionId":"8","lastUpdated":"1970-01-01T00:00:00.000Z"},"status":"active"}"#,
/// );
/// ```
pub fn splice(
    body: &[u8],
    splice: Splice,
    version_id: &str,
    last_updated: Instant,
) -> Result<Vec<u8>, SpliceError> {
    let mut out = Vec::with_capacity(body.len() + version_id.len() + SPLICE_BYTES);
    splice_into(&mut out, body, splice, version_id, last_updated)?;
    Ok(out)
}

/// Appends a stored body with its version meta put in. On an error nothing is appended.
pub fn splice_into(
    out: &mut Vec<u8>,
    body: &[u8],
    splice: Splice,
    version_id: &str,
    last_updated: Instant,
) -> Result<(), SpliceError> {
    let place = Place::find(body, splice)?;
    out.reserve(body.len() + version_id.len() + SPLICE_BYTES);
    out.extend_from_slice(place.before);
    if place.comma_before {
        out.push(b',');
    }
    if matches!(splice, Splice::Meta { .. }) {
        out.extend_from_slice(br#""meta":{"#);
    }
    out.extend_from_slice(br#""versionId":"#);
    write_string(version_id, out);
    out.extend_from_slice(br#","lastUpdated":""#);
    last_updated.write(out);
    out.push(b'"');
    if matches!(splice, Splice::Meta { .. }) {
        out.push(b'}');
    }
    if place.comma_after {
        out.push(b',');
    }
    out.extend_from_slice(place.after);
    Ok(())
}

/// A place in a body where a member can be put in, with the commas that it needs.
struct Place<'a> {
    before: &'a [u8],
    after: &'a [u8],
    comma_before: bool,
    comma_after: bool,
}

impl<'a> Place<'a> {
    /// An offset comes from storage: it is used only if members meet there.
    fn find(body: &'a [u8], splice: Splice) -> Result<Self, SpliceError> {
        let no_place = SpliceError::NoPlace { at: splice.at() };
        let at = usize::try_from(splice.at()).map_err(|_| no_place)?;
        let (before, after) = body.split_at_checked(at).ok_or(no_place)?;
        let (comma_before, comma_after) = match (before.last(), after.first()) {
            (Some(b'{'), Some(b'}')) => (false, false),
            (Some(b'{'), Some(b'"')) => (false, true),
            (Some(_), Some(b',' | b'}')) => (true, false),
            _ => return Err(no_place),
        };
        Ok(Self { before, after, comma_before, comma_after })
    }
}

impl Splice {
    /// The offset in the body, in bytes.
    pub const fn at(self) -> u32 {
        match self {
            Self::Meta { at } | Self::Members { at } => at,
        }
    }

    /// The splice as a number for storage: twice the offset, plus 1 for [`Splice::Members`].
    pub fn to_i64(self) -> i64 {
        i64::from(self.at()) * 2 + i64::from(matches!(self, Self::Members { .. }))
    }

    /// The splice that was packed into a number.
    pub fn from_i64(packed: i64) -> Result<Self, SpliceError> {
        let at = u32::try_from(packed.div_euclid(2)).map_err(|_| SpliceError::NotASplice(packed))?;
        Ok(if packed % 2 == 0 { Self::Meta { at } } else { Self::Members { at } })
    }
}

impl StoredBody {
    /// Prints a resource without its version meta, and says where that goes, in one pass; the tree
    /// is left as it is.
    pub fn from_tree(resource: &Object) -> Result<Self, StripError> {
        let meta = match resource.get(META) {
            None => None,
            Some(Value::Object(meta)) => Some(meta),
            Some(other) => return Err(StripError::MetaNotAnObject(other.kind())),
        };
        let mut printer = Printer { bytes: Vec::with_capacity(BYTES_AT_FIRST), first: true };
        let splice = match meta.filter(|meta| meta.names().any(|name| !is_version_meta(name))) {
            Some(meta) => print_with_meta(&mut printer, resource, meta)?,
            None => print_without_meta(&mut printer, resource)?,
        };
        // Bodies are kept, by transactions in great numbers.
        printer.bytes.shrink_to_fit();
        Ok(Self { bytes: printer.bytes, splice })
    }

    /// The body with version meta put in.
    pub fn spliced(&self, version_id: &str, last_updated: Instant) -> Result<Vec<u8>, SpliceError> {
        splice(&self.bytes, self.splice, version_id, last_updated)
    }
}

fn is_version_meta(name: &str) -> bool {
    matches!(name, "versionId" | "lastUpdated")
}

/// Prints the resource without `meta`, which goes where it was, else behind type and id.
fn print_without_meta(printer: &mut Printer, resource: &Object) -> Result<Splice, StripError> {
    let head = resource.names().take_while(|name| matches!(*name, "resourceType" | "id")).count();
    let index = resource.position(META).unwrap_or(head);
    let mut at = None;
    printer.bytes.push(b'{');
    for (position, (name, value)) in resource.members().iter().enumerate() {
        if position == index {
            at = Some(printer.at()?);
        }
        if name.as_str() != META {
            printer.comma();
            write_member_name(name, &mut printer.bytes);
            write_value(value, &mut printer.bytes);
        }
    }
    let at = at.map_or_else(|| printer.at(), Ok)?;
    printer.bytes.push(b'}');
    Ok(Splice::Meta { at })
}

/// Prints the resource with what else `meta` has. The two go where the first of them was, else
/// where FHIR orders them: behind `id` and `extension`.
fn print_with_meta(printer: &mut Printer, resource: &Object, meta: &Object) -> Result<Splice, StripError> {
    let head = meta.names().take_while(|name| matches!(*name, "id" | "extension")).count();
    let index = meta.names().position(is_version_meta).unwrap_or(head);
    let mut at = None;
    printer.bytes.push(b'{');
    for (name, value) in resource.members() {
        printer.comma();
        write_member_name(name, &mut printer.bytes);
        if name.as_str() == META {
            at = Some(print_meta(printer, meta, index)?);
        } else {
            write_value(value, &mut printer.bytes);
        }
    }
    printer.bytes.push(b'}');
    // `meta` is one of the members, so the place was found.
    at.map(|at| Splice::Members { at }).ok_or(StripError::TooLarge)
}

/// Prints `meta` without version meta and gives the place of its member number `index`.
fn print_meta(printer: &mut Printer, meta: &Object, index: usize) -> Result<u32, StripError> {
    let mut at = None;
    printer.bytes.push(b'{');
    printer.first = true;
    for (position, (name, value)) in meta.members().iter().enumerate() {
        if position == index {
            at = Some(printer.at()?);
        }
        if !is_version_meta(name) {
            printer.comma();
            write_member_name(name, &mut printer.bytes);
            write_value(value, &mut printer.bytes);
        }
    }
    let at = at.map_or_else(|| printer.at(), Ok)?;
    printer.bytes.push(b'}');
    printer.first = false;
    Ok(at)
}

struct Printer {
    bytes: Vec<u8>,
    /// Whether the next member is the first of its object.
    first: bool,
}

impl Printer {
    fn comma(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.bytes.push(b',');
        }
    }

    fn at(&self) -> Result<u32, StripError> {
        u32::try_from(self.bytes.len()).map_err(|_| StripError::TooLarge)
    }
}

impl fmt::Display for StripError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MetaNotAnObject(kind) => write!(f, "meta is an object, not {kind}"),
            Self::TooLarge => f.write_str("the resource is 4 GiB or longer"),
        }
    }
}

impl fmt::Display for SpliceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASplice(packed) => write!(f, "{packed} packs no place for version meta"),
            Self::NoPlace { at } => write!(f, "at offset {at} the stored body has no place for version meta"),
        }
    }
}

impl std::error::Error for StripError {}
impl std::error::Error for SpliceError {}

#[cfg(test)]
mod tests;
