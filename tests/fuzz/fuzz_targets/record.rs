//! See `overfall_fuzz::fuzz_record`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| overfall_fuzz::fuzz_record(data));
