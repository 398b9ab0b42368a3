//! What a driver needs of a UDP stack.

use core::net::SocketAddr;

use iot_crypto::endpoint::LocalPort;
use iot_crypto::time::Instant;

/// The sockets of one role on any UDP stack. No method waits.
///
/// ```
/// use core::net::{Ipv4Addr, SocketAddr};
/// use iot_crypto::endpoint::LocalPort;
/// use iot_crypto_embedded::udp::{Received, SendError, Udp};
/// use std::net::UdpSocket;
///
/// /// One non-blocking socket of the operating system for each local port.
/// struct Sockets(Vec<(LocalPort, UdpSocket)>);
///
/// impl Udp for Sockets {
///     fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
///         self.0.iter().find_map(|(port, socket)| {
///             let (length, from) = socket.recv_from(buffer).ok()?;
///             Some(Received { port: *port, from, length })
///         })
///     }
///
///     fn send(&mut self, from: LocalPort, to: SocketAddr, payload: &[u8]) -> Result<(), SendError> {
///         let socket = self.0.iter().find(|(port, _)| *port == from);
///         let (_, socket) = socket.ok_or(SendError::NoSocket)?;
///         socket.send_to(payload, to).map(|_| ()).map_err(|_| SendError::Refused)
///     }
/// }
///
/// let open = |port| -> std::io::Result<_> {
///     let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
///     socket.set_nonblocking(true)?;
///     Ok((port, socket))
/// };
/// let mut sockets = Sockets(vec![open(LocalPort::FirstClient)?, open(LocalPort::SecondClient)?]);
/// assert_eq!(sockets.receive(&mut [0; 600]), None);
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait Udp {
    /// Writes the next datagram that has come in on any of the role's local ports
    /// into `buffer`; `None` if there is none, or if the stack has done as much as it
    /// may in one turn ([`Udp::deadline`] is then now). One that is longer than
    /// `buffer` is dropped.
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received>;

    /// Sends a datagram, or takes it to be sent as soon as possible.
    ///
    /// # Errors
    /// [`SendError`]; the datagram is lost, as it may be in any network.
    fn send(&mut self, from: LocalPort, to: SocketAddr, payload: &[u8]) -> Result<(), SendError>;

    /// Whether every local port would take another datagram of any length. While it is
    /// false, nothing is taken from the role: it is not known beforehand which local
    /// port its next datagram leaves from.
    fn has_room(&mut self) -> bool {
        true
    }

    /// Forgets the datagrams that were taken but can't be sent, and keep others from
    /// being sent; says how many they were.
    fn discard(&mut self) -> u64 {
        0
    }

    /// Whether the stack has an address of the family of `to` to send from.
    fn has_address_for(&self, to: SocketAddr) -> bool {
        let _ = to;
        true
    }

    /// When the stack itself wants to be called again, if it does.
    fn deadline(&mut self) -> Option<Instant> {
        None
    }
}

/// A [`Udp`] stack with a clock, which can put the program to sleep.
pub trait Sleep: Udp {
    /// The present moment.
    fn now(&mut self) -> Instant;

    /// Sleeps until a datagram comes in on any of the role's local ports, or `until`
    /// has come; without `until`, until a datagram comes in. It may return earlier.
    fn sleep(&mut self, until: Option<Instant>);
}

/// A datagram that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The local port.
    pub port: LocalPort,
    /// Who sent it.
    pub from: SocketAddr,
    /// Its length in bytes, from the start of the buffer.
    pub length: usize,
}

/// Why a datagram was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// This local port has no socket.
    NoSocket,
    /// The socket's send buffer is full.
    Full,
    /// The stack refused it: no route, no such address, larger than any …
    Refused,
}

impl core::fmt::Display for SendError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoSocket => "the local port has no socket",
            Self::Full => "the socket's send buffer is full",
            Self::Refused => "the stack refused the datagram or its address",
        })
    }
}

impl core::error::Error for SendError {}
