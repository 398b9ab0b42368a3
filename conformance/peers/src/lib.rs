//! Other implementations of DTLS behind one interface: for the interop matrix, which
//! talks to them over UDP, and for the benchmarks, which measure them in memory.
//!
//! | type | what it is |
//! |---|---|
//! | [`Library`] | which implementations there are, and which are linked |
//! | [`Endpoint`] | a library configured once, as a server is, for many sessions |
//! | [`Session`] | one connection of it; its calls never wait |
//! | [`Transport`] | where a session's datagrams go: a [`UdpTransport`], or an end of a [`Link`] |
//!
//! Each library is behind the feature of its name. None of them is part of what is
//! shipped: wolfSSL is under the GPL.

#[cfg(feature = "dimpl")]
mod dimpl;
#[cfg(feature = "gnutls")]
mod gnutls;
mod library;
#[cfg(feature = "mbedtls")]
mod mbedtls;
#[cfg(feature = "openssl")]
mod openssl;
mod session;
mod settings;
#[cfg(feature = "tinydtls")]
mod tinydtls;
mod transport;
#[cfg(feature = "wolfssl")]
mod wolfssl;

pub use library::Library;
pub use session::{Endpoint, Session, Step};
pub use settings::{RETRANSMISSION, Settings, Side, Suite, Version};
pub use transport::{Link, LinkEnd, Traffic, Transport, UdpTransport};
