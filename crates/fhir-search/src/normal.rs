//! How texts are compared: without case, without accents, with single spaces.

use compact_str::CompactString;
use storage_api::Words;
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

/// Between two words there is a space, and between two texts a break.
const BREAK_BYTES: usize = 4;

/// Adds the words of a text as full text search compares them: normalised, and each letter of a script that is written
/// without spaces a word of its own, so that several of them are a phrase. No more than `bytes_max` are added.
pub(crate) fn add_words(words: &mut Words, text: &str, bytes_max: usize) {
    let normal = if text.is_ascii() { CompactString::from(text) } else { apart(&normalised(text)) };
    let cut = normal.floor_char_boundary(bytes_max.saturating_sub(BREAK_BYTES));
    let whole = cut == normal.len();
    // A word that would be cut is left out.
    let cut = if whole { cut } else { normal[..cut].rfind(' ').unwrap_or(0) };
    words.push(&normal[..cut]);
}

/// The words of what somebody looks for.
pub(crate) fn words_of(text: &str) -> Words {
    let mut words = Words::default();
    add_words(&mut words, text, usize::MAX);
    words
}

/// A normalised text with spaces around letters that are words.
fn apart(normal: &str) -> CompactString {
    let is_word = |letter: char| matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    let mut spaced = CompactString::with_capacity(normal.len());
    for letter in normal.chars() {
        if is_word(letter) {
            spaced.extend([' ', letter, ' ']);
        } else {
            spaced.push(letter);
        }
    }
    spaced
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
    fn words_have_neither_case_nor_accents() {
        for (text, words) in [
            ("Café-au-lait spots, ×2", "cafe au lait spots 2"),
            ("5.40 mm[Hg]", "5 40 mm hg"),
            ("東京Tower", "東 京 tower"),
            ("m²", "m2"),
            ("...", ""),
        ] {
            assert_eq!(words_of(text).as_str(), words, "{text}");
        }
        let mut some = Words::of("a");
        add_words(&mut some, "one two three", 12);
        assert_eq!(some.as_str(), "a \u{b6} one two");
        add_words(&mut some, "four", 3);
        assert_eq!(some.as_str(), "a \u{b6} one two");
    }

    #[test]
    fn what_is_normal_stays_as_it_is() {
        proptest::proptest!(|(text: String)| {
            let once = normalised(&text);
            proptest::prop_assert_eq!(normalised(&once), once);
        });
    }
}
