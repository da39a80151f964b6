//! Narratives: what FHIR allows of XHTML, and nothing that loads or runs (FHIR, section "Narrative", rules `txt-1`
//! and `txt-2`).
//!
//! The tokens come from quick-xml, which neither expands entities nor loads anything. It is lenient where a writer
//! of XML must not be, so attributes, characters and references are checked here.

mod attributes;
mod names;

#[cfg(test)]
mod tests;

use std::fmt;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use self::attributes::{Attribute, Attributes};
use crate::finding::Rule;
use crate::report::Quoted;

/// The name space of XHTML.
const XHTML: &str = "http://www.w3.org/1999/xhtml";

/// No more faults are told of one narrative.
const FAULTS_MAX: usize = 20;

/// What is wrong with a narrative: the rule, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rule: Rule,
    pub(crate) message: String,
}

/// Everything that is wrong with the text of a `div`, each thing once. Nothing is allocated for a narrative in order
/// but the parser's stack of open elements.
pub(crate) fn faults_in(div: &str) -> Vec<Fault> {
    let mut check = Check { faults: Vec::new(), depth: 0, has_root: false, has_content: false };
    if let Err(malformed) = check.document(div) {
        check.faults.push(Fault { rule: Rule::NarrativeMalformed, message: malformed });
    } else if !check.has_content && check.faults.is_empty() {
        check.add(Rule::NarrativeEmpty, "the narrative is empty: write text or remove the whole narrative");
    }
    check.faults
}

/// Why a narrative is not well-formed.
type Malformed = String;

struct Check {
    faults: Vec<Fault>,
    /// Elements that are open.
    depth: usize,
    /// Whether the outermost element was seen.
    has_root: bool,
    /// Whether there is text or an image.
    has_content: bool,
}

impl Check {
    #[cold]
    fn add(&mut self, rule: Rule, message: impl fmt::Display) {
        let fault = Fault { rule, message: message.to_string() };
        if self.faults.len() < FAULTS_MAX && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn document(&mut self, div: &str) -> Result<(), Malformed> {
        if let Some(bad) = forbidden_character(div) {
            return Err(format!("XML cannot hold the character U+{:04X}: remove it", u32::from(bad)));
        }
        let mut reader = Reader::from_str(div);
        reader.config_mut().check_comments = true;
        loop {
            match reader.read_event() {
                Ok(Event::Eof) => break,
                Ok(event) => self.event(&event)?,
                Err(error) => return Err(format!("the narrative is no well-formed XML: {error}")),
            }
        }
        if !self.has_root {
            return Err(format!("the narrative starts with <div xmlns=\"{XHTML}\">"));
        }
        if self.depth > 0 {
            return Err("the narrative ends before all of its elements are closed".into());
        }
        Ok(())
    }

    fn event(&mut self, event: &Event<'_>) -> Result<(), Malformed> {
        match event {
            Event::Start(start) => {
                self.element(start)?;
                self.depth += 1;
            }
            Event::Empty(start) => self.element(start)?,
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::Text(text) => self.text(text)?,
            Event::CData(text) => self.text(text)?,
            Event::GeneralRef(reference) => {
                self.inside("a reference")?;
                check_reference(reference)?;
                self.has_content = true;
            }
            Event::PI(_) | Event::Decl(_) => {
                return Err("the narrative has a processing instruction: remove it".into());
            }
            Event::DocType(_) => return Err("the narrative has a DOCTYPE: remove it".into()),
            Event::Comment(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Malformed> {
        if text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            return Ok(());
        }
        self.inside("text")?;
        if text.contains("]]>") {
            return Err("the text of the narrative holds ]]>: write ]]&gt;".into());
        }
        self.has_content = true;
        Ok(())
    }

    /// Nothing but comments and white space may stand around the outermost element.
    fn inside(&self, what: &str) -> Result<(), Malformed> {
        if self.depth == 0 {
            return Err(format!("{what} stands outside of the div: put it inside"));
        }
        Ok(())
    }

    fn element(&mut self, start: &BytesStart<'_>) -> Result<(), Malformed> {
        let name = start.name().into_inner();
        if self.depth == 0 {
            if self.has_root {
                return Err("the narrative has more than one outermost element: put all into one div".into());
            }
            self.has_root = true;
            if name != "div" {
                return Err(format!(
                    "the narrative starts with <{}>: start it with <div xmlns=\"{XHTML}\">",
                    name.escape_debug()
                ));
            }
        }
        if names::is_active_element(name) {
            self.add(
                Rule::NarrativeActive,
                format_args!(
                    "the narrative has the element <{name}>, which may load or run something: remove it"
                ),
            );
        } else if !names::is_element(name) {
            self.add(
                Rule::NarrativeElement,
                format_args!(
                    "FHIR does not allow <{}> in narratives: use another element",
                    name.escape_debug()
                ),
            );
        }
        self.attributes(name, start.attributes_raw())
    }

    fn attributes(&mut self, element: &str, text: &str) -> Result<(), Malformed> {
        let mut has_namespace = false;
        for attribute in Attributes::new(text) {
            let attribute = attribute.map_err(|fault| fault.in_element(element))?;
            if attribute.name == "xmlns" {
                has_namespace = attribute.value == XHTML;
                if !has_namespace {
                    return Err(format!(
                        "the name space of a narrative is {XHTML}, not {}",
                        Quoted(attribute.value)
                    ));
                }
            } else {
                self.attribute(element, &attribute)?;
            }
        }
        if self.depth == 0 && !has_namespace {
            return Err(format!(
                "the div of a narrative names its name space: write <div xmlns=\"{XHTML}\">"
            ));
        }
        Ok(())
    }

    fn attribute(&mut self, element: &str, attribute: &Attribute<'_>) -> Result<(), Malformed> {
        let Attribute { name, value } = *attribute;
        if names::is_event(name) {
            self.add(
                Rule::NarrativeActive,
                format_args!("the attribute {name} of <{element}> runs a script: remove it"),
            );
        } else if !names::is_attribute(name) {
            self.add(
                Rule::NarrativeAttribute,
                format_args!(
                    "FHIR does not allow the attribute {name} on <{element}> in narratives: remove it"
                ),
            );
        }
        let value = attributes::unescape(value).map_err(unknown_entity)?;
        if attributes::is_active(element, name, &value) {
            self.add(
                Rule::NarrativeActive,
                format_args!("{name}={} of <{element}> may load or run something: remove it", Quoted(&value)),
            );
        }
        self.has_content |= element == "img" && name == "src";
        Ok(())
    }
}

/// A character that XML 1.0 cannot hold, in whatever form.
fn forbidden_character(text: &str) -> Option<char> {
    let is_control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    // Without a way out of the loop, so that it runs on many bytes at a time.
    let (has_control, is_ascii) = text
        .bytes()
        .fold((false, true), |(control, ascii), byte| (control | is_control(byte), ascii & byte.is_ascii()));
    if !has_control && is_ascii {
        return None;
    }
    text.chars().find(|char| !is_xml_character(*char))
}

/// XML 1.0, production 2.
fn is_xml_character(char: char) -> bool {
    match char {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        _ => char >= ' ',
    }
}

fn check_reference(reference: &BytesRef<'_>) -> Result<(), Malformed> {
    attributes::resolve(reference).map(drop).ok_or_else(|| unknown_entity(reference))
}

#[cold]
fn unknown_entity(name: &str) -> Malformed {
    format!(
        "XML does not know &{};: write the character itself, or its number as in &#160;",
        name.chars().take(32).collect::<String>().escape_debug()
    )
}
