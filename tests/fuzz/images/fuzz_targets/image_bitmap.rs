//! See `overfall_fuzz_images::TARGETS`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let named = overfall_fuzz_images::TARGETS.iter().find(|(name, _)| *name == "image_bitmap");
    named.expect("a target that there is").1(data)
});
