//! Mounts for tests: those that the server has by default, and others with settings.

use std::sync::Arc;

use fhir_definitions::FhirVersion;
use rulebook::spine::{FlagsRulebook, HeaderMode, JwtTexts, RemovalReason, Security, TimeCheck};
use rulebook::{
    ConditionalDelete, ConflictBody, FhirRulebook, LockSettings, NrlRulebook, NrlSpec, PatchEntries,
    Rulebook, SpineRulebook,
};
use versioning_core::{IdenticalUpdate, IfMatchPolicy, LockPolicy, UpdateCreate};

/// A path and the rules that hold there.
pub(crate) type Rules = (String, Arc<dyn Rulebook>);

/// The paths that the server has by default.
pub(crate) const PATHS: [&str; 5] = ["/STU3", "/R4", "/R4B", "/R5", "/spine/STU3"];

/// Those of them that speak plain FHIR.
pub(crate) const FHIR_PATHS: [&str; 4] = ["/STU3", "/R4", "/R4B", "/R5"];

/// The status of a stale If-Match on one of [`PATHS`] (FHIR, "Managing Resource Contention").
pub(crate) fn stale(path: &str) -> u16 {
    match path {
        "/STU3" | "/spine/STU3" => 409,
        _ => 412,
    }
}

/// The mounts that the server has by default.
pub(crate) fn default_mounts() -> Vec<Rules> {
    PATHS.iter().map(|path| parse(&format!("{path} {}", path.trim_start_matches('/')))).collect()
}

/// A mount from one line: its path, the API (`STU3`, `R4`, `R4B`, `R5`,
/// `spine/STU3`, `flags/STU3` or `nrl/STU3`), and settings: `stale=412`, `missing=428`, `if_match=compulsory`,
/// `if_match.Flag=ignored`, `update_create=off`, `identical=new-version`, `retries=0`, `lenient_tags`, `rebase`,
/// `conflict=mismatch`, `headers=off`, `jwt_texts=nrl-2.3.0`, `token_times=strict`, `removal_reason=optional`,
/// `nrl_spec=2.8.0`, `conditional_delete=multiple`, `stu3_bundle_patch`.
pub(crate) fn parse(line: &str) -> Rules {
    let mut words = line.split_whitespace();
    let path = words.next().expect("a path").to_owned();
    let api = words.next().expect("an API");
    let version = FhirVersion::ALL.into_iter().find(|version| version.label() == api);
    let mut locks = match version {
        Some(version) => LockSettings::of(version),
        None if api == "nrl/STU3" => NrlRulebook::default_locks(),
        None => SpineRulebook::default_locks(),
    };
    let mut conflict = ConflictBody::default();
    let mut security = Security::default();
    let mut removal_reason = RemovalReason::default();
    let mut nrl_spec = NrlSpec::default();
    for setting in words {
        match setting.split_once('=').unwrap_or((setting, "")) {
            ("headers", "off") => security.headers = HeaderMode::Off,
            ("headers", "optional") => security.headers = HeaderMode::Optional,
            ("jwt_texts", "nrl-2.3.0") => security.jwt_texts = JwtTexts::Nrl230,
            ("token_times", "strict") => security.times = TimeCheck::Strict,
            ("removal_reason", "optional") => removal_reason = RemovalReason::Optional,
            ("nrl_spec", "2.8.0") => nrl_spec = NrlSpec::V2_8_0,
            ("lenient_tags", "") => locks.lenient_tags = true,
            ("stu3_bundle_patch", "") => locks.patch_entries = PatchEntries::Always,
            ("bundle_if_match", "optional") => locks.bundle_if_match_optional = true,
            ("conditional_delete", "multiple") => locks.conditional_delete = ConditionalDelete::Multiple,
            ("rebase", "") => locks.rebase = true,
            ("conflict", "mismatch") => conflict = ConflictBody::ResourceVersionMismatch,
            (name, value) => apply(&mut locks, name, value),
        }
    }
    if let Some(version) = version {
        return (path, Arc::new(FhirRulebook::new(version, locks)));
    }
    match api {
        "spine/STU3" => (path, Arc::new(SpineRulebook::new(locks, conflict))),
        "flags/STU3" => {
            let flags = FlagsRulebook::new(locks, conflict, security);
            (path, Arc::new(flags.with_removal_reason(removal_reason)))
        }
        "nrl/STU3" => (path, Arc::new(NrlRulebook::new(locks, nrl_spec, security))),
        other => panic!("{other} is no API: {line}"),
    }
}

fn apply(locks: &mut LockSettings, name: &str, value: &str) {
    match name {
        "stale" => locks.stale = value.parse().expect("a status"),
        "missing" => locks.missing = value.parse().expect("a status"),
        "retries" => locks.policy.retries_max = value.parse().expect("a number"),
        "if_match" => locks.policy.if_match = if_match(value),
        "update_create" => {
            assert_eq!(value, "off");
            locks.policy.update_create = UpdateCreate::Refused;
        }
        "identical" => {
            locks.policy.identical = match value {
                "keep" => IdenticalUpdate::Keep,
                "new-version" => IdenticalUpdate::NewVersion,
                other => panic!("identical={other}"),
            }
        }
        _ => {
            let resource_type = name.strip_prefix("if_match.").unwrap_or_else(|| panic!("no setting {name}"));
            let policy = LockPolicy { if_match: if_match(value), ..locks.policy };
            locks.by_type.insert(resource_type.to_owned(), policy);
        }
    }
}

fn if_match(value: &str) -> IfMatchPolicy {
    match value {
        "ignored" => IfMatchPolicy::Ignored,
        "optional" => IfMatchPolicy::Optional,
        "compulsory" => IfMatchPolicy::Compulsory,
        other => panic!("if_match={other}"),
    }
}
