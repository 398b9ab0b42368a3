//! The world of the tests.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::vec::Vec;

use rand_core::{Rng as _, SeedableRng as _};

use crate::dtls::{self, *};
use crate::endpoint::Address;
use crate::testing::{TestProvider, provider};
use crate::time::Instant;

/// The address of a client; the server has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Client(pub(super) u16);

impl Address for Client {
    fn with_port(self, _: u16) -> Self {
        self
    }
}

/// What the network does to a datagram, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    pub(super) loss: u32,
    pub(super) duplication: u32,
    pub(super) reordering: u32,
    pub(super) corruption: u32,
}

/// A datagram that was sent: by whom, when, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) at: Instant,
    pub(super) by_server: bool,
    pub(super) client: Client,
    pub(super) bytes: Vec<u8>,
}

pub(super) const IDENTITY: &[u8] = b"dev1";
pub(super) const KEY: [u8; 16] = [7; 16];

pub(super) fn key(bytes: &[u8]) -> PresharedKey {
    PresharedKey::new(bytes).unwrap()
}

pub(super) fn identity() -> PskIdentity {
    PskIdentity::new(IDENTITY).unwrap()
}

/// One server and its clients.
pub(super) struct World {
    pub(super) now: Instant,
    pub(super) provider: TestProvider,
    pub(super) server: Server<TestProvider, Client>,
    pub(super) clients: BTreeMap<Client, dtls::Client<TestProvider>>,
    pub(super) config: ServerConfig,
    pub(super) faults: Faults,
    random: chacha20::ChaCha20Rng,
    /// In flight: when it arrives, and a number that keeps the order.
    flying: BTreeMap<(Instant, u64), Sent>,
    sequence: u64,
    pub(super) sent: Vec<Sent>,
    pub(super) server_events: Vec<(Instant, ServerEvent<Client>)>,
    pub(super) client_events: Vec<(Instant, Client, ConnectionEvent)>,
    pub(super) at_server: VecDeque<(SessionId, Vec<u8>)>,
    pub(super) at_client: VecDeque<(Client, Vec<u8>)>,
    /// Whether questions for keys are answered.
    pub(super) answering: bool,
}

pub(super) fn config() -> ServerConfig {
    ServerConfig::default()
}

impl World {
    pub(super) fn new(seed: u8, config: ServerConfig) -> Self {
        let mut provider = provider(seed);
        Self {
            now: Instant::from_millis(1_000_000),
            server: Server::new(config, &mut provider).unwrap(),
            provider,
            clients: BTreeMap::new(),
            config,
            faults: Faults::default(),
            random: chacha20::ChaCha20Rng::from_seed([seed ^ 0xff; 32]),
            flying: BTreeMap::new(),
            sequence: 0,
            sent: Vec::new(),
            server_events: Vec::new(),
            client_events: Vec::new(),
            at_server: VecDeque::new(),
            at_client: VecDeque::new(),
            answering: true,
        }
    }

    /// A client begins, or begins anew, at `address`.
    pub(super) fn connect(&mut self, address: u16, identity: &[u8], key: &[u8]) {
        let identity = PskIdentity::new(identity).unwrap();
        let key = PresharedKey::new(key).unwrap();
        let config = &self.config.dtls;
        let client = dtls::Client::new(config, &mut self.provider, self.now, &identity, key);
        self.clients.insert(Client(address), client.unwrap());
    }

    /// A world with one client that is connected.
    pub(super) fn connected(seed: u8, config: ServerConfig) -> Self {
        let mut world = Self::new(seed, config);
        world.connect(1, IDENTITY, &KEY);
        world.run_for(Duration::ZERO);
        assert!(world.client().is_connected());
        world
    }

    pub(super) fn client(&mut self) -> &mut dtls::Client<TestProvider> {
        self.clients.get_mut(&Client(1)).unwrap()
    }

    /// The session that was connected last.
    pub(super) fn session(&self) -> SessionId {
        let connected = self.server_events.iter().rev().find_map(|(_, event)| match event {
            ServerEvent::Connected { session, .. } => Some(*session),
            _ => None,
        });
        connected.unwrap()
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.next_u32() % 100 < percent
    }

    fn launch(&mut self, sent: Sent) {
        assert!(sent.bytes.len() <= self.config.dtls.max_datagram, "a datagram over the limit");
        self.sent.push(sent.clone());
        let copies = if self.chance(self.faults.loss) {
            0
        } else if self.chance(self.faults.duplication) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let mut sent = sent.clone();
            if self.chance(self.faults.corruption) {
                let at = self.random.next_u32() as usize % sent.bytes.len();
                sent.bytes[at] ^= 1 << (self.random.next_u32() % 8);
            }
            let mut at = self.now;
            if self.chance(self.faults.reordering) {
                at = at + Duration::from_millis(u64::from(self.random.next_u32() % 300));
            }
            self.fly(at, sent);
        }
    }

    /// Puts a datagram into the network, to arrive at `at`.
    pub(super) fn fly(&mut self, at: Instant, sent: Sent) {
        self.sequence += 1;
        self.flying.insert((at, self.sequence), sent);
    }

    /// Has a datagram arrive at the server now.
    pub(super) fn inject(&mut self, from: u16, bytes: &[u8]) {
        let client = Client(from);
        self.fly(self.now, Sent { at: self.now, by_server: false, client, bytes: bytes.to_vec() });
        self.settle();
    }

    /// Has a datagram arrive at a client now.
    pub(super) fn inject_to_client(&mut self, to: u16, bytes: &[u8]) {
        let client = Client(to);
        self.fly(self.now, Sent { at: self.now, by_server: true, client, bytes: bytes.to_vec() });
        self.settle();
    }

    /// Takes all output and events, and answers the server's questions.
    fn drain(&mut self) {
        let mut buffer = [0; 2048];
        loop {
            let mut quiet = true;
            while let Some(event) = self.server.poll_event() {
                quiet = false;
                if let ServerEvent::PskRequired { session, identity } = &event
                    && self.answering
                {
                    let known = identity.as_bytes() == IDENTITY;
                    let answer = known.then(|| key(&KEY));
                    self.server.provide_psk(&mut self.provider, self.now, *session, answer);
                }
                self.server_events.push((self.now, event));
            }
            while let Some((client, length)) =
                self.server.poll_transmit(&mut self.provider, self.now, &mut buffer).unwrap()
            {
                quiet = false;
                let bytes = buffer[..length].to_vec();
                self.launch(Sent { at: self.now, by_server: true, client, bytes });
            }
            let addresses: Vec<_> = self.clients.keys().copied().collect();
            for address in addresses {
                let client = self.clients.get_mut(&address).unwrap();
                while let Some(event) = client.poll_event() {
                    quiet = false;
                    self.client_events.push((self.now, address, event));
                }
                loop {
                    let client = self.clients.get_mut(&address).unwrap();
                    let polled = client.poll_transmit(&mut self.provider, self.now, &mut buffer);
                    let Some(length) = polled.unwrap() else { break };
                    quiet = false;
                    let bytes = buffer[..length].to_vec();
                    self.launch(Sent { at: self.now, by_server: false, client: address, bytes });
                }
            }
            if quiet {
                return;
            }
        }
    }

    fn deliver(&mut self, mut sent: Sent) {
        let mut datagram = Datagram::new(&mut sent.bytes);
        if sent.by_server {
            let Some(client) = self.clients.get_mut(&sent.client) else { return };
            while let Some(payload) =
                client.handle_record(&mut self.provider, self.now, &mut datagram)
            {
                self.at_client.push_back((sent.client, payload.to_vec()));
            }
        } else {
            while let Some(received) =
                self.server.handle_record(&mut self.provider, self.now, sent.client, &mut datagram)
            {
                self.at_server.push_back((received.session, received.payload.to_vec()));
            }
        }
        assert!(datagram.is_empty());
    }

    /// Goes on as long as anything happens now.
    pub(super) fn settle(&mut self) {
        loop {
            self.drain();
            let next = self.flying.first_key_value().map(|(key, _)| *key);
            match next {
                Some((at, _)) if at <= self.now => {
                    let (_, sent) = self.flying.pop_first().unwrap();
                    self.deliver(sent);
                }
                _ => return,
            }
        }
    }

    /// The next moment at which anything happens.
    pub(super) fn next(&self) -> Option<Instant> {
        let flying = self.flying.first_key_value().map(|((at, _), _)| *at);
        let clients = self.clients.values().filter_map(Connection::poll_timeout);
        let deadlines = clients.chain(self.server.poll_timeout()).map(|deadline| deadline.at);
        deadlines.chain(flying).min()
    }

    /// Goes on for `duration`, from deadline to deadline.
    pub(super) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.settle();
        let mut steps = 0;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            steps += 1;
            assert!(steps < 10_000, "deadlines that lead nowhere");
            self.now = self.now.max(next);
            self.server.handle_timeout(&mut self.provider, self.now);
            for client in self.clients.values_mut() {
                client.handle_timeout(&mut self.provider, self.now);
            }
            self.settle();
        }
        self.now = end;
    }

    /// The client of address 1 sends `payload`.
    pub(super) fn client_sends(&mut self, payload: &[u8]) {
        let mut buffer = [0; 2048];
        let now = self.now;
        let client = self.clients.get_mut(&Client(1)).unwrap();
        let length = client.send(&mut self.provider, now, payload, &mut buffer).unwrap();
        let bytes = buffer[..length].to_vec();
        self.launch(Sent { at: now, by_server: false, client: Client(1), bytes });
        self.settle();
    }

    /// The server sends `payload` in its latest session.
    pub(super) fn server_sends(&mut self, payload: &[u8]) {
        let mut buffer = [0; 2048];
        let (now, session) = (self.now, self.session());
        let sent = self.server.send(&mut self.provider, now, session, payload, &mut buffer);
        let (client, length) = sent.unwrap();
        let bytes = buffer[..length].to_vec();
        self.launch(Sent { at: now, by_server: true, client, bytes });
        self.settle();
    }

    /// How the connection of address 1 closed at the client, and when.
    pub(super) fn client_closed(&self) -> Option<(Instant, CloseReason)> {
        self.client_events.iter().find_map(|(at, _, event)| match event {
            ConnectionEvent::Closed(reason) => Some((*at, *reason)),
            _ => None,
        })
    }

    /// How the last session that closed did so at the server, and when.
    pub(super) fn server_closed(&self) -> Option<(Instant, CloseReason)> {
        self.server_events.iter().rev().find_map(|(at, event)| match event {
            ServerEvent::Closed { reason, .. } => Some((*at, *reason)),
            _ => None,
        })
    }

    /// Data goes both ways.
    pub(super) fn both_ways(&mut self) {
        self.client_sends(b"up");
        self.server_sends(b"down");
        assert_eq!(self.at_server.pop_front(), Some((self.session(), b"up".to_vec())));
        assert_eq!(self.at_client.pop_front(), Some((Client(1), b"down".to_vec())));
    }
}

/// The lengths of all datagrams, those of the server negative.
pub(super) fn lengths(sent: &[Sent]) -> Vec<i64> {
    let signed = |sent: &Sent| {
        let length = sent.bytes.len() as i64;
        if sent.by_server { -length } else { length }
    };
    sent.iter().map(signed).collect()
}
