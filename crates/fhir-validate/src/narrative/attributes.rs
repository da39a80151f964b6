//! The attributes of one start tag (XML 1.0, productions 10 and 41), and what their values would do.

use std::borrow::Cow;

use super::Malformed;

/// More attributes than this in one tag are refused: no element has so many, and comparing them all would cost.
const ATTRIBUTES_MAX: usize = 64;

/// One attribute, its value as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
}

/// Why the attributes of a tag are malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttributeFault<'a> {
    /// Something else than `name="value"` after white space.
    Form,
    /// A `<` in a value.
    LessThan(&'a str),
    /// The same name twice.
    Repeated(&'a str),
    /// More than [`ATTRIBUTES_MAX`].
    TooMany,
}

impl AttributeFault<'_> {
    #[cold]
    pub(super) fn in_element(self, element: &str) -> Malformed {
        let element = element.escape_debug();
        match self {
            Self::Form => format!(
                "<{element}> has malformed attributes: write each as name=\"value\", with a blank before"
            ),
            Self::LessThan(name) => format!("the attribute {name} of <{element}> holds a <: write &lt;"),
            Self::Repeated(name) => format!("<{element}> has the attribute {name} twice: keep one of them"),
            Self::TooMany => format!("<{element}> has more than {ATTRIBUTES_MAX} attributes: remove some"),
        }
    }
}

/// The attributes in what stands behind a tag's name.
pub(super) struct Attributes<'a> {
    rest: &'a str,
    seen: [&'a str; ATTRIBUTES_MAX],
    count: usize,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, seen: [""; ATTRIBUTES_MAX], count: 0 }
    }

    fn attribute(&mut self) -> Result<Option<Attribute<'a>>, AttributeFault<'a>> {
        let rest = trim_start(self.rest);
        if rest.is_empty() {
            return Ok(None);
        }
        if rest.len() == self.rest.len() {
            return Err(AttributeFault::Form);
        }
        let (name, rest) = rest.split_once('=').ok_or(AttributeFault::Form)?;
        let name = name.trim_end_matches(is_space);
        let rest = trim_start(rest);
        let quote =
            rest.chars().next().filter(|char| matches!(char, '"' | '\'')).ok_or(AttributeFault::Form)?;
        let (value, rest) =
            rest.get(1..).and_then(|rest| rest.split_once(quote)).ok_or(AttributeFault::Form)?;
        if name.is_empty() || !name.chars().all(is_name_character) {
            return Err(AttributeFault::Form);
        }
        if value.contains('<') {
            return Err(AttributeFault::LessThan(name));
        }
        self.rest = rest;
        self.remember(name)?;
        Ok(Some(Attribute { name, value }))
    }

    fn remember(&mut self, name: &'a str) -> Result<(), AttributeFault<'a>> {
        if self.seen.iter().take(self.count).any(|seen| *seen == name) {
            return Err(AttributeFault::Repeated(name));
        }
        let place = self.seen.get_mut(self.count).ok_or(AttributeFault::TooMany)?;
        *place = name;
        self.count += 1;
        Ok(())
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, AttributeFault<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.attribute().transpose()
    }
}

fn trim_start(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

/// XML 1.0, production 3.
fn is_space(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n')
}

/// Names that are allowed have no other characters, so no others are told apart.
fn is_name_character(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, ':' | '_' | '-' | '.')
}

/// A value with its references resolved, or the name of one that is not known.
pub(super) fn unescape(value: &str) -> Result<Cow<'_, str>, &str> {
    if !value.contains('&') {
        return Ok(Cow::Borrowed(value));
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) = after.split_once(';').ok_or(after)?;
        out.push(resolve(name).ok_or(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// The character that a reference stands for: those of XML and no others (XML 1.0, section 4.6).
pub(super) fn resolve(name: &str) -> Option<char> {
    let number = match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => name.strip_prefix('#')?,
    };
    let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
    if !digits.chars().all(|char| char.is_digit(radix)) {
        return None;
    }
    let code = u32::from_str_radix(digits, radix).ok()?;
    char::from_u32(code).filter(|char| super::is_xml_character(*char))
}

/// Whether an attribute would load a document or run something: a script in a link or a style.
pub(super) fn is_active(element: &str, name: &str, value: &str) -> bool {
    match name {
        "href" | "src" | "cite" | "longdesc" => is_active_link(element, value),
        "style" => is_active_style(value),
        _ => false,
    }
}

/// Links may point to documents and images; `data:` is for images only.
fn is_active_link(element: &str, value: &str) -> bool {
    let Some(colon) = value.find(':') else { return false };
    let (Some(scheme), Some(rest)) = (value.get(..colon), value.get(colon + 1..)) else { return false };
    // Readers of HTML ignore white space and control characters in a scheme.
    let is = |wanted: &str| {
        let letters = scheme.chars().filter(|char| !char.is_whitespace() && !char.is_control());
        letters.map(|char| char.to_ascii_lowercase()).eq(wanted.chars())
    };
    let is_image = element == "img"
        && rest.trim_start().get(..6).is_some_and(|start| start.eq_ignore_ascii_case("image/"));
    is("javascript") || is("vbscript") || (is("data") && !is_image)
}

fn is_active_style(value: &str) -> bool {
    const ACTIVE: [&str; 6] =
        ["expression(", "javascript:", "vbscript:", "@import", "-moz-binding:url(", "behavior:url("];
    // Every active style has one of these; most styles have none.
    if !value.bytes().any(|byte| matches!(byte, b'(' | b'@' | b'\\')) {
        return false;
    }
    let plain: String = value
        .chars()
        .filter(|char| !char.is_whitespace() && *char != '\\')
        .collect::<String>()
        .to_ascii_lowercase();
    ACTIVE.iter().any(|active| plain.contains(active))
}
