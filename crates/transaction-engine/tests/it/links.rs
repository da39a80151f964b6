//! What is replaced, for every kind of element, every way to name a resource, and every version.

use std::collections::BTreeSet;

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{self, Value};
use storage_api::Key;
use transaction_engine::Links;

/// fullUrls, and what they are in the store.
const NAMES: [(&str, &str); 4] = [
    ("urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059", "Patient/a"),
    ("urn:oid:1.2.840", "Patient/b"),
    ("http://there/fhir/Patient/1", "Patient/c"),
    ("Observation/7", "Observation/d"),
];

/// The version of the first of them is known.
const KNOWN: (&str, &str) = ("Patient/a", "5");

/// A text, what becomes of it, and of what it names a version.
type Case = (String, Option<String>, Option<&'static str>);

fn cases(base: Option<&str>) -> Vec<Case> {
    let mut cases = Vec::new();
    for (full_url, key) in NAMES {
        cases.push((full_url.to_owned(), Some(key.to_owned()), None));
        cases.push((format!("{full_url}#part"), Some(format!("{key}#part")), None));
        let version = if key == KNOWN.0 { format!("/_history/{}", KNOWN.1) } else { String::new() };
        cases.push((format!("{full_url}/_history/2"), Some(format!("{key}{version}")), Some(key)));
        cases.push((format!("{full_url}/_history/2#part"), Some(format!("{key}{version}#part")), Some(key)));
        // What only begins like it, or ends like it.
        cases.push((format!("{full_url}1"), None, None));
        cases.push((format!("{full_url}/1"), None, None));
        cases.push((format!("x{full_url}"), None, None));
        // A UUID is the same in capitals (RFC 9562 section 4), and only that.
        let same = full_url.starts_with("urn:uuid:").then(|| key.to_owned());
        cases.push((full_url.to_ascii_uppercase(), same, None));
    }
    let relative = base.map(|_| "Patient/c".to_owned());
    cases.push(("Patient/1".to_owned(), relative, None));
    for text in
        ["", "#", "#part", "Patient/2", "http://elsewhere/fhir/Patient/1", "urn:uuid:", "/_history/2", "é"]
    {
        cases.push((text.to_owned(), None, None));
    }
    cases
}

/// An element of a Basic, with `TEXT` where the text goes, and in which versions that is replaced.
type Element = (&'static str, &'static [FhirVersion]);

const ALL: &[FhirVersion] = &[FhirVersion::Stu3, FhirVersion::R4, FhirVersion::R4b, FhirVersion::R5];
const LATER: &[FhirVersion] = &[FhirVersion::R4, FhirVersion::R4b, FhirVersion::R5];

const ELEMENTS: [Element; 20] = [
    (r#""subject":{"reference":"TEXT"}"#, ALL),
    (r#""contained":[{"resourceType":"Basic","author":{"reference":"TEXT"}}]"#, ALL),
    (r#""extension":[{"url":"u","valueReference":{"reference":"TEXT"}}]"#, ALL),
    (
        r#""modifierExtension":[{"url":"u","extension":[{"url":"v","valueReference":{"reference":"TEXT"}}]}]"#,
        ALL,
    ),
    (r#""extension":[{"url":"u","valueUri":"TEXT"}]"#, ALL),
    (r#""extension":[{"url":"u","valueOid":"TEXT"}]"#, ALL),
    (r#""extension":[{"url":"u","valueUrl":"TEXT"}]"#, LATER),
    (r#""extension":[{"url":"u","valueUuid":"TEXT"}]"#, LATER),
    (r#""extension":[{"url":"u","valueAttachment":{"url":"TEXT"}}]"#, ALL),
    (r#""implicitRules":"TEXT""#, ALL),
    (r#""text":{"div":"<div><a href=\"TEXT\">TEXT</a></div>"}"#, ALL),
    (r#""extension":[{"url":"u","valueMarkdown":"[x](TEXT)"}]"#, &[FhirVersion::R5]),
    (r#""extension":[{"url":"u","valueCanonical":"TEXT"}]"#, &[]),
    (r#""extension":[{"url":"u","valueString":"TEXT"}]"#, &[]),
    (r#""extension":[{"url":"u","valueCode":"TEXT"}]"#, &[]),
    (r#""extension":[{"url":"u","valueId":"TEXT"}]"#, &[]),
    (r#""extension":[{"url":"u","valueMarkdown":"TEXT"}]"#, &[]),
    (r#""identifier":[{"value":"TEXT"}]"#, &[]),
    (r#""subject":{"display":"TEXT"}"#, &[]),
    (r#""nonsense":"TEXT""#, &[]),
];

fn basic(element: &str, text: &str) -> Value {
    let text = format!(r#"{{"resourceType":"Basic",{}}}"#, element.replace("TEXT", text));
    json::parse(text.as_bytes(), &json::Limits::default()).unwrap()
}

fn links() -> Links {
    let mut links = Links::default();
    for (full_url, key) in NAMES {
        let (kind, id) = key.split_once('/').unwrap();
        links.add(full_url, Key::new(kind, id));
    }
    let (kind, id) = KNOWN.0.split_once('/').unwrap();
    links.add_version(Key::new(kind, id), KNOWN.1);
    links
}

#[test]
fn what_names_a_resource_is_replaced_where_it_is_a_reference() {
    let links = links();
    let mut replaced = 0;
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        for full_url in [None, Some("urn:uuid:other"), Some("http://there/fhir/Basic/1")] {
            let base = full_url.filter(|full_url| full_url.starts_with("http"));
            for (text, expected, named) in cases(base) {
                for (element, versions) in ELEMENTS {
                    let what = format!("{version:?} {full_url:?} {element} {text}");
                    let expected = expected.as_ref().filter(|_| versions.contains(&version));
                    // The text of a narrative's link stays, so only the link is compared there.
                    let element = element.replace(">TEXT<", "><");
                    let mut resource = basic(&element, &text);
                    let relies_on = links.rewrite(&mut resource, full_url, definitions);
                    assert_eq!(resource, basic(&element, expected.unwrap_or(&text)), "{what}");
                    let named = named.filter(|_| expected.is_some()).map(str::to_owned);
                    let versions: BTreeSet<String> =
                        relies_on.versions.iter().map(ToString::to_string).collect();
                    assert_eq!(versions, BTreeSet::from_iter(named), "{what}");
                    replaced += usize::from(expected.is_some());
                    // What was replaced is not replaced again.
                    let once = resource.clone();
                    links.rewrite(&mut resource, full_url, definitions);
                    assert_eq!(resource, once, "{what}");
                }
            }
        }
    }
    assert!(replaced > 1000, "only {replaced} were replaced");
}

/// A definition goes by its canonical name, which may be where it was published.
#[test]
fn the_name_of_a_definition_is_replaced_where_it_is_a_place() {
    let name = "http://example.org/fhir/StructureDefinition/shoe";
    let mut links = Links::default();
    links.add_definition(name, Key::new("StructureDefinition", "1"));
    for version in FhirVersion::ALL {
        for (element, is_place) in [
            (r#""subject":{"reference":"TEXT"}"#, true),
            (r#""text":{"div":"<div><a href=\"TEXT\">x</a></div>"}"#, true),
            (r#""extension":[{"url":"TEXT","valueCode":"x"}]"#, false),
            (r#""extension":[{"url":"u","valueUri":"TEXT"}]"#, false),
            (r#""meta":{"profile":["TEXT"]}"#, false),
            (r#""code":{"coding":[{"system":"TEXT"}]}"#, false),
            (r#""identifier":[{"system":"TEXT"}]"#, false),
        ] {
            let mut resource = basic(element, name);
            links.rewrite(&mut resource, None, Definitions::of(version));
            let expected = if is_place { "StructureDefinition/1" } else { name };
            assert_eq!(resource, basic(element, expected), "{version:?} {element}");
        }
    }
}

/// Whatever is in them, texts for people and links in them come back as they were.
#[test]
fn narratives_keep_their_texts() {
    let links = links();
    let text =
        format!(r#""text":{{"div":"<div><p title='{0}'>{0}</p><!-- href='{0}' --></div>"}}"#, NAMES[0].0);
    for version in FhirVersion::ALL {
        let mut resource = basic(&text, "");
        links.rewrite(&mut resource, None, Definitions::of(version));
        assert_eq!(resource, basic(&text, ""), "{version:?}");
    }
}

#[test]
fn conditional_references_are_found_in_references_only() {
    let conditional = "Patient?identifier=s|1";
    for version in FhirVersion::ALL {
        let definitions = Definitions::of(version);
        for (element, _) in ELEMENTS {
            let found = Links::conditional_references(&basic(element, conditional), definitions);
            let is_reference = element.contains(r#""reference":"TEXT""#);
            assert_eq!(found.contains(conditional), is_reference, "{version:?} {element}");
            assert_eq!(found.len(), usize::from(is_reference), "{version:?} {element}");
        }
        for other in ["Patient/1", "Nothing here?", "#part?x=1"] {
            let found = Links::conditional_references(&basic(ELEMENTS[0].0, other), definitions);
            assert!(found.is_empty(), "{version:?} {other}: {found:?}");
        }
    }
}
