//! Printing.

use std::fmt;

use super::object::Object;
use super::scan::plain_end;
use super::text::Text;
use super::value::Value;

/// Spaces per level in [`Value::write_pretty`].
const INDENT: usize = 2;

/// Lines are not indented further than this many levels: else a document of many small values,
/// nested deeply, would grow a hundredfold by being printed.
const INDENT_LEVELS_MAX: usize = 32;

/// What is printed into a vector of its own starts with this many bytes: most resources fit.
pub(crate) const BYTES_AT_FIRST: usize = 1_024;

impl Value {
    /// Appends the value without white space.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_value(self, out);
    }

    /// Appends the value with one member or item per line, two spaces per level (up to 32 levels)
    /// and no line break at the end.
    pub fn write_pretty(&self, out: &mut Vec<u8>) {
        write_pretty_value(self, 0, out);
    }

    /// The value printed without white space.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BYTES_AT_FIRST);
        write_value(self, &mut out);
        out
    }
}

impl Object {
    /// Appends the object without white space.
    pub fn write(&self, out: &mut Vec<u8>) {
        write_object(self, out);
    }

    /// Appends the object with one member per line, as [`Value::write_pretty`] does.
    pub fn write_pretty(&self, out: &mut Vec<u8>) {
        write_pretty_object(self, 0, out);
    }

    /// The object printed without white space.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BYTES_AT_FIRST);
        write_object(self, &mut out);
        out
    }
}

/// Appends a string with its quotes: `\"`, `\\`, and escapes for the control characters
/// (short where there is one, else `\u00` and two lower-case digits); everything else as it is.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    loop {
        let end = plain_end(bytes, start);
        out.extend_from_slice(bytes.get(start..end).unwrap_or_default());
        let Some(&special) = bytes.get(end) else { break };
        write_escape(special, out);
        start = end + 1;
    }
    out.push(b'"');
}

fn write_escape(byte: u8, out: &mut Vec<u8>) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let short = match byte {
        b'\x08' => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        b'\x0C' => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => byte,
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

pub(crate) fn write_text(text: &Text, out: &mut Vec<u8>) {
    match text.written() {
        None => write_string(text, out),
        Some(written) => {
            out.push(b'"');
            out.extend_from_slice(written.as_bytes());
            out.push(b'"');
        }
    }
}

/// Appends `"name":`.
pub(crate) fn write_member_name(name: &Text, out: &mut Vec<u8>) {
    write_text(name, out);
    out.push(b':');
}

pub(crate) fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => out.extend_from_slice(number.as_str().as_bytes()),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => write_array(items, out),
        Value::Object(object) => write_object(object, out),
    }
}

fn write_array(items: &[Value], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_value(item, out);
    }
    out.push(b']');
}

fn write_object(object: &Object, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (name, value)) in object.members().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_member_name(name, out);
        write_value(value, out);
    }
    out.push(b'}');
}

fn write_pretty_value(value: &Value, depth: usize, out: &mut Vec<u8>) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_line_start(depth + 1, out);
                write_pretty_value(item, depth + 1, out);
            }
            write_line_start(depth, out);
            out.push(b']');
        }
        Value::Object(object) => write_pretty_object(object, depth, out),
        plain => write_value(plain, out),
    }
}

fn write_pretty_object(object: &Object, depth: usize, out: &mut Vec<u8>) {
    if object.is_empty() {
        out.extend_from_slice(b"{}");
        return;
    }
    out.push(b'{');
    for (index, (name, value)) in object.members().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_line_start(depth + 1, out);
        write_text(name, out);
        out.extend_from_slice(b": ");
        write_pretty_value(value, depth + 1, out);
    }
    write_line_start(depth, out);
    out.push(b'}');
}

fn write_line_start(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + depth.min(INDENT_LEVELS_MAX) * INDENT, b' ');
}

impl fmt::Display for Value {
    /// Prints without white space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

impl fmt::Display for Object {
    /// Prints without white space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}
