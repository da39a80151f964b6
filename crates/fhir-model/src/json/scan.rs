//! The scanners of the parser and the writer: eight bytes at a step, no `unsafe`.

use super::error::NumberFault;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
const SPACES: u64 = ONES * b' ' as u64;

/// The index of the first byte from `from` on that ends a run of plain string bytes: a quote, a
/// backslash or a control character. The length of `bytes` if there is none.
#[inline]
pub(super) fn plain_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let hits = special_bytes(u64::from_le_bytes(*chunk));
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte < b' ' || byte == b'"' || byte == b'\\' {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// Sets the high bit of each byte that is a quote, a backslash or below 0x20. A borrow can mark
/// bytes above a true hit falsely, never below one, so the lowest mark is exact.
#[inline]
const fn special_bytes(word: u64) -> u64 {
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let quotes = quote.wrapping_sub(ONES) & !quote;
    let backslashes = backslash.wrapping_sub(ONES) & !backslash;
    let controls = word.wrapping_sub(SPACES) & !word;
    (quotes | backslashes | controls) & HIGHS
}

/// The index of the first byte from `from` on that is no JSON white space.
#[inline]
pub(super) fn space_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' => at += 1,
            b'\n' => {
                at += 1;
                // Indentation follows a line break.
                while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
                    if u64::from_le_bytes(*chunk) != SPACES {
                        break;
                    }
                    at += 8;
                }
            }
            _ => break,
        }
    }
    at
}

/// The end of the number that starts at `from` (RFC 8259 section 6), or what is wrong and where.
#[inline]
pub(super) fn scan_number(bytes: &[u8], from: usize) -> Result<usize, (NumberFault, usize)> {
    let mut at = from;
    if bytes.get(at) == Some(&b'-') {
        at += 1;
    }
    match bytes.get(at) {
        Some(b'0') => {
            at += 1;
            if bytes.get(at).is_some_and(u8::is_ascii_digit) {
                return Err((NumberFault::LeadingZero, at));
            }
        }
        Some(b'1'..=b'9') => at = digits_end(bytes, at),
        _ => return Err((NumberFault::NotANumber, at)),
    }
    if bytes.get(at) == Some(&b'.') {
        let end = digits_end(bytes, at + 1);
        if end == at + 1 {
            return Err((NumberFault::NoFractionDigits, end));
        }
        at = end;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        let digits = at + 1 + usize::from(signed);
        at = digits_end(bytes, digits);
        if at == digits {
            return Err((NumberFault::NoExponentDigits, at));
        }
    }
    Ok(at)
}

#[inline]
fn digits_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}
