//! The attributes of a tag (XML 1.0, section 3.1).

use super::ATTRIBUTES_MAX;
use super::characters::{find, is_name, is_space};
use super::error::XmlErrorKind;
use super::fault::{Parsed, fault, quote};

/// An attribute as it is written. Offsets count from the start of the text that is read.
#[derive(Clone, Copy)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    /// What stands between the quotes.
    pub(super) raw: &'a str,
    pub(super) offset: usize,
    pub(super) raw_offset: usize,
}

/// Splits what follows the name of a tag, at `offset`, into attributes; those of the tag before are dropped.
pub(super) fn scan<'a>(rest: &'a str, offset: usize, into: &mut Vec<Attribute<'a>>) -> Parsed<()> {
    into.clear();
    let mut at = 0;
    loop {
        let from = space_end(rest, at);
        if from == rest.len() {
            return Ok(());
        }
        if from == at {
            return fault(XmlErrorKind::BadAttribute, offset + at);
        }
        let Some((attribute, end)) = attribute(rest, from, offset) else {
            return fault(XmlErrorKind::BadAttribute, offset + from);
        };
        if into.iter().any(|other| other.name == attribute.name) {
            return fault(XmlErrorKind::DuplicateAttribute(quote(attribute.name)), attribute.offset);
        }
        if into.len() == ATTRIBUTES_MAX {
            return fault(XmlErrorKind::TooManyAttributes, attribute.offset);
        }
        into.push(attribute);
        at = end;
    }
}

/// The attribute that starts at `from`, and its end.
fn attribute(rest: &str, from: usize, offset: usize) -> Option<(Attribute<'_>, usize)> {
    let bytes = rest.as_bytes();
    let name_end = from + bytes.get(from..)?.iter().position(|&byte| byte == b'=' || is_space(byte))?;
    let name = rest.get(from..name_end).filter(|name| is_name(name))?;
    let equals = space_end(rest, name_end);
    if bytes.get(equals) != Some(&b'=') {
        return None;
    }
    let quote_at = space_end(rest, equals + 1);
    let quote = *bytes.get(quote_at).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let start = quote_at + 1;
    let length = find(bytes.get(start..)?, |byte| byte == quote)?;
    let raw = rest.get(start..start + length)?;
    Some((Attribute { name, raw, offset: offset + from, raw_offset: offset + start }, start + length + 1))
}

fn space_end(text: &str, from: usize) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().position(|&byte| !is_space(byte)).unwrap_or(rest.len())
}
