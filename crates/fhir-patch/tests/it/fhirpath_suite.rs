//! The public FHIRPath Patch suite, on every version.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits as JsonLimits, Value};
use fhir_model::xml;
use fhir_patch::{FhirPathPatch, Limits, fhirpath_diff};

use crate::suites;

struct Case {
    name: String,
    is_both: bool,
    input: String,
    diff: String,
    output: Option<String>,
}

/// Taken apart as text, so that what is inside is read as the server reads it.
fn cases(document: &str) -> Vec<Case> {
    let inside = |text: &str, tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once(&format!("</{tag}>"))?.0.trim().to_owned())
    };
    let attribute = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let cases = document.split("<case ").skip(1).map(|case| {
        let head = case.split('>').next().unwrap();
        Case {
            name: attribute(head, "name"),
            is_both: attribute(head, "mode") == "both",
            input: inside(case, "input").unwrap(),
            diff: inside(case, "diff").unwrap(),
            output: inside(case, "output"),
        }
    });
    cases.collect()
}

fn read(text: &str, definitions: Definitions) -> Value {
    xml::parse(text.as_bytes(), definitions, &JsonLimits::default()).unwrap()
}

#[test]
fn the_public_suite_passes_in_every_version() {
    let Some(folder) = suites::find("fhir-test-cases-r4/patch") else { return };
    let document = std::fs::read_to_string(folder.join("fhir-patch-tests.xml")).unwrap();
    let cases = cases(&document);
    assert_eq!(cases.len(), 33);
    for version in FhirVersion::ALL {
        for case in &cases {
            forwards(case, version);
            if case.is_both {
                backwards(case, version);
            }
        }
    }
}

fn forwards(case: &Case, version: FhirVersion) {
    let definitions = Definitions::of(version);
    let limits = Limits::default();
    let patch = FhirPathPatch::parse(&read(&case.diff, definitions), definitions, &limits).unwrap();
    let patched = patch.apply(&read(&case.input, definitions), &limits);
    let name = &case.name;
    match (patched, &case.output) {
        (Ok(patched), Some(output)) => {
            // Narrative is one string with quotes, in the patch, and markup with `&quot;`, in the output.
            let squeezed = |tree: &Value| {
                let text = tree.to_string().replace("\\r", "").replace("\\n", "").replace(' ', "");
                text.replace("&quot;", "\\\"")
            };
            let expected = read(output, definitions);
            assert_eq!(squeezed(&patched), squeezed(&expected), "{version} {name}");
        }
        (Err(_), None) => {}
        (Ok(patched), None) => panic!("{version} {name}: no error, but {patched}"),
        (Err(refused), Some(_)) => panic!("{version} {name}: {refused}"),
    }
}

/// The difference leads from input to output in at most as many operations as the suite takes.
fn backwards(case: &Case, version: FhirVersion) {
    let definitions = Definitions::of(version);
    let limits = Limits::default();
    let (old, new) = (read(&case.input, definitions), read(case.output.as_ref().unwrap(), definitions));
    let patch = |parameters: &Value| FhirPathPatch::parse(parameters, definitions, &limits).unwrap();
    let theirs = patch(&read(&case.diff, definitions));
    let ours = patch(&fhirpath_diff(&old, &new, definitions).unwrap());
    let name = &case.name;
    assert_eq!(ours.apply(&old, &limits).unwrap(), new, "{version} {name}");
    assert!(ours.len() <= theirs.len(), "{version} {name}: {ours:?}");
}
