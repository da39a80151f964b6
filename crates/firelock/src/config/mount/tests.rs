//! What a configuration says of APIs.

use versioning_core::{IfMatchPolicy, UpdateCreate};

use super::*;
use crate::config::file::File;

fn resolve(text: &str) -> Result<Vec<MountConfig>> {
    let file: File = toml::from_str(text)?;
    let mounts = file.mount.into_iter().map(FileMount::resolve).collect::<Result<Vec<_>>>()?;
    check_paths(&mounts)?;
    Ok(mounts)
}

#[test]
fn a_mount_starts_from_its_rulebook_and_a_type_from_its_mount() {
    let mounts = resolve(
        r#"
        [[mount]]
        path = "/R4"
        fhir = "R4"
        missing = 428
        [mount.lock]
        if_match = "compulsory"
        [mount.type.Patient]
        if_match = "optional"
        retries_max = 3
        "#,
    )
    .unwrap();
    let locks = &mounts[0].locks;
    assert_eq!((locks.stale, locks.missing), (412, 428));
    assert_eq!(locks.policy.if_match, IfMatchPolicy::Compulsory);
    let patient = locks.by_type["Patient"];
    assert_eq!((patient.if_match, patient.retries_max), (IfMatchPolicy::Optional, 3));
    assert_eq!(patient.update_create, UpdateCreate::Allowed);
}

#[test]
fn what_is_checked_is_written_out_too() {
    let text = r#"
        [[mount]]
        path = "/R4"
        fhir = "R4"
        profiles = ["uk.tgz", "local"]
        required_profiles = ["http://example.org/flag"]
        narratives = "refuse"
        rebase = true
        [mount.severities]
        code-unknown = "warning"
        "#;
    let mounts = resolve(text).unwrap();
    let mount = &mounts[0];
    assert!(mount.locks.rebase && mount.narratives == Narratives::Refuse);
    assert_eq!(mount.profiles.severities[&Rule::CodeUnknown], IssueSeverity::Warning);
    let written = FileMount::of(mount).resolve().unwrap();
    assert_eq!(format!("{written:?}"), format!("{mount:?}"));
}

#[test]
fn mistakes_are_named() {
    for (text, expected) in [
        ("[[mount]]\npath = \"/a\"\nfhir = \"R6\"", "mount /a"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nstale = 500", "stale"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.lock]\nif_mach = \"optional\"", "if_mach"),
        ("[[mount]]\npath = \"a\"\nfhir = \"R4\"", "mount path"),
        ("[[mount]]\npath = \"/../a\"\nfhir = \"R4\"", "mount path"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nrulebook = \"spine\"", "STU3"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nstu3_bundle_patch = true", "stu3_bundle_patch"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nnrl_spec = \"2.8.0\"", "nrl_spec"),
        (
            "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-nrl\"\nremoval_reason = \"optional\"",
            "spine-flags",
        ),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nconflict_body = \"CONFLICT\"", "conflict_body"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.readings]\ndisplays = \"pages\"", "readings"),
        (
            "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-nrl\"\n[mount.readings]\ndisplays = \"pages\"",
            "nrl_errors",
        ),
        (
            "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-flags\"\n[mount.readings]\ndeletion = \"outcome\"",
            "deletion",
        ),
        (
            "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine\"\n[mount.readings]\nempty_search = \"no-record-found\"",
            "spine-flags",
        ),
        (
            "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine\"\n[mount.readings]\nremoval_if_match = \"required\"",
            "spine-flags",
        ),
        (
            "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-flags\"\n[mount.readings]\nreplacement_version = \"successor\"",
            "spine-nrl",
        ),
        (
            "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine\"\n[mount.readings]\ndisplays = \"other\"",
            "displays",
        ),
        (
            "[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine-flags\"\nnrl_spec = \"2.8.0\"",
            "spine-nrl",
        ),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.type.Pashent]\nif_match = \"optional\"", "Pashent"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"STU3\"\nrulebook = \"spine\"\nrebase = true", "rebase"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nnarratives = \"drop\"", "narratives"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nrequired_profiles = [\"http://a.org\"]", "need profiles"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\nvalidation = \"off\"\nprofiles = [\"x\"]", "is off"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.severities]\ncode-unknow = \"error\"", "no rule"),
        ("[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.severities]\nformat = \"bad\"", "bad"),
        (
            "[[mount]]\npath = \"/a\"\nfhir = \"R4\"\n[mount.severities]\nsubsetted = \"warning\"",
            "always an error",
        ),
        ("[[mount]]\npath = \"/metrics\"\nfhir = \"R4\"", "the server's own"),
        ("[[mount]]\npath = \"/a\"\nalias_of = \"/b\"\nstale = 409", "no settings of its own"),
        ("[[mount]]\npath = \"/a/b\"\nfhir = \"R4\"\n[[mount]]\npath = \"/a-b\"\nfhir = \"R4\"", "twice"),
    ] {
        let error = format!("{:#}", resolve(text).unwrap_err());
        assert!(error.contains(expected), "{error}");
    }
}
