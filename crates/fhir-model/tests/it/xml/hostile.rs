//! Documents made to hurt: each is refused, quickly and in bounded memory.

use std::time::{Duration, Instant};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::Limits;
use fhir_model::xml::{self, XmlErrorKind};

const R4: Definitions = Definitions::of(FhirVersion::R4);

/// Long enough for an unoptimised build on a busy machine, far too short for anything that is not linear.
const PATIENCE: Duration = Duration::from_secs(10);

/// Reads a document; says why it was refused and how many bytes were in use at most.
fn refusal(document: &[u8], limits: &Limits) -> (XmlErrorKind, u64) {
    let start = Instant::now();
    let mut found = None;
    let memory = allocation_counter::measure(|| found = xml::parse(document, R4, limits).err());
    assert!(start.elapsed() < PATIENCE, "it took {:?}", start.elapsed());
    (found.expect("it is refused").kind, memory.bytes_max)
}

fn flag(inside: &str) -> Vec<u8> {
    format!("<Flag xmlns='http://hl7.org/fhir'>{inside}</Flag>").into_bytes()
}

#[test]
fn a_billion_laughs_are_refused_before_they_are_told() {
    let entities: Vec<String> = (1..40)
        .map(|level| format!("<!ENTITY l{level} '{}'>", format!("&l{};", level - 1).repeat(10)))
        .collect();
    let document = format!(
        "<!DOCTYPE Flag [<!ENTITY l0 'ha'>{}]><Flag xmlns='http://hl7.org/fhir'>&l39;</Flag>",
        entities.concat()
    );
    let (kind, bytes) = refusal(document.as_bytes(), &Limits::default());
    assert_eq!(kind, XmlErrorKind::Doctype);
    assert!(bytes < 10_000, "{bytes} bytes");
}

#[test]
fn an_attribute_beyond_the_limit_is_not_even_looked_at() {
    // Zeroed memory that is never touched costs nothing: a gigabyte, of which no byte is read.
    let document = vec![0; 1 << 30];
    let (kind, bytes) = refusal(&document, &Limits::default());
    let bytes_max = Limits::default().bytes_max;
    assert_eq!(kind, XmlErrorKind::TooLarge { bytes: 1 << 30, bytes_max });
    assert!(bytes < 1_000, "{bytes} bytes");
}

#[test]
fn an_attribute_within_the_limit_costs_its_own_size() {
    let size = 16 << 20;
    let text = "a&amp;".repeat(size / 6);
    let document = flag(&format!("<code><text value='{text}'/></code>"));
    let mut found = None;
    let memory = allocation_counter::measure(|| found = xml::parse(&document, R4, &Limits::default()).ok());
    assert!(found.is_some());
    assert!(memory.bytes_max < 3 * size as u64, "{} bytes", memory.bytes_max);
}

#[test]
fn deep_nesting_is_refused_where_it_gets_too_deep() {
    let levels = 1_000_000;
    let nested = |open: &str| flag(&open.repeat(levels));
    for open in ["<extension>", "<contained><Flag>", "<f:extension xmlns:f='http://hl7.org/fhir'>"] {
        let (kind, bytes) = refusal(&nested(open), &Limits { bytes_max: usize::MAX, ..Limits::default() });
        assert_eq!(kind, XmlErrorKind::TooDeep { depth_max: 100 }, "{open}");
        assert!(bytes < 100_000, "{bytes} bytes");
    }
    let narrative = format!("<text><div xmlns='http://www.w3.org/1999/xhtml'>{}", "<p>".repeat(levels));
    let (kind, bytes) = refusal(&flag(&narrative), &Limits::default());
    assert_eq!(kind, XmlErrorKind::TooDeep { depth_max: 512 });
    assert!(bytes < 100_000, "{bytes} bytes");
}

#[test]
fn the_deepest_that_limits_can_allow_fits_on_a_small_stack() {
    let document = {
        let (open, close) = ("<extension>".repeat(255), "</extension>".repeat(255));
        flag(&format!("{open}<valueString value='x'/>{close}"))
    };
    let read_and_write = move || {
        let limits = Limits { depth_max: usize::MAX, ..Limits::default() };
        let tree = xml::parse(&document, R4, &limits).expect("it is as deep as allowed");
        let mut out = Vec::new();
        xml::write(tree.as_object().expect("a resource"), R4, &mut out).expect("it can be written");
        xml::parse(&out, R4, &limits) == Ok(tree)
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(read_and_write).expect("a thread");
    assert!(thread.join().expect("the stack is large enough"));
}

#[test]
fn many_small_things_are_linear_and_counted() {
    let limits = Limits { nodes_max: 200_000, ..Limits::default() };
    let many = |piece: &str| piece.repeat(100_000);
    for piece in ["<identifier/>", "<identifier><use value='a'/></identifier>", "<extension url='a'/>"] {
        let (kind, bytes) = refusal(&flag(&many(&piece.repeat(2))), &limits);
        assert_eq!(kind, XmlErrorKind::TooManyNodes { nodes_max: limits.nodes_max }, "{piece}");
        assert!(bytes < 56 * 4 * limits.nodes_max as u64, "{bytes} bytes");
    }
    let alternating = many("<name><given/><given id='a' value='b'/></name>");
    let document = format!("<Patient xmlns='http://hl7.org/fhir'>{alternating}</Patient>");
    assert_eq!(
        refusal(document.as_bytes(), &limits).0,
        XmlErrorKind::TooManyNodes { nodes_max: limits.nodes_max }
    );
    let nothing = ["<!-- -->", "<?a?>", " \n"].map(many).concat();
    assert!(xml::parse(&flag(&nothing), R4, &limits).is_ok());
}

#[test]
fn many_attributes_and_declarations_are_refused_at_the_first_too_many() {
    let names: Vec<String> = (0..500_000).map(|index| format!(" a{index}='x'")).collect();
    let (kind, bytes) = refusal(&flag(&format!("<code{}/>", names.concat())), &Limits::default());
    assert_eq!(kind, XmlErrorKind::TooManyAttributes);
    assert!(bytes < 50_000, "{bytes} bytes");
    // One level each, so that the number in force grows.
    let levels: Vec<String> = (0..60).map(|index| format!("<extension xmlns:a{index}='x'>")).collect();
    let (kind, _) = refusal(&flag(&levels.concat()), &Limits::default());
    assert_eq!(kind, XmlErrorKind::TooManyNamespaces);
}

#[test]
fn long_names_are_cut_in_errors() {
    let name = "x".repeat(1 << 20);
    for document in
        [flag(&format!("<{name}/>")), flag(&format!("<code {name}='a'/>")), flag(&format!("<code></{name}>"))]
    {
        let error = xml::parse(&document, R4, &Limits::default()).expect_err("the name is unknown");
        assert!(error.to_string().len() < 500, "{} bytes", error.to_string().len());
    }
}
