//! Narrative: an XHTML element in XML, a string in JSON, the same bytes in both.
//!
//! It is surveyed, not read: what matters here is that it is one well-formed element in the name space of XHTML, so
//! that it can stand in either format and cannot break out of it. Which elements and attributes it may have is for
//! validation.

use std::fmt::Write as _;

use quick_xml::escape::resolve_html5_entity;

use super::XHTML_NAMESPACE;
use super::attributes::{self, Attribute};
use super::characters::{find, is_blank, is_plain_name, reference, split_reference};
use super::error::{NarrativeFault, XmlErrorKind};
use super::fault::{Parsed, fault, quote};
use super::markup::{Markup, Tag, Token};
use super::scope::{Scope, Space, declared_prefix};
use crate::json::DEPTH_CEILING;

/// Where a narrative comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// An element of an XML document: it obeys the rules of XML.
    Xml,
    /// A string in JSON, which may be looser: without a name space, with HTML's named entities.
    Json,
}

/// What a survey has found.
struct Survey {
    /// The whole element.
    from: usize,
    to: usize,
    /// Whether it must be rewritten to stand alone, or to stand in XML.
    needs_rewriting: bool,
}

/// The narrative whose first tag was just read, as a string for JSON. The scope is as it is within that element, and
/// `attributes` are its own.
pub(super) fn read<'a>(
    markup: &mut Markup<'a>,
    tag: Tag<'a>,
    attributes: &mut Vec<Attribute<'a>>,
    scope: &mut Scope<'a>,
) -> Parsed<NarrativeText<'a>> {
    let survey = Surveyor { markup, attributes, scope, origin: Origin::Xml }.element(tag)?;
    let raw = markup.slice(survey.from, survey.to);
    if !survey.needs_rewriting {
        return Ok(NarrativeText::AsWritten(raw));
    }
    let mut out = String::with_capacity(raw.len() + XHTML_NAMESPACE.len() + 16);
    rewrite(raw, &mut out)?;
    Ok(NarrativeText::Rewritten(out))
}

/// A narrative as JSON holds it.
pub(super) enum NarrativeText<'a> {
    /// What stands in the document.
    AsWritten(&'a str),
    /// The same element, made to stand alone.
    Rewritten(String),
}

/// Appends the narrative that a JSON string holds. It must be one well-formed `div`, white space around it apart.
/// Offsets in faults count from the start of the string.
pub(super) fn write(text: &str, out: &mut Vec<u8>) -> Parsed<()> {
    if let Some((at, char)) = super::characters::find_forbidden(text) {
        return fault(XmlErrorKind::ForbiddenCharacter(char), at);
    }
    let (mut markup, mut attributes, mut scope) = (Markup::new(text), Vec::new(), Scope::default());
    let tag = first_tag(&mut markup)?;
    attributes::scan(tag.rest, tag.offset + 1 + tag.name.len(), &mut attributes)?;
    scope.enter(&attributes)?;
    let mut surveyor = Surveyor {
        markup: &mut markup,
        attributes: &mut attributes,
        scope: &mut scope,
        origin: Origin::Json,
    };
    let survey = surveyor.element(tag)?;
    expect_end(&mut markup)?;
    let raw = markup.slice(survey.from, survey.to);
    if !survey.needs_rewriting {
        out.extend_from_slice(raw.as_bytes());
        return Ok(());
    }
    let mut rewritten = String::with_capacity(raw.len() + XHTML_NAMESPACE.len() + 16);
    rewrite(raw, &mut rewritten)?;
    out.extend_from_slice(rewritten.as_bytes());
    Ok(())
}

fn first_tag<'a>(markup: &mut Markup<'a>) -> Parsed<Tag<'a>> {
    loop {
        match markup.next()? {
            Token::Start(tag) => return Ok(tag),
            Token::Text(text) if is_blank(text) => {}
            _ => return fault(XmlErrorKind::Narrative(NarrativeFault::NotOneElement), markup.start()),
        }
    }
}

fn expect_end(markup: &mut Markup<'_>) -> Parsed<()> {
    loop {
        match markup.next()? {
            Token::Eof => return Ok(()),
            Token::Text(text) if is_blank(text) => {}
            _ => return fault(XmlErrorKind::Narrative(NarrativeFault::NotOneElement), markup.start()),
        }
    }
}

struct Surveyor<'s, 'a> {
    markup: &'s mut Markup<'a>,
    attributes: &'s mut Vec<Attribute<'a>>,
    scope: &'s mut Scope<'a>,
    origin: Origin,
}

impl<'a> Surveyor<'_, 'a> {
    /// Surveys the element with this tag. Its attributes were scanned, its declarations are in force.
    fn element(&mut self, tag: Tag<'a>) -> Parsed<Survey> {
        let declares_default = self.attributes.iter().any(|attribute| attribute.name == "xmlns");
        let (_, local) = self.scope.resolve(tag.name, tag.offset)?;
        if local != "div" {
            return fault(XmlErrorKind::Narrative(NarrativeFault::NotADiv), tag.offset);
        }
        let mut needs_rewriting = !declares_default | self.tag(tag)?;
        // The end of the declarations of each element that is open, innermost last.
        let mut open: Vec<usize> = Vec::new();
        let mut is_open = !tag.is_empty;
        while is_open {
            match self.markup.next()? {
                Token::Start(tag) => {
                    attributes::scan(tag.rest, tag.offset + 1 + tag.name.len(), self.attributes)?;
                    let mark = self.scope.enter(self.attributes)?;
                    needs_rewriting |= self.tag(tag)?;
                    if tag.is_empty {
                        self.scope.leave(mark);
                    } else if open.len() + 1 == DEPTH_CEILING {
                        return fault(XmlErrorKind::TooDeep { depth_max: DEPTH_CEILING }, tag.offset);
                    } else {
                        open.push(mark);
                    }
                }
                Token::End => match open.pop() {
                    Some(mark) => self.scope.leave(mark),
                    None => is_open = false,
                },
                token => needs_rewriting |= self.content(&token)?,
            }
        }
        Ok(Survey { from: tag.offset, to: self.markup.position(), needs_rewriting })
    }

    /// Checks name and attributes of a tag; says whether they must be rewritten.
    fn tag(&self, tag: Tag<'a>) -> Parsed<bool> {
        let (space, local) = self.scope.resolve(tag.name, tag.offset)?;
        let mut needs_rewriting = local.len() < tag.name.len();
        match (space, self.origin) {
            (Space::Xhtml, _) => {}
            (Space::None, Origin::Json) => needs_rewriting = true,
            _ => {
                let kind = XmlErrorKind::WrongNamespace { name: quote(tag.name), expected: XHTML_NAMESPACE };
                return fault(kind, tag.offset);
            }
        }
        if !is_plain_name(local) {
            return fault(XmlErrorKind::Narrative(NarrativeFault::BadName), tag.offset);
        }
        for attribute in self.attributes.iter() {
            let has_prefix = attribute.name.contains(':');
            if has_prefix && !attribute.name.starts_with("xml:") && declared_prefix(attribute.name).is_none()
            {
                return fault(XmlErrorKind::Narrative(NarrativeFault::PrefixedAttribute), attribute.offset);
            }
            needs_rewriting |= self.references(attribute.raw, attribute.raw_offset)?;
        }
        Ok(needs_rewriting)
    }

    /// Checks the references in the value of an attribute; says whether it must be rewritten.
    fn references(&self, raw: &str, offset: usize) -> Parsed<bool> {
        let mut needs_rewriting = false;
        let mut rest = raw;
        while let Some(at) = find(rest.as_bytes(), |byte| matches!(byte, b'&' | b'<')) {
            let (_, special) = rest.split_at(at);
            let here = offset + raw.len() - special.len();
            if special.starts_with('<') {
                return fault(XmlErrorKind::BadAttribute, here);
            }
            let (body, tail) = split_reference(special, here)?;
            needs_rewriting |= self.reference(body, here)?;
            rest = tail;
        }
        Ok(needs_rewriting)
    }

    /// Checks a reference; says whether it must be rewritten.
    fn reference(&self, body: &str, offset: usize) -> Parsed<bool> {
        match reference(body) {
            Ok(_) => Ok(false),
            Err(XmlErrorKind::UnknownEntity(_))
                if self.origin == Origin::Json && resolve_html5_entity(body).is_some() =>
            {
                Ok(true)
            }
            Err(kind) => fault(kind, offset),
        }
    }

    /// Checks what is no tag; says whether it must be rewritten.
    fn content(&self, token: &Token<'_>) -> Parsed<bool> {
        let here = self.markup.start();
        match token {
            Token::Text(text) => match text.find("]]>") {
                Some(at) => fault(XmlErrorKind::CDataEndInText, here + at),
                None => Ok(false),
            },
            Token::Reference(body) => self.reference(body, here),
            Token::Eof => fault(XmlErrorKind::CutOff, here),
            Token::Instruction | Token::Declaration => {
                fault(XmlErrorKind::Narrative(NarrativeFault::Instruction), here)
            }
            _ => Ok(false),
        }
    }
}

/// Writes a surveyed element so that it stands alone: with the name space of XHTML as its default, without prefixes
/// and other declarations, with numbers for HTML's named entities. All else stays as it is written.
fn rewrite(raw: &str, out: &mut String) -> Parsed<()> {
    let mut markup = Markup::new(raw);
    let mut attributes = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    loop {
        match markup.next()? {
            Token::Start(tag) => {
                attributes::scan(tag.rest, tag.offset + 1 + tag.name.len(), &mut attributes)?;
                let local = tag.name.split_once(':').map_or(tag.name, |(_, local)| local);
                let is_outermost = tag.offset == 0;
                rewrite_tag(local, &attributes, is_outermost, out);
                if tag.is_empty {
                    out.push_str("/>");
                } else {
                    out.push('>');
                    open.push(local);
                }
            }
            Token::End => {
                out.push_str("</");
                out.push_str(open.pop().unwrap_or_default());
                out.push('>');
            }
            Token::Reference(body) => rewrite_reference(body, out),
            Token::Eof => return Ok(()),
            _ => out.push_str(markup.slice(markup.start(), markup.position())),
        }
    }
}

fn rewrite_tag(local: &str, attributes: &[Attribute<'_>], is_outermost: bool, out: &mut String) {
    out.push('<');
    out.push_str(local);
    if is_outermost {
        out.push_str(" xmlns=\"");
        out.push_str(XHTML_NAMESPACE);
        out.push('"');
    }
    for attribute in attributes.iter().filter(|attribute| declared_prefix(attribute.name).is_none()) {
        let mark = if attribute.raw.contains('"') { '\'' } else { '"' };
        out.push(' ');
        out.push_str(attribute.name);
        out.push('=');
        out.push(mark);
        let mut rest = attribute.raw;
        while let Some((before, after)) = rest.split_once('&') {
            let (body, tail) = after.split_once(';').unwrap_or((after, ""));
            out.push_str(before);
            rewrite_reference(body, out);
            rest = tail;
        }
        out.push_str(rest);
        out.push(mark);
    }
}

fn rewrite_reference(body: &str, out: &mut String) {
    if reference(body).is_err()
        && let Some(text) = resolve_html5_entity(body)
    {
        for char in text.chars() {
            let _ = write!(out, "&#{};", u32::from(char));
        }
        return;
    }
    out.push('&');
    out.push_str(body);
    out.push(';');
}
