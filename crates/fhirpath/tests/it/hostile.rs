//! Expressions and trees that are made to hurt: each ends soon, with an error that says why.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits as JsonLimits, Value, parse};
use fhirpath::{Environment, EvalError, Expression, Item, Limits, ParseErrorKind};

/// No single evaluation or refusal may take longer, even unoptimised and on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn refused(text: &str) -> ParseErrorKind {
    let start = Instant::now();
    let error = Expression::parse(text).expect_err("a refusal");
    assert!(start.elapsed() < PATIENCE);
    assert!(error.to_string().len() < 400, "{error}");
    error.kind
}

fn evaluated(text: &str, tree: &Value) -> Result<usize, EvalError> {
    let definitions = Definitions::of(FhirVersion::R4);
    // A tenth of the default: unoptimised code takes about ten times as long.
    let limits = Limits { steps_max: 500_000, ..Limits::default() };
    let environment = Environment::new(definitions).with_limits(limits);
    let expression = Expression::parse(text).unwrap();
    let start = Instant::now();
    let found = expression.evaluate(Item::resource(tree, definitions), &environment).map(|items| items.len());
    assert!(start.elapsed() < PATIENCE, "{text} took {:?}", start.elapsed());
    found
}

/// Whether the evaluation was ended because it was too much.
fn is_over(found: &Result<usize, EvalError>) -> bool {
    matches!(found, Err(EvalError::TooManySteps { .. } | EvalError::TooManyItems { .. }))
}

fn small_tree() -> Value {
    parse(br#"{"resourceType":"Patient","name":[{"given":["a","b"]}]}"#, &JsonLimits::default()).unwrap()
}

#[test]
fn nesting_is_limited_and_length_is_not_nesting() {
    let deep = ParseErrorKind::TooDeep { depth_max: 96 };
    for (open, close) in
        [("(", ")"), ("-", ""), ("a.where(", ")"), ("a[", "]"), ("iif(true, ", ")"), ("1 + (", ")")]
    {
        let text = format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
        assert_eq!(refused(&text), deep, "{open}");
    }
    assert_eq!(refused(&"(".repeat(10_000)), deep);
    assert_eq!(refused(&"(".repeat(100_000)), ParseErrorKind::TooLong { bytes_max: 64 * 1024 });
    // As deep as it goes, evaluated on the small stack of a test thread.
    let tree = small_tree();
    for (open, close) in [("(", ")"), ("-", ""), ("1.select(", ")"), ("iif(true, ", ")"), ("{}.union(", ")")]
    {
        let text = format!("{}1{}", open.repeat(90), close.repeat(90));
        assert_eq!(evaluated(&text, &tree), Ok(1), "{open}");
    }
    for (link, end) in
        [(".children()", ""), (" + 1", ""), (" | 1", ""), (" is Integer", ""), ("[0]", ""), (" and true", "")]
    {
        let text = format!("1{}{end}", link.repeat(5_000));
        Expression::parse(&text).unwrap_or_else(|error| panic!("{link}: {error}"));
    }
}

#[test]
fn texts_that_are_no_expression_are_refused_with_a_sentence() {
    let unexpected = |expected, found: &str| ParseErrorKind::Unexpected { expected, found: found.into() };
    for (text, kind) in [
        ("", unexpected("an expression", "")),
        ("a.", unexpected("the name of an element or a function", "")),
        ("a b", unexpected("an operator or the end of the expression", "b")),
        ("(a", unexpected("')'", "")),
        ("a[1", unexpected("']'", "")),
        ("{1}", unexpected("'}'", "1")),
        ("a is 1", unexpected("the name of a type", "1")),
        ("a.where()", ParseErrorKind::ArgumentCount { function: "where", min: 1, max: 1, found: 0 }),
        ("a.exists(1, 2)", ParseErrorKind::ArgumentCount { function: "exists", min: 0, max: 1, found: 2 }),
        ("a.nothing()", ParseErrorKind::UnknownFunction("nothing".into())),
        ("a # b", ParseErrorKind::BadCharacter('#')),
        ("@2020-13", ParseErrorKind::BadLiteral("there is no such date or time")),
        ("@T25", ParseErrorKind::BadLiteral("there is no such date or time")),
        ("'a'.matches('(')", ParseErrorKind::BadPattern("it does not follow the syntax".into())),
        (
            "'a'.matches('(a{1000}){1000}')",
            ParseErrorKind::BadPattern("it needs more than 1048576 bytes".into()),
        ),
        (&"1".repeat(40), ParseErrorKind::BadLiteral("this number has too many digits")),
    ] {
        assert_eq!(refused(text), kind, "{text}");
    }
    let patterns = "'a'.matches('a') and ".repeat(9) + "true";
    assert_eq!(refused(&patterns), ParseErrorKind::TooManyPatterns { patterns_max: 8 });
}

#[test]
fn work_is_limited() {
    let tree = small_tree();
    let digits = "(1|2|3|4|5|6|7|8|9|10|11|12)";
    let nested =
        |levels: usize| format!("{}1{}", format!("{digits}.select(").repeat(levels), ")".repeat(levels));
    assert_eq!(evaluated(&nested(3), &tree), Ok(12 * 12 * 12));
    assert!(is_over(&evaluated(&nested(20), &tree)));
    // Counting up without end; every round is one item.
    assert!(is_over(&evaluated("1.repeat($this + 1)", &tree)));
    let doubled = "aggregate($total & $total, 'ab')";
    let many = format!("{digits}.select({digits})");
    assert_eq!(
        evaluated(&format!("{many}.{doubled}"), &tree),
        Err(EvalError::TextTooLong { text_bytes_max: Limits::default().text_bytes_max })
    );
    let doubled = "aggregate($total.combine($total), 1)";
    assert!(is_over(&evaluated(&format!("{many}.{doubled}"), &tree)));
    let blown = format!("{many}.aggregate($total.replace('', 'abcdefgh'), 'a')");
    assert!(matches!(evaluated(&blown, &tree), Err(EvalError::TextTooLong { .. })));
    // A pattern that makes backtracking engines hang.
    let slow = format!("'{}b'.matches('^(a+)+$')", "a".repeat(5_000));
    assert_eq!(evaluated(&slow, &tree), Ok(1));
    assert_eq!(evaluated("(2.power(62) + 2.power(62)).power(99).toString()", &tree), Ok(0));
}

#[test]
fn large_trees_cost_what_their_size_says() {
    let mut text = String::from(r#"{"resourceType":"Basic""#);
    for index in 0..60_000 {
        write!(text, r#","_m{index}":{{"id":"a"}},"m{index}":[{index}]"#).unwrap();
    }
    text.push('}');
    let wide = parse(text.as_bytes(), &JsonLimits::default()).unwrap();
    assert_eq!(evaluated("children().count()", &wide), Ok(1));
    assert_eq!(evaluated("descendants().count()", &wide), Ok(1));
    // Each step looks through all members of the resource.
    let digits = "(0|1|2|3|4|5|6|7|8|9)";
    let often = format!("{digits}.select({digits}).select({digits}).select({digits}).select(%resource.code)");
    assert!(is_over(&evaluated(&often, &wide)));
    assert_eq!(evaluated("descendants().isDistinct()", &wide), Ok(1));

    let deep = format!("{}1{}", r#"{"a":["#.repeat(40), "]}".repeat(40));
    let deep = parse(format!(r#"{{"resourceType":"Basic","x":{deep}}}"#).as_bytes(), &JsonLimits::default())
        .unwrap();
    assert_eq!(evaluated("descendants().count() = 41", &deep), Ok(1));
    assert!(is_over(&evaluated(&format!("{}.count()", ["descendants()"; 12].join(".")), &deep)));
    assert_eq!(evaluated("repeat(children()) = descendants()", &deep), Ok(1));
}

#[test]
fn limits_are_those_of_the_environment() {
    let tree = small_tree();
    let definitions = Definitions::of(FhirVersion::R4);
    let limits = Limits { steps_max: 20, items_max: 3, text_bytes_max: 4 };
    let environment = Environment::new(definitions).with_limits(limits);
    for (text, error) in [
        ("(1 | 2 | 3).select($this + 1 + 2 + 3 + 4 + 5 + 6 + 7)", EvalError::TooManySteps { steps_max: 20 }),
        ("1.combine(1).combine(1).combine(1)", EvalError::TooManyItems { items_max: 3 }),
        ("'abc' + 'de'", EvalError::TextTooLong { text_bytes_max: 4 }),
    ] {
        let expression = Expression::parse(text).unwrap();
        let found = expression.evaluate(Item::resource(&tree, definitions), &environment);
        assert_eq!(found.err(), Some(error), "{text}");
    }
}

#[test]
fn an_allowance_is_shared_by_all_evaluations() {
    let tree = small_tree();
    let definitions = Definitions::of(FhirVersion::R4);
    let steps_left = std::cell::Cell::new(60);
    let environment = Environment::new(definitions).with_allowance(&steps_left);
    let expression = Expression::parse("(1 | 2 | 3).select($this + 1 + 2)").unwrap();
    let evaluate =
        || expression.evaluate(Item::resource(&tree, definitions), &environment).map(|found| found.len());
    assert_eq!(evaluate(), Ok(3));
    let after_one = steps_left.get();
    assert!(after_one > 0 && after_one < 60, "{after_one}");
    let refused = (0..60).find_map(|_| evaluate().err());
    assert!(matches!(refused, Some(EvalError::TooManySteps { steps_max }) if steps_max < 60), "{refused:?}");
    assert_eq!((steps_left.get(), evaluate()), (0, Err(EvalError::TooManySteps { steps_max: 0 })));
}
