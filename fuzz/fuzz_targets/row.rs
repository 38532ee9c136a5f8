//! The check `row` of `src/fuzz`, with whatever bytes a fuzzer thinks of.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidegate::fuzz::check("row", bytes));
