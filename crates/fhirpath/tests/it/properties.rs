//! Properties of every expression and of every text.

use fhirpath::{Verdict, check_parse};
use proptest::prelude::*;

/// Any literal or variable.
fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("{}".to_owned()),
        Just("true".to_owned()),
        any::<u32>().prop_map(|number| number.to_string()),
        (any::<u16>(), 0_u32..1000).prop_map(|(whole, fraction)| format!("{whole}.{fraction}")),
        "[a-z'\\\\\n\u{1F600}]{0,6}"
            .prop_map(|text| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))),
        (1_u16..10_000, 1_u8..13).prop_map(|(year, month)| format!("@{year:04}-{month:02}")),
        (0_u8..24, 0_u8..60).prop_map(|(hour, minute)| format!("@2020-02-29T{hour:02}:{minute:02}Z")),
        (0_u8..24).prop_map(|hour| format!("@T{hour:02}")),
        (0_u8..99).prop_map(|number| format!("{number} 'mg'")),
        (0_u8..99).prop_map(|number| format!("{number} months")),
        Just("$this".to_owned()),
        Just("$index".to_owned()),
        Just("%resource".to_owned()),
        Just("%`vs-x`".to_owned()),
    ]
}

/// Any expression of the grammar, with names that mean something and names that do not.
fn expression() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("name"),
        Just("given"),
        Just("birthDate"),
        Just("Patient"),
        Just("extension"),
        Just("value"),
        Just("`a b`"),
        Just("contains"),
        Just("is"),
    ];
    let leaf = prop_oneof![literal(), name.clone().prop_map(str::to_owned)];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        let operator = prop_oneof![
            Just("+"),
            Just("-"),
            Just("*"),
            Just("/"),
            Just("div"),
            Just("mod"),
            Just("&"),
            Just("|"),
            Just("<"),
            Just(">="),
            Just("="),
            Just("~"),
            Just("!="),
            Just("!~"),
            Just("in"),
            Just("contains"),
            Just("and"),
            Just("or"),
            Just("xor"),
            Just("implies"),
        ];
        let nullary = prop_oneof![
            Just("first"),
            Just("count"),
            Just("not"),
            Just("children"),
            Just("descendants"),
            Just("toString"),
            Just("toQuantity"),
            Just("lowBoundary"),
            Just("type"),
            Just("resolve"),
            Just("upper"),
            Just("sqrt"),
            Just("sort"),
            Just("distinct"),
        ];
        let unary = prop_oneof![
            Just("where"),
            Just("select"),
            Just("all"),
            Just("repeat"),
            Just("exists"),
            Just("take"),
            Just("union"),
            Just("exclude"),
            Just("startsWith"),
            Just("split"),
            Just("power"),
            Just("aggregate"),
            Just("trace"),
            Just("matches"),
            Just("round"),
        ];
        let wanted =
            prop_oneof![Just("Quantity"), Just("System.String"), Just("FHIR.`code`"), Just("Nothing")];
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(left, op, right)| format!("({left}) {op} ({right})")),
            (inner.clone(), Just(())).prop_map(|(operand, ())| format!("-({operand})")),
            (inner.clone(), name.clone()).prop_map(|(path, name)| format!("({path}).{name}")),
            (inner.clone(), nullary).prop_map(|(path, name)| format!("({path}).{name}()")),
            (inner.clone(), unary, inner.clone())
                .prop_map(|(path, name, argument)| format!("({path}).{name}({argument})")),
            (inner.clone(), inner.clone()).prop_map(|(path, index)| format!("({path})[{index}]")),
            (inner.clone(), wanted.clone()).prop_map(|(path, name)| format!("({path}) is {name}")),
            (inner.clone(), wanted.clone()).prop_map(|(path, name)| format!("({path}).ofType({name})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("iif({a}, {b}, {c})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn expressions_print_as_they_were_read_and_evaluate_alike(text in expression()) {
        let verdict = check_parse(&text);
        // Not every text is a pattern.
        let may_be_refused = text.contains(".matches('") && verdict == Ok(Verdict::Refused);
        prop_assert!(verdict == Ok(Verdict::Sound) || may_be_refused, "{text}: {verdict:?}");
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        prop_assert!(check_parse(&text).is_ok(), "{}", text);
    }

    #[test]
    fn no_row_of_tokens_makes_anything_panic(
        tokens in prop::collection::vec(
            prop::sample::select(vec![
                "a", ".", "(", ")", "[", "]", "{", "}", "'x'", "1", "1.5", "@2020", "@T10", "%a", "$this", "+", "-", "*", "|", "and",
                "is", "as", "in", "contains", "where", "day", "`q`", "\"q\"", ",", "=", "/*", "*/", "//", "\n", "FHIR", "String",
            ]),
            0..30,
        ),
    ) {
        let text = tokens.join(" ");
        prop_assert!(check_parse(&text).is_ok(), "{}", text);
        let text = tokens.concat();
        prop_assert!(check_parse(&text).is_ok(), "{}", text);
    }
}
