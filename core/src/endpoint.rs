//! What every role is to its driver: an [`Endpoint`] with a few local ports,
//! that exchanges datagrams with addresses it knows nothing about.

use crate::time::{Deadline, Instant};
use crate::wire::BufferTooSmall;

/// A peer's address, opaque to the core: an IP address and UDP port, an address
/// on an 802.15.4 or BLE network, or a number in a test.
///
/// Its `Hash` must cover all that `Eq` does: DTLS cookies are bound to it.
pub trait Address: Copy + Eq + Ord + core::hash::Hash + core::fmt::Debug {
    /// The same host's address at another port; a network without ports gives
    /// the same address again.
    #[must_use]
    fn with_port(self, port: u16) -> Self;
}

impl Address for core::net::SocketAddr {
    fn with_port(mut self, port: u16) -> Self {
        self.set_port(port);
        self
    }
}

/// A local port of a party: which of its sockets a datagram came in on, or is
/// to leave from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LocalPort {
    /// A device's socket for advertisements, bound to the network's discovery
    /// port; it only receives.
    Discovery,
    /// The key-negotiation service of a gateway or cloud. A gateway's
    /// advertisements leave from here.
    Negotiation,
    /// The transmission service of a gateway or cloud.
    Transmission,
    /// The first of two sockets, on any free port, from which a device or
    /// gateway connects to the party above it. There are two so that a new
    /// session can stand beside the one that it replaces.
    FirstClient,
    /// The second of these two.
    SecondClient,
}

/// Where a datagram goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<A> {
    /// To one address.
    Address(A),
    /// To everyone in reach, at the network's discovery port: by broadcast and
    /// multicast on every interface, or as the driver is configured.
    Everyone,
}

/// A datagram that an endpoint wrote into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit<A> {
    /// The local port that it leaves from.
    pub from: LocalPort,
    /// Where it goes.
    pub to: Destination<A>,
    /// Its length in bytes, from the start of the buffer.
    pub length: usize,
}

impl<A> Transmit<A> {
    /// A datagram of `length` bytes from the local port `from` to one address.
    #[must_use]
    pub const fn new(from: LocalPort, to: A, length: usize) -> Self {
        Self { from, to: Destination::Address(to), length }
    }
}

/// What a driver needs of a role, and all that it needs; the roles' own types
/// add their commands and events.
pub trait Endpoint {
    /// The addresses of the network that it is on.
    type Address: Address;

    /// Takes a datagram that came in on `port`. It is decrypted in place.
    fn handle_datagram(
        &mut self,
        now: Instant,
        port: LocalPort,
        from: Self::Address,
        datagram: &mut [u8],
    );

    /// Does what is due at `now`; harmless if nothing is.
    fn handle_timeout(&mut self, now: Instant);

    /// Writes the next datagram to send into `buffer`; `None` if there is none.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; the datagram is not lost. A buffer of the configured
    /// datagram size always suffices.
    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<Self::Address>>, BufferTooSmall>;

    /// The deadline at which to call [`Endpoint::handle_timeout`] and
    /// [`Endpoint::poll_transmit`] next, if nothing comes in before.
    fn poll_timeout(&self) -> Option<Deadline>;
}
