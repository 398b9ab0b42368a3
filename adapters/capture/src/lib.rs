//! Looks into what goes over the network, for those who have the right to: key
//! logs, and captures for Wireshark.
//!
//! A [`Recording`] takes what a running role sees and writes it, on a thread of its
//! own, into one file or both:
//!
//! - a **key log** in the format of NSS (RFC 9850), one line a handshake;
//! - a **capture** in pcapng with the datagrams as they were, the secrets in
//!   Decryption Secrets Blocks before the datagrams that need them, and what these
//!   open besides, as exported PDUs: the messages of both protocols, and alerts.
//!
//! The exported PDUs are there because not every Wireshark can decrypt
//! TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 over DTLS. They are not what the role says
//! that it sent: a passive observer opens the records, with nothing but the
//! datagrams and the secrets, as a third party would. The dissector that names the
//! messages is `conformance/dissector/iot-crypto.lua`.
//!
//! Whoever has one of these files reads all that was said, and while a session lasts
//! can speak in its parties' names: make them for their owner's eyes only.
//!
//! ```
//! use iot_crypto_capture::{Captured, Recording};
//! use std::time::SystemTime;
//! # use iot_crypto::crypto::RustCrypto;
//! # use rand_core::SeedableRng as _;
//! # let provider = || RustCrypto::new(chacha20::ChaCha20Rng::from_seed([0; 32]));
//! # let file: std::io::Sink = std::io::sink();
//!
//! let recording = Recording::start(provider(), None, Some(Box::new(file)), "my program")?;
//! let tap = recording.tap();
//! // The role's provider hands over the secrets, …
//! let provider = provider().with_key_log(tap.clone());
//! // … and whatever drives the role, the datagrams.
//! tap.datagram(&Captured {
//!     at: SystemTime::now(),
//!     inbound: true,
//!     from: ([192, 0, 2, 1], 4441).into(),
//!     to: ([192, 0, 2, 2], 50_000).into(),
//!     payload: b"as it was",
//! });
//! # drop(provider);
//! recording.end();
//! # Ok::<(), std::io::Error>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod capture;
mod exported;
mod key_log;
mod observer;
mod packet;
mod pcapng;
mod recording;
#[cfg(test)]
mod testing;

pub use capture::{Capture, Captured};
pub use key_log::KeyLogLine;
pub use recording::{Recording, Sink, Tap};
