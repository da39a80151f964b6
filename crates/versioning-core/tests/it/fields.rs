//! Header bytes to preconditions: one table per kind of field, then properties of any bytes.

use proptest::prelude::*;
use versioning_core::{
    ConditionalFields, EntityTag, Field, FieldError, HttpDate, Precondition, Problem, TAGS_MAX, TagSet,
    Usage, check_fields,
};

fn read(field: Field, lines: &[&[u8]], usage: Usage) -> Result<Precondition, FieldError> {
    let mut fields = ConditionalFields::new(usage);
    for line in lines {
        fields.line(field, line)?;
    }
    fields.finish()
}

/// Reads the lines as If-Match and as If-None-Match; `expected` is the set as it is printed, or
/// the problem and its offset.
#[track_caller]
fn check(lines: &[&[u8]], usage: Usage, expected: Result<&str, (Problem, usize)>) {
    for field in [Field::IfMatch, Field::IfNoneMatch] {
        let found = read(field, lines, usage);
        let printed = found.as_ref().map(|precondition| tags(field, precondition).to_string());
        let expected =
            expected.map(String::from).map_err(|(problem, offset)| FieldError { field, problem, offset });
        assert_eq!(printed.map_err(|error| *error), expected, "{usage:?} {}", show(lines));
    }
}

#[track_caller]
fn check_all_usages(lines: &[&[u8]], expected: Result<&str, (Problem, usize)>) {
    for usage in [Usage::Read, Usage::Write, Usage::LenientWrite] {
        check(lines, usage, expected);
    }
}

fn tags(field: Field, precondition: &Precondition) -> &TagSet {
    let (read, other) = match field {
        Field::IfMatch => (precondition.if_match(), precondition.if_none_match()),
        _ => (precondition.if_none_match(), precondition.if_match()),
    };
    assert_eq!(other, None, "a line of one field is not read as another");
    read.expect("a field that was sent is there")
}

fn show(lines: &[&[u8]]) -> String {
    lines.iter().map(|line| line.escape_ascii().to_string()).collect::<Vec<_>>().join(" | ")
}

#[test]
fn a_tag_is_read_as_it_is() {
    check_all_usages(&[br#"W/"3""#], Ok(r#"W/"3""#));
    check_all_usages(&[br#""3""#], Ok(r#""3""#));
    check_all_usages(&[br#"W/"25777f7d-27bc""#], Ok(r#"W/"25777f7d-27bc""#));
    check_all_usages(&[br#""""#], Ok(r#""""#));
    check_all_usages(&[br#"W/"""#], Ok(r#"W/"""#));
    check_all_usages(&[br#""a,b""#], Ok(r#""a,b""#));
    check_all_usages(&[br#"W/"W/"#, br#""1""#], Err((Problem::Unterminated, 2)));
    check_all_usages(&[br#"W/"18446744073709551616""#], Ok(r#"W/"18446744073709551616""#));
    check_all_usages(&[br#""!#$%&()*+./:;<=>?@[]^_`{|}~""#], Ok(r#""!#$%&()*+./:;<=>?@[]^_`{|}~""#));
    check_all_usages(&[b"\"\x80\xff\xc3\xa9\""], Ok(r#""\x80\xff\xc3\xa9""#));
    check_all_usages(&[b"*"], Ok("*"));
}

#[test]
fn a_list_is_one_set_however_it_is_split() {
    let all = r#"W/"1", "2", W/"3,4""#;
    check_all_usages(&[br#"W/"1","2",W/"3,4""#], Ok(all));
    check_all_usages(&[b"\t W/\"1\" ,\t\"2\" , W/\"3,4\" \t"], Ok(all));
    check_all_usages(&[br#"W/"1""#, br#""2""#, br#"W/"3,4""#], Ok(all));
    check_all_usages(&[br#"W/"1", "2""#, br#"W/"3,4""#], Ok(all));
    check_all_usages(&[br#",, W/"1",, ,"2",W/"3,4",,"#], Ok(all));
    check_all_usages(&[b"", br#"W/"1","#, b",", br#","2", W/"3,4""#, b" "], Ok(all));
    check_all_usages(&[br#""1", "1""#], Ok(r#""1", "1""#));
}

#[test]
fn a_field_without_a_tag_is_malformed_and_not_absent() {
    for lines in [&[b"".as_slice()] as &[&[u8]], &[b" \t"], &[b","], &[b" , ,"], &[b"", b""], &[b",", b" "]] {
        check_all_usages(lines, Err((Problem::Empty, 0)));
    }
    assert_eq!(ConditionalFields::new(Usage::Write).finish(), Ok(Precondition::NONE));
}

#[test]
fn any_stands_alone() {
    for lines in [
        &[b"*, *".as_slice()] as &[&[u8]],
        &[b"*", b"*"],
        &[br#"*, "1""#],
        &[br#""1", *"#],
        &[b"*", br#"W/"1""#],
        &[br#"W/"1""#, b"*"],
    ] {
        for usage in [Usage::Read, Usage::Write, Usage::LenientWrite] {
            let problem = read(Field::IfMatch, lines, usage).map_err(|error| error.problem);
            assert_eq!(problem, Err(Problem::AnyAmongOthers), "{}", show(lines));
        }
    }
    check_all_usages(&[b" ,*, "], Ok("*"));
    check_all_usages(&[b"", b"*"], Ok("*"));
    check_all_usages(&[b"**"], Err((Problem::NoComma, 1)));
    check_all_usages(&[br#""*""#], Ok(r#""*""#));
}

#[test]
fn broken_tags_are_malformed_for_everyone() {
    check_all_usages(&[br#"""#], Err((Problem::Unterminated, 0)));
    check_all_usages(&[br#"W/"3"#], Err((Problem::Unterminated, 2)));
    check_all_usages(&[br#""1", "2"#], Err((Problem::Unterminated, 5)));
    check_all_usages(&[br#""1" "2""#], Err((Problem::NoComma, 4)));
    check_all_usages(&[br#""1"2"#], Err((Problem::NoComma, 3)));
    check_all_usages(&[br#""a b""#], Err((Problem::BadByte(b' '), 2)));
    check_all_usages(&[b"\"a\x7f\""], Err((Problem::BadByte(0x7f), 2)));
    check_all_usages(&[b"\"a\0\""], Err((Problem::BadByte(0), 2)));
    check_all_usages(&[b"\"a\n\""], Err((Problem::BadByte(b'\n'), 2)));
    check_all_usages(&[br#""1"; q=1"#], Err((Problem::NoComma, 3)));
    check_all_usages(&["“3”".as_bytes()], Err((Problem::NotQuoted, 0)));
    check_all_usages(&[b"'3'"], Err((Problem::NotQuoted, 0)));
    check_all_usages(&[b"\xff"], Err((Problem::NotQuoted, 0)));
}

#[test]
fn a_bare_token_is_a_tag_where_that_costs_nothing() {
    for (line, printed) in [
        (b"3".as_slice(), r#""3""#),
        (b"W/3", r#"W/"3""#),
        (b"25777f7d-27bc", r#""25777f7d-27bc""#),
        (b"a.B-9", r#""a.B-9""#),
        (b"W", r#""W""#),
        (b"1, W/\"2\" ,3", r#""1", W/"2", "3""#),
    ] {
        check(&[line], Usage::Read, Ok(printed));
        check(&[line], Usage::LenientWrite, Ok(printed));
        let strict = read(Field::IfMatch, &[line], Usage::Write).map_err(|error| error.problem);
        assert_eq!(strict, Err(Problem::NotQuoted), "{}", line.escape_ascii());
    }
    for usage in [Usage::Read, Usage::LenientWrite] {
        check(&[b"W/"], usage, Err((Problem::NotQuoted, 2)));
        check(&[b"W/ \"3\""], usage, Err((Problem::NotQuoted, 2)));
        check(&[b"w/\"3\""], usage, Err((Problem::NoComma, 1)));
        check(&[b"1 2"], usage, Err((Problem::NoComma, 2)));
        check(&[b"1_2"], usage, Err((Problem::NoComma, 1)));
        check(&[b"3\""], usage, Err((Problem::NoComma, 1)));
        check(&[b"3*"], usage, Err((Problem::NoComma, 1)));
    }
    check(&[b"w/\"3\""], Usage::Write, Err((Problem::NotQuoted, 0)));
    check(&[b"W/ \"3\""], Usage::Write, Err((Problem::NotQuoted, 0)));
}

#[test]
fn the_number_of_tags_is_limited_over_all_lines() {
    let list = |count: usize| vec![r#""1""#; count].join(",").into_bytes();
    check_all_usages(&[&list(TAGS_MAX)], Ok(&vec![r#""1""#; TAGS_MAX].join(", ")));
    let too_many = |lines: &[&[u8]]| {
        let problem = read(Field::IfMatch, lines, Usage::Write).map_err(|error| error.problem);
        assert_eq!(problem, Err(Problem::TooMany));
    };
    too_many(&[&list(TAGS_MAX + 1)]);
    too_many(&[&list(TAGS_MAX), br#""1""#]);
    too_many(&[&list(100), &list(100)]);
    too_many(&[&list(20_000)]);
}

#[test]
fn length_alone_is_no_error() {
    let long = [b"W/\"".as_slice(), &vec![b'x'; 65_536], b"\""].concat();
    check_all_usages(&[&long], Ok(std::str::from_utf8(&long).expect("it is ASCII")));
    let commas = [vec![b','; 65_536].as_slice(), b"\"1\""].concat();
    check_all_usages(&[&commas], Ok(r#""1""#));
    let unterminated = [b"\"".as_slice(), &vec![0xff; 65_536]].concat();
    check_all_usages(&[&unterminated], Err((Problem::Unterminated, 0)));
    // Lengths around the place where a tag no longer fits inline.
    for length in 18..=24 {
        let tag = [b"\"".as_slice(), &vec![b'x'; length], b"\""].concat();
        check_all_usages(&[&tag], Ok(std::str::from_utf8(&tag).expect("it is ASCII")));
    }
}

#[test]
fn an_error_shows_the_right_spelling() {
    let error = read(Field::IfMatch, &[b"3"], Usage::Write).expect_err("a bare token is malformed");
    let text = error.to_string();
    assert!(text.contains("If-Match: W/\"<versionId>\""), "{text}");
    let error = read(Field::IfUnmodifiedSince, &[b"3"], Usage::Write).expect_err("it is no date");
    assert!(error.to_string().contains("If-Unmodified-Since: Fri, 25 May 2018 16:09:50 GMT"), "{error}");
}

const FIXDATE: &[u8] = b"Fri, 25 May 2018 16:09:50 GMT";
const RFC850: &[u8] = b"Friday, 25-May-18 16:09:50 GMT";
const ASCTIME: &[u8] = b"Fri May 25 16:09:50 2018";
const LATER: &[u8] = b"Fri, 25 May 2018 16:09:51 GMT";
const MOMENT: Option<HttpDate> = Some(HttpDate(1_527_264_590));

/// Reads the lines as If-Unmodified-Since.
#[track_caller]
fn check_unmodified(lines: &[&[u8]], usage: Usage, expected: Result<Option<HttpDate>, Problem>) {
    let found = read(Field::IfUnmodifiedSince, lines, usage);
    let found = found.map(|precondition| precondition.if_unmodified_since()).map_err(|error| error.problem);
    assert_eq!(found, expected, "{usage:?} {}", show(lines));
}

/// Reads the lines as If-Modified-Since of a read; for a write it never says anything.
#[track_caller]
fn check_modified(lines: &[&[u8]], expected: Option<HttpDate>) {
    let found = |usage| read(Field::IfModifiedSince, lines, usage).map(|read| read.if_modified_since());
    assert_eq!(found(Usage::Read), Ok(expected), "{}", show(lines));
    assert_eq!(found(Usage::Write), Ok(None));
    assert_eq!(found(Usage::LenientWrite), Ok(None));
}

#[test]
fn dates_come_in_three_forms() {
    for date in [FIXDATE, RFC850, ASCTIME] {
        check_modified(&[date], MOMENT);
        for usage in [Usage::Read, Usage::Write, Usage::LenientWrite] {
            check_unmodified(&[date], usage, Ok(MOMENT));
            check_unmodified(&[date, FIXDATE], usage, Ok(MOMENT));
        }
    }
}

#[test]
fn what_is_no_date_is_ignored_by_reads_and_refused_by_writes() {
    let both = [FIXDATE, b", ", FIXDATE].concat();
    for value in [b"".as_slice(), b"yesterday", b"2018-05-25T16:09:50Z", b"*", b"\xff\xfe", b"0", &both] {
        check_modified(&[value], None);
        check_unmodified(&[value], Usage::Read, Ok(None));
        check_unmodified(&[value], Usage::Write, Err(Problem::NotADate));
        check_unmodified(&[value], Usage::LenientWrite, Err(Problem::NotADate));
        for lines in [[FIXDATE, value], [value, FIXDATE]] {
            check_modified(&lines, None);
            check_unmodified(&lines, Usage::Read, Ok(None));
            check_unmodified(&lines, Usage::Write, Err(Problem::NotADate));
        }
    }
}

#[test]
fn dates_that_differ_are_no_date() {
    for lines in [&[FIXDATE, LATER] as &[&[u8]], &[FIXDATE, LATER, LATER], &[FIXDATE, LATER, FIXDATE]] {
        check_modified(lines, None);
        check_unmodified(lines, Usage::Read, Ok(None));
        check_unmodified(lines, Usage::Write, Err(Problem::Repeated));
        check_unmodified(lines, Usage::LenientWrite, Err(Problem::Repeated));
    }
}

#[test]
fn the_fields_do_not_disturb_each_other() {
    let mut fields = ConditionalFields::new(Usage::Read);
    for (field, value) in [
        (Field::IfMatch, br#""1""#.as_slice()),
        (Field::IfNoneMatch, b"*"),
        (Field::IfMatch, br#""2""#),
        (Field::IfModifiedSince, FIXDATE),
        (Field::IfUnmodifiedSince, LATER),
    ] {
        fields.line(field, value).expect("all are well formed");
    }
    let tag = |opaque| EntityTag::new(false, opaque);
    let expected = Precondition::NONE
        .with_if_match(TagSet::Tags { first: tag(b"1"), more: vec![tag(b"2")] })
        .with_if_none_match(TagSet::Any)
        .with_if_modified_since(HttpDate(1_527_264_590))
        .with_if_unmodified_since(HttpDate(1_527_264_591));
    assert_eq!(fields.finish(), Ok(expected));
}

/// Bytes that mean something in a tag list, so that random lines get past the first byte.
fn structured_line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"W/".to_vec()),
        Just(b"\"".to_vec()),
        Just(b",".to_vec()),
        Just(b" ".to_vec()),
        Just(b"*".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\"1\"".to_vec()),
        Just(b"W/\"a-b.c\", ".to_vec()),
        Just(FIXDATE.to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn tag() -> impl Strategy<Value = EntityTag> {
    let etagc = prop_oneof![Just(0x21_u8), 0x23..=0x7e_u8, 0x80..=0xff_u8];
    (any::<bool>(), prop::collection::vec(etagc, 0..40))
        .prop_map(|(weak, opaque)| EntityTag::new(weak, &opaque))
}

fn written(tag: &EntityTag) -> Vec<u8> {
    let prefix: &[u8] = if tag.is_weak() { b"W/\"" } else { b"\"" };
    [prefix, tag.opaque(), b"\""].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_fields(&bytes);
    }

    #[test]
    fn almost_fields_are_read_or_refused(bytes in structured_line()) {
        check_fields(&bytes);
    }

    /// Valid tags, between any legal separators, over any number of lines.
    #[test]
    fn what_was_written_is_what_is_read(
        parts in prop::collection::vec((tag(), "[ \t]{0,2}", "[ \t]{0,2}", "[, \t]{0,4}", any::<bool>()), 1..20)
    ) {
        let mut lines = vec![Vec::new()];
        for (index, (tag, before, after, empty, new_line)) in parts.iter().enumerate() {
            if *new_line {
                lines.push(Vec::new());
            } else if index > 0 {
                lines.last_mut().expect("there is a line").push(b',');
            }
            let line = lines.last_mut().expect("there is a line");
            line.extend_from_slice(empty.as_bytes());
            line.extend_from_slice(before.as_bytes());
            line.extend_from_slice(&written(tag));
            line.extend_from_slice(after.as_bytes());
        }
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        for usage in [Usage::Read, Usage::Write, Usage::LenientWrite] {
            let precondition = read(Field::IfMatch, &lines, usage);
            let precondition = precondition.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let found: Vec<_> = tags(Field::IfMatch, &precondition).tags().collect();
            let expected: Vec<_> = parts.iter().map(|(tag, ..)| tag).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
