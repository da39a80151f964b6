//! How texts are compared: without case, without accents, with single spaces.

use compact_str::CompactString;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// A text as string parameters compare it (FHIR, search, "string"): lower case, no combining characters, no white
/// space at the ends, and a single space wherever there is white space inside.
///
/// ```
/// assert_eq!(fhir_search::normalised("  Müller \t LÜDENSCHEID "), "muller ludenscheid");
/// ```
pub fn normalised(text: &str) -> CompactString {
    let mut normal = CompactString::with_capacity(text.len());
    if text.is_ascii() {
        for word in text.split_ascii_whitespace() {
            start_word(&mut normal);
            normal.extend(word.chars().map(|letter| letter.to_ascii_lowercase()));
        }
        return normal;
    }
    // Lower case may bring new combining characters (İ), and so is taken first.
    let folded =
        text.chars().flat_map(char::to_lowercase).nfkd().filter(|letter| !is_combining_mark(*letter));
    let mut gap = false;
    for letter in folded {
        if letter.is_whitespace() {
            gap = true;
            continue;
        }
        if gap {
            start_word(&mut normal);
            gap = false;
        }
        normal.extend(letter.to_lowercase());
    }
    normal
}

fn start_word(normal: &mut CompactString) {
    if !normal.is_empty() {
        normal.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_accents_and_spaces_do_not_count() {
        for (text, normal) in [
            ("", ""),
            (" \n ", ""),
            ("Eve", "eve"),
            ("Zoë", "zoe"),
            ("Zoe\u{308}", "zoe"),
            ("\u{a0}ÅNGSTRÖM\u{2003}x", "angstrom x"),
            ("İstanbul", "istanbul"),
            ("O'Neal-Smith", "o'neal-smith"),
            ("王 小明", "王 小明"),
        ] {
            assert_eq!(normalised(text), normal, "{text:?}");
        }
    }

    #[test]
    fn what_is_normal_stays_as_it_is() {
        proptest::proptest!(|(text: String)| {
            let once = normalised(&text);
            proptest::prop_assert_eq!(normalised(&once), once);
        });
    }
}
