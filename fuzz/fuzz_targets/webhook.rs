#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| greentic_runner_fuzz::adapters::webhook(bytes));
