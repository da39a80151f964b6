//! Any two texts: one as a patch of every format, the other as the document; and the differences between them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // The first zero byte ends the patch.
    let at = input.iter().position(|&byte| byte == 0).unwrap_or(input.len());
    let (patch, document) = input.split_at(at);
    if let Err(fault) = fhir_patch::check_patches(patch, document.strip_prefix(&[0]).unwrap_or_default()) {
        panic!("{fault:?}");
    }
});
