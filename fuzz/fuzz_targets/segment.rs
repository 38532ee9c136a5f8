//! The check `segment` of `src/fuzz`, with whatever bytes a fuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzz::check("segment", bytes));
