//! Drives the roles of [`iot_crypto`] over UDP: any
//! [`Endpoint`](iot_crypto::endpoint::Endpoint) whose addresses are
//! [`SocketAddr`](std::net::SocketAddr)s, on one thread, with mio.
//!
//! The role keeps its own commands and events; a [`Driver`] only carries its
//! datagrams and wakes it in time. The program's loop takes turns with it:
//!
//! ```
//! use iot_crypto::endpoint::Endpoint;
//! use iot_crypto_mio::Driver;
//! use std::net::SocketAddr;
//! use std::time::Duration;
//!
//! fn run<R>(
//!     driver: &mut Driver,
//!     role: &mut R,
//!     // Polls the role for events and gives it commands; false to end.
//!     mut application: impl FnMut(&mut R, iot_crypto::time::Instant) -> bool,
//! ) -> std::io::Result<()>
//! where
//!     R: Endpoint<Address = SocketAddr>,
//! {
//!     while application(role, driver.now()) {
//!         driver.turn(role, None)?;
//!     }
//!     // The application has told the role to close; its last words go out.
//!     driver.shutdown(role, Duration::from_secs(1))
//! }
//! ```
//!
//! and it is opened with the configuration of its role, such as
//!
//! ```
//! use iot_crypto::endpoint::LocalPort;
//! use iot_crypto_mio::{Config, Driver};
//! use std::net::Ipv4Addr;
//!
//! let loopback = [Ipv4Addr::LOCALHOST.into()];
//! let driver = Driver::open(Config::gateway(0, 0).on(&loopback))?;
//! assert_eq!(driver.local_addresses(LocalPort::Negotiation).count(), 1);
//! # Ok::<(), iot_crypto_mio::OpenError>(())
//! ```
//!
//! A [`Driver::turn`] sleeps until a datagram comes in or the role's deadline
//! comes. To give the role a command from another thread, send it over a channel
//! that the application empties, and wake the driver with a [`Waker`].
//!
//! # Limits
//! - Each local port has one socket for IPv4 and one for IPv6. An answer from a
//!   socket on every address leaves from the address that the system's routes
//!   choose; on a machine with several addresses in one network, bind the
//!   services to the one that clients use ([`Config::on`]).
//! - Several devices on one machine share the discovery port. Each hears every
//!   broadcast and multicast, but only one of them what is sent to the port by
//!   unicast.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

mod announce;
mod batch;
mod clock;
mod config;
mod driver;
mod error;
mod inbox;
mod outbox;
mod sender;
mod sockets;
mod traffic;

pub use clock::{Clock, wall_time};
pub use config::{Announce, Binding, Config, Interfaces};
pub use driver::{Driver, Turn, Waker};
pub use error::OpenError;
pub use traffic::{Datagram, Direction, Drops, Traffic};
