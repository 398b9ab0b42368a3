//! `iot_crypto_fuzz::device` as a program of libFuzzer.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| iot_crypto_fuzz::device(data));
