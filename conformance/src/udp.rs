//! Drivers for DTLS on blocking UDP sockets: one connection, or a server.
//!
//! They show how little a driver has to do: carry datagrams, ask for events, and
//! wake at the deadline.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use getrandom::SysRng;
use iot_crypto::crypto::{EntropyError, RustCrypto};
use iot_crypto::dtls::{
    Client, Config, ConnectionEvent, Datagram, PresharedKey, PskIdentity, SendError, Server,
    ServerConfig, ServerEvent, SessionId,
};
use iot_crypto::time::{Deadline, Instant};

/// The provider on a host: portable software, the system's random numbers.
pub type HostProvider = RustCrypto<SysRng>;

/// The longest wait for a datagram; a condition of the caller is looked at as
/// often.
const TICK: Duration = Duration::from_millis(20);

/// What went wrong in a driver.
#[derive(Debug)]
pub enum DriverError {
    /// The socket failed.
    Io(io::Error),
    /// There are no random numbers.
    Entropy(EntropyError),
    /// The payload could not be sent.
    Send(SendError),
}

impl From<io::Error> for DriverError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<EntropyError> for DriverError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}

impl From<SendError> for DriverError {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}

impl From<iot_crypto::wire::BufferTooSmall> for DriverError {
    fn from(error: iot_crypto::wire::BufferTooSmall) -> Self {
        Self::Send(error.into())
    }
}

/// A socket and a clock.
struct Port {
    socket: UdpSocket,
    origin: std::time::Instant,
    buffer: Vec<u8>,
}

impl Port {
    fn bind() -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        Ok(Self { socket, origin: std::time::Instant::now(), buffer: vec![0; 1 << 16] })
    }

    fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Waits for a datagram until the deadline, or a tick; gives its length.
    fn wait(&mut self, deadline: Option<Deadline>) -> io::Result<Option<(usize, SocketAddr)>> {
        let until = deadline.map_or(TICK, |deadline| deadline.at.since(self.now()).min(TICK));
        self.socket.set_read_timeout(Some(until.max(Duration::from_millis(1))))?;
        match self.socket.recv_from(&mut self.buffer) {
            Ok((length, from)) => Ok(Some((length, from))),
            // Nothing came, or what was sent before found nobody: both pass.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::ConnectionRefused
                        | io::ErrorKind::ConnectionReset
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// One client on a socket of its own.
pub struct UdpClient {
    port: Port,
    server: SocketAddr,
    provider: HostProvider,
    connection: Client<HostProvider>,
    /// Payloads received and not taken yet.
    pub received: VecDeque<Vec<u8>>,
    /// Events not taken yet.
    pub events: VecDeque<ConnectionEvent>,
}

impl UdpClient {
    /// Begins a handshake with the server at `server`.
    ///
    /// # Errors
    /// [`DriverError`] if there is no socket or no random number.
    pub fn connect(
        server: SocketAddr,
        config: &Config,
        identity: &PskIdentity,
        key: PresharedKey,
    ) -> Result<Self, DriverError> {
        let port = Port::bind()?;
        let mut provider = RustCrypto::new(SysRng);
        let connection = Client::new(config, &mut provider, port.now(), identity, key)?;
        let (received, events) = (VecDeque::new(), VecDeque::new());
        Ok(Self { port, server, provider, connection, received, events })
    }

    /// Sends `payload`.
    ///
    /// # Errors
    /// [`DriverError`] if it can't be sealed or sent.
    pub fn send(&mut self, payload: &[u8]) -> Result<(), DriverError> {
        let now = self.port.now();
        let Port { socket, buffer, .. } = &mut self.port;
        let length = self.connection.send(&mut self.provider, now, payload, buffer)?;
        socket.send_to(buffer.get(..length).unwrap_or_default(), self.server)?;
        Ok(())
    }

    /// Ends the session.
    pub fn close(&mut self) {
        self.connection.close(self.port.now());
    }

    /// Goes on until `done`, at most for `limit`; gives whether it was done.
    ///
    /// # Errors
    /// [`DriverError`] if the socket fails.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, DriverError> {
        let end = self.port.now() + limit;
        loop {
            self.turn()?;
            if done(self) {
                return Ok(true);
            }
            if self.port.now() >= end {
                return Ok(false);
            }
            if let Some((length, from)) = self.port.wait(self.connection.poll_timeout())?
                && from == self.server
            {
                let now = self.port.now();
                let bytes = self.port.buffer.get_mut(..length).unwrap_or_default();
                let mut datagram = Datagram::new(bytes);
                while let Some(payload) =
                    self.connection.handle_record(&mut self.provider, now, &mut datagram)
                {
                    self.received.push_back(payload.to_vec());
                }
            }
        }
    }

    fn turn(&mut self) -> Result<(), DriverError> {
        let now = self.port.now();
        self.connection.handle_timeout(&mut self.provider, now);
        while let Some(event) = self.connection.poll_event() {
            self.events.push_back(event);
        }
        let Port { socket, buffer, .. } = &mut self.port;
        while let Some(length) = self.connection.poll_transmit(&mut self.provider, now, buffer)? {
            socket.send_to(buffer.get(..length).unwrap_or_default(), self.server)?;
        }
        Ok(())
    }
}

/// A server on one socket, with one key.
pub struct UdpServer {
    port: Port,
    provider: HostProvider,
    server: Server<HostProvider, SocketAddr>,
    identity: PskIdentity,
    key: PresharedKey,
    /// Payloads received and not taken yet.
    pub received: VecDeque<(SessionId, Vec<u8>)>,
    /// Events not taken yet, but for the questions for keys.
    pub events: VecDeque<ServerEvent<SocketAddr>>,
}

impl UdpServer {
    /// A server that knows `key` under the name `identity`.
    ///
    /// # Errors
    /// [`DriverError`] if there is no socket or no random number.
    pub fn bind(
        config: ServerConfig,
        identity: PskIdentity,
        key: PresharedKey,
    ) -> Result<Self, DriverError> {
        let port = Port::bind()?;
        let mut provider = RustCrypto::new(SysRng);
        let server = Server::new(config, &mut provider)?;
        let (received, events) = (VecDeque::new(), VecDeque::new());
        Ok(Self { port, provider, server, identity, key, received, events })
    }

    /// Where the server listens.
    ///
    /// # Errors
    /// [`DriverError`] if the socket does not know.
    pub fn address(&self) -> Result<SocketAddr, DriverError> {
        Ok(self.port.socket.local_addr()?)
    }

    /// Sends `payload` in `session`.
    ///
    /// # Errors
    /// [`DriverError`] if it can't be sealed or sent.
    pub fn send(&mut self, session: SessionId, payload: &[u8]) -> Result<(), DriverError> {
        let now = self.port.now();
        let Port { socket, buffer, .. } = &mut self.port;
        let (to, length) = self.server.send(&mut self.provider, now, session, payload, buffer)?;
        socket.send_to(buffer.get(..length).unwrap_or_default(), to)?;
        Ok(())
    }

    /// Ends `session`.
    pub fn close(&mut self, session: SessionId) {
        self.server.close(self.port.now(), session);
    }

    /// Goes on until `done`, at most for `limit`; gives whether it was done.
    ///
    /// # Errors
    /// [`DriverError`] if the socket fails.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<bool, DriverError> {
        let end = self.port.now() + limit;
        loop {
            self.turn()?;
            if done(self) {
                return Ok(true);
            }
            if self.port.now() >= end {
                return Ok(false);
            }
            if let Some((length, from)) = self.port.wait(self.server.poll_timeout())? {
                let now = self.port.now();
                let bytes = self.port.buffer.get_mut(..length).unwrap_or_default();
                let mut datagram = Datagram::new(bytes);
                while let Some(data) =
                    self.server.handle_record(&mut self.provider, now, from, &mut datagram)
                {
                    self.received.push_back((data.session, data.payload.to_vec()));
                }
            }
        }
    }

    fn turn(&mut self) -> Result<(), DriverError> {
        let now = self.port.now();
        self.server.handle_timeout(&mut self.provider, now);
        while let Some(event) = self.server.poll_event() {
            if let ServerEvent::PskRequired { session, identity } = event {
                let key = (identity == self.identity).then(|| self.key.clone());
                self.server.provide_psk(&mut self.provider, now, session, key);
            } else {
                self.events.push_back(event);
            }
        }
        let Port { socket, buffer, .. } = &mut self.port;
        while let Some((to, length)) = self.server.poll_transmit(&mut self.provider, now, buffer)? {
            socket.send_to(buffer.get(..length).unwrap_or_default(), to)?;
        }
        Ok(())
    }
}
