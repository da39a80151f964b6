//! Mathematical functions (FHIRPath, "Math"). What has no result gives nothing.

use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};

use super::{Evaluated, Evaluator, Items, Scope, singleton, value, wrong_type};
use crate::error::EvalError;
use crate::functions::Function;
use crate::item::Item;
use crate::quantity::Quantity;
use crate::syntax::Call;
use crate::system::System;

/// Most digits behind the point.
const PLACES_MAX: i64 = 28;

impl<'a> Evaluator<'a> {
    pub(super) fn mathematics(
        &self,
        call: &'a Call,
        items: &[Item<'a>],
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        use Function as F;
        let at = call.function.name();
        let Some(item) = singleton(items, at)? else { return Ok(Items::new()) };
        let number = item.operand().ok_or_else(|| wrong_type(at, "a number", item))?;
        if let (F::Abs, System::Quantity(quantity)) = (call.function, &number) {
            let positive = Quantity { value: quantity.value.abs(), unit: quantity.unit.clone() };
            return Ok(value(System::Quantity(Box::new(positive))));
        }
        let decimal = number.to_decimal().ok_or_else(|| wrong_type(at, "a number", item))?;
        Ok(value(match call.function {
            F::Abs => match number {
                System::Integer(integer) => integer.checked_abs().map(System::Integer),
                _ => Some(System::Decimal(decimal.abs())),
            },
            F::Ceiling => decimal.ceil().to_i64().map(System::Integer),
            F::Floor => decimal.floor().to_i64().map(System::Integer),
            F::Truncate => decimal.trunc().to_i64().map(System::Integer),
            F::Round => return self.rounded(decimal, call, scope),
            F::Exp => by_floats(decimal, f64::exp),
            F::Ln => by_floats(decimal, f64::ln),
            F::Sqrt => by_floats(decimal, f64::sqrt),
            F::Log => match self.number_argument(call, scope)? {
                Some(base) => base
                    .to_decimal()
                    .and_then(|base| base.to_f64())
                    .and_then(|base| by_floats(decimal, |number| number.log(base))),
                None => return Ok(Items::new()),
            },
            _ => match self.number_argument(call, scope)? {
                Some(exponent) => power(&number, &exponent),
                None => return Ok(Items::new()),
            },
        }))
    }

    fn number_argument(&self, call: &'a Call, scope: Scope<'_, 'a>) -> Result<Option<System<'a>>, EvalError> {
        let at = call.function.name();
        let items = self.argument(call, 0, scope)?;
        let Some(item) = singleton(&items, at)? else { return Ok(None) };
        match item.system() {
            Some(number @ (System::Integer(_) | System::Decimal(_))) => Ok(Some(number)),
            _ => Err(wrong_type(at, "a number as argument", item)),
        }
    }

    fn rounded(&self, number: Decimal, call: &'a Call, scope: Scope<'_, 'a>) -> Evaluated<'a> {
        let places = if call.arguments.is_empty() { Some(0) } else { self.integer_argument(call, 0, scope)? };
        let Some(places) = places else { return Ok(Items::new()) };
        let Some(places) = u32::try_from(places).ok().filter(|places| i64::from(*places) <= PLACES_MAX)
        else {
            return Err(EvalError::Argument { at: "round()", why: "a number of places is 0 to 28" });
        };
        // Away from zero at the half: what the standard calls traditional rounding.
        let rounded = number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero);
        Ok(value(System::Decimal(rounded)))
    }
}

/// Functions without exact results: what double precision gives, to 15 digits.
fn by_floats<'a>(number: Decimal, function: impl Fn(f64) -> f64) -> Option<System<'a>> {
    let result = function(number.to_f64()?);
    if !result.is_finite() {
        return None;
    }
    Decimal::from_f64(result).map(System::Decimal)
}

/// Exact for whole exponents as long as the result fits.
fn power<'a>(base: &System<'a>, exponent: &System<'a>) -> Option<System<'a>> {
    if let (System::Integer(base), System::Integer(exponent @ 0..)) = (base, exponent) {
        return base.checked_pow(u32::try_from(*exponent).ok()?).map(System::Integer);
    }
    let number = base.to_decimal()?;
    if let System::Integer(exponent @ 0..=64) = exponent {
        let mut product = Decimal::ONE;
        for _ in 0..*exponent {
            product = product.checked_mul(number)?;
        }
        return Some(System::Decimal(product));
    }
    let exponent = exponent.to_decimal()?.to_f64()?;
    by_floats(number, |number| number.powf(exponent))
}
