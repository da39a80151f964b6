//! Characters, names and references (XML 1.0, sections 2.2, 2.3, 3.3.3 and 4.1).

use std::borrow::Cow;

use super::error::{Construct, XmlErrorKind};
use super::fault::{Parsed, fault, quote};

/// Bytes that are looked at together.
const CHUNK: usize = 32;

/// The place of the first byte that is a hit.
#[inline]
pub(super) fn find(bytes: &[u8], is_hit: impl Fn(u8) -> bool) -> Option<usize> {
    // Without an exit inside a chunk the compiler looks at many bytes at once.
    let mut start = 0;
    for chunk in bytes.chunks(CHUNK) {
        if chunk.iter().fold(false, |any, &byte| any | is_hit(byte)) {
            return chunk.iter().position(|&byte| is_hit(byte)).map(|at| start + at);
        }
        start += CHUNK;
    }
    None
}

/// Whether XML 1.0 allows the character (section 2.2, `Char`).
pub(super) const fn is_allowed(char: char) -> bool {
    !matches!(char, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}')
}

/// The first character that XML does not allow, and its place.
pub(super) fn find_forbidden(text: &str) -> Option<(usize, char)> {
    // 0xEF starts the two non-characters, and much else.
    let is_suspect = |byte: u8| matches!(byte, 0..=0x08 | 0x0B | 0x0C | 0x0E..=0x1F | 0xEF);
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let at = find(rest.as_bytes(), is_suspect)?;
        let char = rest.get(at..)?.chars().next()?;
        if !is_allowed(char) {
            return Some((from + at, char));
        }
        from += at + char.len_utf8();
    }
}

/// White space of XML.
#[inline]
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether the text is white space only.
#[inline]
pub(super) fn is_blank(text: &str) -> bool {
    text.bytes().all(is_space)
}

/// Whether the text is a name without a colon (Namespaces in XML 1.0, `NCName`).
pub(super) fn is_plain_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_name) && chars.all(continues_name)
}

/// Whether the text is a name with at most one colon in it (`QName`).
pub(super) fn is_name(text: &str) -> bool {
    match text.split_once(':') {
        None => is_plain_name(text),
        Some((prefix, local)) => is_plain_name(prefix) && is_plain_name(local),
    }
}

const fn starts_name(char: char) -> bool {
    matches!(char,
        'A'..='Z' | 'a'..='z' | '_'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

const fn continues_name(char: char) -> bool {
    starts_name(char)
        || matches!(char, '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// The character that `&body;` stands for: one of the five that XML defines, or one by its number.
pub(super) fn reference(body: &str) -> Result<char, XmlErrorKind> {
    let number = match body {
        "amp" => return Ok('&'),
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => body.strip_prefix('#'),
    };
    let Some(number) = number else {
        let kind = if is_plain_name(body) {
            XmlErrorKind::UnknownEntity(quote(body))
        } else {
            XmlErrorKind::BadReference
        };
        return Err(kind);
    };
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
    // The standard library would take a sign.
    let is_number = digits.bytes().all(|digit| char::from(digit).is_digit(radix));
    let code = u32::from_str_radix(digits, radix).ok().filter(|_| is_number);
    match code.and_then(char::from_u32) {
        Some(char) if is_allowed(char) => Ok(char),
        Some(char) => Err(XmlErrorKind::ForbiddenCharacter(char)),
        None => Err(XmlErrorKind::BadReference),
    }
}

/// The text of an attribute whose value is written as `raw`, at `offset`: references are resolved, and white space
/// becomes spaces as XML wants it (section 3.3.3). A line break that is meant is written as a reference.
#[inline]
pub(super) fn attribute_text(raw: &str, offset: usize) -> Parsed<Cow<'_, str>> {
    let is_special = |byte: u8| matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r');
    match find(raw.as_bytes(), is_special) {
        None => Ok(Cow::Borrowed(raw)),
        Some(_) => decode_attribute(raw, offset).map(Cow::Owned),
    }
}

fn decode_attribute(raw: &str, offset: usize) -> Parsed<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = find(rest.as_bytes(), |byte| matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r')) {
        let (before, special) = rest.split_at(at);
        text.push_str(before);
        let here = offset + raw.len() - special.len();
        rest = match special.as_bytes() {
            [b'&', ..] => {
                let (body, rest) = split_reference(special, here)?;
                match reference(body) {
                    Ok(char) => text.push(char),
                    Err(kind) => return fault(kind, here),
                }
                rest
            }
            [b'<', ..] => return fault(XmlErrorKind::BadAttribute, here),
            [b'\r', b'\n', ..] => {
                text.push(' ');
                special.get(2..).unwrap_or_default()
            }
            _ => {
                text.push(' ');
                special.get(1..).unwrap_or_default()
            }
        };
    }
    text.push_str(rest);
    Ok(text)
}

/// Splits text that starts with `&` into the body of the reference and what follows its `;`.
pub(super) fn split_reference(text: &str, offset: usize) -> Parsed<(&str, &str)> {
    let inside = text.get(1..).unwrap_or_default();
    // Names and numbers hold none of these, so the search ends soon.
    match find(inside.as_bytes(), |byte| matches!(byte, b';' | b'&' | b'<') || is_space(byte)) {
        Some(end) if inside.as_bytes().get(end) == Some(&b';') => {
            let (body, rest) = inside.split_at(end);
            Ok((body, rest.get(1..).unwrap_or_default()))
        }
        _ => fault(XmlErrorKind::Unclosed(Construct::Reference), offset),
    }
}

/// Appends text as it stands in an attribute in double quotes. Tabs and line breaks become references: as they are,
/// a reader would turn them into spaces. Fails with the first character that XML does not allow.
pub(super) fn write_attribute_text(text: &str, out: &mut Vec<u8>) -> Result<(), char> {
    let mut rest = text;
    while let Some(at) = find(rest.as_bytes(), needs_care) {
        let (before, special) = rest.split_at(at);
        out.extend_from_slice(before.as_bytes());
        let Some(char) = special.chars().next() else { break };
        let (kept, tail) = special.split_at(char.len_utf8());
        out.extend_from_slice(match char {
            '&' => b"&amp;",
            '<' => b"&lt;",
            '>' => b"&gt;",
            '"' => b"&quot;",
            '\t' => b"&#x9;",
            '\n' => b"&#xA;",
            '\r' => b"&#xD;",
            _ if is_allowed(char) => kept.as_bytes(),
            _ => return Err(char),
        });
        rest = tail;
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(())
}

#[inline]
fn needs_care(byte: u8) -> bool {
    matches!(byte, 0..=0x1F | b'&' | b'<' | b'>' | b'"' | 0xEF)
}
