//! Texts: strings, codes, URIs, base64.

use fhir_definitions::FhirVersion;

use super::{Fault, STRING_CHARS_MAX};

/// `string` and `markdown`; the text is not empty.
pub(super) fn free_text_fault(text: &str) -> Option<Fault> {
    // Without a way out of the loop, so that it runs on many bytes at a time.
    let has_control = text.bytes().fold(false, |found, byte| found | is_control(byte));
    if has_control {
        return text.chars().find(|char| char.is_ascii() && is_control(*char as u8)).map(Fault::Control);
    }
    // Characters are counted only where bytes leave it open.
    if text.len() > STRING_CHARS_MAX && text.chars().count() > STRING_CHARS_MAX {
        return Some(Fault::TooLong);
    }
    text.chars().all(char::is_whitespace).then_some(Fault::Blank)
}

#[inline]
fn is_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Words with one white space between them; R5 wants a blank there.
pub(super) fn is_code(text: &str, version: FhirVersion) -> bool {
    let mut was_space = true;
    for byte in text.bytes() {
        let is_space = is_space(byte);
        let is_wrong = is_space && (was_space || (version == FhirVersion::R5 && byte != b' '));
        if is_wrong || is_control(byte) {
            return false;
        }
        was_space = is_space;
    }
    !was_space
}

/// No white space and no control characters.
pub(super) fn is_uri(text: &str) -> bool {
    // The least byte rather than the first bad one, so that the loop runs on many bytes at a time.
    text.bytes().fold(u8::MAX, u8::min) > b' '
}

/// What `\s` means in the published patterns: white space of ASCII. A no-break space is a character like any other,
/// and stands in published codes.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// `urn:oid:` and numbers without leading zeros. From R4 on the first is 0, 1 or 2, and there are two at least.
pub(super) fn is_oid(text: &str, version: FhirVersion) -> bool {
    let Some(numbers) = text.strip_prefix("urn:oid:") else { return false };
    let is_number = |part: &str| match part.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if version > FhirVersion::Stu3 {
        let has_root = numbers.split_once('.').is_some_and(|(root, _)| matches!(root, "0" | "1" | "2"));
        if !has_root {
            return false;
        }
    }
    numbers.split('.').all(is_number)
}

/// `urn:uuid:` and a UUID in lower case.
pub(super) fn is_uuid(text: &str) -> bool {
    let Some(uuid) = text.strip_prefix("urn:uuid:") else { return false };
    uuid.len() == 36
        && uuid.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Base64 with padding. White space may stand anywhere in STU3, between groups of four in R4 and R4B, nowhere in R5.
pub(super) fn is_base64(text: &str, version: FhirVersion) -> bool {
    let (mut digits, mut padding) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            b'=' => padding += 1,
            _ if is_space(byte) && may_have_space(version, digits + padding) => {}
            _ => return false,
        }
    }
    digits > 0 && padding <= 2 && (digits + padding) % 4 == 0
}

fn may_have_space(version: FhirVersion, characters: usize) -> bool {
    match version {
        FhirVersion::Stu3 => true,
        FhirVersion::R4 | FhirVersion::R4b => characters.is_multiple_of(4),
        FhirVersion::R5 => false,
    }
}
