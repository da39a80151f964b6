//! Texts as words: what full text search compares.

use core::fmt;

use compact_str::CompactString;

/// A word is cut to so many bytes: nobody looks for longer ones.
const WORD_BYTES_MAX: usize = 128;

/// Stands between two texts, so that no phrase reaches from one into the other. No word looks like it.
const BREAK: char = '\u{b6}';

/// Words with a single space between two of them.
///
/// A word has letters and digits only (`char::is_alphanumeric`), those of ASCII in lower case, so that an index of words
/// has nothing left to decide. What else makes words alike, such as accents, is for the caller to take away before.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Words(CompactString);

impl Words {
    /// The words of a text: everything between two letters or digits parts them.
    ///
    /// ```
    /// # use storage_api::Words;
    /// assert_eq!(Words::of(" Bone-marrow\t(left)").to_string(), "bone marrow left");
    /// ```
    pub fn of(text: &str) -> Self {
        let mut words = Self::default();
        words.add(text);
        words
    }

    /// Adds the words of another text. No phrase reaches from one text into the next.
    pub fn push(&mut self, text: &str) {
        let end = self.0.len();
        if end > 0 {
            self.0.push(' ');
            self.0.push(BREAK);
        }
        let broken = self.0.len();
        self.add(text);
        if self.0.len() == broken {
            self.0.truncate(end);
        }
    }

    fn add(&mut self, text: &str) {
        for word in text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
            if !self.0.is_empty() {
                self.0.push(' ');
            }
            let cut = word.floor_char_boundary(WORD_BYTES_MAX);
            self.0.extend(word[..cut].chars().map(|letter| letter.to_ascii_lowercase()));
        }
    }

    /// The words one after another.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.split_ascii_whitespace().filter(|word| !word.starts_with(BREAK)).count()
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Fields of a document.
pub const FIELDS: usize = 2;

/// The words of a resource, field by field.
pub type Document = [Words; FIELDS];

/// Words that a document must have, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Phrase {
    /// The words. Nothing has a phrase without words.
    pub words: Words,
    /// Whether the last word is the beginning of one.
    pub open: bool,
    /// In which field, counted from 0; `None` for any.
    pub field: Option<usize>,
}

impl Phrase {
    /// Whether a document has it.
    pub fn is_in(&self, document: &Document) -> bool {
        self.is_in_fields(document.each_ref().map(Words::as_str))
    }

    /// The same for a document whose fields were kept as texts.
    pub fn is_in_fields(&self, fields: [&str; FIELDS]) -> bool {
        let wanted = |field: usize| self.field.is_none_or(|wanted| wanted == field);
        let mut fields = fields.iter().enumerate().filter(|(field, _)| wanted(*field));
        !self.words.is_empty() && fields.any(|(_, words)| self.stands_in(words))
    }

    fn stands_in(&self, words: &str) -> bool {
        let mut rest = words;
        loop {
            if let Some(behind) = rest.strip_prefix(self.words.as_str())
                && (self.open || behind.is_empty() || behind.starts_with(' '))
            {
                return true;
            }
            match rest.split_once(' ') {
                Some((_, next)) => rest = next,
                None => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> Phrase {
        let open = text.ends_with('*');
        Phrase { words: Words::of(text), open, field: None }
    }

    #[test]
    fn words_are_letters_and_digits() {
        for (text, words) in [
            ("", ""),
            (" \u{b6}\0\u{1}'\"*", ""),
            ("A1-b_c", "a1 b c"),
            ("Ünïté 東京", "Ünïté 東京"),
            ("5.40 mm[Hg]", "5 40 mm hg"),
        ] {
            assert_eq!(Words::of(text).as_str(), words, "{text:?}");
        }
        let long = Words::of(&"é".repeat(200));
        assert_eq!(long.as_str().len(), WORD_BYTES_MAX);
    }

    #[test]
    fn a_phrase_is_words_that_follow_each_other_in_one_text() {
        let mut words = Words::of("xa a a b");
        words.push("...");
        words.push("c aa bc");
        assert_eq!((words.as_str(), words.count()), ("xa a a b \u{b6} c aa bc", 7));
        let document = [words, Words::of("d e")];
        for (text, expected) in [
            ("a", true),
            ("a a", true),
            ("a a b", true),
            ("a a a", false),
            ("x", false),
            ("x*", true),
            ("b c", false),
            ("b c*", false),
            ("aa b", false),
            ("aa b*", true),
            ("bc d", false),
            ("d e", true),
            ("", false),
            ("*", false),
        ] {
            assert_eq!(phrase(text).is_in(&document), expected, "{text}");
        }
        let of_field = |field| Phrase { field: Some(field), ..phrase("d") }.is_in(&document);
        assert_eq!([of_field(0), of_field(1), of_field(2)], [false, true, false]);
    }

    #[test]
    fn there_is_one_space_between_words_and_none_around_them() {
        let letters = ["a", "B", " ", "\u{b6}", "é", "\0"];
        let texts: Vec<String> = (0..6_usize.pow(4))
            .map(|number| (0..4).map(|place| letters[number / 6_usize.pow(place) % 6]).collect())
            .collect();
        for pair in texts.windows(2) {
            let mut words = Words::of(&pair[0]);
            words.push(&pair[1]);
            let text = words.as_str();
            assert!(!text.contains("  ") && text.trim() == text && !text.ends_with(BREAK), "{pair:?}");
            for text in pair {
                let alone = Words::of(text);
                assert_eq!(Words::of(alone.as_str()), alone);
                let open = false;
                let phrase = Phrase { words: alone.clone(), open, field: Some(1) };
                assert_eq!(phrase.is_in_fields(["", words.as_str()]), !alone.is_empty(), "{pair:?}");
            }
        }
    }
}
