//! Questions about terms, and the one function that answers them. An index may find candidates
//! faster; what it finds must be what [`matches()`] says.

use compact_str::CompactString;

use crate::{Coding, Interval, Number, Reference, Term, Value};

/// Which live resources of one kind are meant: those for which every condition holds.
///
/// For now there are equalities only, the ones that criteria of conditional writes may use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The kind.
    pub kind: CompactString,
    /// All of them must hold. A store answers only queries with at least one.
    pub conditions: Vec<Condition>,
}

/// Holds if one of its alternatives does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The alternatives. Without any the condition never holds.
    pub any: Vec<Equality>,
}

/// Holds if one of the resource's terms has this parameter and passes the test.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Equality {
    /// The parameter.
    pub param: CompactString,
    /// What its value must be.
    pub test: Test,
}

/// What a value must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// A token.
    Token(CodingTest),
    /// A text, to the letter.
    Text {
        /// Normalised as the terms are.
        normal: CompactString,
        /// As it was written.
        original: CompactString,
    },
    /// A reference.
    Reference(Reference),
    /// A span of time that lies within this one.
    Date(Interval),
    /// A number in a range.
    Number(NumberRange),
    /// A number in a range with a unit.
    Quantity {
        /// How many.
        value: NumberRange,
        /// Of what; `None` for any unit or none.
        unit: Option<CodingTest>,
    },
    /// A URI.
    Uri(CompactString),
    /// Components that pass each its test, as many as there are tests.
    Composite(Vec<Test>),
}

/// What a coding must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CodingTest {
    /// The code.
    pub code: CompactString,
    /// The system.
    pub system: SystemTest,
}

/// What the system of a coding must be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SystemTest {
    /// Any, or none.
    Any,
    /// There must be none.
    None,
    /// This one.
    Is(CompactString),
}

/// A range of numbers, both ends included: the caller's notion of how precise a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NumberRange {
    /// The lowest number in it.
    pub low: Number,
    /// The highest number in it.
    pub high: Number,
}

/// Whether a live resource of the query's kind with these terms is meant.
pub fn matches(query: &Query, terms: &[Term]) -> bool {
    query.conditions.iter().all(|condition| {
        condition.any.iter().any(|equality| {
            terms.iter().any(|term| term.param == equality.param && equality.test.passes(&term.value))
        })
    })
}

impl Test {
    /// Whether `value` is what the test wants.
    pub fn passes(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Token(test), Value::Token(coding)) => test.passes(coding),
            (Self::Text { normal, original }, Value::Text { normal: n, original: o }) => {
                normal == n && original == o
            }
            (Self::Reference(wanted), Value::Reference(reference)) => wanted == reference,
            (Self::Date(span), Value::Date(date)) => {
                // A span that ends before it begins lies within nothing.
                span.low <= date.low && date.low <= date.high && date.high <= span.high
            }
            (Self::Number(range), Value::Number(number)) => range.contains(*number),
            (Self::Quantity { value: range, unit: test }, Value::Quantity { value, unit }) => {
                range.contains(*value)
                    && test.as_ref().is_none_or(|test| unit.as_ref().is_some_and(|unit| test.passes(unit)))
            }
            (Self::Uri(wanted), Value::Uri(uri)) => wanted == uri,
            (Self::Composite(tests), Value::Composite(values)) => {
                tests.len() == values.len()
                    && tests.iter().zip(values).all(|(test, value)| test.passes(value))
            }
            _ => false,
        }
    }
}

impl CodingTest {
    /// Whether `coding` is what the test wants.
    pub fn passes(&self, coding: &Coding) -> bool {
        self.code == coding.code
            && match &self.system {
                SystemTest::Any => true,
                SystemTest::None => coding.system.is_none(),
                SystemTest::Is(system) => coding.system.as_ref() == Some(system),
            }
    }
}

impl NumberRange {
    /// Whether `number` lies in it.
    pub fn contains(&self, number: Number) -> bool {
        self.low <= number && number <= self.high
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Timestamp};

    fn coding(code: &str, system: Option<&str>) -> Coding {
        Coding { code: code.into(), system: system.map(Into::into) }
    }

    fn token(code: &str, system: Option<&str>) -> Value {
        Value::Token(coding(code, system))
    }

    fn token_test(code: &str, system: SystemTest) -> Test {
        Test::Token(CodingTest { code: code.into(), system })
    }

    fn number(value: f64) -> Number {
        Number::new(value).unwrap()
    }

    #[test]
    fn a_token_test_tells_any_none_and_one_system_apart() {
        let bare = token("a", None);
        let in_s = token("a", Some("s"));
        let any = token_test("a", SystemTest::Any);
        let none = token_test("a", SystemTest::None);
        let wants_s = token_test("a", SystemTest::Is("s".into()));
        let wants_t = token_test("a", SystemTest::Is("t".into()));
        let passes = |test: &Test| (test.passes(&bare), test.passes(&in_s));
        assert_eq!(passes(&any), (true, true));
        assert_eq!(passes(&none), (true, false));
        assert_eq!(passes(&wants_s), (false, true));
        assert_eq!(passes(&wants_t), (false, false));
        assert_eq!(passes(&token_test("b", SystemTest::Any)), (false, false));
        // A code is compared whole: `Neal` is not found by `Ne`.
        assert!(!token_test("Ne", SystemTest::Any).passes(&token("Neal", None)));
    }

    #[test]
    fn a_date_matches_when_it_lies_within_the_span() {
        let span = |low, high| Interval { low: Timestamp(low), high: Timestamp(high) };
        let test = Test::Date(span(10, 20));
        for (low, high, expected) in [
            (10, 20, true),
            (12, 13, true),
            (9, 20, false),
            (10, 21, false),
            (30, 31, false),
            (13, 12, false),
        ] {
            assert_eq!(test.passes(&Value::Date(span(low, high))), expected, "{low}..={high}");
        }
    }

    #[test]
    fn quantities_compare_value_and_unit() {
        let value = |n, unit| Value::Quantity { value: number(n), unit };
        let range = NumberRange { low: number(4.5), high: number(5.5) };
        let any = Test::Quantity { value: range, unit: None };
        let mg = CodingTest { code: "mg".into(), system: SystemTest::Any };
        let in_mg = Test::Quantity { value: range, unit: Some(mg) };
        assert!(any.passes(&value(5.0, None)));
        assert!(any.passes(&value(5.5, Some(coding("g", None)))));
        assert!(!any.passes(&value(5.6, None)));
        assert!(in_mg.passes(&value(5.0, Some(coding("mg", Some("ucum"))))));
        assert!(!in_mg.passes(&value(5.0, Some(coding("g", Some("ucum"))))));
        assert!(!in_mg.passes(&value(5.0, None)));
        assert!(!any.passes(&Value::Number(number(5.0))), "a number is no quantity");
    }

    #[test]
    fn a_composite_matches_component_by_component() {
        let value = Value::Composite(vec![token("a", None), Value::Uri("u".into())]);
        let a = token_test("a", SystemTest::Any);
        let u = Test::Uri("u".into());
        assert!(Test::Composite(vec![a.clone(), u.clone()]).passes(&value));
        assert!(!Test::Composite(vec![u, a.clone()]).passes(&value));
        assert!(!Test::Composite(vec![a]).passes(&value));
    }

    #[test]
    fn all_conditions_must_hold_and_one_alternative_of_each() {
        let equality = |param: &str, code: &str| Equality {
            param: param.into(),
            test: token_test(code, SystemTest::Any),
        };
        let terms = [Term::new("p", token("a", None)), Term::new("q", token("b", None))];
        let query = |conditions: Vec<Vec<Equality>>| Query {
            kind: "K".into(),
            conditions: conditions.into_iter().map(|any| Condition { any }).collect(),
        };
        assert!(matches(&query(vec![vec![equality("p", "a")], vec![equality("q", "b")]]), &terms));
        assert!(matches(&query(vec![vec![equality("p", "x"), equality("q", "b")]]), &terms));
        assert!(!matches(&query(vec![vec![equality("p", "a")], vec![equality("q", "x")]]), &terms));
        assert!(!matches(&query(vec![vec![equality("p", "b")]]), &terms), "the parameter counts");
        assert!(!matches(&query(vec![vec![]]), &terms));
        assert!(matches(&query(vec![]), &terms));
    }

    #[test]
    fn references_are_local_or_not() {
        let local = Reference::Local(Key::new("Patient", "1"));
        let external = Reference::External("Patient/1".into());
        assert!(Test::Reference(local.clone()).passes(&Value::Reference(local.clone())));
        assert!(!Test::Reference(local).passes(&Value::Reference(external)));
    }
}
