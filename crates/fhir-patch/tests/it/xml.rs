//! XML Patch on resources as the XML codec writes and reads them.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits as JsonLimits, Value, parse};
use fhir_model::xml;
use fhir_patch::{Limits, XmlPatch};
use proptest::prelude::*;

use crate::edits::{Dice, Examples};

fn patched(resource: &Value, definitions: Definitions, diff: &str) -> Result<Value, String> {
    let limits = Limits::default();
    let mut text = Vec::new();
    xml::write(resource.as_object().unwrap(), definitions, &mut text).map_err(|error| error.to_string())?;
    let patch = XmlPatch::parse(diff.as_bytes(), &limits).map_err(|fault| fault.to_string())?;
    let text = patch.apply(&text, &limits).map_err(|refused| refused.to_string())?;
    xml::parse(text.as_bytes(), definitions, &JsonLimits::default()).map_err(|error| error.to_string())
}

#[test]
fn a_patch_of_xml_changes_the_resource() {
    let r4 = Definitions::of(FhirVersion::R4);
    let observation = parse(
        br#"{"resourceType":"Observation","id":"a","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a &amp; b<br/></div>"},"status":"final","valueQuantity":{"value":1.50,"unit":"mg"},"note":[{"text":"one\ntwo"}]}"#,
        &JsonLimits::default(),
    )
    .unwrap();
    let diff = r#"<diff xmlns="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml">
        <replace sel="Observation/valueQuantity/value/@value">2.50</replace>
        <add sel="Observation/valueQuantity" pos="after"><bodySite><text value="arm"/></bodySite></add>
        <add sel="Observation/note[text/@value='one&#10;two']/text" type="@id">n</add>
        <replace sel="Observation/text/h:div/h:br"><h:hr/></replace>
    </diff>"#;
    // The element that was added stands where the definition does not have it: FHIR's XML is ordered.
    let refused = patched(&observation, r4, diff).unwrap_err();
    assert!(refused.contains("bodySite"), "{refused}");
    let diff = diff
        .replace("sel=\"Observation/valueQuantity\" pos=\"after\"", "sel=\"Observation/note\" pos=\"after\"");
    assert_eq!(
        patched(&observation, r4, &diff).unwrap().to_string(),
        r#"{"resourceType":"Observation","id":"a","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a &amp; b<hr/></div>"},"status":"final","valueQuantity":{"value":2.50,"unit":"mg"},"note":[{"text":"one\ntwo","_text":{"id":"n"}}],"bodySite":{"text":"arm"}}"#,
    );
}

proptest! {
    /// Reading a resource into the tree of a patch and printing it loses nothing.
    #[test]
    fn what_is_not_patched_stays(mut dice in Dice::strategy()) {
        thread_local!(static EXAMPLES: Examples = Examples::find());
        let (definitions, resource) = EXAMPLES.with(|examples| examples.pick(&mut dice));
        let mut text = Vec::new();
        prop_assume!(xml::write(resource.as_object().unwrap(), definitions, &mut text).is_ok());
        let expected = xml::parse(&text, definitions, &JsonLimits::default()).unwrap();
        prop_assert_eq!(patched(&resource, definitions, "<diff/>"), Ok(expected));
    }
}
