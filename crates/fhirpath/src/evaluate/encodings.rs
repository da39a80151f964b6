//! The forms of `encode()`, `decode()`, `escape()` and `unescape()`. An unknown form gives nothing.

use crate::lexer;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

pub(super) fn encode(input: &str, form: &str) -> Option<String> {
    match form {
        "hex" => Some(input.bytes().flat_map(|byte| [hex(byte >> 4), hex(byte & 15)]).collect()),
        "base64" => Some(to_base64(input.as_bytes(), BASE64)),
        "urlbase64" => Some(to_base64(input.as_bytes(), URL_BASE64)),
        _ => None,
    }
}

pub(super) fn decode(input: &str, form: &str) -> Option<String> {
    let bytes = match form {
        "hex" => from_hex(input)?,
        "base64" => from_base64(input, BASE64)?,
        "urlbase64" => from_base64(input, URL_BASE64)?,
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('0')
}

fn from_hex(input: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = input.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()).collect()
}

fn to_base64(bytes: &[u8], alphabet: &[u8; 64]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |place: usize| u32::from(chunk.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            if place > chunk.len() {
                out.push('=');
            } else {
                let six = bits >> (18 - 6 * place) & 63;
                out.push(alphabet.get(six as usize).copied().map_or('=', char::from));
            }
        }
    }
    out
}

fn from_base64(input: &str, alphabet: &[u8; 64]) -> Option<Vec<u8>> {
    let digits = input.trim_end_matches('=');
    if !input.len().is_multiple_of(4) || input.len() - digits.len() > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for place in 0..4 {
            let six = match chunk.get(place) {
                Some(byte) => alphabet.iter().position(|known| known == byte)?,
                None => 0,
            };
            bits = bits << 6 | u32::try_from(six).ok()?;
        }
        let [_, first, second, third] = bits.to_be_bytes();
        out.extend([first, second, third].into_iter().take(chunk.len().checked_sub(1)?));
    }
    Some(out)
}

pub(super) fn escape(input: &str, form: &str) -> Option<String> {
    let mut out = String::with_capacity(input.len());
    match form {
        "html" => {
            for char in input.chars() {
                match HTML.iter().find(|(_, plain)| *plain == char) {
                    Some((entity, _)) => out.push_str(entity),
                    None => out.push(char),
                }
            }
        }
        "json" => {
            let mut written = Vec::new();
            fhir_model::json::write_string(input, &mut written);
            // Without the quotes around it.
            let inner = written.get(1..written.len().saturating_sub(1))?;
            out.push_str(std::str::from_utf8(inner).ok()?);
        }
        _ => return None,
    }
    Some(out)
}

/// The characters that HTML needs escaped.
const HTML: [(&str, char); 5] =
    [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\'')];

pub(super) fn unescape(input: &str, form: &str) -> Option<String> {
    match form {
        "html" => {
            let mut out = String::with_capacity(input.len());
            let mut rest = input;
            while let Some(at) = rest.find('&') {
                let (before, after) = rest.split_at_checked(at)?;
                out.push_str(before);
                let known = HTML.iter().find(|(entity, _)| after.starts_with(entity));
                let (length, char) = known.map_or((1, '&'), |(entity, char)| (entity.len(), *char));
                out.push(char);
                rest = after.get(length..)?;
            }
            out.push_str(rest);
            Some(out)
        }
        "json" => {
            let mut out = String::with_capacity(input.len());
            let mut chars = input.chars();
            while let Some(char) = chars.next() {
                out.push(if char == '\\' { lexer::escape(&mut chars)? } else { char });
            }
            Some(out)
        }
        _ => None,
    }
}
