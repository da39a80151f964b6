//! The one place where a function's name meets its implementation, and the reading of arguments.

use std::borrow::Cow;

use super::collections::Keep;
use super::{
    Evaluated, Evaluator, Items, Scope, boolean, integer, optional_boolean, singleton, truth, wrong_type,
};
use crate::error::EvalError;
use crate::functions::Function;
use crate::item::Item;
use crate::syntax::{Call, Node};
use crate::system::System;

impl<'a> Evaluator<'a> {
    pub(super) fn call(&self, call: &'a Call, items: Items<'a>, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        use Function as F;
        self.budget.charge(1)?;
        let first = call.arguments.first();
        match (call.function, first) {
            (F::Empty, _) => Ok(boolean(items.is_empty())),
            (F::Exists, None) => Ok(boolean(!items.is_empty())),
            (F::Exists, Some(condition)) => self.any(&items, condition, scope),
            (F::All, Some(condition)) => self.all(&items, condition, scope),
            (F::AllTrue | F::AnyTrue | F::AllFalse | F::AnyFalse, _) => self.booleans(call.function, &items),
            (F::Count, _) => Ok(integer(items.len())),
            (F::Not, _) => Ok(optional_boolean(truth(&items, "not()")?.map(|truth| !truth))),
            (F::Distinct, _) => self.distinct(items),
            (F::IsDistinct, _) => {
                let count = items.len();
                Ok(boolean(self.distinct(items)?.len() == count))
            }
            (F::Where, Some(condition)) => self.filtered(items, condition, scope),
            (F::Select, Some(projection)) => self.projected(&items, projection, scope),
            (F::Repeat, Some(projection)) => self.repeated(&items, projection, scope),
            (F::Sort, _) => self.sorted(items, &call.arguments, scope),
            (F::Aggregate, Some(aggregator)) => {
                self.aggregated(&items, aggregator, call.arguments.get(1), scope)
            }
            (F::Iif, _) => self.branched(&items, &call.arguments, scope),
            (F::Children, _) => self.children(&items),
            (F::Descendants, _) => self.descendants(&items),
            (F::Type, _) => Ok(items.iter().map(|item| Item::Type(item.type_info())).collect()),
            (F::Trace, _) => Ok(items),
            (
                F::SubsetOf | F::SupersetOf | F::Intersect | F::Exclude | F::Union | F::Combine,
                Some(other),
            ) => self.combined(call.function, items, self.node(other, scope)?),
            (F::Single | F::First | F::Last | F::Tail | F::Skip | F::Take, _) => {
                self.part(call, items, scope)
            }
            (F::Now | F::Today | F::TimeOfDay, _) => self.clock(call.function),
            _ => self.call_on_value(call, &items, scope),
        }
    }

    /// The functions that look at single values.
    fn call_on_value(&self, call: &'a Call, items: &[Item<'a>], scope: Scope<'_, 'a>) -> Evaluated<'a> {
        use Function as F;
        match call.function {
            F::ToBoolean
            | F::ToInteger
            | F::ToDecimal
            | F::ToString
            | F::ToDate
            | F::ToDateTime
            | F::ToTime
            | F::ToQuantity
            | F::ConvertsToBoolean
            | F::ConvertsToInteger
            | F::ConvertsToDecimal
            | F::ConvertsToString
            | F::ConvertsToDate
            | F::ConvertsToDateTime
            | F::ConvertsToTime
            | F::ConvertsToQuantity => self.converted(call, items, scope),
            F::Abs
            | F::Ceiling
            | F::Exp
            | F::Floor
            | F::Ln
            | F::Log
            | F::Power
            | F::Round
            | F::Sqrt
            | F::Truncate => self.mathematics(call, items, scope),
            F::LowBoundary | F::HighBoundary | F::Precision | F::Comparable => {
                self.boundaries(call, items, scope)
            }
            F::Extension
            | F::HasExtension
            | F::HasValue
            | F::GetValue
            | F::Resolve
            | F::MemberOf
            | F::Subsumes
            | F::SubsumedBy
            | F::ConformsTo
            | F::HtmlChecks => self.fhir(call, items, scope),
            _ => self.texts(call, items, scope),
        }
    }

    fn combined(&self, function: Function, mut items: Items<'a>, mut other: Items<'a>) -> Evaluated<'a> {
        match function {
            Function::SubsetOf => Ok(boolean(self.is_subset(&items, &other)?)),
            Function::SupersetOf => Ok(boolean(self.is_subset(&other, &items)?)),
            Function::Intersect => self.compared_with(items, &other, Keep::Shared),
            Function::Exclude => self.compared_with(items, &other, Keep::Others),
            _ => {
                items.append(&mut other);
                self.budget.check_items(items.len())?;
                if function == Function::Union { self.distinct(items) } else { Ok(items) }
            }
        }
    }

    fn part(&self, call: &'a Call, mut items: Items<'a>, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        match call.function {
            Function::Single => {
                singleton(&items, "single()")?;
            }
            Function::First => items.truncate(1),
            Function::Last => drop(items.drain(..items.len().saturating_sub(1))),
            Function::Tail => drop(items.drain(..items.len().min(1))),
            function => {
                let Some(count) = self.integer_argument(call, 0, scope)? else { return Ok(Items::new()) };
                let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX).min(items.len());
                if function == Function::Skip {
                    drop(items.drain(..count));
                } else {
                    items.truncate(count);
                }
            }
        }
        Ok(items)
    }

    fn clock(&self, function: Function) -> Evaluated<'a> {
        let now = self.environment.now.ok_or(EvalError::NotProvided { what: "the current time" })?;
        Ok(super::value(match function {
            Function::Now => Some(System::DateTime(now)),
            Function::Today => Some(System::Date(now.date())),
            _ => now.time().map(System::Time),
        }))
    }

    /// An argument that is evaluated once, where the function stands.
    pub(super) fn argument(&self, call: &'a Call, place: usize, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let argument: Option<&'a Node> = call.arguments.get(place);
        argument.map_or(Ok(Items::new()), |argument| self.node(argument, scope))
    }

    pub(super) fn integer_argument(
        &self,
        call: &'a Call,
        place: usize,
        scope: Scope<'_, 'a>,
    ) -> Result<Option<i64>, EvalError> {
        let at = call.function.name();
        let items = self.argument(call, place, scope)?;
        let Some(item) = singleton(&items, at)? else { return Ok(None) };
        match item.system() {
            Some(System::Integer(number)) => Ok(Some(number)),
            _ => Err(wrong_type(at, "an Integer as argument", item)),
        }
    }

    pub(super) fn text_argument(
        &self,
        call: &'a Call,
        place: usize,
        scope: Scope<'_, 'a>,
    ) -> Result<Option<Cow<'a, str>>, EvalError> {
        self.optional_text(&self.argument(call, place, scope)?, call.function.name())
    }

    /// The text of a single item, if there is one; charged for its length.
    pub(super) fn optional_text(
        &self,
        items: &[Item<'a>],
        at: &'static str,
    ) -> Result<Option<Cow<'a, str>>, EvalError> {
        let Some(item) = singleton(items, at)? else { return Ok(None) };
        let text = match item {
            Item::Element(element) => element.value().and_then(|value| value.as_str()).map(Cow::Borrowed),
            Item::Value(System::String(text)) => Some(text.clone()),
            Item::Value(_) | Item::Type(_) => None,
        };
        let text = match text {
            Some(text) => text,
            // A primitive without value has no text either.
            None if item.as_element().is_some_and(|element| element.value().is_none()) => return Ok(None),
            None => return Err(wrong_type(at, "a String", item)),
        };
        self.budget.charge(text.len() / 64 + 1)?;
        Ok(Some(text))
    }
}
