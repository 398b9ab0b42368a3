//! DTLS with pre-shared keys: secure datagrams between two parties.
//!
//! | type | what it is |
//! |---|---|
//! | [`Client`] | a client's connection with one server; no `alloc` |
//! | [`SingleServer`] | a server's connection with one client; no `alloc` |
//! | [`Session`] | what is left of either when the handshake is over: small and lasting |
//! | `Server` | many clients on one port (feature `alloc`) |
//!
//! All are driven alike. A received datagram is wrapped in a [`Datagram`] and
//! given to `handle_record` until that gives nothing more; `poll_transmit`,
//! `poll_event` and `poll_timeout` tell what is to be done next, and
//! `handle_timeout` is called at the deadline.
//!
//! ```no_run
//! # use std::{io, net::UdpSocket, time::Duration};
//! # use iot_crypto::{crypto::Provider, dtls::{Client, Datagram}, time::Instant};
//! fn run<P: Provider>(
//!     mut client: Client<P>,
//!     provider: &mut P,
//!     socket: &UdpSocket,
//!     now: impl Fn() -> Instant,
//! ) -> io::Result<()> {
//!     let mut buffer = [0; 2048];
//!     loop {
//!         client.handle_timeout(provider, now());
//!         while let Some(event) = client.poll_event() {
//!             println!("{event:?}");
//!         }
//!         while let Ok(Some(length)) = client.poll_transmit(provider, now(), &mut buffer) {
//!             socket.send(&buffer[..length])?;
//!         }
//!         let wait = client.poll_timeout().map(|deadline| deadline.at.since(now()));
//!         socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
//!         if let Ok(length) = socket.recv(&mut buffer) {
//!             let mut datagram = Datagram::new(&mut buffer[..length]);
//!             while let Some(payload) = client.handle_record(provider, now(), &mut datagram) {
//!                 println!("{payload:?}");
//!             }
//!         }
//!     }
//! }
//! ```
//!
//! The version is DTLS 1.2 (RFC 6347), with one suite,
//! TLS_PSK_WITH_CHACHA20_POLY1305_SHA256 (RFC 4279, RFC 7905), the extended
//! master secret (RFC 7627) and the renegotiation indication (RFC 5746); there
//! is no renegotiation and no resumption. `conformance/SPEC.md` section 11 says what
//! of these documents is used, and how.
//!
//! What is forged, damaged, repeated or misplaced is dropped and counted
//! ([`Drops`]), and changes nothing else. An alert that is not authentic never
//! ends a session, and a handshake only if nothing better comes within a few
//! retransmissions. An unknown identity can't be told from a wrong key from
//! outside (RFC 4279 section 2): the handshake goes on with a key that nobody
//! has, until its deadline.

mod alert;
mod close;
mod config;
mod connection;
mod datagram;
mod drops;
mod handshake;
#[cfg(feature = "alloc")]
mod server;
mod session;
mod v12;

pub use alert::AlertDescription;
pub use close::{CloseReason, ConnectionEvent, SendError};
pub use config::{Config, ExtendedMasterSecret, PresharedKey, PskIdentity};
pub use connection::{Client, Connection, SingleServer};
pub use datagram::Datagram;
pub use drops::{DropReason, Drops};
#[cfg(feature = "alloc")]
pub use server::{CookiePolicy, Received, Server, ServerConfig, ServerEvent, SessionId};
pub use session::Session;
pub(crate) use v12::client::Offering;

/// What a record adds to its payload, in bytes: a header of 13 (RFC 6347 section
/// 4.1) and a tag of 16; RFC 7905 has no explicit nonce.
pub const RECORD_OVERHEAD: usize = v12::protection::OVERHEAD;
