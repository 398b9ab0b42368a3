//! Runs the roles of [`iot_crypto`] over the UDP sockets of smoltcp, without a heap.
//!
//! A [`Driver`] adds the sockets of its role to a
//! [`SocketSet`](smoltcp::iface::SocketSet), in buffers that the caller owns
//! ([`DeviceStorage`], [`GatewayStorage`]), and takes the stack and the role one turn
//! further whenever it is called ([`Driver::turn`]); the README has the whole program.
//! ARP and neighbor discovery are smoltcp's; so are addresses and routes, which may come
//! and go (by DHCP, say) as long as it runs.
//!
//! The logic of the loop is that of [`iot_crypto_embedded::driver`], to which this crate
//! presents smoltcp as one more [`Udp`](iot_crypto_embedded::udp::Udp) stack.
//!
//! # Work in a turn
//! A turn takes [`Config::burst`] frames at most, and the datagram of each is handed to
//! the role before the next frame is taken. So a socket needs room for one datagram
//! only, a flood loses nothing but the flood, and the role is asked what it has to send
//! and what is due in every turn.
//!
//! # Limits
//! - A datagram longer than `DATAGRAM` is dropped by the stack, which doesn't count it.
//! - The multicast groups of [`Config::announce`] and a device's IP addresses take places
//!   in smoltcp's tables (`IFACE_MAX_MULTICAST_GROUP_COUNT`, 4 if you don't change it;
//!   with Ethernet and IPv6, each address takes one for its solicited-node group).
//! - Whoever answers in the router's name by ARP keeps a device from what is behind it
//!   until the router asks for the device itself, or smoltcp asks again, after a minute.
//! - On IEEE 802.15.4, join no other multicast group, and let only this driver send:
//!   smoltcp 0.14 panics when it is to report a group there. It also panics when it
//!   decompresses some damaged 6LoWPAN headers: let the radio check the frames, by
//!   link-layer security where strangers are in reach.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod address;
mod driver;
mod error;
mod ports;
#[cfg(feature = "medium-ieee802154")]
mod silence;
mod stack;
mod storage;

pub use driver::Driver;
pub use error::OpenError;
pub use iot_crypto_embedded::driver::{Announce, Config, ConfigError, Drops, Turn};
pub use storage::{DeviceStorage, GatewayStorage};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
