//! x
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(feature = "alloc")]
pub mod cloud;
pub mod connection;
pub mod crypto;
pub mod device;
#[cfg(feature = "alloc")]
pub mod downlink;
pub mod dtls;
pub mod endpoint;
#[cfg(feature = "alloc")]
pub mod gateway;
pub mod identity;
pub mod party;
#[cfg(test)]
mod testing;
pub mod time;
#[cfg(feature = "alloc")]
mod timers;
pub mod transmission;
pub mod uplink;
pub mod wire;
