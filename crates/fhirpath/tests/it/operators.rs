//! Operators, numbers, dates, quantities and types, by example.

use fhirpath::EvalError;

use crate::harness::{check, check_empty, check_error, check_true, not_singleton};

#[test]
fn mathematics() {
    check(&[
        ("(-5).abs()", &["Integer 5"]),
        ("(-5.5).abs()", &["Decimal 5.5"]),
        ("(-5 'mg').abs()", &["Quantity 5 'mg'"]),
        ("(-1.1).ceiling()", &["Integer -1"]),
        ("(-1.1).floor()", &["Integer -2"]),
        ("(-1.9).truncate()", &["Integer -1"]),
        ("0.exp()", &["Decimal 1"]),
        ("1.ln()", &["Decimal 0"]),
        ("16.log(2)", &["Decimal 4"]),
        ("81.sqrt()", &["Decimal 9"]),
        ("2.power(10)", &["Integer 1024"]),
        ("2.5.power(2)", &["Decimal 6.25"]),
        ("4.power(0.5)", &["Decimal 2"]),
        ("2.power(-1)", &["Decimal 0.5"]),
        ("2.5.round()", &["Decimal 3"]),
        ("3.14159.round(3)", &["Decimal 3.142"]),
        ("7 div 2", &["Integer 3"]),
        ("-7 div 2", &["Integer -3"]),
        ("7 mod 2", &["Integer 1"]),
        ("2.2 mod 1.8", &["Decimal 0.4"]),
        ("1 / 4", &["Decimal 0.25"]),
        ("1 + 2 * 3 - 4", &["Integer 3"]),
        ("-2.power(2)", &["Integer -4"]),
        ("0.1 + 0.2", &["Decimal 0.3"]),
        ("%ten * 2", &["Integer 20"]),
    ]);
    check_empty(&[
        "1 / 0",
        "1 div 0",
        "1 mod 0",
        "(-1).sqrt()",
        "0.ln()",
        "(-1).power(0.5)",
        "10.power(100)",
        "1 + {}",
        "9223372036854775807 + 1",
        "-9223372036854775807 - 9",
        "7922816251426433759354395033.5 * 100.0",
        "1000.exp()",
        "2.log(1)",
    ]);
    check_error(&[
        ("3.round(-1)", EvalError::Argument { at: "round()", why: "a number of places is 0 to 28" }),
        (
            "'a'.abs()",
            EvalError::WrongType { at: "abs", expected: "a number", found: "System.String".into() },
        ),
        (
            "1 + 'a'",
            EvalError::Operands { at: "+", left: "System.Integer".into(), right: "System.String".into() },
        ),
        (
            "-'a'",
            EvalError::WrongType {
                at: "-",
                expected: "a number or a Quantity",
                found: "System.String".into(),
            },
        ),
        ("(1 | 2) + 1", not_singleton("+", 2)),
    ]);
}

#[test]
fn comparison_and_equality() {
    check_true(&[
        "1 < 2",
        "1 <= 1.0",
        "'b' > 'a'",
        "2 >= 1.5",
        "@2012-01-01 < @2012-01-02",
        "@T10 < @T11:30",
        "birthDate < @1974-12-26",
        "multipleBirth = 2",
        "multipleBirth < 2.5",
        "1 = 1.0",
        "'a' != 'A'",
        "'a b' ~ 'A  B'",
        "1.55 ~ 1.5500",
        "1.6 ~ 1.55",
        "(1 | 2) = (1 | 2)",
        "(1 | 2) != (2 | 1)",
        "(1 | 2) ~ (2 | 1)",
        "{} ~ {}",
        "1 !~ {}",
        "name[0] = name[0]",
        "name[0] != name[1]",
        "name[0] ~ name[0]",
        "@2012 !~ @2012-01",
        "1 in (1 | 2)",
        "(1 | 2) contains 2",
        "(1 in {}).not()",
        "@2012-01-01T10:00Z = @2012-01-01T11:00+01:00",
        "@T10:00:00 = @T10:00:00.000",
        "true != 'true'",
        "gender = 'male'",
        "@2012-01-01 != @T10",
        "1.type() = 2.type()",
    ]);
    check_empty(&[
        "{} = {}",
        "1 = {}",
        "@2012 = @2012-01",
        "@2012 < @2012-01",
        "1 < {}",
        "{} in (1 | 2)",
        "{} != 1",
    ]);
    check_error(&[
        (
            "1 < 'a'",
            EvalError::Operands { at: "<", left: "System.Integer".into(), right: "System.String".into() },
        ),
        ("(1 | 2) in (1 | 2)", not_singleton("in", 2)),
        (
            "name[0] < name[1]",
            EvalError::Operands { at: "<", left: "FHIR.HumanName".into(), right: "FHIR.HumanName".into() },
        ),
    ]);
}

#[test]
fn logic_has_three_values() {
    // And, or, xor, implies; for true, false and nothing on each side.
    let values = ["true", "false", "{}"];
    let tables = [
        ("and", ["t", "f", "", "f", "f", "f", "", "f", ""]),
        ("or", ["t", "t", "t", "t", "f", "", "t", "", ""]),
        ("xor", ["f", "t", "", "t", "f", "", "", "", ""]),
        ("implies", ["t", "f", "", "t", "t", "t", "t", "", ""]),
    ];
    for (operator, table) in tables {
        for (place, wanted) in table.into_iter().enumerate() {
            let expression = format!("{} {operator} {}", values[place / 3], values[place % 3]);
            let wanted: &[&str] = match wanted {
                "t" => &["Boolean true"],
                "f" => &["Boolean false"],
                _ => &[],
            };
            check(&[(&expression, wanted)]);
        }
    }
    check_true(&["true and 'a'", "false implies (1 | 2)", "true or (1 | 2)", "(false and (1 | 2)).not()"]);
}

#[test]
fn dates_and_quantities_of_time() {
    check(&[
        ("@2020-01-31 + 1 month", &["Date 2020-02-29"]),
        ("@2020-02-29 - 1 year", &["Date 2019-02-28"]),
        ("@2020-12-31 + 1 day", &["Date 2021-01-01"]),
        ("@2020-01-01 + 1.9 weeks", &["Date 2020-01-08"]),
        ("@2020-01-01 + 36 hours", &["Date 2020-01-02"]),
        ("@2020 + 25 months", &["Date 2022"]),
        ("@2020-01 + 65 days", &["Date 2020-03"]),
        ("@2020-01-01T23:59:59.500Z + 1.5 seconds", &["DateTime 2020-01-02T00:00:01.000Z"]),
        ("@2020-01-01T00:00:00 - 1 millisecond", &["DateTime 2019-12-31T23:59:59.999"]),
        ("@2020-01-01T10+02:00 + 90 minutes", &["DateTime 2020-01-01T11+02:00"]),
        ("@T23:30 + 1 hour", &["Time 00:30"]),
        ("@T00:00:00 - 1 's'", &["Time 23:59:59"]),
        ("@2020-01-01 + 1 'wk'", &["Date 2020-01-08"]),
        ("@9999-12-31 + 1 day", &[]),
        ("@0001 - 1 year", &[]),
        ("@2020-01-01 + 9223372036854775807 days", &[]),
        ("now()", &["DateTime 2024-05-06T07:08:09.010+02:00"]),
        ("today()", &["Date 2024-05-06"]),
        ("timeOfDay()", &["Time 07:08:09.010"]),
    ]);
    let unit = |at, unit: &str| EvalError::Unit { at, unit: unit.into() };
    check_error(&[
        ("@2020 + 1 'cm'", unit("+", "cm")),
        ("@2020 - 1 'mo'", unit("-", "mo")),
        (
            "@2020 + 1",
            EvalError::Operands { at: "+", left: "System.Date".into(), right: "System.Integer".into() },
        ),
    ]);
}

#[test]
fn quantities() {
    check_true(&[
        "4 'g' = 4000 'mg'",
        "4 'g' ~ 4040 'mg'",
        "4040 'mg' ~ 4 'g'",
        "7 days = 1 week",
        "1 'd' = 1 day",
        "1 year = 12 months",
        "1 year ~ 1 'a'",
        "2 'cm' * 2 'm' = 0.04 'm2'",
        "4 'g' / 2 'm' = 2 'g/m'",
        "1 'm' / 1 'm' = 1 '1'",
        "1 'm' + 1 'cm' = 101 'cm'",
        "1 'm' - 1 'cm' = 99 'cm'",
        "6 days < 1 week",
        "extension[0].value = 1500 'ug'",
        "extension[0].value > 1 'mg'",
        "1 'foo' = 1.0 'foo'",
        "1 'cm'.comparable(1 '[in_i]')",
        "1 'cm'.comparable(1 's').not()",
        "2 'cm' * 3 = 6 'cm'",
        "(1 'm' | 100 'cm').count() = 1",
        "extension[0].value is Quantity",
        "1 'mg' is Quantity",
        "1 'kg' = 1000 'g'",
    ]);
    check_empty(&[
        "1 'mo' = 1 month",
        "1 month = 30 days",
        "1 'cm' = 1 's'",
        "1 'foo' < 1 'bar'",
        "1 'cm' + 1 's'",
        "1 'm' / 0 'm'",
    ]);
    check_error(&[(
        "1 'm' div 2 'm'",
        EvalError::Operands { at: "div", left: "System.Quantity".into(), right: "System.Quantity".into() },
    )]);
    // With a comparator it is no quantity, but still a value of its own.
    check_true(&["extension[1].value = extension[1].value"]);
}

#[test]
fn precision() {
    check(&[
        ("1.587.lowBoundary()", &["Decimal 1.58650000"]),
        ("1.587.highBoundary(2)", &["Decimal 1.59"]),
        ("(-1.587).lowBoundary(0)", &["Decimal -2"]),
        ("1.lowBoundary(29) | 1.highBoundary(-1)", &[]),
        ("1.5 'mg'.highBoundary(2)", &["Quantity 1.55 'mg'"]),
        ("@2014.lowBoundary()", &["Date 2014-01-01"]),
        ("@2014-02.highBoundary()", &["Date 2014-02-28"]),
        ("@2014.lowBoundary(5)", &[]),
        ("@2014-01-01T08:05.lowBoundary()", &["DateTime 2014-01-01T08:05:00.000+14:00"]),
        ("@2014-01-01T08:05Z.highBoundary()", &["DateTime 2014-01-01T08:05:59.999Z"]),
        ("@2014T.highBoundary(17)", &["DateTime 2014-12-31T23:59:59.999-12:00"]),
        ("@T10:30.highBoundary()", &["Time 10:30:59.999"]),
        (
            "1.500.precision() | @2014-01.precision() | @T10:30:00.0.precision()",
            &["Integer 3", "Integer 6", "Integer 9"],
        ),
        ("(1 | 2).take(0).lowBoundary()", &[]),
    ]);
}

#[test]
fn types() {
    check_true(&[
        "1 is Integer",
        "1 is System.Integer",
        "1.0 is Decimal",
        "'a' is String",
        "true is Boolean",
        "@2012 is Date",
        "gender is code",
        "gender is string",
        "gender is FHIR.string",
        "(gender is String).not()",
        "active is boolean",
        "(active is Boolean).not()",
        "Patient is Patient",
        "Patient is DomainResource",
        "Patient is Resource",
        "multipleBirth is integer",
        "(multipleBirth is dateTime).not()",
        "contained[0] is Organization",
        "(gender is System.Nothing).not()",
        "name[0].is(HumanName)",
        "1.is(Quantity).not()",
    ]);
    check(&[
        ("gender as code", &["FHIR.code male"]),
        ("gender.as(id)", &[]),
        ("multipleBirth.ofType(integer)", &["FHIR.integer 2"]),
        ("name.ofType(HumanName).use", &["FHIR.code official", "FHIR.code usual"]),
        ("(1 | 'a' | true).ofType(String)", &["String a"]),
        ("{} is Integer", &[]),
        ("1.type().name", &["String Integer"]),
        ("gender.type().namespace", &["String FHIR"]),
        ("contained.type()", &["TypeInfo FHIR.Organization"]),
    ]);
    check_error(&[
        ("gender is Nothing", EvalError::UnknownType("Nothing".into())),
        ("gender is FHIR.Nothing", EvalError::UnknownType("Nothing".into())),
        ("name as HumanName", not_singleton("as", 2)),
    ]);
}
