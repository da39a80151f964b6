//! From the tree back to text, in one canonical form: parsing it gives the same tree.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::quantity::Unit;
use crate::syntax::{LOOSEST, Node, Sign, Step, TIGHTEST, TYPE_LEVEL, TypeSpecifier};
use crate::system::System;

/// The level of a sign, of a path, and of what needs no parentheses anywhere.
const SIGN_LEVEL: u8 = TIGHTEST + 1;
const PATH_LEVEL: u8 = TIGHTEST + 2;

impl Node {
    /// How tightly the outermost operator binds.
    fn level(&self) -> u8 {
        match self {
            Self::Chain { rest, .. } => rest.first().map_or(PATH_LEVEL, |(operator, _)| operator.level()),
            Self::Types { .. } => TYPE_LEVEL,
            Self::Polarity { .. } => SIGN_LEVEL,
            _ => PATH_LEVEL,
        }
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("{}"),
            Self::Literal(literal) => write_literal(f, literal),
            Self::Variable(name) => {
                f.write_char('%')?;
                write_name(f, name)
            }
            Self::This => f.write_str("$this"),
            Self::Index => f.write_str("$index"),
            Self::Total => f.write_str("$total"),
            Self::Path { start, steps } => {
                if let Some(start) = start {
                    write_at(f, start, PATH_LEVEL)?;
                }
                for (place, step) in steps.iter().enumerate() {
                    let needs_point = place > 0 || start.is_some();
                    write_step(f, step, if needs_point { "." } else { "" })?;
                }
                Ok(())
            }
            Self::Polarity { sign, operand } => {
                f.write_char(if *sign == Sign::Minus { '-' } else { '+' })?;
                write_at(f, operand, SIGN_LEVEL)
            }
            Self::Chain { first, rest } => {
                let level = self.level();
                // Only the right operands must bind more tightly; so must the first, or it would join the chain.
                write_at(f, first, level + 1)?;
                for (operator, operand) in rest {
                    write!(f, " {} ", operator.symbol())?;
                    write_at(f, operand, level + 1)?;
                }
                Ok(())
            }
            Self::Types { operand, rest } => {
                write_at(f, operand, TYPE_LEVEL + 1)?;
                for (operator, wanted) in rest {
                    write!(f, " {} {wanted}", operator.name())?;
                }
                Ok(())
            }
        }
    }
}

/// A node where only operators of at least this level may stand without parentheses.
fn write_at(f: &mut Formatter<'_>, node: &Node, level: u8) -> fmt::Result {
    if node.level() < level.max(LOOSEST) { write!(f, "({node})") } else { write!(f, "{node}") }
}

fn write_step(f: &mut Formatter<'_>, step: &Step, point: &str) -> fmt::Result {
    match step {
        Step::Member(name) => {
            f.write_str(point)?;
            write_name(f, name)
        }
        Step::Index(index) => write!(f, "[{index}]"),
        Step::Types(operator, wanted) => write!(f, "{point}{}({wanted})", operator.name()),
        Step::Call(call) => {
            write!(f, "{point}{}(", call.function.name())?;
            for (place, argument) in call.arguments.iter().enumerate() {
                let separator = if place > 0 { ", " } else { "" };
                write!(f, "{separator}{argument}")?;
            }
            f.write_char(')')
        }
    }
}

impl Display for TypeSpecifier {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(namespace) = &self.namespace {
            write_name(f, namespace)?;
            f.write_char('.')?;
        }
        write_name(f, &self.name)
    }
}

/// A name, in backticks unless it is a plain one.
fn write_name(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    let is_plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
        && !matches!(name, "true" | "false");
    if is_plain { f.write_str(name) } else { write_quoted(f, name, '`') }
}

fn write_quoted(f: &mut Formatter<'_>, text: &str, quote: char) -> fmt::Result {
    f.write_char(quote)?;
    for char in text.chars() {
        match char {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{C}' => f.write_str("\\f")?,
            char if char == quote => write!(f, "\\{char}")?,
            char if char.is_control() && u32::from(char) <= 0xFFFF => {
                write!(f, "\\u{:04x}", u32::from(char))?;
            }
            char => f.write_char(char)?,
        }
    }
    f.write_char(quote)
}

fn write_literal(f: &mut Formatter<'_>, literal: &System<'_>) -> fmt::Result {
    match literal {
        System::String(text) => write_quoted(f, text, '\''),
        System::Date(date) => write!(f, "@{date}"),
        System::DateTime(date_time) if date_time.time().is_none() => write!(f, "@{date_time}T"),
        System::DateTime(date_time) => write!(f, "@{date_time}"),
        System::Time(time) => write!(f, "@T{time}"),
        System::Quantity(quantity) => match &quantity.unit {
            Unit::Ucum(code) => {
                write!(f, "{} ", quantity.value())?;
                write_quoted(f, code, '\'')
            }
            Unit::Calendar(_) => write!(f, "{quantity}"),
        },
        System::Boolean(_) | System::Integer(_) | System::Decimal(_) => write!(f, "{literal}"),
    }
}
