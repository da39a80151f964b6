//! How long JSON is when it is printed, without printing it.

use fhir_model::json::{Text, Value};

/// The length of a value as [`Value::write`] prints it; none if that is more than the limit, which is found out
/// without looking at all of it.
pub(crate) fn printed_len(value: &Value, limit: usize) -> Option<usize> {
    let mut left = limit;
    take_value(value, &mut left)?;
    Some(limit - left)
}

/// The length of a text with its quotes.
pub(crate) fn text_len(text: &str) -> usize {
    let escapes = text.bytes().map(|byte| match byte {
        b'"' | b'\\' | b'\x08' | b'\t' | b'\n' | b'\x0C' | b'\r' => 1,
        0..=0x1F => 5,
        _ => 0,
    });
    2 + text.len() + escapes.sum::<usize>()
}

fn take(len: usize, left: &mut usize) -> Option<()> {
    *left = left.checked_sub(len)?;
    Some(())
}

fn take_value(value: &Value, left: &mut usize) -> Option<()> {
    match value {
        Value::Null | Value::Bool(true) => take(4, left),
        Value::Bool(false) => take(5, left),
        Value::Number(number) => take(number.as_str().len(), left),
        Value::String(text) => take(string_len(text), left),
        Value::Array(items) => {
            take(2 + items.len().saturating_sub(1), left)?;
            items.iter().try_for_each(|item| take_value(item, left))
        }
        Value::Object(object) => {
            take(2 + object.len().saturating_sub(1), left)?;
            object.iter().try_for_each(|(name, value)| {
                take(text_len(name) + 1, left)?;
                take_value(value, left)
            })
        }
    }
}

fn string_len(text: &Text) -> usize {
    match text.written() {
        Some(written) => written.len() + 2,
        None => text_len(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fhir_model::json::{Limits, parse};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_length_is_that_of_what_is_printed(texts in prop::collection::vec(any::<String>(), 0..5), limit in 0..200_usize) {
            let members = texts.iter().enumerate().map(|(index, text)| (format!("n{index}"), Value::from(text)));
            let mut object: fhir_model::json::Object = members.collect();
            object.insert("list", texts.clone());
            object.insert("rest", fhir_model::array![true, false, Value::Null, 15, fhir_model::object! {}]);
            let value = Value::from(object);
            let len = value.to_bytes().len();
            prop_assert_eq!(printed_len(&value, usize::MAX), Some(len));
            prop_assert_eq!(printed_len(&value, limit), (len <= limit).then_some(len));
        }
    }

    #[test]
    fn escapes_that_were_read_count_as_they_are_written() {
        let text = r#"["\u00e9\/","\t\"","é",1.50,"\u0001"]"#;
        let value = parse(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(printed_len(&value, usize::MAX), Some(text.len()));
    }
}
