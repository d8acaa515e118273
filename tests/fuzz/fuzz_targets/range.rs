//! See `overfall_fuzz::fuzz_range`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| overfall_fuzz::fuzz_range(data));
