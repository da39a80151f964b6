//! Numbers, as the digits that were written.

use fhir_definitions::{FhirVersion, Primitive};

use super::Fault;

/// Digits that R5 allows in a decimal: before the point, after it, in the exponent.
const DECIMAL_DIGITS_MAX: [usize; 3] = [18, 17, 9];

/// What is wrong with `digits`, which are a JSON number, as a `primitive`.
pub(super) fn fault_in(digits: &str, primitive: Primitive, version: FhirVersion) -> Option<Fault> {
    if primitive == Primitive::Decimal {
        return decimal_fault(digits, version);
    }
    if digits.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return Some(Fault::Form);
    }
    let (lowest, is_signed) = match primitive {
        Primitive::PositiveInt => (1, false),
        Primitive::UnsignedInt => (0, false),
        _ => (i32::MIN, true),
    };
    match digits.parse::<i32>() {
        Err(_) => Some(Fault::Range),
        Ok(value) if value < lowest => Some(Fault::Range),
        // A negative zero has no sign to keep. STU3, R4 and R4B allow it in `integer`.
        Ok(0) if digits.starts_with('-') && (!is_signed || version == FhirVersion::R5) => Some(Fault::Form),
        Ok(_) => None,
    }
}

/// STU3 has no exponents; R5 counts digits.
fn decimal_fault(digits: &str, version: FhirVersion) -> Option<Fault> {
    let (number, exponent) = match digits.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.trim_start_matches(['+', '-'])),
        None => (digits, ""),
    };
    let is_right = match version {
        FhirVersion::Stu3 => exponent.is_empty(),
        FhirVersion::R4 | FhirVersion::R4b => true,
        FhirVersion::R5 => {
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            let whole = whole.strip_prefix('-').unwrap_or(whole);
            [whole, fraction, exponent].iter().zip(DECIMAL_DIGITS_MAX).all(|(part, max)| part.len() <= max)
        }
    };
    super::form(is_right)
}

/// `integer64` is written as a string: an optional sign, no leading zeros; zero without sign.
pub(super) fn integer64_fault(text: &str) -> Option<Fault> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !is_number {
        return Some(Fault::Form);
    }
    text.parse::<i64>().is_err().then_some(Fault::Range)
}
