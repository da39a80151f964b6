//! The markup of a document, as tokens with their places: what `quick-xml` finds, and the rules of well-formedness
//! that it leaves to its caller.

use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError, SyntaxError};
use quick_xml::events::Event;

use super::attributes::{self, Attribute};
use super::characters::{is_plain_name, is_space};
use super::error::{Construct, XmlErrorKind};
use super::fault::{Parsed, fault, quote};

/// Reads tokens from checked UTF-8 without a byte order mark. End tags are matched with start tags.
pub(super) struct Markup<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    start: usize,
}

/// A part of a document.
pub(super) enum Token<'a> {
    /// A start tag or the tag of an empty element.
    Start(Tag<'a>),
    /// An end tag.
    End,
    /// Text without references.
    Text(&'a str),
    /// What stands between `&` and `;` in text.
    Reference(&'a str),
    /// A CDATA section.
    CData,
    /// A comment.
    Comment,
    /// A processing instruction.
    Instruction,
    /// The XML declaration, which was found to be in order.
    Declaration,
    /// The end of the document.
    Eof,
}

/// A start tag, or the tag of an empty element.
#[derive(Clone, Copy)]
pub(super) struct Tag<'a> {
    /// With its prefix.
    pub(super) name: &'a str,
    /// What follows the name, up to `>` or `/>`.
    pub(super) rest: &'a str,
    /// Where the tag starts.
    pub(super) offset: usize,
    /// Whether it ends in `/>`.
    pub(super) is_empty: bool,
}

impl<'a> Markup<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().enable_all_checks(true);
        Self { text, reader, start: 0 }
    }

    /// Where the token starts that was read last.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// Where the next token starts.
    pub(super) fn position(&self) -> usize {
        // An offset into a slice.
        usize::try_from(self.reader.buffer_position()).unwrap_or(self.text.len())
    }

    /// The text between two places that are borders of tokens.
    pub(super) fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    /// Where the first character stands, of the token that was read last, that is not white space.
    pub(super) fn visible_start(&self) -> usize {
        let token = self.slice(self.start, self.position());
        self.start + token.bytes().take_while(|&byte| is_space(byte)).count()
    }

    /// The next token.
    #[inline]
    pub(super) fn next(&mut self) -> Parsed<Token<'a>> {
        self.start = self.position();
        let token = match self.reader.read_event() {
            Ok(Event::Start(tag)) => {
                let name_length = tag.name().as_ref().len();
                Token::Start(self.tag(name_length, 1))
            }
            Ok(Event::Empty(tag)) => {
                let name_length = tag.name().as_ref().len();
                Token::Start(self.tag(name_length, 2))
            }
            Ok(Event::End(_)) => Token::End,
            Ok(Event::Text(_)) => Token::Text(self.slice(self.start, self.position())),
            Ok(Event::GeneralRef(_)) => Token::Reference(self.slice(self.start + 1, self.position() - 1)),
            Ok(Event::CData(_)) => Token::CData,
            Ok(Event::Comment(_)) => Token::Comment,
            Ok(Event::PI(instruction)) => {
                let target = instruction.target();
                if !is_plain_name(target) || target.eq_ignore_ascii_case("xml") {
                    return fault(XmlErrorKind::BadMarkup, self.start);
                }
                Token::Instruction
            }
            Ok(Event::Decl(_)) => {
                self.check_declaration()?;
                Token::Declaration
            }
            Ok(Event::DocType(_)) => return fault(XmlErrorKind::Doctype, self.start),
            Ok(Event::Eof) => Token::Eof,
            Err(error) => return self.refuse(error),
        };
        Ok(token)
    }

    /// The tag just read, which ends in so many bytes of punctuation.
    fn tag(&self, name_length: usize, punctuation: usize) -> Tag<'a> {
        let inside = self.slice(self.start + 1, self.position() - punctuation);
        let (name, rest) = inside.split_at_checked(name_length).unwrap_or((inside, ""));
        Tag { name, rest, offset: self.start, is_empty: punctuation == 2 }
    }

    /// The XML declaration just read: at the very start, of version 1.0, in UTF-8 (section 2.8).
    fn check_declaration(&self) -> Parsed<()> {
        let inside = self.slice(self.start + "<?xml".len(), self.position() - "?>".len());
        let mut found: Vec<Attribute<'_>> = Vec::new();
        let is_scanned = attributes::scan(inside, self.start, &mut found).is_ok();
        let mut names = ["version", "encoding", "standalone"].into_iter();
        let is_in_order = found.iter().all(|attribute| names.any(|name| name == attribute.name));
        let has_version = found.first().is_some_and(|first| first.name == "version" && first.raw == "1.0");
        if self.start > 0 || !is_scanned || !is_in_order || !has_version {
            return fault(XmlErrorKind::BadDeclaration, self.start);
        }
        for attribute in &found {
            let allowed: &[&str] = match attribute.name {
                "encoding" => &["utf-8", "us-ascii"],
                "standalone" => &["yes", "no"],
                _ => continue,
            };
            if !allowed.iter().any(|name| name.eq_ignore_ascii_case(attribute.raw)) {
                let kind = match attribute.name {
                    "encoding" => XmlErrorKind::ForeignEncoding(quote(attribute.raw)),
                    _ => XmlErrorKind::BadDeclaration,
                };
                return fault(kind, self.start);
            }
        }
        Ok(())
    }

    #[cold]
    fn refuse<T>(&self, error: Error) -> Parsed<T> {
        let offset = usize::try_from(self.reader.error_position()).unwrap_or(self.text.len());
        let kind = match error {
            Error::Syntax(error) => syntax_kind(error),
            Error::IllFormed(error) => ill_formed_kind(error),
            _ => XmlErrorKind::BadMarkup,
        };
        let offset = if kind == XmlErrorKind::Doctype { self.start } else { offset };
        fault(kind, offset.min(self.text.len()))
    }
}

fn syntax_kind(error: SyntaxError) -> XmlErrorKind {
    use SyntaxError as S;
    XmlErrorKind::Unclosed(match error {
        S::InvalidBangMarkup => return XmlErrorKind::BadMarkup,
        S::UnclosedDoctype => return XmlErrorKind::Doctype,
        S::UnclosedPI | S::UnclosedXmlDecl => Construct::Instruction,
        S::UnclosedComment => Construct::Comment,
        S::UnclosedCData => Construct::CData,
        S::UnclosedTag => Construct::Tag,
        S::UnclosedSingleQuotedAttributeValue | S::UnclosedDoubleQuotedAttributeValue => {
            Construct::AttributeValue
        }
    })
}

fn ill_formed_kind(error: IllFormedError) -> XmlErrorKind {
    use IllFormedError as I;
    match error {
        I::UnmatchedEndTag(found) => XmlErrorKind::WrongEndTag { open: None, found: quote(&found) },
        I::MismatchedEndTag { expected, found } => {
            XmlErrorKind::WrongEndTag { open: Some(quote(&expected)), found: quote(&found) }
        }
        I::MissingEndTag(_) => XmlErrorKind::CutOff,
        I::MissingDoctypeName => XmlErrorKind::Doctype,
        I::DoubleHyphenInComment => XmlErrorKind::HyphensInComment,
        I::UnclosedReference => XmlErrorKind::Unclosed(Construct::Reference),
        I::MissingDeclVersion(_) | I::UnknownVersion => XmlErrorKind::BadDeclaration,
    }
}
