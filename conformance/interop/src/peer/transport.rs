//! The datagrams of a peer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, UdpSocket};

use crate::relay::passes;

/// A UDP socket on the loopback interface that talks to one remote end and does
/// not block.
#[derive(Debug)]
pub struct Transport {
    socket: UdpSocket,
}

impl Transport {
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

    /// The next datagram's length, if one has come; what of it does not fit into
    /// `buffer` is lost.
    #[must_use]
    pub fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        self.socket.recv(buffer).ok()
    }

    /// The next datagram's length, if one has come, which stays where it is.
    #[must_use]
    pub fn peek(&self, buffer: &mut [u8]) -> Option<usize> {
        self.socket.peek(buffer).ok()
    }

    /// Sends a datagram, which may be lost like any other.
    pub fn send(&self, datagram: &[u8]) {
        let _ = self.socket.send(datagram);
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer).map_err(|error| match passes(&error) {
            true => io::ErrorKind::WouldBlock.into(),
            false => error,
        })
    }
}

impl Write for Transport {
    fn write(&mut self, datagram: &[u8]) -> io::Result<usize> {
        self.send(datagram);
        Ok(datagram.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
