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

pub mod connection;
pub mod crypto;
pub mod dtls;
pub mod endpoint;
pub mod identity;
#[cfg(test)]
mod testing;
pub mod time;
pub mod transmission;
pub mod wire;
