//! Our end: a DTLS client or server on a UDP socket that does not block.
//!
//! It shows how little a driver has to do: carry datagrams, ask for events, and
//! turn again by the deadline.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use getrandom::SysRng;
use iot_crypto::crypto::RustCrypto;
use iot_crypto::dtls::{
    Client, CloseReason, Config, ConnectionEvent, Datagram, PresharedKey, PskIdentity, SendError,
    Server, ServerConfig, ServerEvent, SessionId,
};
use iot_crypto::time::Instant;

use crate::relay::{passes, receive};

type Provider = RustCrypto<SysRng>;

/// Longer than any datagram.
const BUFFER: usize = 1 << 16;
/// How long to sleep when nothing happened.
const IDLE: Duration = Duration::from_millis(1);

/// What our end reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake has ended.
    Connected,
    /// The connection is closed.
    Closed(CloseReason),
}

/// A client's connection, or a server and the last session that it got.
// One of them is there at a time.
#[allow(clippy::large_enum_variant)]
enum Role {
    Client {
        connection: Client<Provider>,
        server: SocketAddr,
    },
    Server {
        server: Server<Provider, SocketAddr>,
        identity: PskIdentity,
        key: PresharedKey,
        session: Option<SessionId>,
    },
}

/// One end of a connection.
pub struct Ours {
    socket: UdpSocket,
    origin: std::time::Instant,
    buffer: Vec<u8>,
    provider: Provider,
    role: Role,
    /// Payloads received and not taken yet.
    pub received: VecDeque<Vec<u8>>,
    /// Events not taken yet.
    pub events: VecDeque<Event>,
}

impl Ours {
    fn new(
        role: impl FnOnce(&mut Provider, Instant) -> anyhow::Result<Role>,
    ) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_nonblocking(true)?;
        let mut provider = RustCrypto::new(SysRng);
        let role = role(&mut provider, Instant::ZERO)?;
        let (origin, buffer) = (std::time::Instant::now(), vec![0; BUFFER]);
        let (received, events) = (VecDeque::new(), VecDeque::new());
        Ok(Self { socket, origin, buffer, provider, role, received, events })
    }

    /// A client that begins a handshake with the server at `server`.
    ///
    /// # Errors
    /// If there is no socket or no random number.
    pub fn client(
        server: SocketAddr,
        config: &Config,
        identity: &PskIdentity,
        key: PresharedKey,
    ) -> anyhow::Result<Self> {
        Self::new(|provider, now| {
            let connection = Client::new(config, provider, now, identity, key)
                .map_err(|error| anyhow!("no random numbers: {error:?}"))?;
            Ok(Role::Client { connection, server })
        })
    }

    /// A server that knows `key` under the name `identity`.
    ///
    /// # Errors
    /// If there is no socket or no random number.
    pub fn server(
        config: ServerConfig,
        identity: PskIdentity,
        key: PresharedKey,
    ) -> anyhow::Result<Self> {
        Self::new(|provider, _| {
            let server = Server::new(config, provider)
                .map_err(|error| anyhow!("no random numbers: {error:?}"))?;
            Ok(Role::Server { server, identity, key, session: None })
        })
    }

    /// Where this end is.
    ///
    /// # Errors
    /// If the socket does not know.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Sends `payload`; a server does so in the session that connected last.
    ///
    /// # Errors
    /// [`SendError`] if it can't be sealed, or another error of the socket.
    pub fn send(&mut self, payload: &[u8]) -> anyhow::Result<()> {
        let now = self.now();
        let Self { socket, buffer, provider, role, .. } = self;
        let sealed = match role {
            Role::Client { connection, server } => {
                connection.send(provider, now, payload, buffer).map(|length| (*server, length))
            }
            Role::Server { server, session, .. } => {
                let session = session.ok_or(SendError::NotConnected)?;
                server.send(provider, now, session, payload, buffer)
            }
        };
        let (to, length) = sealed?;
        transmit(socket, buffer, length, to)
    }

    /// Ends the connection; for a server, the session that connected last.
    pub fn close(&mut self) {
        let now = self.now();
        match &mut self.role {
            Role::Client { connection, .. } => connection.close(now),
            Role::Server { server, session, .. } => {
                if let Some(session) = session {
                    server.close(now, *session);
                }
            }
        }
    }

    /// Does what is due and takes what has come; gives whether anything has.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn turn(&mut self) -> anyhow::Result<bool> {
        self.run_timers();
        let moved = self.take_datagrams()?;
        self.take_events();
        self.transmit_all()?;
        Ok(moved)
    }

    /// Turns until `done`, at most for `limit`; gives whether it was done.
    ///
    /// # Errors
    /// If the socket fails.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> anyhow::Result<bool> {
        let begin = std::time::Instant::now();
        loop {
            let moved = self.turn()?;
            if done(self) {
                return Ok(true);
            }
            if begin.elapsed() >= limit {
                return Ok(false);
            }
            if !moved {
                std::thread::sleep(IDLE);
            }
        }
    }

    fn run_timers(&mut self) {
        let now = self.now();
        match &mut self.role {
            Role::Client { connection, .. } => connection.handle_timeout(&mut self.provider, now),
            Role::Server { server, .. } => server.handle_timeout(&mut self.provider, now),
        }
    }

    fn take_datagrams(&mut self) -> anyhow::Result<bool> {
        let mut moved = false;
        let now = self.now();
        let Self { socket, buffer, provider, role, received, .. } = self;
        while let Some((bytes, from)) = receive(socket, buffer)? {
            moved = true;
            let mut datagram = Datagram::new(bytes);
            match role {
                Role::Client { server, .. } if from != *server => {}
                Role::Client { connection, .. } => {
                    while let Some(payload) = connection.handle_record(provider, now, &mut datagram)
                    {
                        received.push_back(payload.to_vec());
                    }
                }
                Role::Server { server, .. } => {
                    while let Some(data) = server.handle_record(provider, now, from, &mut datagram)
                    {
                        received.push_back(data.payload.to_vec());
                    }
                }
            }
        }
        Ok(moved)
    }

    fn take_events(&mut self) {
        let now = self.now();
        let Self { provider, role, events, .. } = self;
        match role {
            Role::Client { connection, .. } => {
                events.extend(std::iter::from_fn(|| connection.poll_event()).filter_map(|event| {
                    match event {
                        ConnectionEvent::Connected => Some(Event::Connected),
                        ConnectionEvent::Closed(reason) => Some(Event::Closed(reason)),
                        _ => None,
                    }
                }));
            }
            Role::Server { server, identity, key, session: current } => {
                while let Some(event) = server.poll_event() {
                    match event {
                        ServerEvent::PskRequired { session, identity: name } => {
                            let key = (name == *identity).then(|| key.clone());
                            server.provide_psk(provider, now, session, key);
                        }
                        ServerEvent::Connected { session, identity: name, .. }
                            if name == *identity =>
                        {
                            *current = Some(session);
                            events.push_back(Event::Connected);
                        }
                        ServerEvent::Closed { reason, .. } => {
                            events.push_back(Event::Closed(reason));
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    fn transmit_all(&mut self) -> anyhow::Result<()> {
        let now = self.now();
        let Self { socket, buffer, provider, role, .. } = self;
        loop {
            let next = match role {
                Role::Client { connection, server } => {
                    let length = connection.poll_transmit(provider, now, buffer);
                    length.map(|length| length.map(|length| (*server, length)))
                }
                Role::Server { server, .. } => server.poll_transmit(provider, now, buffer),
            };
            match next.map_err(SendError::from)? {
                Some((to, length)) => transmit(socket, buffer, length, to)?,
                None => return Ok(()),
            }
        }
    }
}

fn transmit(
    socket: &UdpSocket,
    buffer: &[u8],
    length: usize,
    to: SocketAddr,
) -> anyhow::Result<()> {
    match socket.send_to(buffer.get(..length).unwrap_or_default(), to) {
        Err(error) if !passes(&error) => Err(error).context("our socket"),
        _ => Ok(()),
    }
}
