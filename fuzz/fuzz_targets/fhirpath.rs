//! Any text: parsing, printing, checking and evaluating an expression does not panic, and printing is faithful.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    if let Err(fault) = fhirpath::check_parse(input) {
        panic!("{fault:?}");
    }
});
