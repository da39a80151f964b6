//! Where a fault is: line, column and path, found by a second walk that only refused documents pay.

use std::fmt::Write as _;
use std::ops::Range;

use super::limits::DEPTH_CEILING;

/// Longest name in a path, in characters; the rest is cut.
const NAME_CHARS_MAX: usize = 64;
/// A path stops growing beyond this many bytes.
const PATH_BYTES_MAX: usize = 512;

/// The line and the column (in characters) of an offset, both from 1.
pub(crate) fn line_and_column(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let line = before.split(|&byte| byte == b'\n').count();
    let in_line = before.get(line_start..).unwrap_or_default();
    // Every byte of UTF-8 that is no continuation starts a character.
    let column = 1 + in_line.iter().filter(|&&byte| byte & 0xC0 != 0x80).count();
    (line, column)
}

/// The element at an offset, such as `Flag.code.coding[1]`; empty if it cannot be told.
///
/// What precedes the offset is normally well-formed; on other input the answer is a best guess.
pub(super) fn path(bytes: &[u8], offset: usize) -> String {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let mut walk = Walk { bytes: before, open: Vec::new(), root: None };
    walk.run();
    walk.render()
}

/// An object or array that is open at the place.
enum Open {
    Object {
        /// The member that is being read.
        name: Option<Range<usize>>,
        /// Whether the next string is a name.
        at_name: bool,
    },
    Array {
        index: usize,
    },
}

struct Walk<'a> {
    bytes: &'a [u8],
    open: Vec<Open>,
    /// The resource type, once it was read.
    root: Option<Range<usize>>,
}

impl Walk<'_> {
    fn run(&mut self) {
        let mut at = 0;
        while let Some(&byte) = self.bytes.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    let start = at;
                    let Some(end) = string_end(self.bytes, start) else { return };
                    self.string(start..end);
                    at = end + 1;
                }
                // Only possible on input that the parser stopped in before this place.
                b'{' | b'[' if self.open.len() > DEPTH_CEILING => return,
                b'{' => self.open.push(Open::Object { name: None, at_name: true }),
                b'[' => self.open.push(Open::Array { index: 0 }),
                b'}' | b']' => drop(self.open.pop()),
                b',' => self.comma(),
                _ => {}
            }
        }
    }

    fn string(&mut self, text: Range<usize>) {
        let outermost = self.open.len() == 1;
        match self.open.last_mut() {
            Some(Open::Object { name, at_name }) if *at_name => {
                *name = Some(text);
                *at_name = false;
            }
            Some(Open::Object { name: Some(name), .. })
                if outermost && self.bytes.get(name.clone()) == Some(b"resourceType") =>
            {
                self.root = Some(text);
            }
            _ => {}
        }
    }

    fn comma(&mut self) {
        match self.open.last_mut() {
            Some(Open::Object { name, at_name }) => {
                *name = None;
                *at_name = true;
            }
            Some(Open::Array { index }) => *index += 1,
            None => {}
        }
    }

    fn render(&self) -> String {
        let mut path = self.root.clone().map_or_else(String::new, |root| self.name(root));
        for open in &self.open {
            if path.len() > PATH_BYTES_MAX {
                path.push_str("...");
                break;
            }
            match open {
                Open::Object { name: Some(name), .. } => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&self.name(name.clone()));
                }
                Open::Object { name: None, .. } => {}
                Open::Array { index } => {
                    let _ = write!(path, "[{index}]");
                }
            }
        }
        path
    }

    /// A name as it is written: escapes stay, so it holds no control characters.
    fn name(&self, at: Range<usize>) -> String {
        let written = String::from_utf8_lossy(self.bytes.get(at).unwrap_or_default());
        if written.chars().nth(NAME_CHARS_MAX).is_none() {
            return written.into_owned();
        }
        written.chars().take(NAME_CHARS_MAX).chain("...".chars()).collect()
    }
}

/// The index of the quote that ends the string that starts at `from`.
fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
