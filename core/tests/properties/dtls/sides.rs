//! A DTLS client and the two sorts of server, each with its application.

use std::collections::{BTreeMap, VecDeque};

use iot_crypto::dtls::{
    Client, Config, ConnectionEvent, Datagram, PresharedKey, PskIdentity, RECORD_OVERHEAD,
    SendError, Server, ServerConfig, ServerEvent, SessionId, SingleServer,
};
use iot_crypto::endpoint::{Endpoint, LocalPort, Transmit};
use iot_crypto::time::{Deadline, Instant};
use iot_crypto::wire::BufferTooSmall;

use crate::harness::{Place, Subject};
use crate::testing::{Provider, provider};

pub(crate) const SERVER: Place = Place { host: 0, port: 0 };
/// What clients may be called: the longest name fits into no datagram of 128 bytes.
pub(crate) const NAMES: [&[u8]; 2] = [b"device-1", &[b'n'; 128]];
pub(crate) const KEY: [u8; 16] = [7; 16];
const PORT: LocalPort = LocalPort::FirstClient;

/// What a client knows, or what a server's application says when it is asked for a
/// key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knowledge {
    Right,
    Wrong,
    Nothing,
}

impl Knowledge {
    pub(crate) fn key(self) -> Option<PresharedKey> {
        match self {
            Self::Right => PresharedKey::new(&KEY),
            Self::Wrong => PresharedKey::new(&[8; 16]),
            Self::Nothing => None,
        }
    }
}

pub(crate) fn limit(config: &Config) -> usize {
    config.max_datagram.clamp(Config::MIN_DATAGRAM, Config::MAX_DATAGRAM)
}

/// A client with its application.
pub(crate) struct ClientSide {
    provider: Provider,
    config: Config,
    client: Client<Provider>,
    payloads: Vec<(u64, Vec<u8>)>,
    pub(crate) connected: bool,
    pub(crate) closed: bool,
}

impl ClientSide {
    pub(crate) fn new(
        seed: u64,
        config: Config,
        now: Instant,
        identity: &[u8],
        key: &PresharedKey,
    ) -> Self {
        let mut provider = provider(seed);
        let identity = PskIdentity::new(identity).unwrap();
        let client = Client::new(&config, &mut provider, now, &identity, key.clone()).unwrap();
        Self { provider, config, client, payloads: Vec::new(), connected: false, closed: false }
    }

    pub(crate) fn say(&mut self, now: Instant, payload: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = vec![0; self.limit()];
        let length = self.client.send(&mut self.provider, now, payload, &mut buffer).ok()?;
        buffer.truncate(length);
        Some(buffer)
    }

    pub(crate) fn close(&mut self, now: Instant) {
        self.client.close(now);
    }
}

impl Endpoint for ClientSide {
    type Address = Place;

    fn handle_datagram(&mut self, now: Instant, _: LocalPort, _: Place, datagram: &mut [u8]) {
        let mut datagram = Datagram::new(datagram);
        while let Some(payload) = self.client.handle_record(&mut self.provider, now, &mut datagram)
        {
            self.payloads.push((0, payload.to_vec()));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.client.handle_timeout(&mut self.provider, now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<Place>>, BufferTooSmall> {
        let sent = self.client.poll_transmit(&mut self.provider, now, buffer)?;
        Ok(sent.map(|length| Transmit::new(PORT, SERVER, length)))
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.client.poll_timeout()
    }
}

impl Subject for ClientSide {
    fn event(&mut self) -> Option<String> {
        let event = self.client.poll_event()?;
        match &event {
            ConnectionEvent::Connected => {
                assert!(!self.connected && !self.closed);
                self.connected = true;
            }
            ConnectionEvent::Closed(_) => {
                assert!(!self.closed, "closed twice");
                self.closed = true;
            }
            other => panic!("a client reports {other:?}"),
        }
        Some(format!("{event:?}"))
    }

    fn payloads(&mut self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut self.payloads)
    }

    fn dropped(&self) -> u32 {
        self.client.drops().total()
    }

    fn limit(&self) -> usize {
        limit(&self.config)
    }

    fn mistake(&mut self, now: Instant, which: u8) {
        let limit = self.limit();
        let mut buffer = vec![0; limit + 1];
        let is_connected = self.client.is_connected();
        let mut send = |payload: usize, room: usize| {
            let payload = vec![0; payload];
            self.client.send(&mut self.provider, now, &payload, &mut buffer[..room])
        };
        match which % 3 {
            0 => assert!(send(limit - RECORD_OVERHEAD + 1, limit + 1).is_err()),
            1 => assert!(send(5, 5 + RECORD_OVERHEAD - 1).is_err()),
            _ if self.closed => {
                assert_eq!(send(1, limit), Err(SendError::Closed));
                self.client.close(now);
            }
            _ => assert!(is_connected || send(1, limit).is_err()),
        }
    }
}

/// What the world needs of a server besides.
pub(crate) trait Serving: Subject {
    fn new(seed: u64, config: ServerConfig) -> Self;

    /// The application answers the oldest question for a key.
    fn answer(&mut self, now: Instant, knowledge: Knowledge);

    /// The application says something in one of its sessions, if it has any.
    fn say(&mut self, now: Instant, which: usize, payload: &[u8]) -> Option<(Place, Vec<u8>)>;

    /// The application ends one of its sessions or handshakes.
    fn close(&mut self, now: Instant, which: usize);

    /// Whether all tables are within their limits.
    fn check(&self);

    /// Whether nothing is half open.
    fn is_settled(&self) -> bool;
}

/// How far a session is, as its application was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Asked,
    Answered,
    Connected,
    Closed,
}

/// A server for many clients.
pub(crate) struct TableSide {
    provider: Provider,
    config: ServerConfig,
    server: Server<Provider, Place>,
    payloads: Vec<(u64, Vec<u8>)>,
    /// The questions for keys, and since when they wait.
    questions: VecDeque<(SessionId, Instant)>,
    sessions: BTreeMap<SessionId, Stage>,
    now: Instant,
}

impl TableSide {
    /// One of the sessions that are at this stage.
    fn any(&self, stages: &[Stage], which: usize) -> Option<SessionId> {
        let all: Vec<_> =
            self.sessions.iter().filter(|(_, stage)| stages.contains(stage)).collect();
        all.get(which.checked_rem(all.len())?).map(|(id, _)| **id)
    }
}

impl Endpoint for TableSide {
    type Address = Place;

    fn handle_datagram(&mut self, now: Instant, _: LocalPort, from: Place, datagram: &mut [u8]) {
        self.now = now;
        let mut datagram = Datagram::new(datagram);
        while let Some(received) =
            self.server.handle_record(&mut self.provider, now, from, &mut datagram)
        {
            self.payloads.push((received.session.as_u64(), received.payload.to_vec()));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.server.handle_timeout(&mut self.provider, now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<Place>>, BufferTooSmall> {
        let sent = self.server.poll_transmit(&mut self.provider, now, buffer)?;
        Ok(sent.map(|(to, length)| Transmit::new(PORT, to, length)))
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.server.poll_timeout()
    }
}

impl Subject for TableSide {
    fn event(&mut self) -> Option<String> {
        let event = self.server.poll_event()?;
        match &event {
            ServerEvent::PskRequired { session, .. } => {
                assert_eq!(self.sessions.insert(*session, Stage::Asked), None, "an id came twice");
                self.questions.push_back((*session, self.now));
            }
            ServerEvent::Connected { session, identity, .. } => {
                assert_eq!(self.sessions.insert(*session, Stage::Connected), Some(Stage::Answered));
                assert!(NAMES.contains(&identity.as_bytes()), "{identity:?}");
            }
            ServerEvent::Closed { session, .. } => {
                let before = self.sessions.insert(*session, Stage::Closed);
                assert!(before.is_some_and(|before| before != Stage::Closed), "{before:?}");
            }
            other => panic!("{other:?}"),
        }
        Some(format!("{event:?}"))
    }

    fn payloads(&mut self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut self.payloads)
    }

    fn dropped(&self) -> u32 {
        self.server.drops().total()
    }

    fn limit(&self) -> usize {
        limit(&self.config.dtls)
    }

    fn mistake(&mut self, now: Instant, which: u8) {
        let limit = self.limit();
        let mut buffer = vec![0; limit + 1];
        let any = usize::from(which / 6);
        let settled = [Stage::Answered, Stage::Connected, Stage::Closed];
        let stages: &[Stage] = match which % 6 {
            0 => &settled,
            1 | 4 => &[Stage::Closed],
            2 | 3 => &[Stage::Connected],
            _ => &[Stage::Asked],
        };
        let Some(session) = self.any(stages, any) else { return };
        let mut send = |payload: usize, room: usize| {
            let payload = vec![0; payload];
            self.server.send(&mut self.provider, now, session, &payload, &mut buffer[..room])
        };
        match which % 6 {
            0 => {
                let key = Knowledge::Right.key();
                self.server.provide_psk(&mut self.provider, now, session, key);
            }
            1 => assert_eq!(send(1, limit), Err(SendError::Closed)),
            2 => assert!(send(limit - RECORD_OVERHEAD + 1, limit + 1).is_err()),
            3 => assert!(send(5, 5 + RECORD_OVERHEAD - 1).is_err()),
            4 => self.server.close(now, session),
            _ => assert!(send(1, limit).is_err()),
        }
    }
}

impl Serving for TableSide {
    fn new(seed: u64, config: ServerConfig) -> Self {
        let mut provider = provider(seed);
        let server = Server::new(config, &mut provider).unwrap();
        Self {
            provider,
            config,
            server,
            payloads: Vec::new(),
            questions: VecDeque::new(),
            sessions: BTreeMap::new(),
            now: Instant::ZERO,
        }
    }

    fn answer(&mut self, now: Instant, knowledge: Knowledge) {
        if let Some((session, since)) = self.questions.pop_front() {
            // An answer that comes too late is none: the client counts as unknown, and
            // must not be connected.
            let is_late = now.since(since) >= self.config.psk_timeout;
            if let Some(stage @ Stage::Asked) = self.sessions.get_mut(&session)
                && !is_late
            {
                *stage = Stage::Answered;
            }
            self.server.provide_psk(&mut self.provider, now, session, knowledge.key());
        }
    }

    fn say(&mut self, now: Instant, which: usize, payload: &[u8]) -> Option<(Place, Vec<u8>)> {
        let session = self.any(&[Stage::Connected], which)?;
        let mut buffer = vec![0; self.limit()];
        let sent = self.server.send(&mut self.provider, now, session, payload, &mut buffer);
        let (to, length) = sent.ok()?;
        buffer.truncate(length);
        Some((to, buffer))
    }

    fn close(&mut self, now: Instant, which: usize) {
        let open = [Stage::Asked, Stage::Answered, Stage::Connected];
        if let Some(session) = self.any(&open, which) {
            self.server.close(now, session);
        }
    }

    fn check(&self) {
        // A handshake that has failed is kept until its farewell is sent.
        assert!(self.server.half_open() <= self.config.max_half_open.max(1));
        assert!(self.server.len() <= self.config.max_sessions);
        for (session, stage) in &self.sessions {
            assert!(*stage != Stage::Closed || self.server.records_sent(*session).is_none());
        }
    }

    fn is_settled(&self) -> bool {
        self.server.half_open() == 0
    }
}

/// A server for one client.
pub(crate) struct SingleSide {
    provider: Provider,
    config: Config,
    server: SingleServer<Provider>,
    /// Whoever was heard last is on the other end of the link.
    peer: Place,
    payloads: Vec<(u64, Vec<u8>)>,
    question: Option<PskIdentity>,
    stage: Option<Stage>,
}

impl Endpoint for SingleSide {
    type Address = Place;

    fn handle_datagram(&mut self, now: Instant, _: LocalPort, _: Place, datagram: &mut [u8]) {
        let mut datagram = Datagram::new(datagram);
        while let Some(payload) = self.server.handle_record(&mut self.provider, now, &mut datagram)
        {
            self.payloads.push((0, payload.to_vec()));
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(&mut self.provider, now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<Place>>, BufferTooSmall> {
        let sent = self.server.poll_transmit(&mut self.provider, now, buffer)?;
        Ok(sent.map(|length| Transmit::new(PORT, self.peer, length)))
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.server.poll_timeout()
    }
}

impl Subject for SingleSide {
    fn event(&mut self) -> Option<String> {
        let event = self.server.poll_event()?;
        match &event {
            ConnectionEvent::PskRequired(identity) => {
                assert!(!matches!(self.stage, Some(Stage::Connected | Stage::Closed)));
                self.question = Some(identity.clone());
                self.stage = Some(Stage::Asked);
            }
            ConnectionEvent::Connected => {
                assert_eq!(self.stage.replace(Stage::Connected), Some(Stage::Answered));
            }
            ConnectionEvent::Closed(_) => {
                assert!(self.stage.replace(Stage::Closed) != Some(Stage::Closed), "closed twice");
            }
            other => panic!("{other:?}"),
        }
        Some(format!("{event:?}"))
    }

    fn payloads(&mut self) -> Vec<(u64, Vec<u8>)> {
        std::mem::take(&mut self.payloads)
    }

    fn dropped(&self) -> u32 {
        self.server.drops().total()
    }

    fn limit(&self) -> usize {
        limit(&self.config)
    }

    fn mistake(&mut self, now: Instant, which: u8) {
        let limit = self.limit();
        let mut buffer = vec![0; limit + 1];
        let mut send = |payload: usize, room: usize| {
            let payload = vec![0; payload];
            self.server.send(&mut self.provider, now, &payload, &mut buffer[..room])
        };
        match which % 4 {
            0 => assert!(send(limit - RECORD_OVERHEAD + 1, limit + 1).is_err()),
            1 => assert!(send(5, 5 + RECORD_OVERHEAD - 1).is_err()),
            2 => {
                // A name that nobody gave.
                let other = PskIdentity::new(b"nobody").unwrap();
                let key = Knowledge::Right.key();
                self.server.provide_psk(&mut self.provider, now, &other, key);
            }
            _ if self.question.is_none() && self.stage.is_some() => {
                let identity = PskIdentity::new(NAMES[usize::from(which / 4 % 2)]).unwrap();
                let key = Knowledge::Right.key();
                // A question that the application has not seen yet is not answered.
                if self.server.poll_timeout().is_none_or(|deadline| deadline.at > now) {
                    self.server.provide_psk(&mut self.provider, now, &identity, key);
                }
            }
            _ => {}
        }
    }
}

impl Serving for SingleSide {
    fn new(seed: u64, config: ServerConfig) -> Self {
        let mut provider = provider(seed);
        let server = SingleServer::new(&config.dtls, &mut provider).unwrap();
        Self {
            provider,
            config: config.dtls,
            server,
            peer: Place { host: 1, port: 0 },
            payloads: Vec::new(),
            question: None,
            stage: None,
        }
    }

    fn answer(&mut self, now: Instant, knowledge: Knowledge) {
        if let Some(identity) = self.question.take() {
            if self.stage == Some(Stage::Asked) {
                self.stage = Some(Stage::Answered);
            }
            self.server.provide_psk(&mut self.provider, now, &identity, knowledge.key());
        }
    }

    fn say(&mut self, now: Instant, _: usize, payload: &[u8]) -> Option<(Place, Vec<u8>)> {
        let mut buffer = vec![0; self.limit()];
        let length = self.server.send(&mut self.provider, now, payload, &mut buffer).ok()?;
        buffer.truncate(length);
        Some((self.peer, buffer))
    }

    fn close(&mut self, now: Instant, _: usize) {
        self.server.close(now);
    }

    fn check(&self) {}

    fn is_settled(&self) -> bool {
        // It waits for a client without a deadline, but for nothing else.
        self.server.poll_timeout().is_none()
    }
}
