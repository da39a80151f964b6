//! Any bytes: reading JSON does not panic, and what is read is printed faithfully.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    if let Err(fault) = fhir_model::json::check_round_trip(input) {
        panic!("{fault:?}");
    }
});
