use super::*;
use crate::{array, object};

fn read(text: &str) -> Result<Value, JsonError> {
    parse(text.as_bytes(), &Limits::default())
}

#[track_caller]
fn check_refused(text: &str, kind: JsonErrorKind, offset: usize, path: &str) {
    let error = read(text).expect_err(text);
    assert_eq!((error.kind, error.offset, error.path.as_str()), (kind, offset, path), "for {text}");
}

fn unexpected(expected: Expected, found: char) -> JsonErrorKind {
    JsonErrorKind::Unexpected { expected, found: Found::Char(found) }
}

fn cut_off(expected: Expected) -> JsonErrorKind {
    JsonErrorKind::Unexpected { expected, found: Found::End }
}

#[test]
fn a_value_takes_four_words() {
    assert_eq!((size_of::<Value>(), size_of::<Text>(), size_of::<Number>()), (32, 24, 24));
}

#[test]
fn every_kind_of_value_is_printed_as_it_was_written() {
    for text in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-0.0",
        "12",
        "1.50",
        "1e5",
        "1E+05",
        "-2.5e-3",
        "1e999",
        "123456789012345678901234567890.123456789012345678901234567890",
        "\"\"",
        "\"a\"",
        "\"longer than twenty-four bytes, so not stored in place\"",
        "\"\u{e9}\u{1F600}\u{7f}\"",
        "[]",
        "{}",
        "[[],{}]",
        r#"{"b":1,"a":[null,true,{"c":"d"}],"":""}"#,
        r#""\"\\\/\b\f\n\r\t\u0000\u001f\u001F\u0009\u0041\u00e9\uD83D\uDE00\ud83d\ude00\u2028""#,
        r#"{"\u0061":1,"b\/":2}"#,
    ] {
        let value = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value.to_string(), text);
        assert_eq!(check_round_trip(text.as_bytes()), Ok(RoundTrip::Faithful));
    }
}

#[test]
fn escapes_are_decoded_and_only_foreign_ones_are_kept() {
    let text = |written: &str| match read(written) {
        Ok(Value::String(text)) => text,
        other => panic!("{written}: {other:?}"),
    };
    for (written, decoded, kept) in [
        (r#""\"\\\b\f\n\r\t""#, "\"\\\u{8}\u{c}\n\r\t", false),
        (r#""\u0000\u001f""#, "\0\u{1f}", false),
        (r#""\u001F""#, "\u{1f}", true),
        (r#""\u000a""#, "\n", true),
        (r#""\/""#, "/", true),
        (r#""caf\u00e9""#, "caf\u{e9}", true),
        (r#""\uD83D\uDE00!""#, "\u{1F600}!", true),
        (r#""\udbff\udfff""#, "\u{10ffff}", true),
    ] {
        let text = text(written);
        assert_eq!(text.as_str(), decoded, "for {written}");
        assert_eq!(text.written(), kept.then(|| &written[1..written.len() - 1]), "for {written}");
        // Equality, order and hash are those of the text.
        assert_eq!(text, Text::from(decoded));
        assert!(std::collections::BTreeSet::from([text]).contains(decoded));
    }
}

#[test]
fn faults_in_structure_say_what_was_expected_and_where() {
    check_refused("", cut_off(Expected::Value), 0, "");
    check_refused("  \n", cut_off(Expected::Value), 3, "");
    check_refused("{", cut_off(Expected::MemberNameOrObjectEnd), 1, "");
    check_refused("{'a':1}", unexpected(Expected::MemberNameOrObjectEnd, '\''), 1, "");
    check_refused(r#"{"a":1,}"#, unexpected(Expected::MemberName, '}'), 7, "");
    check_refused(r#"{"a" 1}"#, unexpected(Expected::Colon, '1'), 5, "a");
    check_refused(r#"{"a":}"#, unexpected(Expected::Value, '}'), 5, "a");
    check_refused(r#"{"a":1 "b":2}"#, unexpected(Expected::CommaOrObjectEnd, '"'), 7, "a");
    check_refused(r#"{"a":1]"#, unexpected(Expected::CommaOrObjectEnd, ']'), 6, "a");
    check_refused("[", cut_off(Expected::ValueOrArrayEnd), 1, "[0]");
    check_refused("[1,]", unexpected(Expected::Value, ']'), 3, "[1]");
    check_refused("[1 2]", unexpected(Expected::CommaOrArrayEnd, '2'), 3, "[0]");
    check_refused("[+1]", unexpected(Expected::ValueOrArrayEnd, '+'), 1, "[0]");
    check_refused("{}/* no */", JsonErrorKind::TrailingData(Found::Char('/')), 2, "");
    check_refused("1 2", JsonErrorKind::TrailingData(Found::Char('2')), 2, "");
    check_refused("[NaN]", JsonErrorKind::BadWord("NaN".into()), 1, "[0]");
    check_refused("True", JsonErrorKind::BadWord("True".into()), 0, "");
    check_refused("nullnullnullnullnull", JsonErrorKind::BadWord("nullnullnullnull".into()), 0, "");
    check_refused("[\u{e9}]", unexpected(Expected::ValueOrArrayEnd, '\u{e9}'), 1, "[0]");
    check_refused("[\u{1}]", unexpected(Expected::ValueOrArrayEnd, '\u{1}'), 1, "[0]");
    check_refused("\u{FEFF}{}", JsonErrorKind::ByteOrderMark, 0, "");
}

#[test]
fn faults_in_numbers_and_strings_are_named() {
    use JsonErrorKind::{BadEscape, BadNumber, ControlCharacter, LoneSurrogate, UnterminatedString};
    check_refused("01", BadNumber(NumberFault::LeadingZero), 1, "");
    check_refused("-", BadNumber(NumberFault::NotANumber), 1, "");
    check_refused("-a", BadNumber(NumberFault::NotANumber), 1, "");
    check_refused("1.", BadNumber(NumberFault::NoFractionDigits), 2, "");
    check_refused("1.e1", BadNumber(NumberFault::NoFractionDigits), 2, "");
    check_refused("1e", BadNumber(NumberFault::NoExponentDigits), 2, "");
    check_refused("1e+", BadNumber(NumberFault::NoExponentDigits), 3, "");
    check_refused("1x", JsonErrorKind::TrailingData(Found::Char('x')), 1, "");
    check_refused(r#"["abc"#, UnterminatedString, 1, "[0]");
    check_refused(r#"["abc\""#, UnterminatedString, 1, "[0]");
    check_refused("\"a\nb\"", ControlCharacter(b'\n'), 2, "");
    check_refused("\"eight by\u{0}\"", ControlCharacter(0), 9, "");
    check_refused(r#""\x""#, BadEscape(Found::Char('x')), 1, "");
    check_refused("\"\\\u{e9}\"", BadEscape(Found::Char('\u{e9}')), 1, "");
    check_refused(r#""\u12g4""#, BadEscape(Found::Char('g')), 1, "");
    check_refused(r#""\u12"#, BadEscape(Found::End), 1, "");
    check_refused(r#""\u+123""#, BadEscape(Found::Char('+')), 1, "");
    check_refused("\"\\", BadEscape(Found::End), 1, "");
    check_refused(r#""\ud800""#, LoneSurrogate(0xd800), 1, "");
    check_refused(r#""\ud800x""#, LoneSurrogate(0xd800), 1, "");
    check_refused(r#""\ud800\u0041""#, LoneSurrogate(0xd800), 1, "");
    check_refused(r#""a\udc00\ud800""#, LoneSurrogate(0xdc00), 2, "");
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_at_their_place() {
    for (bytes, offset) in
        [(&b"\"a\xff\""[..], 2), (b"\xc3", 0), (b"\"\xed\xa0\x80\"", 1), (b"\"\xf0\x9f\x98\"", 1)]
    {
        let error = parse(bytes, &Limits::default()).unwrap_err();
        assert_eq!((error.kind, error.offset), (JsonErrorKind::InvalidUtf8, offset));
    }
}

#[test]
fn a_name_stands_once_in_an_object_however_it_is_written() {
    let duplicate = |name: &str| JsonErrorKind::DuplicateKey(name.into());
    check_refused(r#"{"resourceType":"Flag","a":1,"a":2}"#, duplicate("a"), 29, "Flag");
    check_refused(r#"{"a":1,"\u0061":2}"#, duplicate("a"), 7, "");
    check_refused(r#"{"x":[{"a":1,"b":1,"a":3,"b":1}]}"#, duplicate("a"), 19, "x[0]");
    assert!(read(r#"{"a":{"a":{"a":1}},"b":{"a":1}}"#).is_ok());
    // Large objects take another way to the same answer.
    let members: Vec<String> = (0..100).map(|index| format!("\"m{index}\":0")).collect();
    assert!(read(&format!("{{{}}}", members.join(","))).is_ok());
    let text = format!("{{{},\"m7\":1,\"m3\":1}}", members.join(","));
    check_refused(&text, duplicate("m7"), text.len() - 14, "");
}

#[test]
fn limits_hold_to_the_value() {
    let limits = Limits { bytes_max: 12, depth_max: 3, nodes_max: 4 };
    let kind = |text: &str| parse(text.as_bytes(), &limits).map(|_| ()).map_err(|error| error.kind);
    assert_eq!(kind("[[[]]]"), Ok(()));
    assert_eq!(kind("[[{}]]"), Ok(()));
    assert_eq!(kind("[[[[]]]]"), Err(JsonErrorKind::TooDeep { depth_max: 3 }));
    assert_eq!(kind("[[[{}]]]"), Err(JsonErrorKind::TooDeep { depth_max: 3 }));
    assert_eq!(kind("[1,2,3]"), Ok(()));
    assert_eq!(kind("[1,2,3,4]"), Err(JsonErrorKind::TooManyNodes { nodes_max: 4 }));
    assert_eq!(kind("[1,2,      3"), Err(cut_off(Expected::CommaOrArrayEnd)));
    assert_eq!(kind("[1,2,      3]"), Err(JsonErrorKind::TooLarge { bytes: 13, bytes_max: 12 }));
}

#[test]
fn nesting_is_refused_beyond_the_ceiling_whatever_the_limit_says() {
    let limits = Limits { depth_max: usize::MAX, ..Limits::default() };
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let deepest = parse(nested(DEPTH_CEILING).as_bytes(), &limits).unwrap();
    // Comparing, printing, cloning and dropping follow the nesting, too.
    assert_eq!(deepest.clone(), deepest);
    let mut pretty = Vec::new();
    deepest.write_pretty(&mut pretty);
    assert!(pretty.len() < 100_000, "indentation is bounded: {}", pretty.len());
    let error = parse(nested(1_000_000).as_bytes(), &limits).unwrap_err();
    assert_eq!(
        (error.kind, error.offset),
        (JsonErrorKind::TooDeep { depth_max: DEPTH_CEILING }, DEPTH_CEILING)
    );
    let objects = r#"{"a":"#.repeat(10_000);
    assert_eq!(read(&objects).unwrap_err().kind, JsonErrorKind::TooDeep { depth_max: 100 });
}

#[test]
fn an_error_names_line_column_and_element() {
    let text = "{\n  \"resourceType\": \"Flag\",\n  \"code\": {\n    \"coding\": [\n      {\"code\": \"\u{e9}\"},\n      {\"display\": \"\u{e9}\", \"code\": tru}\n    ]\n  }\n}";
    let error = read(text).unwrap_err();
    assert_eq!((error.line, error.column), (6, 32));
    assert_eq!(error.path, "Flag.code.coding[1].code");
    assert_eq!(
        error.to_string(),
        "line 6, column 32 (at Flag.code.coding[1].code): 'tru' is no JSON value: write text in double quotes; \
         true, false and null are lower case"
    );
}

#[test]
fn paths_stay_short_whatever_the_names() {
    let name = "n".repeat(1_000);
    let text = format!("{}x", format!("{{\"{name}\":").repeat(90));
    let error = read(&text).unwrap_err();
    assert_eq!(error.kind, JsonErrorKind::BadWord("x".into()));
    assert!(error.path.len() < 700, "{}", error.path.len());
    assert!(error.path.starts_with(&"n".repeat(64)) && error.path.ends_with("..."));
}

#[test]
fn every_kind_of_error_has_a_sentence_of_its_own() {
    let refused = [
        "",
        "{'a'}",
        "[1,]",
        "{\"a\":}",
        "[1 \"a\"]",
        "[.5]",
        "/* */",
        "{\"a\" 1}",
        "{} {}",
        "tru",
        "01",
        "-",
        "1.",
        "1e",
        "\"",
        "\"\t\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "{\"a\":1,\"a\":1}",
        "\u{FEFF}",
        "[1}",
        "{1",
        "{,",
    ];
    let mut sentences: Vec<String> = refused.iter().map(|text| read(text).unwrap_err().to_string()).collect();
    sentences.extend(
        [
            JsonErrorKind::InvalidUtf8,
            JsonErrorKind::TooDeep { depth_max: 1 },
            JsonErrorKind::TooManyNodes { nodes_max: 1 },
            JsonErrorKind::TooLarge { bytes: 2, bytes_max: 1 },
        ]
        .map(|kind| kind.to_string()),
    );
    let count = sentences.len();
    sentences.sort();
    sentences.dedup();
    assert_eq!(sentences.len(), count, "{sentences:#?}");
    assert!(sentences.iter().all(|sentence| !sentence.contains('\t')), "control characters are spelt out");
}

#[test]
fn members_keep_their_order_under_every_change() {
    let mut object = object! { "a": 1, "b": 2, "c": 3 };
    assert_eq!(object.insert("b", "new"), Some(Value::from(2)));
    assert_eq!(object.insert("d", true), None);
    assert_eq!(object.insert_at(1, "e", Value::Null), None);
    assert_eq!(object.insert_at(0, "c", 4), Some(Value::from(3)));
    assert_eq!(object.insert_at(usize::MAX, "f", array![1, "x"]), None);
    assert_eq!(object.to_string(), r#"{"a":1,"e":null,"b":"new","c":4,"d":true,"f":[1,"x"]}"#);
    assert_eq!(object.remove("e"), Some(Value::Null));
    assert_eq!(object.remove("e"), None);
    *object.get_mut("a").unwrap() = Value::Object(Object::new());
    for (name, value) in object.iter_mut() {
        if name == "d" {
            *value = Value::Bool(false);
        }
    }
    object.retain(|name, _| name != "f");
    assert_eq!(object.to_string(), r#"{"a":{},"b":"new","c":4,"d":false}"#);
    assert_eq!((object.position("c"), object.position("z"), object.len()), (Some(2), None, 4));
    assert_eq!(object.at(1), Some(("b", &Value::from("new"))));
    assert_eq!(object.names().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
}

#[test]
fn objects_are_equal_whatever_their_order_and_arrays_are_not() {
    let equal = |left: &str, right: &str| read(left).unwrap() == read(right).unwrap();
    assert!(equal(r#"{"a":1,"b":{"c":1,"d":2}}"#, r#"{"b":{"d":2,"c":1},"a":1}"#));
    assert!(!equal(r#"{"a":1,"b":2}"#, r#"{"b":1,"a":2}"#));
    assert!(!equal(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
    assert!(!equal("[1,2]", "[2,1]"));
    assert!(!equal("1.0", "1.00"));
    assert!(equal(r#""\u0041""#, r#""A""#));
}

#[test]
fn pretty_printing_breaks_lines_and_indents_by_two() {
    let value = read(r#"{"a":[1,{"b":[]}],"c":{},"d":"e"}"#).unwrap();
    let mut out = Vec::new();
    value.write_pretty(&mut out);
    let expected =
        "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {},\n  \"d\": \"e\"\n}";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn numbers_convert_where_they_fit() {
    let number = |digits: &str| digits.parse::<Number>().unwrap();
    assert_eq!(number("-12").as_i64(), Some(-12));
    assert_eq!((number("-12").as_u64(), number("1.0").as_i64(), number("1e2").as_u64()), (None, None, None));
    assert_eq!(number("18446744073709551615").as_u64(), Some(u64::MAX));
    assert_eq!(number("18446744073709551616").as_u64(), None);
    assert!((number("-2.5e-1").to_f64() + 0.25).abs() < f64::EPSILON);
    assert_eq!("1 ".parse::<Number>(), Err(NumberFault::NotANumber));
    assert_eq!("".parse::<Number>(), Err(NumberFault::NotANumber));
    assert_eq!(Number::from(i64::MIN).as_str(), "-9223372036854775808");
}

#[test]
fn scanners_agree_with_a_byte_by_byte_walk_at_every_alignment() {
    // Every byte value at every place of two words and a tail, behind plain bytes of two sorts.
    for filler in [b'a', 0xC3] {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![filler; length];
                    bytes[place] = byte;
                    for from in 0..=length {
                        let ends = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
                        let end = (from..length).find(|&at| ends(bytes[at])).unwrap_or(length);
                        assert_eq!(scan::plain_end(&bytes, from), end, "{bytes:?} from {from}");
                    }
                }
            }
        }
    }
    for spaces in 0..40 {
        let text = format!("\n{}x", " ".repeat(spaces));
        assert_eq!(scan::space_end(text.as_bytes(), 0), spaces + 1);
        assert_eq!(scan::space_end(&text.as_bytes()[..=spaces], 0), spaces + 1);
    }
    assert_eq!(scan::space_end(b" \t\r\n\x0b", 0), 4);
}

#[test]
fn objects_with_very_many_members_cost_no_square() {
    // A walk over all pairs would be five thousand million steps, here and in the comparison.
    let member = |index: usize| format!("\"member {index}\":{index}");
    let text = |indexes: &mut dyn Iterator<Item = usize>| {
        format!("{{{}}}", indexes.map(member).collect::<Vec<_>>().join(","))
    };
    let forwards = read(&text(&mut (0..100_000))).unwrap();
    let backwards = read(&text(&mut (0..100_000).rev())).unwrap();
    assert_eq!(forwards, backwards);
    let repeated = text(&mut (0..100_000).chain([50_000]));
    assert_eq!(read(&repeated).unwrap_err().kind, JsonErrorKind::DuplicateKey("member 50000".into()));
}

/// The parts and what is left, as text.
fn in_parts(text: &str, path: &[&str]) -> Result<(Vec<String>, String), JsonError> {
    let mut parts = Vec::new();
    let rest = parse_parts(text.as_bytes(), &Limits::default(), path, &mut |place, value| {
        let slice = std::str::from_utf8(&text.as_bytes()[place]).unwrap();
        assert_eq!(read(slice).unwrap(), value, "the place is that of the value");
        parts.push(slice.to_owned());
        Value::from(parts.len() as u64)
    })?;
    Ok((parts, rest.to_string()))
}

#[test]
fn parts_are_what_stands_at_a_path_and_nowhere_else() {
    let path = ["entry", "resource"];
    let check = |text: &str, parts: &[&str], rest: &str| {
        let (found, left) = in_parts(text, &path).unwrap();
        assert_eq!(found, parts, "{text}");
        assert_eq!(left, rest, "{text}");
    };
    check(
        r#"{ "entry" : [ {"resource" : { "a" : 1 } , "b":2}, {}, {"resource":"x"}] }"#,
        &[r#"{ "a" : 1 }"#, r#""x""#],
        r#"{"entry":[{"resource":1,"b":2},{},{"resource":2}]}"#,
    );
    check(r#"{"entry":{"resource":null}}"#, &["null"], r#"{"entry":{"resource":1}}"#);
    for beside in [
        r#"{"resource":{"a":1},"other":[{"resource":{}}]}"#,
        r#"{"entry":[{"b":{"resource":{}}}]}"#,
        r#"{"a":{"entry":[{"resource":{}}]}}"#,
        r#"{"entry":[]}"#,
        "[]",
    ] {
        check(beside, &[], beside);
    }
    // What is inside of a part is part of it.
    let nested = r#"{"entry":[{"resource":{"entry":[{"resource":{}}]}}]}"#;
    check(nested, &[r#"{"entry":[{"resource":{}}]}"#], r#"{"entry":[{"resource":1}]}"#);
}

#[test]
fn a_document_in_parts_is_refused_where_it_is_refused_as_one() {
    for text in [
        r#"{"entry":[{"resource":{}}"#,
        r#"{"entry":[{"resource":{},"resource":{}}]}"#,
        r#"{"entry":[{"resource":{"a":01}}]}"#,
        r#"{"entry":[{"resource":{}}]} x"#,
    ] {
        assert_eq!(in_parts(text, &["entry", "resource"]).unwrap_err(), read(text).unwrap_err(), "{text}");
    }
}
