//! Loading profiles, requiring them, and the NHS profiles as their first users.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits, Value, parse};
use fhir_validate::{Finding, Level, Profiles, Rule, Settings, validate};

use proptest::prelude::*;

use crate::cases::profiles;
use crate::mutations::{change, small_value};

fn read(text: &str) -> Value {
    parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn rules(findings: &[Finding]) -> Vec<Rule> {
    findings.iter().map(|finding| finding.rule).collect()
}

#[test]
fn what_is_loaded_is_told_and_what_is_not_checked_as_well() {
    let stu3 = profiles(FhirVersion::Stu3);
    let urls: Vec<&str> = stu3.urls().collect();
    assert_eq!(
        urls,
        ["http://example.org/colour", "http://example.org/flag", "http://example.org/provenance"]
    );
    assert!(stu3.contains("http://example.org/flag|1.0") && !stu3.contains("http://example.org/nobody"));
    assert_eq!(stu3.type_name("http://example.org/flag|1.0"), Some("Flag"));
    let type_def = |name: &str| Definitions::of(FhirVersion::Stu3).resource_type(name).expect("a type");
    assert!(stu3.constrains("http://example.org/flag", type_def("Flag")));
    assert!(!stu3.constrains("http://example.org/flag", type_def("Patient")));
    assert!(!stu3.constrains("http://example.org/nobody", type_def("Flag")));
    let notes: Vec<String> = stu3.notes().iter().map(ToString::to_string).collect();
    let expected = "flag.json: Flag.author: the target profile http://example.org/unknown is not known, so targets are \
                    not checked";
    assert_eq!(notes, [expected]);
    assert_eq!(profiles(FhirVersion::R4).notes(), []);
}

#[test]
fn what_cannot_be_read_or_checked_is_said() {
    let r4 = Definitions::of(FhirVersion::R4);
    let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let broken = Profiles::from_files(r4, [file("a.json", "{")]).expect_err("it is no JSON");
    assert!(broken.file == "a.json" && !broken.message.is_empty(), "{broken}");
    let odd = Profiles::from_files(
        r4,
        [
            file("package.json", "{\"name\": \"x\"}"),
            file("README.md", "# x"),
            file("a.json", r#"{"resourceType": "StructureDefinition", "url": "http://a.org/a", "type": "Unicorn"}"#),
            file(
                "b.json",
                r#"{"resourceType": "StructureDefinition", "url": "http://a.org/b", "type": "Flag", "baseDefinition": "http://a.org/z",
                    "differential": {"element": [{"path": "Flag.colour", "min": 1},
                        {"path": "Flag.identifier", "slicing": {"discriminator": [{"type": "value", "path": "resolve().x"}]}},
                        {"path": "Flag.code", "binding": {"strength": "required", "valueSet": "http://a.org/v"},
                         "constraint": [{"key": "k", "expression": "(("}]}]}}"#,
            ),
        ],
    )
    .expect("what is no profile is passed over");
    let notes: Vec<String> = odd.notes().iter().map(ToString::to_string).collect();
    assert_eq!(odd.urls().collect::<Vec<_>>(), ["http://a.org/b"]);
    assert_eq!(
        notes,
        [
            "a.json: it is not used: there is no type Unicorn",
            "b.json: Flag.colour is no element of its type",
            "b.json: rule k is not checked: at character 3: expected an expression, but the expression ends here",
            "b.json: slices of identifier by value of resolve().x are not checked",
            "http://a.org/b: its base http://a.org/z is not loaded, so only what it adds is checked",
            "http://a.org/b: the value set http://a.org/v is not known, so its codes are not checked",
        ]
    );
}

#[test]
fn a_profile_can_be_required() {
    let r4 = Definitions::of(FhirVersion::R4);
    let flag = read(
        r#"{"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": "Patient/1"}}"#,
    );
    let basic = read(r#"{"resourceType": "Basic", "code": {"text": "x"}}"#);
    let required_profiles = vec!["http://example.org/derived".to_owned()];
    let settings =
        Settings { profiles: profiles(FhirVersion::R4).clone(), required_profiles, ..Settings::default() };
    assert_eq!(rules(&validate(&flag, r4, &settings)), [Rule::ProfileMissing; 5]);
    assert_eq!(validate(&basic, r4, &settings), []);
    // Profiles of another version say nothing, but who requires them is told.
    let found = validate(&flag, Definitions::of(FhirVersion::R4b), &settings);
    assert_eq!(rules(&found), [Rule::ProfileUnknown]);
    assert!(!found.iter().any(Finding::is_error), "{found:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Profiles with anything changed are loaded and applied without a panic.
    #[test]
    fn no_change_to_a_profile_makes_loading_or_applying_it_panic(
        file in prop::sample::select(vec!["r4/flag.json", "r4/observation.json", "r4/categories.json", "stu3/flag.json"]),
        changes in prop::collection::vec((any::<usize>(), 0..6_usize, small_value()), 1..5),
    ) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/profiles");
        let mut profile = read(&fs::read_to_string(folder.join(file)).expect("the file is there"));
        for (place, what, with) in &changes {
            change(&mut profile, *place, *what, with);
        }
        let flag = read(r#"{"resourceType": "Flag", "extension": [{"url": "http://example.org/colour", "valueCode": "x"}],
            "status": "active", "category": [{"coding": [{"code": "x"}]}], "code": {"coding": [{"system": "http://example.org/local"}]},
            "subject": {"reference": "Patient/1"}, "period": {"start": "2024"}}"#);
        for version in FhirVersion::ALL {
            let definitions = Definitions::of(version);
            let colour = read(&fs::read_to_string(folder.join("r4/colour.json")).expect("the file is there"));
            let profiles = Profiles::from_resources(definitions, [("a".to_owned(), profile.clone()), ("b".to_owned(), colour)]);
            let required_profiles = profiles.urls().map(str::to_owned).collect();
            let settings = Settings { profiles, required_profiles, ..Settings::default() };
            prop_assert!(validate(&flag, definitions, &settings).iter().all(|finding| !finding.message.is_empty()));
        }
    }
}

/// The folder of the NHS profiles, or a word about its absence.
fn nhs() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spine-examples");
    if !folder.join("profiles").is_dir() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: {} is not there, so no NHS profile was read",
            folder.display()
        );
        return None;
    }
    Some(folder)
}

fn nhs_profiles(folder: &Path) -> Profiles {
    let mut files = Vec::new();
    for part in ["StructureDefinitions", "ValueSets", "CodeSystems"] {
        for entry in fs::read_dir(folder.join("profiles").join(part)).expect("the folder is there") {
            let path = entry.expect("it is readable").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, fs::read(&path).expect("the file is readable")));
        }
    }
    Profiles::from_files(Definitions::of(FhirVersion::Stu3), files).expect("every file is a resource")
}

const NHS: &str = "https://fhir.nhs.uk/STU3/";

/// A flag that keeps the profile `RARecord-Flag-1`, and what is found when one thing is changed.
#[test]
fn the_nhs_flag_profile() {
    let Some(folder) = nhs() else { return };
    let profiles = nhs_profiles(&folder);
    assert_eq!(profiles.urls().count(), 15);
    let good = format!(
        r#"{{"resourceType": "Flag", "meta": {{"profile": ["{NHS}StructureDefinition/RARecord-Flag-1"]}},
            "extension": [{{"url": "{NHS}StructureDefinition/Extension-RARecord-AdjustmentCategory-1", "valueCodeableConcept":
                {{"coding": [{{"system": "{NHS}CodeSystem/RARecord-AdjustmentCategory-1", "code": "CODE", "display": "x"}}]}}}}],
            "status": "active",
            "category": {{"coding": [{{"system": "{NHS}CodeSystem/RARecord-FlagCategory-1", "code": "NRAF", "display": "x"}}]}},
            "code": {{"coding": [{{"system": "http://snomed.info/sct", "code": "441092009", "display": "Does lip read"}}]}},
            "subject": {{"reference": "https://example.org/STU3/Patient/1"}}}}"#
    );
    let codes =
        fs::read_to_string(folder.join("profiles/CodeSystems/CodeSystem-RARecord-AdjustmentCategory-1.xml"))
            .expect("the code system is there");
    let code =
        codes.split("<code value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("it has a code");
    let good = good.replace("\"CODE\"", &format!("\"{code}\""));
    let settings = Settings { level: Level::Structure, profiles, ..Settings::default() };
    let found = |text: &str| rules(&validate(&read(text), Definitions::of(FhirVersion::Stu3), &settings));
    assert_eq!(found(&good), []);
    for (from, to, rule) in [
        (code, "none", Rule::ProfileCode),
        ("NRAF", "OTHER", Rule::ProfileCode),
        ("441092009", "1", Rule::ProfileCodeOther),
        (
            r#""status": "active""#,
            r#""status": "active", "period": {"start": "2024"}"#,
            Rule::ProfileForbidden,
        ),
        (
            r#""status": "active""#,
            r#""status": "active", "author": {"reference": "Device/1"}"#,
            Rule::ProfileForbidden,
        ),
        (r#"{"reference": "https"#, r#"{"display": "x", "reference": "https"#, Rule::ProfileForbidden),
        ("Extension-RARecord-AdjustmentCategory-1", "Extension-Other-1", Rule::ProfileMissing),
    ] {
        let changed = good.replace(from, to);
        assert_ne!(changed, good, "{from} is there to be replaced");
        assert_eq!(found(&changed), [rule], "{from} -> {to}");
    }
}

/// The published examples of the NHS, which are older than the profiles: what they break is known.
#[test]
fn the_nhs_examples() {
    let Some(folder) = nhs() else { return };
    let settings = Settings { profiles: nhs_profiles(&folder), ..Settings::default() };
    let bytes =
        fs::read(folder.join("fixed/profiles/Examples/RARecord-Flag-1-example-1.json")).expect("it is there");
    let findings =
        validate(&parse(&bytes, &Limits::default()).unwrap(), Definitions::of(FhirVersion::Stu3), &settings);
    let found: Vec<(&str, Rule)> =
        findings.iter().map(|found| (found.expression.as_str(), found.rule)).collect();
    // The names of three code systems changed, the activity became mandatory, and the host has no scheme.
    assert_eq!(
        found,
        [
            ("Flag.contained[0]", Rule::ProfileMissing),
            ("Flag.subject.reference", Rule::ReferenceRelative),
            ("Flag.extension[1].value", Rule::ProfileCode),
            ("Flag.extension[1].value.coding[0].system", Rule::ProfileValue),
            ("Flag.category", Rule::ProfileCode),
            ("Flag.code", Rule::ProfileCodeOther),
        ]
    );
}
