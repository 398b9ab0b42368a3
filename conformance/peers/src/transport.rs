//! Where the datagrams of a session go.

mod link;
mod udp;

pub use link::{Link, LinkEnd, Traffic};
pub use udp::UdpTransport;

/// Datagrams to and from one remote end. No call waits.
pub trait Transport {
    /// The next datagram's length, if one has come; what of it does not fit into
    /// `buffer` is lost.
    fn receive(&self, buffer: &mut [u8]) -> Option<usize>;

    /// The same, and the datagram stays where it is.
    fn peek(&self, buffer: &mut [u8]) -> Option<usize>;

    /// Sends a datagram, which may be lost like any other.
    fn send(&self, datagram: &[u8]);
}
