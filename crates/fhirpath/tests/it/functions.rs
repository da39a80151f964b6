//! Paths and functions, by example.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhirpath::{Dialect, Element, Environment, EvalError, Expression, Item};

use crate::harness::{check, check_empty, check_error, check_true, described, not_singleton, results};

#[test]
fn paths_lead_to_elements_with_their_types() {
    check(&[
        ("Patient.name.family", &["FHIR.string Chalmers"]),
        ("name.given", &["FHIR.string Peter", "FHIR.string ", "FHIR.string Jim"]),
        ("Resource.id", &["FHIR.id p1"]),
        ("DomainResource.gender", &["FHIR.code male"]),
        ("Observation.id", &[]),
        ("multipleBirth", &["FHIR.integer 2"]),
        ("multipleBirthInteger", &["FHIR.integer 2"]),
        ("name[1].given", &["FHIR.string Jim"]),
        ("name[2]", &[]),
        ("name[-1]", &[]),
        ("name[{}]", &[]),
        ("birthDate", &["FHIR.date 1974-12-25"]),
        ("birthDate.value", &["Date 1974-12-25"]),
        ("birthDate.extension.url", &["FHIR.uri http://e/time"]),
        ("birthDate.extension.value", &["FHIR.dateTime 1974-12-25T14:35:45-05:00"]),
        ("name.given[1].extension.value", &["FHIR.string none"]),
        ("contained.name", &["FHIR.string Acme"]),
        ("contained.resourceType", &[]),
        ("resourceType", &[]),
        ("`name`.`family`", &["FHIR.string Chalmers"]),
        ("extension.value.value", &["FHIR.decimal 1.50", "FHIR.decimal 2"]),
        ("nothing.at.all", &[]),
    ]);
    check_error(&[
        (
            "name['a']",
            EvalError::WrongType { at: "[]", expected: "an Integer", found: "System.String".into() },
        ),
        ("name[1 | 2]", not_singleton("[]", 2)),
    ]);
}

#[test]
fn existence() {
    check_true(&[
        "{}.empty()",
        "name.empty().not()",
        "name.exists()",
        "name.exists(use = 'usual')",
        "name.exists(use = 'x').not()",
        "{}.exists().not()",
        "name.all(use.exists())",
        "{}.all(false)",
        "name.all(family.exists()).not()",
        "(true | true).allTrue()",
        "{}.allTrue()",
        "true.combine(false).allTrue().not()",
        "true.combine(false).anyTrue()",
        "{}.anyTrue().not()",
        "true.combine(false).anyFalse()",
        "true.combine(false).allFalse().not()",
        "(1 | 2).subsetOf(1 | 2 | 3)",
        "(1 | 4).subsetOf(1 | 2 | 3).not()",
        "{}.subsetOf(1)",
        "(1 | 2 | 3).supersetOf(2)",
        "1.supersetOf({})",
        "(1 | 2).isDistinct()",
        "1.combine(1).isDistinct().not()",
    ]);
    check(&[
        ("name.count()", &["Integer 2"]),
        ("{}.count()", &["Integer 0"]),
        ("1.combine(1.0).combine(2).distinct()", &["Integer 1", "Integer 2"]),
        ("{}.not()", &[]),
        ("5.not()", &["Boolean false"]),
    ]);
    check_error(&[
        (
            "(true | 'a').allTrue()",
            EvalError::WrongType { at: "allTrue", expected: "booleans", found: "System.String".into() },
        ),
        ("(1 | 2).not()", not_singleton("not()", 2)),
        ("name.where(1 | 2)", not_singleton("where()", 2)),
    ]);
}

#[test]
fn filtering_projection_and_order() {
    check(&[
        ("name.where(use = 'usual').given", &["FHIR.string Jim"]),
        ("name.where($index = 1).given", &["FHIR.string Jim"]),
        ("name.where({})", &[]),
        ("name.select(given.first())", &["FHIR.string Peter", "FHIR.string Jim"]),
        ("(3 | 4).select($this * $index)", &["Integer 0", "Integer 4"]),
        ("1.repeat(iif($this < 4, $this + 1))", &["Integer 2", "Integer 3", "Integer 4"]),
        ("name.repeat('a')", &["String a"]),
        ("(1 | 2 | 3).aggregate($this + $total, 10)", &["Integer 16"]),
        ("(1 | 2 | 3).aggregate(iif($total.empty(), $this, $total * $this))", &["Integer 6"]),
        ("{}.aggregate($this, 7)", &["Integer 7"]),
        ("iif(true, 1, 2)", &["Integer 1"]),
        ("iif(false, 1 / 'a', 2)", &["Integer 2"]),
        ("iif({}, 1)", &[]),
        ("'a'.iif($this = 'a', $this & 'b')", &["String ab"]),
        ("(3 | 1 | 2).sort()", &["Integer 1", "Integer 2", "Integer 3"]),
        ("(3 | 1 | 2).sort(-$this)", &["Integer 3", "Integer 2", "Integer 1"]),
        ("name.sort(-use).use", &["FHIR.code usual", "FHIR.code official"]),
        ("name.sort(family, -use).use", &["FHIR.code usual", "FHIR.code official"]),
        // Dates that precision leaves open stay where they are.
        ("(@2020 | @2020-05 | @2019).sort()", &["Date 2019", "Date 2020", "Date 2020-05"]),
        ("{}.sort()", &[]),
    ]);
    check_error(&[
        ("name.iif(true, 1)", not_singleton("iif()", 2)),
        (
            "(1 | 'a').sort()",
            EvalError::Operands {
                at: "sort()",
                left: "System.Integer".into(),
                right: "System.String".into(),
            },
        ),
    ]);
}

#[test]
fn subsetting_and_combining() {
    check(&[
        ("(1 | 2 | 3).first()", &["Integer 1"]),
        ("(1 | 2 | 3).last()", &["Integer 3"]),
        ("(1 | 2 | 3).tail()", &["Integer 2", "Integer 3"]),
        ("{}.first() | {}.last() | {}.tail()", &[]),
        ("(1 | 2 | 3).skip(1)", &["Integer 2", "Integer 3"]),
        ("(1 | 2).skip(-1)", &["Integer 1", "Integer 2"]),
        ("(1 | 2 | 3).take(2)", &["Integer 1", "Integer 2"]),
        ("(1 | 2 | 3).take(9223372036854775807).count()", &["Integer 3"]),
        ("(1 | 2).take(0)", &[]),
        ("1.single()", &["Integer 1"]),
        ("{}.single()", &[]),
        ("1.combine(2).combine(1).intersect(1)", &["Integer 1"]),
        ("1.combine(1).combine(2).exclude(2)", &["Integer 1", "Integer 1"]),
        ("(1 | 2).union(2 | 3)", &["Integer 1", "Integer 2", "Integer 3"]),
        ("(1 | 2).combine(2)", &["Integer 1", "Integer 2", "Integer 2"]),
        ("name.given | name[0].given | 'Jim'", &["FHIR.string Peter", "FHIR.string ", "FHIR.string Jim"]),
        ("(1|2|3|4|5|6|7|8|9|10|5|1.0).count()", &["Integer 10"]),
    ]);
    check_error(&[("(1 | 2).single()", not_singleton("single()", 2))]);
}

#[test]
fn conversion() {
    check(&[
        ("'Yes'.toBoolean()", &["Boolean true"]),
        ("0.0.toBoolean()", &["Boolean false"]),
        ("'2'.toBoolean()", &[]),
        ("'-7'.toInteger()", &["Integer -7"]),
        ("true.toInteger()", &["Integer 1"]),
        ("'7.0'.toInteger()", &[]),
        ("'1.50'.toDecimal()", &["Decimal 1.50"]),
        ("1.toDecimal()", &["Decimal 1"]),
        ("'1.'.toDecimal() | '.5'.toDecimal() | '1e3'.toDecimal() | '1_0'.toDecimal()", &[]),
        ("'2012-03'.toDate()", &["Date 2012-03"]),
        ("@2012-03-04T05:06.toDate()", &["Date 2012-03-04"]),
        ("'2012-02-30'.toDate()", &[]),
        ("@2012.toDateTime()", &["DateTime 2012"]),
        ("'2012-03-04T05:06:07Z'.toDateTime()", &["DateTime 2012-03-04T05:06:07Z"]),
        ("'05:06'.toTime()", &["Time 05:06"]),
        ("'25'.toTime()", &[]),
        ("1.5.toString()", &["String 1.5"]),
        ("gender.toString()", &["String male"]),
        ("extension[0].value.value.toString()", &["String 1.50"]),
        ("extension[0].value.toString()", &["String 1.50 'mg'"]),
        ("name[0].toString()", &[]),
        ("2 days.toString()", &["String 2 days"]),
        ("'1.5 \\'mg\\''.toQuantity()", &["Quantity 1.5 'mg'"]),
        ("'2 weeks'.toQuantity()", &["Quantity 2 weeks"]),
        ("'2 g'.toQuantity() | 'g'.toQuantity() | ''.toQuantity() | '2 \\'a\\'b\\''.toQuantity()", &[]),
        ("2.toQuantity()", &["Quantity 2 '1'"]),
        ("1.5 'g'.toQuantity('mg')", &["Quantity 1500.0 'mg'"]),
        ("1.5 'g'.toQuantity('m')", &[]),
    ]);
    check_true(&[
        "'true'.convertsToBoolean()",
        "'1'.convertsToInteger()",
        "'1.a'.convertsToDecimal().not()",
        "1.convertsToString()",
        "'2012'.convertsToDate()",
        "'2012'.convertsToDateTime()",
        "'12'.convertsToTime()",
        "'1 day'.convertsToQuantity()",
        "1 'm'.convertsToQuantity('cm')",
        "{}.convertsToInteger().empty()",
    ]);
    check_error(&[("(1 | 2).toInteger()", not_singleton("toInteger", 2))]);
}

#[test]
fn text() {
    check(&[
        ("'äbc'.indexOf('c')", &["Integer 2"]),
        ("'abcb'.lastIndexOf('b')", &["Integer 3"]),
        ("'abc'.indexOf('x')", &["Integer -1"]),
        ("'äbc'.substring(1)", &["String bc"]),
        ("'äbc'.substring(0, 2)", &["String äb"]),
        ("'abc'.substring(3)", &[]),
        ("'abc'.substring(-1)", &[]),
        ("'abc'.substring(1, -1)", &["String "]),
        ("'aBc'.upper()", &["String ABC"]),
        ("'aBc'.lower()", &["String abc"]),
        ("'abab'.replace('b', 'xy')", &["String axyaxy"]),
        ("'ab'.replace('', '-')", &["String -a-b-"]),
        ("'2012-03'.replaceMatches('(\\\\d+)-(\\\\d+)', '$2/$1')", &["String 03/2012"]),
        ("'abc'.replaceMatches('', 'x')", &["String abc"]),
        ("'äbc'.length()", &["Integer 3"]),
        ("'äb'.toChars()", &["String ä", "String b"]),
        ("' a '.trim()", &["String a"]),
        ("'a,,b'.split(',')", &["String a", "String ", "String b"]),
        ("'ab'.split('')", &["String a", "String b"]),
        ("('a' | 'b').join('-')", &["String a-b"]),
        ("('a' | 'b').join()", &["String ab"]),
        ("{}.join(',')", &["String "]),
        ("'a' & {} & 'b'", &["String ab"]),
        ("gender + 's'", &["String males"]),
        ("'a>b'.encode('hex')", &["String 613e62"]),
        ("'613e62'.decode('hex')", &["String a>b"]),
        ("'a?>~'.encode('base64') | 'a?>~'.encode('urlbase64')", &["String YT8+fg==", "String YT8-fg=="]),
        ("'YT8+fg=='.decode('base64') | 'YT8-fg=='.decode('urlbase64')", &["String a?>~"]),
        ("'YT8+fg='.decode('base64') | '6'.decode('hex') | 'zz'.decode('hex') | 'a'.encode('rot13')", &[]),
        ("'a&\"<'.escape('html')", &["String a&amp;&quot;&lt;"]),
        ("'a&amp;&x;'.unescape('html')", &["String a&&x;"]),
        ("'a\\n\"'.escape('json')", &["String a\\n\\\""]),
        ("'a\\\\n'.unescape('json')", &["String a\n"]),
    ]);
    check_true(&[
        "'abc'.startsWith('ab')",
        "'abc'.endsWith('bc')",
        "'abc'.contains('b')",
        "'abc'.contains('')",
        "'a\nc'.matches('a.c')",
        "'xabcx'.matches('abc')",
        "'xabcx'.matchesFull('abc').not()",
        "'abc'.matchesFull('a|abc')",
        "'abc'.matches('a' & 'b')",
        "name.given[1].startsWith('x').empty()",
    ]);
    check_empty(&["{}.upper()", "'a'.startsWith({})", "'a'.matches({})", "'a'.replace('a', {})"]);
    check_error(&[
        (
            "1.upper()",
            EvalError::WrongType { at: "upper", expected: "a String", found: "System.Integer".into() },
        ),
        ("name.family.combine('x').upper()", not_singleton("upper", 2)),
        ("'a'.matches('(' & '')", EvalError::BadPattern("it does not follow the syntax".into())),
        ("1 & 'a'", EvalError::WrongType { at: "&", expected: "a String", found: "System.Integer".into() }),
    ]);
}

#[test]
fn the_tree() {
    check(&[
        ("name[1].children()", &["FHIR.code usual", "FHIR.string Jim"]),
        ("name.children().count()", &["Integer 6"]),
        ("birthDate.children().url", &["FHIR.uri http://e/time"]),
        (
            "name[0].descendants().ofType(string)",
            &[
                "FHIR.code official",
                "FHIR.string Chalmers",
                "FHIR.string Peter",
                "FHIR.string ",
                "FHIR.string none",
            ],
        ),
        ("1.children()", &[]),
        ("managingOrganization.descendants()", &["FHIR.string #o1"]),
        ("name.trace('a', given).count()", &["Integer 2"]),
    ]);
}

#[test]
fn fhir_functions() {
    check(&[
        ("birthDate.extension('http://e/time').value is dateTime", &["Boolean true"]),
        ("extension('http://e/none')", &[]),
        ("hasExtension('http://e/odd')", &["Boolean true"]),
        ("name.given.select(hasValue())", &["Boolean true", "Boolean false", "Boolean true"]),
        ("name.given.hasValue()", &["Boolean false"]),
        ("birthDate.getValue()", &["Date 1974-12-25"]),
        ("managingOrganization.resolve().name", &["FHIR.string Acme"]),
        ("generalPractitioner.resolve().id", &["FHIR.id 1"]),
        ("'#'.select(%resource.id)", &["FHIR.id p1"]),
        ("gender.memberOf('http://vs/gender')", &["Boolean true"]),
        ("{}.memberOf('http://vs/gender')", &[]),
        ("'A'.subsumes('A1')", &["Boolean true"]),
        ("'A'.subsumedBy('A1')", &["Boolean false"]),
        ("conformsTo('http://x/Patient')", &["Boolean true"]),
        ("text.`div`.htmlChecks()", &["Boolean true"]),
        ("%resource.id | %rootResource.id | %context.id", &["FHIR.id p1"]),
        ("%ucum", &["String http://unitsofmeasure.org"]),
        (
            "%`vs-gender` | %'ext-x' | %sct | %loinc",
            &[
                "String http://hl7.org/fhir/ValueSet/gender",
                "String http://hl7.org/fhir/StructureDefinition/x",
                "String http://snomed.info/sct",
                "String http://loinc.org",
            ],
        ),
        ("%ten", &["Integer 10"]),
    ]);
    check_error(&[
        ("gender.memberOf('http://vs/x')", EvalError::Host("the value set http://vs/x is not known".into())),
        ("%nothing", EvalError::UnknownVariable("nothing".into())),
    ]);
}

#[test]
fn the_clock_is_only_what_the_environment_gives() {
    let definitions = Definitions::of(FhirVersion::R4);
    let environment = Environment::new(definitions);
    let tree = Value::from(fhir_model::object! { "resourceType": "Basic" });
    for text in ["now()", "today()", "timeOfDay()"] {
        let expression = Expression::parse(text).unwrap();
        let found = expression.evaluate(Item::resource(&tree, definitions), &environment);
        assert_eq!(found.err(), Some(EvalError::NotProvided { what: "the current time" }));
    }
}

#[test]
fn search_expressions_read_types_leniently() {
    let found = |expression: &str, version| results(expression, version, Dialect::Search).unwrap();
    // In STU3 several published expressions write types with a capital letter.
    assert_eq!(
        found("Patient.name.as(HumanName).use", FhirVersion::Stu3),
        ["FHIR.code official", "FHIR.code usual"]
    );
    assert_eq!(found("Patient.birthDate.as(Date)", FhirVersion::Stu3), ["FHIR.date 1974-12-25"]);
    assert_eq!(found("Patient.birthDate.as(Nothing)", FhirVersion::R4), Vec::<String>::new());
    // The type of a reference is what it says, whether or not the resource exists.
    for (kind, count) in [("Practitioner", 1), ("Organization", 1), ("PractitionerRole", 1), ("Patient", 0)] {
        let text = format!("Patient.generalPractitioner.where(resolve() is {kind})");
        assert_eq!(found(&text, FhirVersion::R4).len(), count, "{text}");
    }
    let contained = "Patient.managingOrganization.where(resolve() is Organization).reference";
    assert_eq!(found(contained, FhirVersion::R4), ["FHIR.string #o1"]);
}

#[test]
fn elements_without_types_are_found_by_their_json_names() {
    let tree =
        parse(br#"{"a":[{"b":1},{"b":"x","_b":{"id":"i"}}],"_c":{"id":"j"}}"#, &Limits::default()).unwrap();
    let environment = Environment::new(Definitions::of(FhirVersion::R5));
    for (text, wanted) in [
        ("a.b", &["FHIR.decimal 1", "FHIR.string x"][..]),
        ("a.b.id", &["FHIR.string i"]),
        ("c.id", &["FHIR.string j"]),
        ("descendants().count()", &["Integer 7"]),
    ] {
        let expression = Expression::parse(text).unwrap();
        let context = Item::Element(Element::untyped(Some(&tree), None));
        let found = expression.evaluate(context, &environment).unwrap();
        assert_eq!(found.iter().map(described).collect::<Vec<_>>(), wanted, "{text}");
    }
}
