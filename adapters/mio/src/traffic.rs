//! What went over the sockets: counts, and a look at each datagram.

use iot_crypto::endpoint::LocalPort;
use iot_crypto::time::Instant;
use std::net::SocketAddr;

/// Datagrams and bytes that a local port carried. Bytes are UDP payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams received.
    pub datagrams_in: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Datagrams sent; one to everyone counts once for each copy.
    pub datagrams_out: u64,
    /// Bytes sent, counted likewise.
    pub bytes_out: u64,
}

impl Traffic {
    pub(crate) fn count(&mut self, direction: Direction, length: usize) {
        let (datagrams, bytes) = match direction {
            Direction::In => (&mut self.datagrams_in, &mut self.bytes_in),
            Direction::Out => (&mut self.datagrams_out, &mut self.bytes_out),
        };
        *datagrams = datagrams.saturating_add(1);
        *bytes = bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            datagrams_in: self.datagrams_in.saturating_add(other.datagrams_in),
            bytes_in: self.bytes_in.saturating_add(other.bytes_in),
            datagrams_out: self.datagrams_out.saturating_add(other.datagrams_out),
            bytes_out: self.bytes_out.saturating_add(other.bytes_out),
        }
    }
}

/// Datagrams, or copies of one to everyone, that were not sent, by reason. None
/// of these is fatal: UDP may lose datagrams, and the protocols repeat them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops {
    /// Larger than [`Config::path_mtu`](crate::Config::path_mtu) allows.
    pub too_long: u64,
    /// No socket of this local port and of the address's family is open.
    pub no_socket: u64,
    /// The socket's send buffer stayed full.
    pub blocked: u64,
    /// The operating system refused it: no route, the interface is down, too
    /// large for the interface …
    pub refused: u64,
}

/// Which way a datagram went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was received.
    In,
    /// It was sent.
    Out,
}

/// A datagram as it went over a socket, for
/// [`Driver::observe`](crate::Driver::observe).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// When.
    pub at: Instant,
    /// Which way.
    pub direction: Direction,
    /// The local port.
    pub port: LocalPort,
    /// The address that the local port's socket is bound to.
    pub local: SocketAddr,
    /// Where it came from or went to.
    pub peer: SocketAddr,
    /// The UDP payload.
    pub payload: &'a [u8],
}

/// What sees each datagram.
pub(crate) type Observer = Box<dyn FnMut(&Datagram<'_>) + Send>;
