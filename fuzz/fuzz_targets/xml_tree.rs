//! Any bytes: reading XML does not panic, and what is read survives being written, in every version.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(fault) = fhir_model::xml::check_xml(input) {
        panic!("{fault:?}");
    }
});
