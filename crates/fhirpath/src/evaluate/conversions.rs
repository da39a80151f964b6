//! Conversion functions (FHIRPath, "Conversion").

use rust_decimal::Decimal;

use super::{Evaluated, Evaluator, Items, Scope, boolean, singleton, value};
use crate::functions::Function;
use crate::item::Item;
use crate::quantity::Quantity;
use crate::syntax::Call;
use crate::system::{System, parse_decimal};
use crate::temporal::{Date, DateTime, Time};

impl<'a> Evaluator<'a> {
    pub(super) fn converted(
        &self,
        call: &'a Call,
        items: &[Item<'a>],
        scope: Scope<'_, 'a>,
    ) -> Evaluated<'a> {
        use Function as F;
        let Some(item) = singleton(items, call.function.name())? else { return Ok(Items::new()) };
        let unit = self.text_argument(call, 0, scope)?;
        let convert = match call.function {
            F::ToBoolean | F::ConvertsToBoolean => to_boolean,
            F::ToInteger | F::ConvertsToInteger => to_integer,
            F::ToDecimal | F::ConvertsToDecimal => to_decimal,
            F::ToDate | F::ConvertsToDate => to_date,
            F::ToDateTime | F::ConvertsToDateTime => to_date_time,
            F::ToTime | F::ConvertsToTime => to_time,
            F::ToString | F::ConvertsToString => to_text,
            _ => to_quantity,
        };
        let mut converted = convert(item);
        if let (Some(unit), Some(System::Quantity(quantity))) = (unit, &converted) {
            converted = quantity.converted(&unit).map(|quantity| System::Quantity(Box::new(quantity)));
        }
        match call.function {
            F::ToBoolean
            | F::ToInteger
            | F::ToDecimal
            | F::ToDate
            | F::ToDateTime
            | F::ToTime
            | F::ToString
            | F::ToQuantity => Ok(value(converted)),
            _ => Ok(boolean(converted.is_some())),
        }
    }
}

fn to_boolean<'a>(item: &Item<'a>) -> Option<System<'a>> {
    let truth = match item.system()? {
        System::Boolean(value) => Some(value),
        System::Integer(1) => Some(true),
        System::Integer(0) => Some(false),
        System::Decimal(number) if number == Decimal::ONE => Some(true),
        System::Decimal(number) if number.is_zero() => Some(false),
        System::String(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    truth.map(System::Boolean)
}

fn to_integer<'a>(item: &Item<'a>) -> Option<System<'a>> {
    match item.system()? {
        number @ System::Integer(_) => Some(number),
        System::Boolean(value) => Some(System::Integer(value.into())),
        System::String(text) => text.parse().ok().map(System::Integer),
        _ => None,
    }
}

fn to_decimal<'a>(item: &Item<'a>) -> Option<System<'a>> {
    match item.system()? {
        System::Boolean(value) => Some(System::Decimal(u8::from(value).into())),
        // Digits, with a point only between digits.
        System::String(text) if text.contains(['e', 'E', '_']) || text.ends_with('.') => None,
        System::String(text) if text.trim_start_matches(['+', '-']).starts_with('.') => None,
        System::String(text) => parse_decimal(&text).map(System::Decimal),
        other => other.to_decimal().map(System::Decimal),
    }
}

fn to_date<'a>(item: &Item<'a>) -> Option<System<'a>> {
    let date = match item.system()? {
        System::Date(date) => Some(date),
        System::DateTime(date_time) => Some(date_time.date()),
        System::String(text) => Date::parse(&text).or_else(|| DateTime::parse(&text).map(DateTime::date)),
        _ => None,
    };
    date.map(System::Date)
}

fn to_date_time<'a>(item: &Item<'a>) -> Option<System<'a>> {
    let date_time = match item.system()? {
        System::Date(date) => Some(date.into()),
        System::DateTime(date_time) => Some(date_time),
        System::String(text) => DateTime::parse(&text),
        _ => None,
    };
    date_time.map(System::DateTime)
}

fn to_time<'a>(item: &Item<'a>) -> Option<System<'a>> {
    let time = match item.system()? {
        System::Time(time) => Some(time),
        System::String(text) => Time::parse(text.strip_prefix('T').unwrap_or(&text)),
        _ => None,
    };
    time.map(System::Time)
}

/// A primitive as it is written in JSON, so that no digit is lost; anything else as a literal without quotes.
fn to_text<'a>(item: &Item<'a>) -> Option<System<'a>> {
    if let Some(written) = item.json().and_then(|json| json.as_number()) {
        return Some(System::String(written.as_str().into()));
    }
    if let Some(written) = item.json().and_then(|json| json.as_str()) {
        return Some(System::String(written.into()));
    }
    match item.operand()? {
        text @ System::String(_) => Some(text),
        other => Some(System::String(other.to_string().into())),
    }
}

fn to_quantity<'a>(item: &Item<'a>) -> Option<System<'a>> {
    let quantity = match item.operand()? {
        System::Quantity(quantity) => *quantity,
        System::Boolean(value) => Quantity::unity(u8::from(value).into()),
        System::String(text) => Quantity::parse(&text)?,
        number => Quantity::unity(number.to_decimal()?),
    };
    Some(System::Quantity(Box::new(quantity)))
}
