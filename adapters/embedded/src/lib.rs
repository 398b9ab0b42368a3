//! What a device of [`iot_crypto`] needs on a microcontroller, and what makes it a
//! page of code: without a heap, without `unsafe`.
//!
//! | module | what it is |
//! |---|---|
//! | [`handlers`] | what the developer provides: sensors, actuators, alerts |
//! | [`node`] | the device with its handlers and its store; every driver runs it |
//! | [`store`] | what is kept on flash, safe against the loss of power |
//! | [`entropy`] | health tests of a source of noise, and a generator over it |
//! | [`accelerator`] | a provider that uses what the chip has |
//! | [`flash`] | flash in memory, for images and tests |
//! | [`driver`] | the loop of any role over any UDP stack ([`udp`]) |
//! | `embassy` | the same over embassy-net |
//!
//! A whole device is in `examples/thermostat.rs`.
//!
//! # Features
//!
//! `defmt`: [`event::Event`] and the errors can be logged by defmt.
//! `embassy`: the driver over embassy-net.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(test)]
extern crate std;

pub mod accelerator;
pub mod driver;
#[cfg(feature = "embassy")]
pub mod embassy;
pub mod entropy;
pub mod event;
pub mod flash;
pub mod handlers;
pub mod node;
pub mod store;
#[cfg(test)]
mod testing;
pub mod udp;

#[cfg(all(doctest, feature = "embassy"))]
#[doc = include_str!("../README.md")]
struct Readme;
