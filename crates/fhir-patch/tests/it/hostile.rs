//! Any input, malformed above all: nothing panics, everything ends, and what comes out is sound.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{DEPTH_CEILING, Limits as JsonLimits, Value, parse};
use fhir_patch::{
    FhirPathPatch, Limits, MergePatch, XmlPatch, changed_elements, check_patches, fhirpath_diff, json_diff,
    merge,
};
use proptest::prelude::*;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"a","active":true,"name":[{"family":"F","given":["G",null],
    "_given":[{"id":"g"},{"extension":[{"url":"u","valueCode":"c"}]}]},{"text":"T"}],"_birthDate":{"id":"b"},
    "contained":[{"resourceType":"Flag","id":"f","status":"active"}],"contact":[{"id":"c","gender":"male"}],
    "deceasedBoolean":false,"meta":{"versionId":"1","tag":[{"code":"t"}]}}"#;

const XML: &str = r#"<Patient xmlns="http://hl7.org/fhir"><id value="a"/><text><div xmlns="http://www.w3.org/1999/xhtml">a<b/>c</div></text>
    <name><family value="F"/></name><!-- c --><name><text value="T"/></name></Patient>"#;

fn sound(patch: &str, document: &str) -> Result<usize, TestCaseError> {
    check_patches(patch.as_bytes(), document.as_bytes())
        .map_err(|fault| TestCaseError::fail(format!("{fault:?}\n{patch}\n{document}")))
}

/// Words that patches and resources are made of, in no sensible order.
fn json_soup() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("-0".to_owned()),
        Just("1.50".to_owned()),
        prop::sample::select(vec![
            "a",
            "add",
            "insert",
            "delete",
            "replace",
            "move",
            "copy",
            "test",
            "operation",
            "type",
            "path",
            "name",
            "value",
            "index",
            "Patient",
            "Parameters",
            "Patient.name",
            "Patient.name[0]",
            "Patient.name.given[1]",
            "Patient.birthDate",
            "Patient.contact[0]",
            "name[",
            "Patient.name.where(true)",
            "/name/0",
            "/name/-",
            "/-",
            "",
            "/",
            "given",
            "family",
            "deceased",
            "resourceType",
            "Patient.contained[0].status",
            "2020-01-01",
        ])
        .prop_map(|word| format!("{word:?}")),
    ];
    let name = prop::sample::select(vec![
        "op",
        "path",
        "from",
        "value",
        "name",
        "part",
        "parameter",
        "resourceType",
        "valueCode",
        "valueString",
        "valueInteger",
        "valueHumanName",
        "_valueString",
        "resource",
        "given",
        "_given",
        "_name",
        "id",
        "extension",
        "deceasedBoolean",
        "deceasedDateTime",
        "birthDate",
        "_birthDate",
        "contained",
        "contact",
        "meta",
        "versionId",
    ]);
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            3 => prop::collection::btree_map(name.clone(), inner, 0..5).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(name, value)| format!("{name:?}:{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

const ADDITIONS: [(&str, &str, &str); 4] = [
    ("Patient.name[0]", "given", r#""valueString":"H","_valueString":{"id":"h"}"#),
    ("Patient", "name", r#""valueHumanName":{"text":"N"}"#),
    (
        "Patient.birthDate",
        "extension",
        r#""part":[{"name":"url","valueUri":"u"},{"name":"value","valueCode":"c"}]"#,
    ),
    ("Patient", "contact", r#""part":[{"name":"gender","valueString":"male"}]"#),
];

/// One well-formed operation of a FHIRPath Patch, whether or not it makes sense.
fn parameters() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["add", "insert", "delete", "replace", "move"]);
    let path = prop::sample::select(vec![
        "Patient",
        "Patient.name",
        "Patient.name[0]",
        "Patient.name[1].given",
        "Patient.name.given[0]",
        "name",
        "Patient.birthDate",
        "Patient.contact",
        "Patient.contact[0]",
        "Patient.deceased",
        "Patient.active",
        "Patient.contained[0]",
        "Patient.contained[0].status",
        "Patient.name.first().given",
        "Patient.meta.tag",
        "Patient.descendants().where($this = 'F')",
        "Patient.name.given.extension",
        "Patient.birthDate.extension",
        "Patient.name[0].given[1].extension[0].value",
        "Observation",
        "Patient.id",
        "Patient.contact[0].gender",
        "Patient.contact.gender",
    ]);
    let name = prop::sample::select(vec![
        "name",
        "given",
        "extension",
        "birthDate",
        "deceased",
        "gender",
        "telecom",
        "x",
    ]);
    let value = prop_oneof![
        Just(r#""valueString":"2020""#.to_owned()),
        Just(r#""valueBoolean":true"#.to_owned()),
        Just(r#""_valueString":{"id":"v"}"#.to_owned()),
        Just(r#""valueHumanName":{"text":"N"}"#.to_owned()),
        Just(r#""part":[{"name":"url","valueUri":"u"},{"name":"value","valueCode":"c"}]"#.to_owned()),
        Just(r#""part":[{"name":"gender","valueString":"male"},{"name":"telecom","part":[{"name":"rank","valueDecimal":1}]}]"#.to_owned()),
        Just(r#""resource":{"resourceType":"Flag","id":"g"}"#.to_owned()),
        json_soup().prop_map(|soup| format!(r#""valueString":{soup}"#)),
    ];
    let operation = (kind, path, name, value, 0..4_usize, 0..4_usize).prop_map(|(kind, path, name, value, from, to)| {
        // Half of what is added fits, so that the other half meets what was added.
        let fits = (kind == "add" && from % 2 == 0).then(|| ADDITIONS[to]);
        let (path, name, value) =
            fits.map_or((path, name, value), |(path, name, value)| (path, name, value.to_owned()));
        let rest = match kind {
            "add" => format!(r#",{{"name":"name","valueString":"{name}"}},{{"name":"value",{value}}}"#),
            "insert" => format!(r#",{{"name":"index","valueInteger":{from}}},{{"name":"value",{value}}}"#),
            "replace" => format!(r#",{{"name":"value",{value}}}"#),
            "move" => format!(
                r#",{{"name":"source","valueInteger":{from}}},{{"name":"destination","valueInteger":{to}}}"#
            ),
            _ => String::new(),
        };
        format!(
            r#"{{"name":"operation","part":[{{"name":"type","valueCode":"{kind}"}},{{"name":"path","valueString":"{path}"}}{rest}]}}"#
        )
    });
    prop::collection::vec(operation, 1..4).prop_map(|operations| {
        format!(r#"{{"resourceType":"Parameters","parameter":[{}]}}"#, operations.join(","))
    })
}

fn xml_diff() -> impl Strategy<Value = String> {
    let sel = prop::sample::select(vec![
        "f:Patient",
        "*",
        "//f:name",
        "f:Patient/f:name[1]",
        "f:Patient/f:name[2]/f:text/@value",
        "//text()",
        "//h:b",
        "//h:div/text()[2]",
        "f:Patient/comment()",
        "f:Patient/f:id",
        "f:Patient/namespace::f",
        "//f:name[f:family/@value='F']",
        "f:Patient/f:text",
        "/",
        "a[",
        "f:Patient/f:id/@value",
    ]);
    let operation = prop::sample::select(vec![
        r#"<add sel="SEL"><f:gender value="male"/></add>"#,
        r#"<add sel="SEL" pos="before">x ]]&gt; <h:p/></add>"#,
        r#"<add sel="SEL" pos="after"><!-- y --></add>"#,
        r#"<add sel="SEL" type="@f:x">"&#10;</add>"#,
        r#"<add sel="SEL" type="namespace::q">urn:q</add>"#,
        r#"<replace sel="SEL"><gender xmlns="urn:z" f:a="1"/></replace>"#,
        r#"<replace sel="SEL">text</replace>"#,
        r#"<remove sel="SEL" ws="both"/>"#,
        r#"<remove sel="SEL"/>"#,
    ]);
    prop::collection::vec((sel, operation), 1..4).prop_map(|operations| {
        let operations: Vec<String> =
            operations.iter().map(|(sel, operation)| operation.replace("SEL", sel)).collect();
        let spaces = r#"xmlns:f="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml""#;
        format!("<diff {spaces}>{}</diff>", operations.join("\n"))
    })
}

proptest! {
    #[test]
    fn bytes(patch in prop::collection::vec(any::<u8>(), 0..60), document in prop::collection::vec(any::<u8>(), 0..60)) {
        check_patches(&patch, &document).unwrap();
    }

    #[test]
    fn json(patch in json_soup(), document in json_soup()) {
        sound(&patch, &document)?;
        sound(&patch, PATIENT)?;
    }

    #[test]
    fn operations(patch in parameters()) {
        sound(&patch, PATIENT)?;
    }

    #[test]
    fn xml(diff in xml_diff()) {
        sound(&diff, XML)?;
    }

    /// Documents and patches with a few bytes changed.
    #[test]
    fn broken(
        which in 0..4_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        patch in parameters(),
        diff in xml_diff(),
    ) {
        let broken = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            for (place, byte) in &changes {
                let place = place.index(bytes.len());
                bytes[place] = *byte;
            }
            bytes
        };
        let [json, xml] = [PATIENT.as_bytes(), XML.as_bytes()];
        match which {
            0 => check_patches(&broken(&patch), json),
            1 => check_patches(patch.as_bytes(), &broken(PATIENT)),
            2 => check_patches(&broken(&diff), xml),
            _ => check_patches(diff.as_bytes(), &broken(XML)),
        }
        .unwrap();
    }
}

/// The deepest trees that there can be, on the small stack of a test thread.
#[test]
fn the_deepest_trees() {
    let limits = JsonLimits { depth_max: DEPTH_CEILING, ..JsonLimits::default() };
    let nested = |levels: usize, end: &str| {
        let start = r#"{"url":"u","extension":["#.repeat(levels);
        let text = format!(
            r#"{{"resourceType":"Basic","extension":[{start}{{"url":"{end}"}}{}]}}"#,
            "]}".repeat(levels)
        );
        parse(text.as_bytes(), &limits).unwrap()
    };
    let levels = (DEPTH_CEILING - 3) / 2;
    let (old, new) = (nested(levels, "a"), nested(levels, "b"));
    let r4 = Definitions::of(FhirVersion::R4);
    let allowed = Limits { depth_max: DEPTH_CEILING, ..Limits::default() };
    let diff = json_diff(&old, &new);
    assert_eq!(diff.apply(&old, &allowed).as_ref(), Ok(&new));
    let parameters = fhirpath_diff(&old, &new, r4).unwrap();
    let patch = FhirPathPatch::parse(&parameters, r4, &allowed).unwrap();
    assert_eq!(patch.apply(&old, &allowed).as_ref(), Ok(&new));
    assert_eq!(changed_elements(&old, &new, r4).len(), 1);
    assert_eq!(merge(&old, &old, &new, r4).as_ref(), Ok(&new));
    assert!(merge(&old, &new, &new, r4).is_err());
    let Value::Object(object) = &new else { panic!() };
    assert_eq!(MergePatch::parse(object.clone().into()).unwrap().apply(&old), new);
    let element = "<a>".repeat(DEPTH_CEILING - 1) + &"</a>".repeat(DEPTH_CEILING - 1);
    let diff =
        format!("<diff><replace sel='a'>{element}</replace><add sel='a' pos='after'><!--b--></add></diff>");
    // The operations of a patch are two levels above what they hold.
    assert!(XmlPatch::parse(diff.as_bytes(), &allowed).is_err());
    let diff = diff.replacen("<a>", "", 1).replacen("</a>", "", 1);
    let patched =
        XmlPatch::parse(diff.as_bytes(), &allowed).unwrap().apply(element.as_bytes(), &allowed).unwrap();
    assert_eq!(patched.matches("<a>").count(), DEPTH_CEILING - 2);
}

/// The generators are worth nothing if no patch ever can be applied.
#[test]
fn some_patches_apply() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut count = |strategy: BoxedStrategy<String>, document: &str| {
        (0..200)
            .map(|_| strategy.new_tree(&mut runner).unwrap().current())
            .filter(|patch| check_patches(patch.as_bytes(), document.as_bytes()).unwrap() > 1)
            .count()
    };
    let applied = count(parameters().boxed(), PATIENT);
    assert!(applied > 20, "{applied} of 200 FHIRPath patches apply");
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let applied = (0..200)
        .map(|_| xml_diff().new_tree(&mut runner).unwrap().current())
        .filter(|patch| check_patches(patch.as_bytes(), XML.as_bytes()).unwrap() > 0)
        .count();
    assert!(applied > 20, "{applied} of 200 XML patches apply");
}
