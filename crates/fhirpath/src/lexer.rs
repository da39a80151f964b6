//! From text to tokens (FHIRPath, "Syntax and semantics", lexical elements).

use std::str::Chars;

use crate::error::{ParseError, ParseErrorKind};

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token<'t> {
    pub(crate) kind: TokenKind<'t>,
    /// Bytes from the start of the text.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenKind<'t> {
    /// A plain identifier or a keyword.
    Word(&'t str),
    /// An identifier in backticks, decoded.
    Delimited(String),
    /// A string, decoded.
    String(String),
    /// A string in double quotes, which some published expressions use: a string where a value is
    /// wanted, an identifier where a name is.
    DoubleQuoted(String),
    /// Digits, perhaps with a fraction.
    Number(&'t str),
    /// A date, time or both, without the `@`.
    Temporal(&'t str),
    /// `$this`, `$index`, `$total`.
    Special(&'t str),
    /// The name of a `%variable`.
    Variable(String),
    /// Punctuation.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 23] = [
    "<=", ">=", "!=", "!~", "=", "~", "<", ">", "+", "-", "*", "/", "&", "|", ".", ",", "(", ")", "[", "]",
    "{", "}", ";",
];

/// All tokens of a text; the last one is [`TokenKind::End`].
pub(crate) fn tokenize(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        let is_end = token.kind == TokenKind::End;
        tokens.push(token);
        if is_end {
            return Ok(tokens);
        }
    }
}

/// An error at an offset into `text`.
pub(crate) fn fault(text: &str, offset: usize, kind: ParseErrorKind) -> ParseError {
    let before = text.get(..offset).unwrap_or(text);
    ParseError { kind, offset, character: before.chars().count() + 1 }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault<T>(&self, offset: usize, kind: ParseErrorKind) -> Result<T, ParseError> {
        Err(fault(self.text, offset, kind))
    }

    fn next(&mut self) -> Result<Token<'t>, ParseError> {
        self.skip_space()?;
        let start = self.at;
        let kind = self.kind(start)?;
        Ok(Token { kind, start, end: self.at })
    }

    fn kind(&mut self, start: usize) -> Result<TokenKind<'t>, ParseError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(TokenKind::End) };
        match first {
            '\'' => Ok(TokenKind::String(self.quoted('\'', "string")?)),
            '"' => Ok(TokenKind::DoubleQuoted(self.quoted('"', "string")?)),
            '`' => Ok(TokenKind::Delimited(self.quoted('`', "identifier")?)),
            '0'..='9' => Ok(TokenKind::Number(self.take(number_bytes(rest)))),
            '@' => {
                self.at += 1;
                let length = temporal_bytes(self.rest());
                if length == 0 {
                    let why = "after '@' a date or a time is expected, such as @2024-02-29 or @T14:30";
                    return self.fault(start, ParseErrorKind::BadLiteral(why));
                }
                Ok(TokenKind::Temporal(self.take(length)))
            }
            '%' => {
                self.at += 1;
                self.variable(start)
            }
            '$' => {
                let length = 1 + word_bytes(rest.get(1..).unwrap_or_default());
                Ok(TokenKind::Special(self.take(length)))
            }
            letter if is_word_start(letter) => Ok(TokenKind::Word(self.take(word_bytes(rest)))),
            _ => match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
                Some(symbol) => {
                    self.at += symbol.len();
                    Ok(TokenKind::Symbol(symbol))
                }
                None => self.fault(start, ParseErrorKind::BadCharacter(first)),
            },
        }
    }

    /// The next `length` bytes.
    fn take(&mut self, length: usize) -> &'t str {
        let taken = self.text.get(self.at..self.at + length).unwrap_or_default();
        self.at += length;
        taken
    }

    fn variable(&mut self, start: usize) -> Result<TokenKind<'t>, ParseError> {
        let rest = self.rest();
        let name = match rest.chars().next() {
            Some('`') => self.quoted('`', "identifier")?,
            // Older forms, which published expressions still use.
            Some('\'') => self.quoted('\'', "identifier")?,
            Some('"') => self.quoted('"', "identifier")?,
            Some(letter) if is_word_start(letter) => self.take(word_bytes(rest)).to_owned(),
            _ => {
                let why = "after '%' the name of a variable is expected, such as %resource";
                return self.fault(start, ParseErrorKind::BadLiteral(why));
            }
        };
        Ok(TokenKind::Variable(name))
    }

    /// White space and comments.
    fn skip_space(&mut self) -> Result<(), ParseError> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            if trimmed.starts_with("//") {
                self.at += trimmed.find(['\n', '\r']).unwrap_or(trimmed.len());
            } else if trimmed.starts_with("/*") {
                match trimmed.find("*/") {
                    Some(end) if end >= 2 => self.at += end + 2,
                    _ => return self.fault(self.at, ParseErrorKind::Unterminated("comment")),
                }
            } else {
                return Ok(());
            }
        }
    }

    /// The decoded text between two quotes.
    fn quoted(&mut self, quote: char, what: &'static str) -> Result<String, ParseError> {
        let start = self.at;
        let mut decoded = String::new();
        let mut chars = self.text.get(start + 1..).unwrap_or_default().chars();
        loop {
            match chars.next() {
                Some(char) if char == quote => break,
                Some('\\') => {
                    let at = self.text.len() - chars.as_str().len() - 1;
                    let Some(char) = escape(&mut chars) else {
                        return self.fault(at, ParseErrorKind::BadEscape);
                    };
                    decoded.push(char);
                }
                Some(char) => decoded.push(char),
                None => return self.fault(start, ParseErrorKind::Unterminated(what)),
            }
        }
        self.at = self.text.len() - chars.as_str().len();
        Ok(decoded)
    }
}

/// The character that an escape stands for; the backslash has been read.
pub(crate) fn escape(chars: &mut Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        plain @ ('\'' | '"' | '`' | '\\' | '/') => plain,
        'f' => '\u{C}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = hex_unit(chars)?;
            match char::from_u32(u32::from(first)) {
                Some(char) => char,
                // One half of a surrogate pair: the other must follow.
                None if chars.next()? == '\\' && chars.next()? == 'u' => {
                    let second = hex_unit(chars)?;
                    char::decode_utf16([first, second]).next()?.ok()?
                }
                None => return None,
            }
        }
        _ => return None,
    })
}

fn hex_unit(chars: &mut Chars<'_>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        let digit = chars.next()?.to_digit(16)?;
        unit = unit << 4 | u16::try_from(digit).ok()?;
    }
    Some(unit)
}

fn is_word_start(char: char) -> bool {
    char.is_ascii_alphabetic() || char == '_'
}

fn word_bytes(rest: &str) -> usize {
    rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(rest.len())
}

fn digit_bytes(rest: &str) -> usize {
    rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len())
}

/// Digits, and a fraction where a digit follows the point: `1.convertsToString()` calls a function.
fn number_bytes(rest: &str) -> usize {
    let whole = digit_bytes(rest);
    match rest.get(whole..).and_then(|tail| tail.strip_prefix('.')).map(digit_bytes) {
        Some(fraction @ 1..) => whole + 1 + fraction,
        _ => whole,
    }
}

/// The length of a date, of a date with a time, or of `T` with a time; 0 if there is none.
fn temporal_bytes(rest: &str) -> usize {
    if let Some(time) = rest.strip_prefix('T') {
        let length = time_bytes(time);
        return if length == 0 { 0 } else { 1 + length };
    }
    if digit_bytes(rest) != 4 {
        return 0;
    }
    let mut length = 4;
    for _ in 0..2 {
        length += two_digits(rest, length, "-");
    }
    let Some(time) = rest.get(length..).and_then(|tail| tail.strip_prefix('T')) else { return length };
    length += 1;
    let clock = time_bytes(time);
    if clock == 0 {
        return length;
    }
    length += clock;
    match rest.as_bytes().get(length) {
        Some(b'Z') => length + 1,
        Some(b'+' | b'-') => {
            let zone = two_digits(rest, length, "+").max(two_digits(rest, length, "-"));
            let minutes = two_digits(rest, length + zone, ":");
            if zone == 0 || minutes == 0 { length } else { length + zone + minutes }
        }
        _ => length,
    }
}

/// `hh(:mm(:ss(.f+)?)?)?`
fn time_bytes(rest: &str) -> usize {
    let mut length = two_digits(rest, 0, "");
    if length == 0 {
        return 0;
    }
    length += two_digits(rest, length, ":");
    let seconds = if length == 5 { two_digits(rest, length, ":") } else { 0 };
    if seconds == 0 {
        return length;
    }
    length += seconds;
    match rest.get(length..).and_then(|tail| tail.strip_prefix('.')).map(digit_bytes) {
        Some(fraction @ 1..) => length + 1 + fraction,
        _ => length,
    }
}

/// The length of `prefix` and two digits at an offset, or 0.
fn two_digits(rest: &str, from: usize, prefix: &str) -> usize {
    match rest.get(from..).and_then(|tail| tail.strip_prefix(prefix)) {
        Some(tail) if digit_bytes(tail) >= 2 => prefix.len() + 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind<'_>> {
        tokenize(text).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn numbers_end_where_a_call_begins() {
        use TokenKind::{End, Number, Symbol, Word};
        assert_eq!(kinds("1.50"), [Number("1.50"), End]);
        assert_eq!(kinds("1.is"), [Number("1"), Symbol("."), Word("is"), End]);
        assert_eq!(kinds("1.5.is"), [Number("1.5"), Symbol("."), Word("is"), End]);
    }

    #[test]
    fn dates_and_times_take_their_longest_form() {
        use TokenKind::{End, Symbol, Temporal, Word};
        for text in [
            "2015",
            "2015-02",
            "2015-02-04",
            "2015T",
            "2015-02T",
            "2015-02-04T",
            "2015-02-04T14",
            "2015-02-04T14:34",
            "2015-02-04T14:34:28.123",
            "2015-02-04T14:34:28Z",
            "2015-02-04T14+10:00",
            "T14",
            "T14:34:28.5",
        ] {
            assert_eq!(kinds(&format!("@{text}")), [Temporal(text), End]);
        }
        assert_eq!(kinds("@2014.x"), [Temporal("2014"), Symbol("."), Word("x"), End]);
        assert_eq!(kinds("@T10:30.x"), [Temporal("T10:30"), Symbol("."), Word("x"), End]);
        assert_eq!(kinds("@T10Z"), [Temporal("T10"), Word("Z"), End]);
        assert_eq!(tokenize("@20155").unwrap_err().offset, 0);
    }

    #[test]
    fn strings_are_decoded_and_comments_skipped() {
        use TokenKind::{Delimited, End, String, Symbol, Variable, Word};
        assert_eq!(
            kinds(r"'\\\/\f\r\n\t\u002a\'\ud83d\ude00'"),
            [String("\\/\u{C}\r\n\t*'\u{1F600}".into()), End]
        );
        assert_eq!(
            kinds("`a b` // rest\n /* in * / side */ . %`vs-x`%ucum"),
            [Delimited("a b".into()), Symbol("."), Variable("vs-x".into()), Variable("ucum".into()), End]
        );
        assert_eq!(kinds("a//"), [Word("a"), End]);
        for (text, offset) in
            [("'a", 0), ("x /* a", 2), ("/*/", 0), (r"'\x'", 1), (r"'a\ud800'", 2), ("é#", 0)]
        {
            assert_eq!(tokenize(text).unwrap_err().offset, offset, "for {text}");
        }
    }
}
