//! Functions on text (FHIRPath, "String Manipulation", "Additional String Functions"). Places and lengths are counted
//! in characters.

use std::borrow::Cow;

use regex::Regex;

use super::encodings::{decode, encode, escape, unescape};
use super::{Evaluated, Evaluator, Items, Scope, boolean, integer, text};
use crate::error::EvalError;
use crate::functions::Function;
use crate::item::Item;
use crate::parser::{anchored, compile_pattern};
use crate::syntax::Call;
use crate::system::System;

/// Steps that compiling a pattern costs: a computed pattern is compiled each time.
const COMPILE_STEPS: usize = 10_000;

impl<'a> Evaluator<'a> {
    pub(super) fn texts(&self, call: &'a Call, items: &[Item<'a>], scope: Scope<'_, 'a>) -> Evaluated<'a> {
        use Function as F;
        let at = call.function.name();
        if call.function == F::Join {
            return self.joined(call, items, scope);
        }
        let Some(input) = self.optional_text(items, at)? else { return Ok(Items::new()) };
        match call.function {
            F::Upper => Ok(text(input.to_uppercase())),
            F::Lower => Ok(text(input.to_lowercase())),
            F::Length => Ok(integer(input.chars().count())),
            F::Trim => Ok(text(input.trim().to_owned())),
            F::ToChars => self.pieces(input.chars().map(String::from)),
            F::Substring => self.substring(&input, call, scope),
            F::Replace => self.replaced(&input, call, scope),
            F::ReplaceMatches => self.replaced_matches(&input, call, scope),
            F::Matches | F::MatchesFull => match self.pattern(call, scope)? {
                Some(pattern) => Ok(boolean(pattern.is_match(&input))),
                None => Ok(Items::new()),
            },
            function => {
                let Some(argument) = self.text_argument(call, 0, scope)? else { return Ok(Items::new()) };
                match function {
                    F::StartsWith => Ok(boolean(input.starts_with(argument.as_ref()))),
                    F::EndsWith => Ok(boolean(input.ends_with(argument.as_ref()))),
                    F::Contains => Ok(boolean(input.contains(argument.as_ref()))),
                    F::IndexOf => Ok(place(&input, input.find(argument.as_ref()))),
                    F::LastIndexOf => Ok(place(&input, input.rfind(argument.as_ref()))),
                    F::Split if argument.is_empty() => self.pieces(input.chars().map(String::from)),
                    F::Split => self.pieces(input.split(argument.as_ref()).map(str::to_owned)),
                    _ => self.recoded(function, &input, &argument),
                }
            }
        }
    }

    fn pieces(&self, pieces: impl Iterator<Item = String>) -> Evaluated<'a> {
        let mut out = Items::new();
        for piece in pieces {
            self.budget.charge(1)?;
            out.push(Item::Value(System::String(piece.into())));
        }
        self.budget.check_items(out.len())?;
        Ok(out)
    }

    fn joined(&self, call: &'a Call, items: &[Item<'a>], scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let separator = self.text_argument(call, 0, scope)?.unwrap_or_default();
        let mut out = String::new();
        for (index, item) in items.iter().enumerate() {
            let piece = self.optional_text(std::slice::from_ref(item), "join")?.unwrap_or_default();
            if index > 0 {
                out.push_str(&separator);
            }
            self.budget.check_text(out.len() + piece.len())?;
            out.push_str(&piece);
        }
        Ok(text(out))
    }

    fn substring(&self, input: &str, call: &'a Call, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let Some(start) = self.integer_argument(call, 0, scope)? else { return Ok(Items::new()) };
        let length = if call.arguments.len() > 1 { self.integer_argument(call, 1, scope)? } else { None };
        let count = input.chars().count();
        let Some(start) = usize::try_from(start).ok().filter(|start| *start < count) else {
            return Ok(Items::new());
        };
        let length = length.map_or(count, |length| usize::try_from(length.max(0)).unwrap_or(count));
        Ok(text(input.chars().skip(start).take(length).collect::<String>()))
    }

    fn replaced(&self, input: &str, call: &'a Call, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let (Some(pattern), Some(by)) =
            (self.text_argument(call, 0, scope)?, self.text_argument(call, 1, scope)?)
        else {
            return Ok(Items::new());
        };
        let places = input.matches(pattern.as_ref()).count();
        self.budget.check_text(input.len() + places.saturating_mul(by.len()))?;
        Ok(text(input.replace(pattern.as_ref(), &by)))
    }

    fn replaced_matches(&self, input: &str, call: &'a Call, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let (Some(pattern), Some(by)) = (self.pattern(call, scope)?, self.text_argument(call, 1, scope)?)
        else {
            return Ok(Items::new());
        };
        if pattern.as_str().is_empty() {
            return Ok(text(input.to_owned()));
        }
        let mut out = String::new();
        let mut end = 0;
        for captures in pattern.captures_iter(input) {
            let Some(whole) = captures.get(0) else { continue };
            out.push_str(input.get(end..whole.start()).unwrap_or_default());
            captures.expand(&by, &mut out);
            end = whole.end();
            self.budget.check_text(out.len())?;
        }
        out.push_str(input.get(end..).unwrap_or_default());
        self.budget.check_text(out.len())?;
        Ok(text(out))
    }

    /// The pattern of a matching function: compiled with the expression, or computed.
    fn pattern(&self, call: &'a Call, scope: Scope<'_, 'a>) -> Result<Option<Cow<'a, Regex>>, EvalError> {
        if let Some(pattern) = &call.pattern {
            return Ok(Some(Cow::Borrowed(&pattern.0)));
        }
        let Some(pattern) = self.text_argument(call, 0, scope)? else { return Ok(None) };
        self.budget.charge(COMPILE_STEPS)?;
        let is_full = call.function == Function::MatchesFull;
        let pattern = if is_full { Cow::Owned(anchored(&pattern)) } else { pattern };
        match compile_pattern(&pattern) {
            Ok(pattern) => Ok(Some(Cow::Owned(pattern.0))),
            Err(why) => Err(EvalError::BadPattern(why)),
        }
    }

    fn recoded(&self, function: Function, input: &str, form: &str) -> Evaluated<'a> {
        // No form makes a text longer than this.
        self.budget.check_text(input.len().saturating_mul(6))?;
        let recoded = match function {
            Function::Encode => encode(input, form),
            Function::Decode => decode(input, form),
            Function::Escape => escape(input, form),
            _ => unescape(input, form),
        };
        Ok(recoded.map(text).unwrap_or_default())
    }
}

/// A place in bytes as one in characters, or -1.
fn place<'a>(input: &str, found: Option<usize>) -> Items<'a> {
    match found {
        Some(bytes) => integer(input.get(..bytes).unwrap_or_default().chars().count()),
        None => super::value(System::Integer(-1)),
    }
}
