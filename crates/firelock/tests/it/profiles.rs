//! Profiles from the configuration, over HTTP: those of a folder, those of a package, and those of the NHS.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::process::{Answer, Server, fail, request};

const FLAG: &str = "http://example.org/fhir/StructureDefinition/dated-flag";

/// Wants a period, and knows two categories.
fn flag_profile() -> String {
    format!(
        r#"{{"resourceType": "StructureDefinition", "url": "{FLAG}", "name": "DatedFlag", "status": "active",
            "kind": "resource", "abstract": false, "type": "Flag",
            "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Flag", "derivation": "constraint",
            "differential": {{"element": [
                {{"id": "Flag.period", "path": "Flag.period", "min": 1}},
                {{"id": "Flag.status", "path": "Flag.status", "fixedCode": "active"}}]}}}}"#
    )
}

fn flag(status: &str, profile: Option<&str>, period: bool) -> String {
    let meta = profile.map(|url| format!(r#""meta": {{"profile": ["{url}"]}}, "#)).unwrap_or_default();
    let period = if period { r#", "period": {"start": "2024"}"# } else { "" };
    format!(
        r#"{{"resourceType": "Flag", {meta}"status": "{status}", "code": {{"text": "x"}},
            "subject": {{"reference": "Patient/1"}}{period}}}"#
    )
}

/// A configuration with one mount, of R4 unless the lines say otherwise.
fn configuration(folder: &Path, lines: &str) -> PathBuf {
    let file = folder.join("firelock.toml");
    fs::write(&file, format!("store = \"memory\"\n[[mount]]\npath = \"/R4\"\nfhir = \"R4\"\n{lines}\n"))
        .unwrap();
    file
}

fn serve(file: &Path) -> Server {
    Server::with(&["--config".as_ref(), file.as_ref()])
}

fn post(server: &Server, path: &str, body: &str) -> Answer {
    request(&server.address, "POST", path, "", body)
}

fn folder_of_profiles() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("profiles/flags")).unwrap();
    fs::write(folder.path().join("profiles/flags/dated-flag.json"), flag_profile()).unwrap();
    fs::write(folder.path().join("profiles/README.md"), "# Ours").unwrap();
    folder
}

/// An npm package with the profile, as registries give it.
fn package(path: &Path, manifest: &str) {
    let mut tar = tar::Builder::new(GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast()));
    for (name, text) in [
        ("package/package.json", manifest),
        ("package/StructureDefinition-dated-flag.json", &flag_profile()),
        ("package/example/Flag-broken.json", "{"),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
}

#[test]
fn a_profile_of_a_folder_is_checked_where_it_is_named() {
    let folder = folder_of_profiles();
    let profiles = folder.path().join("profiles");
    let server = serve(&configuration(folder.path(), &format!("profiles = [{profiles:?}]")));
    assert_eq!(post(&server, "/R4/Flag", &flag("active", None, false)).status, 201);
    assert_eq!(post(&server, "/R4/Flag", &flag("active", Some(FLAG), true)).status, 201);
    let refused = post(&server, "/R4/Flag", &flag("inactive", Some(FLAG), false));
    assert_eq!(refused.status, 422);
    for code in ["profile-missing", "profile-value"] {
        assert!(refused.body.contains(code), "{code}: {}", refused.body);
    }
    assert!(refused.body.contains("Flag.status") && refused.body.contains(FLAG), "{}", refused.body);
}

#[test]
fn a_required_profile_is_checked_on_its_type() {
    let folder = folder_of_profiles();
    let profiles = folder.path().join("profiles");
    let lines = format!("profiles = [{profiles:?}]\nrequired_profiles = [{FLAG:?}]");
    let server = serve(&configuration(folder.path(), &lines));
    assert_eq!(post(&server, "/R4/Flag", &flag("active", None, false)).status, 422);
    assert_eq!(post(&server, "/R4/Flag", &flag("active", None, true)).status, 201);
    assert_eq!(post(&server, "/R4/Patient", r#"{"resourceType": "Patient"}"#).status, 201);
    // So is every entry of a Bundle.
    let bundle = format!(
        r#"{{"resourceType": "Bundle", "type": "collection", "entry": [
            {{"resource": {}}}, {{"resource": {}}}]}}"#,
        flag("active", None, true),
        flag("active", None, false)
    );
    let found = post(&server, "/R4/Bundle/$validate", &bundle).body;
    assert!(found.contains("profile-missing") && found.contains("Bundle.entry[1].resource"), "{found}");
    assert!(!found.contains("Bundle.entry[0].resource"), "{found}");
    // A patch is held to it too.
    let made = request(
        &server.address,
        "PUT",
        "/R4/Flag/a",
        "",
        &flag("active", None, true).replace(r#""status""#, r#""id": "a", "status""#),
    );
    assert_eq!(made.status, 201, "{}", made.body);
    let patch = r#"{"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": "Flag.period"}]}]}"#;
    let patched = request(&server.address, "PATCH", "/R4/Flag/a", "", patch);
    assert_eq!(patched.status, 422, "{}", patched.body);
    assert!(patched.body.contains("profile-missing"), "{}", patched.body);
}

#[test]
fn a_severity_is_lowered_by_the_code_of_the_rule() {
    let folder = folder_of_profiles();
    let profiles = folder.path().join("profiles");
    let lines = format!(
        "profiles = [{profiles:?}]\nrequired_profiles = [{FLAG:?}]\n[mount.severities]\nprofile-missing = \"warning\""
    );
    let server = serve(&configuration(folder.path(), &lines));
    assert_eq!(post(&server, "/R4/Flag", &flag("active", None, false)).status, 201);
    let found = post(&server, "/R4/Flag/$validate", &flag("active", None, false));
    assert_eq!(found.status, 200);
    assert!(
        found.body.contains(r#""severity":"warning""#) && found.body.contains("profile-missing"),
        "{}",
        found.body
    );
    assert_eq!(post(&server, "/R4/Flag", &flag("inactive", None, false)).status, 422, "others stay errors");
}

#[test]
fn a_package_is_as_good_as_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("flags.tgz");
    package(&archive, r#"{"name": "example.flags", "version": "1.0.0", "fhirVersions": ["4.0.1"]}"#);
    let file = configuration(folder.path(), &format!("profiles = [{archive:?}]"));
    let server = serve(&file);
    assert_eq!(post(&server, "/R4/Flag", &flag("active", Some(FLAG), false)).status, 422);
    // An operation may ask for it by name, in the URL or in Parameters.
    let asked = format!("/R4/Flag/$validate?profile={FLAG}");
    assert!(post(&server, &asked, &flag("active", None, false)).body.contains("profile-missing"));
    assert!(!post(&server, &asked, &flag("active", None, true)).body.contains("profile-missing"));
    let parameters = format!(
        r#"{{"resourceType": "Parameters", "parameter": [{{"name": "profile", "valueUri": "{FLAG}"}},
            {{"name": "resource", "resource": {}}}]}}"#,
        flag("active", None, false)
    );
    assert!(post(&server, "/R4/Flag/$validate", &parameters).body.contains("profile-missing"));
    // What is not known, or not for this type, is not passed over.
    let unknown = "/R4/Flag/$validate?profile=http://example.org/nobody";
    assert_eq!(post(&server, unknown, &flag("active", None, false)).status, 400);
    let other = format!("/R4/Patient/$validate?profile={FLAG}");
    assert_eq!(post(&server, &other, r#"{"resourceType": "Patient"}"#).status, 400);
}

#[test]
fn what_cannot_be_loaded_stops_the_start_and_says_why() {
    let folder = folder_of_profiles();
    let profiles = folder.path().join("profiles");
    let start = |lines: &str, expected: &str| {
        let file = configuration(folder.path(), lines);
        fail(&["serve", "--listen", "127.0.0.1:0", "--config", file.to_str().unwrap()], expected);
    };
    start("profiles = [\"/nowhere/at/all\"]", "neither a folder nor a package");
    start(
        &format!("profiles = [{profiles:?}]\nrequired_profiles = [\"http://example.org/nobody\"]"),
        "http://example.org/nobody is required, but not among the 1 that were loaded",
    );
    let archive = folder.path().join("other.tgz");
    package(&archive, r#"{"name": "example.flags", "fhirVersions": ["5.0.0"]}"#);
    start(&format!("profiles = [{archive:?}]"), "the package is for FHIR 5.0.0, the mount for R4");
    fs::write(&archive, "no archive").unwrap();
    start(&format!("profiles = [{archive:?}]"), "cannot read the package");
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    start(&format!("profiles = [{empty:?}]"), "has no file of JSON or XML");
    fs::write(empty.join("patient.json"), r#"{"resourceType": "Patient"}"#).unwrap();
    start(&format!("profiles = [{empty:?}]"), "there is no StructureDefinition");
    fs::write(profiles.join("broken.json"), "{").unwrap();
    start(&format!("profiles = [{profiles:?}]"), "broken.json");
}

/// The profiles of NHS Spine, in their published form, on a mount of STU3.
#[test]
fn the_profiles_of_the_nhs() {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/spine-examples/profiles");
    if !profiles.is_dir() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {} is not there", profiles.display());
        return;
    }
    let nhs = "https://fhir.nhs.uk/STU3/StructureDefinition/RARecord-Flag-1";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("firelock.toml");
    let text = |severities: &str| {
        format!(
            "store = \"memory\"\n[[mount]]\npath = \"/STU3\"\nfhir = \"STU3\"\nprofiles = [{profiles:?}]\n\
             required_profiles = [{nhs:?}]\n{severities}"
        )
    };
    let example =
        fs::read_to_string(profiles.join("../fixed/profiles/Examples/RARecord-Flag-1-example-1.json"))
            .unwrap();
    let refusal = |server: &Server| request(&server.address, "POST", "/STU3/Flag", "", &example);
    fs::write(&file, text("")).unwrap();
    let refused = refusal(&serve(&file));
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(
        refused.body.contains("profile-code") && refused.body.contains("profile-missing"),
        "{}",
        refused.body
    );
    // The example is older than the profiles: where it must be taken, these rules are lowered.
    let lowered = ["profile-code", "profile-missing", "profile-value"];
    let lowered = lowered.map(|code| format!("{code} = \"warning\"\n")).concat();
    fs::write(&file, text(&format!("[mount.severities]\n{lowered}"))).unwrap();
    let taken = refusal(&serve(&file));
    assert_eq!(taken.status, 201, "{}", taken.body);
}
