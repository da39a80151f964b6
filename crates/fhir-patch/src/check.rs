//! The property that fuzzing and the property tests share.

use fhir_definitions::{Definitions, FhirVersion};
use fhir_model::json::{Limits as JsonLimits, Value, parse};

use crate::changes::changed_elements;
use crate::diff::{fhirpath_diff, json_diff};
use crate::fhirpath_patch::FhirPathPatch;
use crate::json_patch::JsonPatch;
use crate::limits::Limits;
use crate::merge::merge;
use crate::merge_patch::MergePatch;
use crate::xml_patch::XmlPatch;

/// What [`check_patches`] found to be wrong.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PatchFault {
    /// What a patch made cannot be read again, or reads as something else.
    Unreadable(String),
    /// A difference does not lead to the second version.
    DiffLeadsAstray(String),
    /// A JSON Patch reads as another one once it was printed.
    PatchDiffers(String),
    /// Merging with nothing changes something, or loses it.
    MergeLoses(String),
}

/// Small limits, so that every input ends soon and meets some of them.
const LIMITS: Limits =
    Limits { operations_max: 50, depth_max: 40, nodes_max: 5_000, bytes_max: 100_000, steps_max: 200_000 };

/// For any two texts: reading them as patches of all formats, applying those and comparing the results does not
/// panic; what a patch makes is a document within the limits; differences lead to the second version. The number of
/// patches that could be applied is returned. Called by the fuzz target `patches` and by the property tests; not meant
/// for other code.
#[doc(hidden)]
pub fn check_patches(patch: &[u8], document: &[u8]) -> Result<usize, PatchFault> {
    let mut applied = check_xml(patch, document)?;
    let limits = JsonLimits { depth_max: 40, ..JsonLimits::default() };
    let (Ok(patch), Ok(document)) = (parse(patch, &limits), parse(document, &limits)) else {
        return Ok(applied);
    };
    let mut results: Vec<Value> = Vec::new();
    if let Ok(patch) = JsonPatch::parse(&patch, &LIMITS) {
        if JsonPatch::parse(&patch.to_value(), &LIMITS).as_ref() != Ok(&patch) {
            return Err(PatchFault::PatchDiffers(patch.to_string()));
        }
        results.extend(patch.apply(&document, &LIMITS));
    }
    if let Ok(patch) = MergePatch::parse(patch.clone()) {
        results.push(patch.apply(&document));
    }
    for version in FhirVersion::ALL {
        if let Ok(patch) = FhirPathPatch::parse(&patch, Definitions::of(version), &LIMITS) {
            results.extend(patch.apply(&document, &LIMITS));
        }
    }
    // The patch itself is a second version as good as any.
    results.push(patch);
    applied += results.len() - 1;
    for result in &results {
        check_result(&document, result)?;
    }
    Ok(applied)
}

fn check_xml(patch: &[u8], document: &[u8]) -> Result<usize, PatchFault> {
    let Ok(patch) = XmlPatch::parse(patch, &LIMITS) else { return Ok(0) };
    let Ok(patched) = patch.apply(document, &LIMITS) else { return Ok(0) };
    let again = XmlPatch::parse(b"<diff/>", &Limits::default()).map(|nothing| {
        nothing.apply(patched.as_bytes(), &Limits { depth_max: LIMITS.depth_max, ..Limits::default() })
    });
    match again {
        Ok(Ok(again)) if again == patched => Ok(1),
        _ => Err(PatchFault::Unreadable(patched)),
    }
}

fn check_result(old: &Value, new: &Value) -> Result<(), PatchFault> {
    let printed = new.to_bytes();
    if parse(&printed, &JsonLimits::default()).as_ref() != Ok(new) {
        return Err(PatchFault::Unreadable(new.to_string()));
    }
    // Limits are for what strangers send.
    let limits = Limits::default();
    let diff = json_diff(old, new);
    if diff.apply(old, &limits).as_ref() != Ok(new) {
        return Err(PatchFault::DiffLeadsAstray(diff.to_string()));
    }
    let r4 = Definitions::of(FhirVersion::R4);
    if let Ok(parameters) = fhirpath_diff(old, new, r4) {
        let patched = FhirPathPatch::parse(&parameters, r4, &limits)
            .map_err(|fault| fault.to_string())
            .and_then(|patch| patch.apply(old, &limits).map_err(|refused| refused.to_string()));
        let is_there = patched.as_ref().is_ok_and(|patched| {
            // `null`s and arrays that hold nothing are no elements, so no patch can make them.
            patched == new || fhirpath_diff(patched, new, r4) == fhirpath_diff(new, new, r4)
        });
        if !is_there {
            return Err(PatchFault::DiffLeadsAstray(format!("{parameters} {patched:?}")));
        }
    }
    let is_one_type = old.as_object().is_some() && new.as_object().is_some();
    let is_one_type = is_one_type && old.get("resourceType") == new.get("resourceType");
    for merged in [merge(old, old, new, r4), merge(old, new, old, r4)] {
        match merged {
            // Version meta is left out of a merge.
            Ok(merged) if changed_elements(&merged, new, r4).is_empty() => {}
            Err(_) if !is_one_type => {}
            Ok(merged) => return Err(PatchFault::MergeLoses(merged.to_string())),
            Err(overlap) => return Err(PatchFault::MergeLoses(overlap.to_string())),
        }
    }
    Ok(())
}
