//! The text of a value: separators and what hides them (FHIR, search, "escaping").

use compact_str::CompactString;

/// The parts between unescaped separators. There is always one.
pub(super) fn split(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut start, mut escaped) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
        } else if byte == b'\\' {
            escaped = true;
        } else if byte == separator {
            parts.extend(text.get(start..at));
            start = at + 1;
        }
    }
    parts.extend(text.get(start..));
    parts
}

/// The text that is meant: `\,`, `\$`, `\|` and `\\` stand for what follows the backslash; before anything else it is
/// itself.
pub(super) fn plain(text: &str) -> CompactString {
    let mut out = CompactString::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let hidden = if letter == '\\' { letters.next_if(|next| ",$|\\".contains(*next)) } else { None };
        out.push(hidden.unwrap_or(letter));
    }
    out
}

/// A text in which these letters are themselves.
pub(super) fn escaped(text: &str, letters: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if letters.contains(letter) {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_can_be_hidden() {
        for (text, parts) in [
            ("", &[""][..]),
            ("a,b", &["a", "b"]),
            (",", &["", ""]),
            (r"a\,b,c", &[r"a\,b", "c"]),
            (r"a\\,b", &[r"a\\", "b"]),
            (r"a\", &[r"a\"]),
        ] {
            assert_eq!(split(text, b','), parts, "{text}");
        }
        for (text, meant) in
            [(r"a\,b", "a,b"), (r"\\", r"\"), (r"\n", r"\n"), (r"a\", r"a\"), (r"\|\$", "|$")]
        {
            assert_eq!(plain(text), meant, "{text}");
        }
    }

    #[test]
    fn what_is_escaped_comes_back_in_one_part() {
        proptest::proptest!(|(text in r"[a,$|\\é]{0,12}")| {
            let escaped: String =
                text.chars().flat_map(|letter| [if ",$|\\".contains(letter) { "\\" } else { "" }.to_owned(), letter.to_string()]).collect();
            for separator in [b',', b'$', b'|'] {
                proptest::prop_assert_eq!(split(&escaped, separator).len(), 1);
            }
            proptest::prop_assert_eq!(plain(&escaped), text);
        });
    }
}
