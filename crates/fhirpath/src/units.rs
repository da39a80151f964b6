//! As much of UCUM as it takes to compare everyday clinical quantities: about 60 units with their prefixes, products,
//! quotients and powers. A code outside of this has no measure, and then only equal codes are comparable.

use rust_decimal::Decimal;

/// Longest code that is looked at, in bytes.
const CODE_BYTES_MAX: usize = 256;
/// Deepest nesting of parentheses.
const DEPTH_MAX: usize = 4;
/// Greatest exponent.
const EXPONENT_MAX: i8 = 9;

/// What can be measured independently of one another: length, mass, time, temperature, charge, luminous intensity,
/// amount, angle, calendar months, international units, and degrees Celsius, whose zero is elsewhere.
const DIMENSIONS: usize = 11;
const METRE: usize = 0;
const GRAM: usize = 1;
const SECOND: usize = 2;
const KELVIN: usize = 3;
const COULOMB: usize = 4;
const CANDELA: usize = 5;
const MOLE: usize = 6;
const RADIAN: usize = 7;
const CALENDAR_MONTH: usize = 8;
const INTERNATIONAL_UNIT: usize = 9;
const CELSIUS: usize = 10;

/// What one of a unit is worth: a fraction of products of base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Measure {
    numerator: Decimal,
    denominator: Decimal,
    exponents: [i8; DIMENSIONS],
}

impl Measure {
    const ONE: Self = Self { numerator: Decimal::ONE, denominator: Decimal::ONE, exponents: [0; DIMENSIONS] };

    /// Months of the calendar.
    pub(crate) fn calendar_months(months: Decimal) -> Self {
        let mut exponents = [0; DIMENSIONS];
        exponents[CALENDAR_MONTH] = 1;
        Self { numerator: months, exponents, ..Self::ONE }
    }

    fn times(self, other: Self) -> Option<Self> {
        let mut exponents = self.exponents;
        for (exponent, more) in exponents.iter_mut().zip(other.exponents) {
            *exponent = exponent.checked_add(more)?;
        }
        Some(Self {
            numerator: self.numerator.checked_mul(other.numerator)?,
            denominator: self.denominator.checked_mul(other.denominator)?,
            exponents,
        })
    }

    fn inverse(self) -> Option<Self> {
        let mut exponents = self.exponents;
        for exponent in &mut exponents {
            *exponent = exponent.checked_neg()?;
        }
        Some(Self { numerator: self.denominator, denominator: self.numerator, exponents })
    }

    fn power(self, exponent: i8) -> Option<Self> {
        if exponent.unsigned_abs() > EXPONENT_MAX.unsigned_abs() {
            return None;
        }
        let base = if exponent < 0 { self.inverse()? } else { self };
        (0..exponent.unsigned_abs()).try_fold(Self::ONE, |product, _| product.times(base))
    }

    /// Two values over one common denominator, if both measure the same.
    pub(crate) fn common(
        &self,
        value: Decimal,
        other: &Self,
        other_value: Decimal,
    ) -> Option<(Decimal, Decimal)> {
        if self.exponents != other.exponents {
            return None;
        }
        let left = value.checked_mul(self.numerator)?.checked_mul(other.denominator)?;
        let right = other_value.checked_mul(other.numerator)?.checked_mul(self.denominator)?;
        Some((left, right))
    }

    /// A value in another unit, if both measure the same.
    pub(crate) fn convert(&self, value: Decimal, to: &Self) -> Option<Decimal> {
        if self.exponents != to.exponents {
            return None;
        }
        let numerator = self.numerator.checked_mul(to.denominator)?;
        let denominator = self.denominator.checked_mul(to.numerator)?;
        value.checked_mul(numerator)?.checked_div(denominator)
    }

    /// Two values in the larger of their units.
    pub(crate) fn in_larger_unit(
        &self,
        value: Decimal,
        other: &Self,
        other_value: Decimal,
    ) -> Option<(Decimal, Decimal)> {
        let (left, right) = self.common(Decimal::ONE, other, Decimal::ONE)?;
        if left < right {
            Some((self.convert(value, other)?, other_value))
        } else {
            Some((value, other.convert(other_value, self)?))
        }
    }
}

/// What one of the unit with this UCUM code is worth, if the code is known.
pub(crate) fn measure(code: &str) -> Option<Measure> {
    if code.len() > CODE_BYTES_MAX {
        return None;
    }
    let mut reader = Reader { rest: code, depth: 0 };
    let measure = reader.term()?;
    reader.rest.is_empty().then_some(measure)
}

struct Reader<'t> {
    rest: &'t str,
    depth: usize,
}

impl Reader<'_> {
    fn take(&mut self, char: char) -> bool {
        let stripped = self.rest.strip_prefix(char);
        self.rest = stripped.unwrap_or(self.rest);
        stripped.is_some()
    }

    /// Components joined by `.` and `/`, applied from left to right.
    fn term(&mut self) -> Option<Measure> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let mut product = if self.rest.starts_with('/') { Measure::ONE } else { self.component()? };
        loop {
            if self.take('.') {
                product = product.times(self.component()?)?;
            } else if self.take('/') {
                product = product.times(self.component()?.inverse()?)?;
            } else {
                self.depth -= 1;
                return Some(product);
            }
        }
    }

    /// A term in parentheses, a number, or a unit with its exponent; then an annotation, which changes nothing.
    fn component(&mut self) -> Option<Measure> {
        let measure = if self.take('(') {
            let inner = self.term()?;
            self.take(')').then_some(inner)?
        } else if self.rest.starts_with('{') {
            Measure::ONE
        } else {
            self.simple()?
        };
        self.annotation()?;
        Some(measure)
    }

    fn annotation(&mut self) -> Option<()> {
        if self.rest.starts_with('{') {
            let end = self.rest.find('}')?;
            self.rest = self.rest.get(end + 1..)?;
        }
        Some(())
    }

    fn simple(&mut self) -> Option<Measure> {
        if let Some(rest) = self.rest.strip_prefix("10*").or_else(|| self.rest.strip_prefix("10^")) {
            self.rest = rest;
            let ten = Measure { numerator: Decimal::TEN, ..Measure::ONE };
            return ten.power(self.exponent()?);
        }
        let digits = self.rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(self.rest.len());
        if digits > 0 {
            let (number, rest) = self.rest.split_at_checked(digits)?;
            self.rest = rest;
            let numerator = number.parse().ok().filter(|number: &Decimal| !number.is_zero())?;
            return Some(Measure { numerator, ..Measure::ONE });
        }
        let (name, rest) = self.rest.split_at_checked(symbol_bytes(self.rest))?;
        let unit = unit(name)?;
        self.rest = rest;
        unit.power(self.exponent()?)
    }

    /// Digits, perhaps with a sign; 1 if there are none.
    fn exponent(&mut self) -> Option<i8> {
        let unsigned = self.rest.strip_prefix(['+', '-']).unwrap_or(self.rest);
        let sign = self.rest.len() - unsigned.len();
        let digits = unsigned.find(|char: char| !char.is_ascii_digit()).unwrap_or(unsigned.len());
        if digits == 0 {
            return Some(1);
        }
        let (number, rest) = self.rest.split_at_checked(sign + digits)?;
        self.rest = rest;
        number.parse().ok()
    }
}

/// The length of a unit symbol: up to a digit, a sign, an operator or an annotation outside of square brackets.
fn symbol_bytes(rest: &str) -> usize {
    let mut in_brackets = false;
    for (at, char) in rest.char_indices() {
        match char {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            '.' | '/' | '(' | ')' | '{' | '+' | '-' | '0'..='9' if !in_brackets => return at,
            _ => {}
        }
    }
    rest.len()
}

/// A unit, alone or with a prefix.
fn unit(symbol: &str) -> Option<Measure> {
    if let Some((factor, exponents, _)) = atom(symbol) {
        return Some(build(factor, 0, exponents));
    }
    PREFIXES.iter().find_map(|(prefix, power)| {
        let (factor, exponents, is_metric) = atom(symbol.strip_prefix(prefix)?)?;
        is_metric.then(|| build(factor, *power, exponents))
    })
}

/// `factor * 10^power` of the base units.
fn build((mantissa, scale): (i64, i32), power: i32, exponents: &[(usize, i8)]) -> Measure {
    let mut measure = Measure { numerator: Decimal::from(mantissa), ..Measure::ONE };
    for _ in 0..(power - scale).unsigned_abs() {
        let side = if power < scale { &mut measure.denominator } else { &mut measure.numerator };
        *side *= Decimal::TEN;
    }
    for (dimension, exponent) in exponents {
        if let Some(slot) = measure.exponents.get_mut(*dimension) {
            *slot = *exponent;
        }
    }
    measure
}

/// Metric prefixes as powers of ten. `da` stands before `d`.
const PREFIXES: [(&str, i32); 14] = [
    ("da", 1),
    ("h", 2),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
];

/// An atom: a mantissa with its decimal places, base units with exponents, and whether prefixes apply.
type Atom = ((i64, i32), &'static [(usize, i8)], bool);

/// The units without prefix. Factors are those of the UCUM tables, where they are exact decimals.
fn atom(symbol: &str) -> Option<Atom> {
    const TIME: &[(usize, i8)] = &[(SECOND, 1)];
    const LENGTH: &[(usize, i8)] = &[(METRE, 1)];
    const VOLUME: &[(usize, i8)] = &[(METRE, 3)];
    const MASS: &[(usize, i8)] = &[(GRAM, 1)];
    const PRESSURE: &[(usize, i8)] = &[(GRAM, 1), (METRE, -1), (SECOND, -2)];
    const ENERGY: &[(usize, i8)] = &[(GRAM, 1), (METRE, 2), (SECOND, -2)];
    const POWER: &[(usize, i8)] = &[(GRAM, 1), (METRE, 2), (SECOND, -3)];
    Some(match symbol {
        "m" => ((1, 0), LENGTH, true),
        "[in_i]" | "[in_us]" => ((254, 4), LENGTH, false),
        "[ft_i]" => ((3048, 4), LENGTH, false),
        "[yd_i]" => ((9144, 4), LENGTH, false),
        "[mi_i]" => ((1_609_344, 3), LENGTH, false),
        "g" => ((1, 0), MASS, true),
        "t" => ((1_000_000, 0), MASS, true),
        "[lb_av]" => ((45_359_237, 5), MASS, false),
        "[oz_av]" => ((28_349_523_125, 9), MASS, false),
        "[gr]" => ((6_479_891, 8), MASS, false),
        "s" => ((1, 0), TIME, true),
        "min" => ((60, 0), TIME, false),
        "h" => ((3600, 0), TIME, false),
        "d" => ((86_400, 0), TIME, false),
        "wk" => ((604_800, 0), TIME, false),
        "mo" | "mo_j" => ((2_629_800, 0), TIME, false),
        "a" | "a_j" => ((31_557_600, 0), TIME, false),
        "L" | "l" => ((1, 3), VOLUME, true),
        "[gal_us]" => ((3_785_411_784, 12), VOLUME, false),
        "[qt_us]" => ((946_352_946, 12), VOLUME, false),
        "[pt_us]" => ((473_176_473, 12), VOLUME, false),
        "[cup_us]" => ((2_365_882_365, 13), VOLUME, false),
        "[foz_us]" => ((295_735_295_625, 16), VOLUME, false),
        "[tbs_us]" => ((1_478_676_478_125, 17), VOLUME, false),
        "[tsp_us]" => ((492_892_159_375, 17), VOLUME, false),
        "Hz" => ((1, 0), &[(SECOND, -1)], true),
        "N" => ((1000, 0), &[(GRAM, 1), (METRE, 1), (SECOND, -2)], true),
        "Pa" => ((1000, 0), PRESSURE, true),
        "bar" => ((100_000_000, 0), PRESSURE, true),
        "m[Hg]" => ((133_322_387_415, 3), PRESSURE, true),
        "m[H2O]" => ((9_806_650, 0), PRESSURE, true),
        "atm" => ((101_325_000, 0), PRESSURE, false),
        "[psi]" => ((6_894_757_293_168_361, 9), PRESSURE, false),
        "J" => ((1000, 0), ENERGY, true),
        "cal" => ((4184, 0), ENERGY, true),
        "[Cal]" => ((4_184_000, 0), ENERGY, false),
        "W" => ((1000, 0), POWER, true),
        "K" => ((1, 0), &[(KELVIN, 1)], true),
        "Cel" => ((1, 0), &[(CELSIUS, 1)], false),
        "C" => ((1, 0), &[(COULOMB, 1)], true),
        "A" => ((1, 0), &[(COULOMB, 1), (SECOND, -1)], true),
        "V" => ((1000, 0), &[(GRAM, 1), (METRE, 2), (SECOND, -2), (COULOMB, -1)], true),
        "cd" => ((1, 0), &[(CANDELA, 1)], true),
        "mol" | "eq" | "osm" => ((1, 0), &[(MOLE, 1)], true),
        "kat" => ((1, 0), &[(MOLE, 1), (SECOND, -1)], true),
        "rad" => ((1, 0), &[(RADIAN, 1)], true),
        "[iU]" | "[IU]" => ((1, 0), &[(INTERNATIONAL_UNIT, 1)], true),
        "%" => ((1, 2), &[], false),
        "[ppth]" => ((1, 3), &[], false),
        "[ppm]" => ((1, 6), &[], false),
        "[ppb]" => ((1, 9), &[], false),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(left: &str, amount: i64, right: &str, other: i64) {
        let (left, right) = (measure(left).unwrap(), measure(right).unwrap());
        let (left, right) = left.common(Decimal::from(amount), &right, Decimal::from(other)).unwrap();
        assert_eq!(left, right);
    }

    #[test]
    fn units_convert_exactly() {
        check("g", 4, "mg", 4000);
        check("kg", 45_359_237, "[lb_av]", 100_000_000);
        check("[in_i]", 100, "cm", 254);
        check("d", 7, "wk", 1);
        check("m/s", 5, "km/h", 18);
        check("mm[Hg]", 1_000_000_000, "Pa", 133_322_387_415);
        check("L/(min.m2)", 60, "L/s/m2", 1);
        check("10*9/L", 1, "/nL", 1);
        check("ug{total}", 1_000_000, "g", 1);
    }

    #[test]
    fn codes_outside_of_the_list_have_no_measure() {
        for code in ["", "foo", "m/", "(m", "m)", "m10", "10*99", "0m", "m..m", "((((m))))", "kmin"] {
            assert_eq!(measure(code), None, "for {code}");
        }
    }
}
