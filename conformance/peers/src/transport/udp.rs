//! Datagrams over UDP.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use super::Transport;

/// A UDP socket on the loopback interface that talks to one remote end and does
/// not block.
#[derive(Debug)]
pub struct UdpTransport {
    socket: UdpSocket,
}

impl UdpTransport {
    /// A socket that talks to `remote`.
    ///
    /// # Errors
    /// [`io::Error`] if there is none.
    pub fn new(remote: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(remote)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket })
    }

    /// Where the socket is.
    ///
    /// # Errors
    /// [`io::Error`] if it does not know.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

impl Transport for UdpTransport {
    fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        self.socket.recv(buffer).ok()
    }

    fn peek(&self, buffer: &mut [u8]) -> Option<usize> {
        self.socket.peek(buffer).ok()
    }

    fn send(&self, datagram: &[u8]) {
        let _ = self.socket.send(datagram);
    }
}
