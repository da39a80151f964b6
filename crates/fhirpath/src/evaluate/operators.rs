//! Operators (FHIRPath, "Operations").

use std::cmp::Ordering;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{
    Evaluated, Evaluator, Items, Scope, boolean, optional_boolean, singleton, text, truth, value, wrong_type,
};
use crate::equality::{equal_collections, equivalent_collections, to_date_time, to_quantity};
use crate::error::EvalError;
use crate::item::Item;
use crate::quantity::Quantity;
use crate::syntax::{Node, Operator, Sign};
use crate::system::System;
use crate::temporal::Duration;

impl<'a> Evaluator<'a> {
    /// Operators of one precedence from left to right.
    pub(super) fn chain(
        &self,
        first: &'a Node,
        rest: &'a [(Operator, Node)],
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        let mut items = self.node(first, scope)?;
        if let [(Operator::Union, _), ..] = rest {
            // Nothing else has this precedence: one set for the whole chain.
            for (_, operand) in rest {
                items.append(&mut self.node(operand, scope)?);
                self.budget.check_size(items.len())?;
            }
            return self.distinct(items);
        }
        for (operator, operand) in rest {
            items = match operator {
                Operator::And | Operator::Or | Operator::Xor | Operator::Implies => {
                    self.logic(*operator, &items, operand, scope)?
                }
                _ => self.operate(*operator, &items, &self.node(operand, scope)?)?,
            };
        }
        Ok(items)
    }

    /// Three-valued logic. The right operand is not looked at where the left one decides.
    fn logic(
        &self,
        operator: Operator,
        left: &[Item<'a>],
        right: &'a Node,
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        let at = operator.symbol();
        let left = truth(left, at)?;
        match (operator, left) {
            (Operator::And, Some(false)) => return Ok(boolean(false)),
            (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => return Ok(boolean(true)),
            _ => {}
        }
        let right = truth(&self.node(right, scope)?, at)?;
        Ok(optional_boolean(match (operator, left, right) {
            (Operator::Xor, left, right) => left.zip(right).map(|(left, right)| left != right),
            // A left operand that is there leaves the answer to the right one.
            (_, Some(_), right) => right,
            (Operator::And, None, right) => right.filter(|right| !right),
            (_, None, right) => right.filter(|right| *right),
        }))
    }

    fn operate(&self, operator: Operator, left: &[Item<'a>], right: &[Item<'a>]) -> Evaluated<'a> {
        use Operator as O;
        let at = operator.symbol();
        match operator {
            O::Equal => Ok(optional_boolean(equal_collections(left, right, &self.budget)?)),
            O::NotEqual => {
                let is_equal = equal_collections(left, right, &self.budget)?;
                Ok(optional_boolean(is_equal.map(|is_equal| !is_equal)))
            }
            O::Equivalent => Ok(boolean(equivalent_collections(left, right, &self.budget)?)),
            O::NotEquivalent => Ok(boolean(!equivalent_collections(left, right, &self.budget)?)),
            O::In => self.membership(at, left, right),
            O::Contains => self.membership(at, right, left),
            O::Concatenate => self.concatenate(left, right),
            _ => {
                let (Some(left), Some(right)) = (singleton(left, at)?, singleton(right, at)?) else {
                    return Ok(Items::new());
                };
                match operator {
                    O::Less => order(at, left, right).map(|order| compared(order, Ordering::is_lt)),
                    O::LessOrEqual => order(at, left, right).map(|order| compared(order, Ordering::is_le)),
                    O::Greater => order(at, left, right).map(|order| compared(order, Ordering::is_gt)),
                    O::GreaterOrEqual => order(at, left, right).map(|order| compared(order, Ordering::is_ge)),
                    _ => self.arithmetic(operator, left, right).map(value),
                }
            }
        }
    }

    fn membership(&self, at: &'static str, item: &[Item<'a>], among: &[Item<'a>]) -> Evaluated<'a> {
        let Some(item) = singleton(item, at)? else { return Ok(Items::new()) };
        Ok(boolean(self.is_among(item, among)?))
    }

    fn concatenate(&self, left: &[Item<'a>], right: &[Item<'a>]) -> Evaluated<'a> {
        let (left, right) = (self.optional_text(left, "&")?, self.optional_text(right, "&")?);
        let (left, right) = (left.unwrap_or_default(), right.unwrap_or_default());
        self.budget.check_text(left.len() + right.len())?;
        Ok(text(left.into_owned() + right.as_ref()))
    }

    /// What arithmetic gives; nothing where the result is beyond all numbers or dates.
    fn arithmetic(
        &self,
        operator: Operator,
        left: &Item<'a>,
        right: &Item<'a>,
    ) -> Result<Option<System<'a>>, EvalError> {
        let unfit = || unfit(operator.symbol(), left, right);
        let (Some(left_value), Some(right_value)) = (left.operand(), right.operand()) else {
            return Err(unfit());
        };
        match (&left_value, &right_value) {
            (System::Integer(left), System::Integer(right)) => Ok(integers(operator, *left, *right)),
            (System::String(left), System::String(right)) if operator == Operator::Add => {
                self.budget.check_text(left.len() + right.len())?;
                Ok(Some(System::String(format!("{left}{right}").into())))
            }
            (System::Date(_) | System::DateTime(_) | System::Time(_), System::Quantity(quantity))
                if matches!(operator, Operator::Add | Operator::Subtract) =>
            {
                shifted(operator, &left_value, quantity)
            }
            _ => match (left_value.to_decimal(), right_value.to_decimal()) {
                (Some(left), Some(right)) => Ok(decimals(operator, left, right)),
                _ => match (to_quantity(&left_value), to_quantity(&right_value)) {
                    (Some(left), Some(right)) if !matches!(operator, Operator::Div | Operator::Mod) => {
                        Ok(quantities(operator, &left, &right))
                    }
                    _ => Err(unfit()),
                },
            },
        }
    }
}

/// A number or a quantity with a sign before it.
pub(super) fn polarity<'a>(sign: Sign, operand: &[Item<'a>]) -> Evaluated<'a> {
    let at = if sign == Sign::Minus { "-" } else { "+" };
    let Some(item) = singleton(operand, at)? else { return Ok(Items::new()) };
    let signed = match (sign, item.operand()) {
        (Sign::Plus, Some(number @ (System::Integer(_) | System::Decimal(_) | System::Quantity(_)))) => {
            Some(number)
        }
        (Sign::Minus, Some(System::Integer(number))) => number.checked_neg().map(System::Integer),
        (Sign::Minus, Some(System::Decimal(number))) => Some(System::Decimal(-number)),
        (Sign::Minus, Some(System::Quantity(quantity))) => {
            let Quantity { value, unit } = *quantity;
            Some(System::Quantity(Box::new(Quantity { value: -value, unit })))
        }
        _ => return Err(wrong_type(at, "a number or a Quantity", item)),
    };
    Ok(value(signed))
}

fn unfit(at: &'static str, left: &Item<'_>, right: &Item<'_>) -> EvalError {
    EvalError::Operands { at, left: left.type_info().to_string(), right: right.type_info().to_string() }
}

fn compared<'a>(order: Option<Ordering>, is_wanted: fn(Ordering) -> bool) -> Items<'a> {
    optional_boolean(order.map(is_wanted))
}

/// The order of two items; none if their precision or units leave it open.
pub(super) fn order(
    at: &'static str,
    left: &Item<'_>,
    right: &Item<'_>,
) -> Result<Option<Ordering>, EvalError> {
    let (Some(left_value), Some(right_value)) = (left.operand(), right.operand()) else {
        return Err(unfit(at, left, right));
    };
    match (&left_value, &right_value) {
        (System::String(left), System::String(right)) => Ok(Some(left.cmp(right))),
        (System::Integer(left), System::Integer(right)) => Ok(Some(left.cmp(right))),
        (System::Time(left), System::Time(right)) => Ok(left.compare(*right)),
        _ => {
            if let (Some(left), Some(right)) = (left_value.to_decimal(), right_value.to_decimal()) {
                return Ok(Some(left.cmp(&right)));
            }
            if let (Some(left), Some(right)) = (to_date_time(&left_value), to_date_time(&right_value)) {
                return Ok(left.compare(right));
            }
            match (to_quantity(&left_value), to_quantity(&right_value)) {
                (Some(left), Some(right)) => Ok(left.compare(&right)),
                _ => Err(unfit(at, left, right)),
            }
        }
    }
}

fn integers<'a>(operator: Operator, left: i64, right: i64) -> Option<System<'a>> {
    match operator {
        Operator::Add => left.checked_add(right).map(System::Integer),
        Operator::Subtract => left.checked_sub(right).map(System::Integer),
        Operator::Multiply => left.checked_mul(right).map(System::Integer),
        Operator::Div => left.checked_div(right).map(System::Integer),
        Operator::Mod => left.checked_rem(right).map(System::Integer),
        _ => decimals(operator, left.into(), right.into()),
    }
}

fn decimals<'a>(operator: Operator, left: Decimal, right: Decimal) -> Option<System<'a>> {
    match operator {
        Operator::Add => left.checked_add(right).map(System::Decimal),
        Operator::Subtract => left.checked_sub(right).map(System::Decimal),
        Operator::Multiply => left.checked_mul(right).map(System::Decimal),
        Operator::Divide => left.checked_div(right).map(System::Decimal),
        Operator::Div => left.checked_div(right)?.trunc().to_i64().map(System::Integer),
        Operator::Mod => left.checked_rem(right).map(System::Decimal),
        _ => None,
    }
}

fn quantities<'a>(operator: Operator, left: &Quantity<'a>, right: &Quantity<'a>) -> Option<System<'a>> {
    let result = match operator {
        Operator::Add => left.plus(right),
        Operator::Subtract => left.minus(right),
        Operator::Multiply => left.times(right),
        _ => left.divided_by(right),
    };
    result.map(|quantity| System::Quantity(Box::new(quantity)))
}

/// A date or time moved by a quantity of time, forwards or backwards.
fn shifted<'a>(
    operator: Operator,
    moment: &System<'a>,
    quantity: &Quantity<'_>,
) -> Result<Option<System<'a>>, EvalError> {
    let duration = match operator {
        Operator::Subtract => quantity.duration().and_then(Duration::negated),
        _ => quantity.duration(),
    };
    let Some(duration) = duration else {
        return Err(EvalError::Unit { at: operator.symbol(), unit: quantity.unit().to_owned() });
    };
    Ok(match moment {
        System::Date(date) => date.plus(duration).map(System::Date),
        System::DateTime(date_time) => date_time.plus(duration).map(System::DateTime),
        System::Time(time) => time.plus(duration).map(System::Time),
        _ => None,
    })
}
