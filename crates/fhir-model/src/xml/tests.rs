//! The codec by example: what reads as what, what is refused, and with which words.

mod both_ways;
mod narratives;
mod refusals;
mod well_formed;
mod writing;

use fhir_definitions::{Definitions, FhirVersion};

use super::*;
use crate::json::{self, Limits, Value};

const R4: Definitions = Definitions::of(FhirVersion::R4);

fn read_json(text: &str) -> Value {
    json::parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn read(text: &str) -> Result<Value, XmlError> {
    parse(text.as_bytes(), R4, &Limits::default())
}

fn written(tree: &Value, definitions: Definitions) -> Result<String, XmlWriteError> {
    let mut out = b"kept".to_vec();
    let result = write(tree.as_object().expect("a resource is an object"), definitions, &mut out);
    assert!(out.starts_with(b"kept"));
    match result {
        Ok(()) => Ok(String::from_utf8(out.split_off(4 + DECLARATION.len())).expect("XML is UTF-8")),
        Err(error) => {
            assert_eq!(out, b"kept", "nothing stays of what failed");
            Err(error)
        }
    }
}

/// A resource with these children, in the name space of FHIR.
fn document(resource_type: &str, inside: &str) -> String {
    format!("<{resource_type} xmlns=\"http://hl7.org/fhir\">{inside}</{resource_type}>")
}

/// `marked` holds `¦` where the fault is.
#[track_caller]
fn check_refused(marked: &str, kind: &XmlErrorKind, path: &str) {
    let offset = marked.find('¦').expect("the place is marked");
    let text = marked.replacen('¦', "", 1);
    let error = read(&text).expect_err(&text);
    assert_eq!((&error.kind, error.offset, error.path.as_str()), (kind, offset, path), "for {text}: {error}");
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    assert_eq!((error.line, error.column), (line, before[line_start..].chars().count() + 1), "for {text}");
}
