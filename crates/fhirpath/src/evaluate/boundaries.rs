//! Precision: `lowBoundary()`, `highBoundary()`, `precision()`, `comparable()`.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{Evaluated, Evaluator, Items, Scope, boolean, singleton, value, wrong_type};
use crate::functions::Function;
use crate::item::Item;
use crate::quantity::Quantity;
use crate::syntax::Call;
use crate::system::System;
use crate::temporal::Boundary;

/// Digits behind the point, date digits and time digits where none are asked for.
const DECIMAL_PLACES: i64 = 8;
const DATE_DIGITS: i64 = 8;
const DATE_TIME_DIGITS: i64 = 17;
const TIME_DIGITS: i64 = 9;
/// Most digits behind the point.
const PLACES_MAX: i64 = 28;

impl<'a> Evaluator<'a> {
    pub(super) fn boundaries(
        &self,
        call: &'a Call,
        items: &[Item<'a>],
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        let at = call.function.name();
        let Some(item) = singleton(items, at)? else { return Ok(Items::new()) };
        let input =
            item.operand().ok_or_else(|| wrong_type(at, "a number, a date, a time or a Quantity", item))?;
        let end = match call.function {
            Function::LowBoundary => Boundary::Low,
            Function::HighBoundary => Boundary::High,
            Function::Precision => return Ok(value(digits(&input).map(System::Integer))),
            _ => return self.comparable(&input, item, call, scope),
        };
        let asked = self.integer_argument(call, 0, scope)?;
        if asked.is_none() && !call.arguments.is_empty() {
            return Ok(Items::new());
        }
        Ok(value(match input {
            System::Date(date) => date.boundary(end, asked.unwrap_or(DATE_DIGITS)).map(System::Date),
            System::DateTime(date_time) => {
                date_time.boundary(end, asked.unwrap_or(DATE_TIME_DIGITS)).map(System::DateTime)
            }
            System::Time(time) => time.boundary(end, asked.unwrap_or(TIME_DIGITS)).map(System::Time),
            System::Quantity(quantity) => {
                let Quantity { value, unit } = *quantity;
                decimal_boundary(value, end, asked)
                    .map(|value| System::Quantity(Box::new(Quantity { value, unit })))
            }
            other => match other.to_decimal() {
                Some(number) => decimal_boundary(number, end, asked).map(System::Decimal),
                None => return Err(wrong_type(at, "a number, a date, a time or a Quantity", item)),
            },
        }))
    }

    fn comparable(
        &self,
        input: &System<'a>,
        item: &Item<'a>,
        call: &'a Call,
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        let others = self.argument(call, 0, scope)?;
        let Some(other) = singleton(&others, "comparable")? else { return Ok(Items::new()) };
        match (input, other.operand()) {
            (System::Quantity(left), Some(System::Quantity(right))) => {
                Ok(boolean(left.is_comparable(&right)))
            }
            (System::Quantity(_), _) => Err(wrong_type("comparable", "a Quantity as argument", other)),
            _ => Err(wrong_type("comparable", "a Quantity", item)),
        }
    }
}

fn digits(input: &System<'_>) -> Option<i64> {
    match input {
        System::Integer(_) => Some(0),
        System::Decimal(number) => Some(number.scale().into()),
        System::Quantity(quantity) => Some(quantity.value.scale().into()),
        System::Date(date) => Some(date.digits()),
        System::DateTime(date_time) => Some(date_time.digits()),
        System::Time(time) => Some(time.digits()),
        System::Boolean(_) | System::String(_) => None,
    }
}

/// Half a unit of the last digit below or above, rounded outwards to the places asked for.
fn decimal_boundary(number: Decimal, end: Boundary, asked: Option<i64>) -> Option<Decimal> {
    let places = asked.unwrap_or(DECIMAL_PLACES);
    let places = u32::try_from(places).ok().filter(|_| places <= PLACES_MAX)?;
    let half = Decimal::try_new(5, number.scale() + 1).ok()?;
    let (bound, outwards) = match end {
        Boundary::Low => (number.checked_sub(half)?, RoundingStrategy::ToNegativeInfinity),
        Boundary::High => (number.checked_add(half)?, RoundingStrategy::ToPositiveInfinity),
    };
    let mut rounded = bound.round_dp_with_strategy(places, outwards);
    rounded.rescale(places);
    (rounded.scale() == places).then_some(rounded)
}
