//! The sides of DTLS, made alike.

use std::collections::BTreeMap;

use iot_crypto::dtls::{
    Client, CloseReason, ConnectionEvent, Datagram, PresharedKey, PskIdentity, Received, SendError,
    Server, ServerEvent, Session, SessionId, SingleServer,
};
use iot_crypto::endpoint::Address;
use iot_crypto::time::{Deadline, Instant};
use iot_crypto::wire::BufferTooSmall;

use crate::toy::Toy;

/// The address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Host(pub(crate) u8);

impl Address for Host {
    fn with_port(self, _: u16) -> Self {
        self
    }
}

/// What a side reports. A connection that is alone has the number 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    PskRequired { session: u64, identity: PskIdentity },
    Connected { session: u64, host: Option<Host> },
    Closed { session: u64, reason: CloseReason },
}

/// A client or a server.
pub(crate) trait Side {
    /// Takes a datagram; the payloads in it.
    fn handle(&mut self, toy: &mut Toy, now: Instant, from: Host, bytes: &mut [u8])
    -> Vec<Vec<u8>>;
    fn handle_timeout(&mut self, toy: &mut Toy, now: Instant);
    fn poll_transmit(
        &mut self,
        toy: &mut Toy,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<(Host, usize)>, BufferTooSmall>;
    fn poll_event(&mut self) -> Option<Event>;
    fn poll_timeout(&self) -> Option<Deadline>;
    /// The number of records that were dropped.
    fn drops(&self) -> u32;
    /// The number of records sealed in a session; the greatest payload in it.
    fn sent(&self, session: u64) -> Option<(u64, usize)>;
    fn send(
        &mut self,
        toy: &mut Toy,
        now: Instant,
        session: u64,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<(Host, usize), SendError>;
    fn close(&mut self, now: Instant, session: u64);
    fn provide_psk(
        &mut self,
        toy: &mut Toy,
        now: Instant,
        session: u64,
        identity: &PskIdentity,
        key: Option<PresharedKey>,
    );
    /// Keeps only what a session needs, if it stands.
    fn shrink(&mut self);
}

/// A connection with the only peer that there is, and then perhaps only its session.
pub(crate) struct Alone<C> {
    host: Host,
    link: Link<C>,
}

#[allow(clippy::large_enum_variant, reason = "there are only a few of them")]
enum Link<C> {
    Connection(C),
    Session(Session<Toy>),
    /// While it changes from the one to the other.
    Changing,
}

impl<C> Alone<C> {
    pub(crate) const fn new(host: Host, connection: C) -> Self {
        Self { host, link: Link::Connection(connection) }
    }
}

/// The same call on whatever the link is.
macro_rules! on {
    ($link:expr, $it:ident => $call:expr) => {
        match $link {
            Link::Connection($it) => $call,
            Link::Session($it) => $call,
            Link::Changing => unreachable!("a link changes only inside of shrink"),
        }
    };
}

macro_rules! alone {
    ($connection:ty, $link:ident, $provide:expr) => {
        impl Side for Alone<$connection> {
            fn handle(
                &mut self,
                toy: &mut Toy,
                now: Instant,
                _: Host,
                bytes: &mut [u8],
            ) -> Vec<Vec<u8>> {
                let mut datagram = Datagram::new(bytes);
                let mut payloads = Vec::new();
                on!(&mut self.link, link => {
                    while let Some(payload) = link.handle_record(toy, now, &mut datagram) {
                        payloads.push(payload.to_vec());
                    }
                });
                assert!(datagram.is_empty(), "a part of a datagram is left");
                payloads
            }

            fn handle_timeout(&mut self, toy: &mut Toy, now: Instant) {
                on!(&mut self.link, link => link.handle_timeout(toy, now));
            }

            fn poll_transmit(
                &mut self,
                toy: &mut Toy,
                now: Instant,
                buffer: &mut [u8],
            ) -> Result<Option<(Host, usize)>, BufferTooSmall> {
                let sent = on!(&mut self.link, link => link.poll_transmit(toy, now, buffer))?;
                Ok(sent.map(|length| (self.host, length)))
            }

            fn poll_event(&mut self) -> Option<Event> {
                on!(&mut self.link, link => link.poll_event()).map(|event| match event {
                    ConnectionEvent::PskRequired(identity) => {
                        Event::PskRequired { session: 0, identity }
                    }
                    ConnectionEvent::Connected => Event::Connected { session: 0, host: None },
                    ConnectionEvent::Closed(reason) => Event::Closed { session: 0, reason },
                    other => unreachable!("{other:?}"),
                })
            }

            fn poll_timeout(&self) -> Option<Deadline> {
                on!(&self.link, link => link.poll_timeout())
            }

            fn drops(&self) -> u32 {
                on!(&self.link, link => link.drops().total())
            }

            fn sent(&self, _: u64) -> Option<(u64, usize)> {
                match &self.link {
                    Link::Session(session) => {
                        Some((session.records_sent(), session.max_payload()))
                    }
                    _ => None,
                }
            }

            fn send(
                &mut self,
                toy: &mut Toy,
                now: Instant,
                _: u64,
                payload: &[u8],
                buffer: &mut [u8],
            ) -> Result<(Host, usize), SendError> {
                let length = on!(&mut self.link, link => link.send(toy, now, payload, buffer))?;
                Ok((self.host, length))
            }

            fn close(&mut self, now: Instant, _: u64) {
                on!(&mut self.link, link => link.close(now));
            }

            fn provide_psk(
                &mut self,
                toy: &mut Toy,
                now: Instant,
                _: u64,
                identity: &PskIdentity,
                key: Option<PresharedKey>,
            ) {
                if let Link::Connection($link) = &mut self.link {
                    $provide($link, toy, now, identity, key);
                }
            }

            fn shrink(&mut self) {
                self.link = match std::mem::replace(&mut self.link, Link::Changing) {
                    Link::Connection(connection) => match connection.into_session() {
                        Ok(session) => Link::Session(session),
                        Err(connection) => Link::Connection(connection),
                    },
                    link => link,
                };
            }
        }
    };
}

alone!(Client<Toy>, _connection, |_: &mut Client<Toy>, _: &mut Toy, _, _: &PskIdentity, _| {});
alone!(SingleServer<Toy>, connection, SingleServer::provide_psk);

/// A server for many clients.
pub(crate) struct Table {
    server: Server<Toy, Host>,
    /// The sessions that it has told of, by their numbers.
    sessions: BTreeMap<u64, SessionId>,
}

impl Table {
    pub(crate) const fn new(server: Server<Toy, Host>) -> Self {
        Self { server, sessions: BTreeMap::new() }
    }

    fn number(&mut self, session: SessionId) -> u64 {
        self.sessions.insert(session.as_u64(), session);
        session.as_u64()
    }
}

impl Side for Table {
    fn handle(
        &mut self,
        toy: &mut Toy,
        now: Instant,
        from: Host,
        bytes: &mut [u8],
    ) -> Vec<Vec<u8>> {
        let mut datagram = Datagram::new(bytes);
        let mut payloads = Vec::new();
        while let Some(Received { session, payload }) =
            self.server.handle_record(toy, now, from, &mut datagram)
        {
            assert_eq!(self.server.address(session), Some(from));
            payloads.push(payload.to_vec());
        }
        assert!(datagram.is_empty(), "a part of a datagram is left");
        payloads
    }

    fn handle_timeout(&mut self, toy: &mut Toy, now: Instant) {
        self.server.handle_timeout(toy, now);
    }

    fn poll_transmit(
        &mut self,
        toy: &mut Toy,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<(Host, usize)>, BufferTooSmall> {
        self.server.poll_transmit(toy, now, buffer)
    }

    fn poll_event(&mut self) -> Option<Event> {
        Some(match self.server.poll_event()? {
            ServerEvent::PskRequired { session, identity } => {
                Event::PskRequired { session: self.number(session), identity }
            }
            ServerEvent::Connected { session, address, .. } => {
                Event::Connected { session: self.number(session), host: Some(address) }
            }
            ServerEvent::Closed { session, reason } => {
                let known = self.sessions.contains_key(&session.as_u64());
                assert!(known, "the end of a session of which nothing was told");
                Event::Closed { session: session.as_u64(), reason }
            }
            other => unreachable!("{other:?}"),
        })
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.server.poll_timeout()
    }

    fn drops(&self) -> u32 {
        self.server.drops().total()
    }

    fn sent(&self, session: u64) -> Option<(u64, usize)> {
        let session = *self.sessions.get(&session)?;
        Some((self.server.records_sent(session)?, self.server.max_payload()))
    }

    fn send(
        &mut self,
        toy: &mut Toy,
        now: Instant,
        session: u64,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<(Host, usize), SendError> {
        let session = *self.sessions.get(&session).ok_or(SendError::Closed)?;
        self.server.send(toy, now, session, payload, buffer)
    }

    fn close(&mut self, now: Instant, session: u64) {
        if let Some(session) = self.sessions.get(&session) {
            self.server.close(now, *session);
        }
    }

    fn provide_psk(
        &mut self,
        toy: &mut Toy,
        now: Instant,
        session: u64,
        _: &PskIdentity,
        key: Option<PresharedKey>,
    ) {
        if let Some(session) = self.sessions.get(&session) {
            self.server.provide_psk(toy, now, *session, key);
        }
    }

    fn shrink(&mut self) {}
}
