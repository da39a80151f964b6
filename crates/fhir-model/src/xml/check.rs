//! The property that fuzzing and the property tests share.

use fhir_definitions::{Definitions, FhirVersion};

use super::parser::parse;
use super::writer::{write, write_pretty};
use crate::json::{self, Limits, Value};

/// What [`check_xml`] found in order.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XmlRoundTrip {
    /// The input is no resource in any version.
    Refused,
    /// It was read, and writing and reading it again changed nothing.
    Faithful,
}

/// What [`check_xml`] found to be wrong.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XmlFault {
    /// The place of a refusal lies outside of the input, or there is no sentence.
    BadRefusal,
    /// What was read from XML cannot be written.
    Unwritable(String),
    /// What was written cannot be read.
    Unreadable(String),
    /// Reading what was written gives another tree.
    TreeDiffers,
    /// The same with indentation.
    PrettyDiffers,
    /// Limits count differently than in the JSON form.
    LimitsDiffer(String),
}

/// For any input and each version: reading does not panic, what is read survives being written, and the limits mean
/// the same as for the JSON form. Called by the fuzz target `xml_tree` and by the property tests; not meant for other
/// code.
#[doc(hidden)]
pub fn check_xml(input: &[u8]) -> Result<XmlRoundTrip, XmlFault> {
    let mut result = XmlRoundTrip::Refused;
    for version in FhirVersion::ALL {
        if check_version(input, Definitions::of(version))? == XmlRoundTrip::Faithful {
            result = XmlRoundTrip::Faithful;
        }
    }
    Ok(result)
}

fn check_version(input: &[u8], definitions: Definitions) -> Result<XmlRoundTrip, XmlFault> {
    let tree = match parse(input, definitions, &Limits::default()) {
        Ok(tree) => tree,
        Err(error) if error.offset > input.len() || error.kind.to_string().is_empty() => {
            return Err(XmlFault::BadRefusal);
        }
        Err(_) => return Ok(XmlRoundTrip::Refused),
    };
    let resource = tree.as_object().ok_or(XmlFault::TreeDiffers)?;
    let mut written = Vec::new();
    write(resource, definitions, &mut written).map_err(|error| XmlFault::Unwritable(error.to_string()))?;
    if read(&written, definitions)? != tree {
        return Err(XmlFault::TreeDiffers);
    }
    let mut pretty = Vec::new();
    write_pretty(resource, definitions, &mut pretty)
        .map_err(|error| XmlFault::Unwritable(error.to_string()))?;
    if read(&pretty, definitions)? != tree {
        return Err(XmlFault::PrettyDiffers);
    }
    check_limits(&written, &tree, definitions)?;
    Ok(XmlRoundTrip::Faithful)
}

fn read(bytes: &[u8], definitions: Definitions) -> Result<Value, XmlFault> {
    let limits = Limits { bytes_max: usize::MAX, ..Limits::default() };
    parse(bytes, definitions, &limits).map_err(|error| XmlFault::Unreadable(error.to_string()))
}

/// Finds the least limits that admit the JSON form: they must be the least that admit the XML form, too.
fn check_limits(written: &[u8], tree: &Value, definitions: Definitions) -> Result<(), XmlFault> {
    let (nodes, depth) = (count(tree), nesting(tree));
    let printed = tree.to_bytes();
    for (nodes_max, depth_max) in [(nodes, depth), (nodes - 1, depth), (nodes, depth - 1)] {
        let limits = Limits { bytes_max: usize::MAX, depth_max, nodes_max };
        let json = json::parse(&printed, &limits).is_ok();
        let xml = parse(written, definitions, &limits).is_ok();
        if json != xml || json != (nodes_max == nodes && depth_max == depth) {
            return Err(XmlFault::LimitsDiffer(format!("{limits:?}: JSON {json}, XML {xml}")));
        }
    }
    Ok(())
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(object) => object.iter().map(|(_, value)| count(value)).sum(),
        _ => 0,
    }
}

fn nesting(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(nesting).max().unwrap_or(0),
        Value::Object(object) => 1 + object.iter().map(|(_, value)| nesting(value)).max().unwrap_or(0),
        _ => 0,
    }
}
