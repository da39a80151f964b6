//! Writes FHIR JSON as XML: `to_xml VERSION FROM TO` turns every `.json` file in folder FROM that holds a resource into
//! an `.xml` file in folder TO. VERSION is `STU3`, `R4`, `R4B` or `R5`.
//!
//! ```text
//! cargo run --release -p fhir-model --example to_xml -- R4 fixtures/resources target/xml
//! ```

use std::error::Error;
use std::fs;
use std::path::Path;

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{self, Limits};
use fhir_model::xml;

/// Files that are given on the command line are trusted to be of any size.
const LIMITS: Limits = Limits { bytes_max: usize::MAX, depth_max: 100, nodes_max: usize::MAX };

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [version, from, to] = arguments.as_slice() else {
        return Err("usage: to_xml VERSION FROM TO".into());
    };
    let definitions = Definitions::of(version.parse::<FhirVersion>()?);
    fs::create_dir_all(to)?;
    let (mut written, mut refused) = (0, 0);
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match convert(&path, definitions) {
            Ok(None) => {}
            Ok(Some(document)) => {
                fs::write(Path::new(to).join(format!("{name}.xml")), document)?;
                written += 1;
            }
            Err(error) => {
                println!("refused {name}: {error}");
                refused += 1;
            }
        }
    }
    println!("{written} written, {refused} refused");
    Ok(())
}

/// The resource in a file as XML; none if the file holds other JSON.
fn convert(path: &Path, definitions: Definitions) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
    let bytes = fs::read(path)?;
    let tree = json::parse(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes), &LIMITS)?;
    let Some(resource) = tree.as_object().filter(|tree| tree.contains("resourceType")) else {
        return Ok(None);
    };
    let mut document = Vec::new();
    xml::write(resource, definitions, &mut document)?;
    Ok(Some(document))
}
