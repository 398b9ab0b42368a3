//! The servers, as the driver sees them: what comes in goes out again.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use anyhow::anyhow;
use iot_crypto::crypto::Provider;
use iot_crypto::dtls::{
    CookiePolicy, Datagram, PresharedKey, PskIdentity, Server, ServerConfig, ServerEvent, SessionId,
};
use iot_crypto::endpoint::{self, LocalPort, Transmit};
use iot_crypto::time::{Deadline, Instant, Reason};
use iot_crypto::wire::BufferTooSmall;
use iot_crypto_peers::{Endpoint, Library, Link, LinkEnd, Session, Side, Step, Transport as _};

use super::voices::settings;
use crate::contestant::{our_config, our_credentials};

/// Payloads that wait to be sent back, each to somebody.
struct Pending<T> {
    bytes: Vec<u8>,
    start: usize,
    list: VecDeque<(T, usize)>,
}

impl<T: Copy> Pending<T> {
    const fn new() -> Self {
        Self { bytes: Vec::new(), start: 0, list: VecDeque::new() }
    }

    fn push(&mut self, to: T, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
        self.list.push_back((to, payload.len()));
    }

    fn first(&self) -> Option<(T, &[u8])> {
        let &(to, length) = self.list.front()?;
        Some((to, self.bytes.get(self.start..self.start + length)?))
    }

    fn advance(&mut self) {
        if let Some((_, length)) = self.list.pop_front() {
            self.start += length;
        }
        if self.list.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    /// When it has to be sent: now, if there is anything.
    fn deadline(&self) -> Option<Deadline> {
        (!self.list.is_empty()).then(|| Deadline::new(Instant::ZERO, Reason::Output))
    }
}

impl Pending<SocketAddr> {
    /// Sends the first one as it is.
    fn poll_transmit(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<SocketAddr>>, BufferTooSmall> {
        let Some((to, payload)) = self.first() else { return Ok(None) };
        let length = payload.len();
        let room = buffer.get_mut(..length).ok_or(BufferTooSmall { needed: length })?;
        room.copy_from_slice(payload);
        self.advance();
        Ok(Some(Transmit::new(LocalPort::Transmission, to, length)))
    }
}

/// Plain sockets.
pub(super) struct Plain(Pending<SocketAddr>);

impl Plain {
    pub(super) const fn new() -> Self {
        Self(Pending::new())
    }
}

impl endpoint::Endpoint for Plain {
    type Address = SocketAddr;

    fn handle_datagram(&mut self, _: Instant, _: LocalPort, from: SocketAddr, datagram: &mut [u8]) {
        self.0.push(from, datagram);
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(
        &mut self,
        _: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<SocketAddr>>, BufferTooSmall> {
        self.0.poll_transmit(buffer)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.0.deadline()
    }
}

/// Ours.
pub(super) struct Ours<P: Provider> {
    server: Server<P, SocketAddr>,
    provider: P,
    identity: PskIdentity,
    key: PresharedKey,
    pending: Pending<SessionId>,
}

impl<P: Provider> Ours<P> {
    pub(super) fn new(mut provider: P, sessions: usize) -> anyhow::Result<Self> {
        let config = ServerConfig {
            dtls: our_config(),
            cookies: CookiePolicy::Never,
            max_sessions: sessions,
            ..ServerConfig::default()
        };
        let server = Server::new(config, &mut provider).map_err(|error| anyhow!("{error}"))?;
        let (identity, key) = our_credentials()?;
        Ok(Self { server, provider, identity, key, pending: Pending::new() })
    }
}

impl<P: Provider> endpoint::Endpoint for Ours<P> {
    type Address = SocketAddr;

    fn handle_datagram(
        &mut self,
        now: Instant,
        _: LocalPort,
        from: SocketAddr,
        datagram: &mut [u8],
    ) {
        let Self { server, provider, identity, key, pending } = self;
        let mut datagram = Datagram::new(datagram);
        while let Some(received) = server.handle_record(provider, now, from, &mut datagram) {
            pending.push(received.session, received.payload);
        }
        while let Some(event) = server.poll_event() {
            if let ServerEvent::PskRequired { session, identity: name } = event {
                let key = (name == *identity).then(|| key.clone());
                server.provide_psk(provider, now, session, key);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(&mut self.provider, now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<SocketAddr>>, BufferTooSmall> {
        let Self { server, provider, pending, .. } = self;
        if let Some((to, length)) = server.poll_transmit(provider, now, buffer)? {
            return Ok(Some(Transmit::new(LocalPort::Transmission, to, length)));
        }
        while let Some((session, payload)) = pending.first() {
            let sent = server.send(provider, now, session, payload, buffer);
            pending.advance();
            // A session that has ended gets no echo.
            if let Ok((to, length)) = sent {
                return Ok(Some(Transmit::new(LocalPort::Transmission, to, length)));
            }
        }
        Ok(None)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        Deadline::earlier(self.pending.deadline(), self.server.poll_timeout())
    }
}

/// A peer's, with a session for each address.
pub(super) struct Peer {
    endpoint: Box<dyn Endpoint>,
    sessions: HashMap<SocketAddr, PeerSession>,
    pending: Pending<SocketAddr>,
    buffer: Vec<u8>,
}

struct PeerSession {
    session: Box<dyn Session>,
    end: LinkEnd,
    is_connected: bool,
}

impl Peer {
    pub(super) fn new(library: Library) -> anyhow::Result<Self> {
        Ok(Self {
            endpoint: library.endpoint(Side::Server, &settings(library))?,
            sessions: HashMap::new(),
            pending: Pending::new(),
            buffer: vec![0; 1 << 14],
        })
    }

    /// Has the session go on; nothing, if its library can't.
    fn turn(&mut self, from: SocketAddr, datagram: &[u8]) -> Option<()> {
        let Self { endpoint, sessions, pending, buffer } = self;
        let PeerSession { session, end, is_connected } = match sessions.entry(from) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let link = Link::new();
                let session = endpoint.session(Box::new(link.end(Side::Server))).ok()?;
                let end = link.end(Side::Client);
                vacant.insert(PeerSession { session, end, is_connected: false })
            }
        };
        end.send(datagram);
        if !*is_connected {
            *is_connected = session.handshake() == Step::Done(());
        }
        if *is_connected {
            while let Step::Done(length) = session.receive(buffer) {
                session.send(buffer.get(..length)?);
            }
        }
        while let Some(length) = end.receive(buffer) {
            pending.push(from, buffer.get(..length)?);
        }
        Some(())
    }
}

impl endpoint::Endpoint for Peer {
    type Address = SocketAddr;

    fn handle_datagram(&mut self, _: Instant, _: LocalPort, from: SocketAddr, datagram: &mut [u8]) {
        self.turn(from, datagram);
    }

    fn handle_timeout(&mut self, _: Instant) {}

    fn poll_transmit(
        &mut self,
        _: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<SocketAddr>>, BufferTooSmall> {
        self.pending.poll_transmit(buffer)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.pending.deadline()
    }
}
