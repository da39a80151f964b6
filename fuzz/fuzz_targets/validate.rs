//! Any bytes: validating them as a resource of each version ends, with findings that say something.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(fault) = fhir_validate::check_validate(input) {
        panic!("{fault:?}");
    }
});
