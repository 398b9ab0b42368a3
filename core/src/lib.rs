//! Secure communication for the Internet of Things, as state machines that do no
//! I/O: bytes and time go in; bytes, events and deadlines come out.
//!
//! A *device* talks to its *gateway*, a gateway to its *cloud*. Each party has a
//! small certificate; it is trusted if a party that the verifier trusts endorses
//! it. Two parties that trust each other negotiate a key, and then exchange data,
//! commands and alerts in DTLS sessions under that key.
//!
//! # The floors
//!
//! Each floor imports only those below it, and can be used alone:
//!
//! | floor | modules |
//! |---|---|
//! | the three roles | [`device`], [`gateway`], [`cloud`] |
//! | what they are put together from | [`party`], [`uplink`], [`downlink`], [`dropped`] |
//! | the two protocols | [`connection`], [`transmission`] |
//! | records and handshakes | [`dtls`] |
//! | certificates and trust | [`identity`] |
//! | the ground | [`crypto`], [`wire`], [`time`], [`endpoint`] |
//!
//! # How to drive a role
//!
//! A role has four kinds of method and no others: getters, `handle_*` for what
//! comes in, commands of the application, and `poll_*` for what goes out. Every
//! input carries `now`. The order in which to call them is this, for every role
//! (here for any [`endpoint::Endpoint`]):
//!
//! ```
//! use iot_crypto::endpoint::{Destination, Endpoint, LocalPort};
//! use iot_crypto::time::{Deadline, Instant};
//! use iot_crypto::wire::BufferTooSmall;
//!
//! /// What woke the loop up.
//! enum Woken<'a, A> {
//!     Datagram(LocalPort, A, &'a mut [u8]),
//!     Deadline,
//! }
//!
//! fn turn<'a, E: Endpoint>(
//!     role: &mut E,
//!     now: impl Fn() -> Instant,
//!     mut send: impl FnMut(LocalPort, Destination<E::Address>, &[u8]),
//!     mut serve: impl FnMut(&mut E),
//!     wait: impl FnOnce(Option<Deadline>) -> Woken<'a, E::Address>,
//! ) -> Result<(), BufferTooSmall> {
//!     // 1. Send what is ready, until nothing is. A buffer of the configured
//!     //    datagram size always suffices.
//!     let mut buffer = [0; 1200];
//!     while let Some(sent) = role.poll_transmit(now(), &mut buffer)? {
//!         if let Some(datagram) = buffer.get(..sent.length) {
//!             send(sent.from, sent.to, datagram);
//!         }
//!     }
//!     // 2. Let the application take the events, until there are none
//!     //    (`poll_event` of the role), and give its commands.
//!     serve(role);
//!     // 3. Sleep until a datagram comes in or the deadline has come. Output that
//!     //    the application's commands caused has the deadline "now".
//!     match wait(role.poll_timeout()) {
//!         Woken::Datagram(port, from, datagram) => {
//!             role.handle_datagram(now(), port, from, datagram);
//!         }
//!         Woken::Deadline => role.handle_timeout(now()),
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A driver that sleeps until the deadline and does nothing else never loses or
//! delays anything. Drivers for sockets are in crates of their own.
//!
//! # What may go wrong
//!
//! * A datagram that is forged, broken, old or not expected is dropped and
//!   counted, and changes nothing else.
//! * A session that ends is an event, with its reason.
//! * A mistake of the caller is an error, and nothing was changed.
//!
//! Nothing panics, whatever comes in.
//!
//! # Features
//!
//! `alloc` (on by default): gateway, cloud, and the DTLS server for many peers.
//! Without it the crate needs neither `std` nor `alloc`, and holds the device.

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
pub mod dropped;
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
