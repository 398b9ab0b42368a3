//! The cryptography of [`iot_crypto`] for x86-64 and aarch64 hosts: gateways, clouds,
//! and devices that are computers.
//!
//! [`HostCrypto`] computes the same as the core's [`RustCrypto`], signatures included,
//! several times as fast. Each primitive comes from the library that was measured to
//! be the fastest of graviola, aws-lc-rs and ring, among those whose interface can
//! serve a [`Provider`] (`iot-crypto-bench primitives` measures them side by side):
//!
//! | primitive | from | why |
//! |---|---|---|
//! | ChaCha20-Poly1305 | ring | the fastest at every size, and between two records a key takes no more than its 32 bytes. aws-lc-rs allocates for each key, and graviola takes up to twice as long |
//! | X25519 | graviola | the fastest; ring does not take an existing key |
//! | P-256 | graviola | with a compressed key, which is what certificates have, it verifies as fast as aws-lc-rs; ring takes none. Its multiple of the generator is the fastest, and all that signing needs of it: aws-lc-rs and ring sign with random nonces only, and graviola mixes random bytes into its own |
//! | SHA-256, HKDF | RustCrypto | about as fast as any |
//! | HMAC | on RustCrypto's SHA-256 | with the key made ready, the fastest for short messages |
//!
//! graviola needs a processor with AVX2, ADX and BMI2 (most since 2014), or with the
//! cryptographic extensions of aarch64. On another one, and on other architectures,
//! RustCrypto does its part.
//!
//! # What it leaves behind
//!
//! graviola and RustCrypto erase what is secret. ring does not: traces of the key of
//! a record stay on the stack until something else is written there. Who can't have
//! that takes the provider of the core.
//!
//! [`RustCrypto`]: iot_crypto::crypto::RustCrypto
//! [`Provider`]: iot_crypto::crypto::Provider
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg_attr(any(target_arch = "x86_64", target_arch = "aarch64"), path = "curves/graviola.rs")]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), path = "curves/none.rs")]
mod curves;
mod entropy;
mod hmac;
mod os;
mod provider;
mod records;

pub use entropy::Stocked;
pub use hmac::HmacKey;
pub use os::{OsProvider, os_provider};
pub use provider::HostCrypto;
pub use records::RecordKey;
