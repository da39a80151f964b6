//! Every failure has a row in every rulebook, with the status that the specification wants.

use std::collections::{BTreeMap, BTreeSet};

use fhir_definitions::FhirVersion;
use rulebook::{ConflictBody, FhirRulebook, Interaction, LockSettings, Rulebook, SpineRulebook};
use versioning_core::{Refusal, VersionNumber, VersionTag, VersionToken};

use crate::samples::{NAMES, name, refused, samples};

pub(crate) fn fhir(version: FhirVersion) -> FhirRulebook {
    FhirRulebook::new(version, LockSettings::of(version))
}

pub(crate) fn spine(body: ConflictBody) -> SpineRulebook {
    SpineRulebook::new(SpineRulebook::default_locks(), body)
}

#[test]
fn there_is_a_sample_of_everything() {
    let names: BTreeSet<&str> = samples().iter().map(|sample| name(&sample.failure)).collect();
    assert_eq!(names.len(), NAMES, "{names:?}");
}

#[test]
fn every_failure_has_its_status() {
    for sample in samples() {
        for version in FhirVersion::ALL {
            let expected = if version == FhirVersion::Stu3 { sample.stu3 } else { sample.r4 };
            let verdict = fhir(version).refuse(&sample.failure, "trace");
            assert_eq!(verdict.status, expected, "{version} {:?}", sample.failure);
        }
        let verdict = spine(ConflictBody::default()).refuse(&sample.failure, "trace");
        assert_eq!(verdict.status, sample.spine, "Spine {:?}", sample.failure);
        for status in [sample.stu3, sample.r4, sample.spine] {
            assert!((400..600).contains(&status), "{:?}", sample.failure);
        }
    }
}

/// A code that clients act on means one thing: it belongs to one failure, or to two that are the
/// same to a client.
#[test]
fn the_codes_of_a_plain_api_tell_failures_apart() {
    let rulebook = fhir(FhirVersion::R4);
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // Those of entries are the ones of their own failures.
    for sample in
        samples().into_iter().filter(|sample| !["Entry", "Entries"].contains(&name(&sample.failure)))
    {
        let code = rulebook.rule(&sample.failure).coding.code;
        names.entry(code).or_default().insert(name(&sample.failure));
    }
    let shared: Vec<_> = names.into_iter().filter(|(_, names)| names.len() > 1).collect();
    assert_eq!(shared, [("deleted", BTreeSet::from(["DeletedVersion", "Gone"]))]);
}

#[test]
fn the_statuses_of_a_mount_are_its_own() {
    let token = VersionToken { number: VersionNumber::FIRST, tag: VersionTag(1) };
    let stale = refused(Refusal::Stale(token), Interaction::Update);
    let missing = refused(Refusal::IfMatchMissing(Some(token)), Interaction::Update);
    for (stale_status, missing_status) in [(409, 400), (409, 412), (412, 428)] {
        let locks =
            |locks: LockSettings| LockSettings { stale: stale_status, missing: missing_status, ..locks };
        let rulebooks: [Box<dyn Rulebook>; 2] = [
            Box::new(FhirRulebook::new(FhirVersion::R4, locks(LockSettings::of(FhirVersion::R4)))),
            Box::new(SpineRulebook::new(locks(SpineRulebook::default_locks()), ConflictBody::default())),
        ];
        for rulebook in rulebooks {
            assert_eq!(rulebook.rule(&stale).status, stale_status);
            assert_eq!(rulebook.rule(&missing).status, missing_status);
        }
    }
}

/// What may help when it is tried again says so, and nothing else does.
#[test]
fn only_what_may_pass_asks_to_come_back() {
    for sample in samples() {
        let later = sample.failure.retry_after_s().is_some();
        let expected = ["Busy", "Contended", "Unavailable", "StoreFull", "IndexIncomplete", "Entry"]
            .contains(&name(&sample.failure));
        assert_eq!(later, expected, "{:?}", sample.failure);
    }
}
