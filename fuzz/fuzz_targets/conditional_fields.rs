//! Any bytes as lines of the four conditional request fields.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| versioning_core::check_fields(data));
