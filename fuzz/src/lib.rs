//! The adversary of IoT-Crypto: functions that take arbitrary bytes, do with the
//! core and the program what the bytes say, and panic if anything happens that must
//! not.
//!
//! Each function is a target of its own: a program of libFuzzer in `fuzz_targets`,
//! whose corpus is in `corpus`, and which the tests of this crate replay. What each
//! does, and by which oracle it judges, is in `README.md`.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a target tells what it has found"
)]

mod cast;
mod cbor;
mod dtls;
mod input;
mod message;
mod mutation;
mod roles;
mod target;
mod toy;

/// Exports the targets, and lists them.
macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        pub use target::{$($name),*};

        /// Every target, with the name of its program and of its corpus.
        pub const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name)),*];
    };
}

targets! {
    cloud,
    connection,
    device,
    dtls_client,
    dtls_pair,
    dtls_server,
    dtls_single_server,
    files,
    gateway,
    identity,
    transmission,
    trust,
}
