//! What holds of the core whatever happens: properties over generated values,
//! datagrams and sequences of operations.
//!
//! | module | what is generated | what holds |
//! |---|---|---|
//! | `codecs` | values and changed encodings | what is encoded is decoded to the same; what is accepted encodes to the same bytes |
//! | `segments` | messages, fragments, their order | what is put together is what was taken apart |
//! | `dtls` | operations on DTLS clients and servers | the rules of the sans-I/O core |
//! | `amplification` | what a stranger sends to a server | the answer is at most three times as long |
//! | `handshake` | networks that do as they like | both sides end with the same keys, or without any |
//! | `roles` | operations on a device, a gateway and a cloud | the rules; commands run once, alerts arrive |
//! | `responses`, `requests` | what comes and goes in a session | the state machines do what SPEC.md section 10 says |
//! | `transmission` | a channel, restarts of both parties | a command runs at most once, an acknowledged alert was delivered |
//!
//! Codecs that are private to the crate have their properties beside the code.
//! `PROPTEST_CASES=10000 cargo test --release -p iot-crypto --test properties` runs
//! more cases than the default. What has failed once is kept in
//! `proptest-regressions`, and tried first from then on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(any(feature = "alloc", host_provider))]

mod amplification;
mod codecs;
mod dtls;
mod handshake;
mod harness;
mod requests;
mod responses;
mod roles;
mod segments;
mod testing;
mod transmission;
