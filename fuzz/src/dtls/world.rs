//! Clients and a server, and a network in the hands of an attacker.

mod application;
mod attacker;
mod calm;
mod config;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use iot_crypto::dtls::{Client, PresharedKey, PskIdentity, ServerConfig, SingleServer};
use iot_crypto::time::Instant;

use super::record;
use super::side::{Alone, Event, Host, Table};
use super::twin::{Driven, Origin, Party, Twin};
use crate::input::Input;

/// The steps that one input may take.
const STEPS: usize = 64;
/// The clients that there may be; one more address is the attacker's own.
const HOSTS: u8 = 3;
/// The datagrams of the past that the attacker remembers, and those on their way.
const MEMORY: usize = 32;

const RIGHT_KEY: [u8; 16] = [7; 16];
const WRONG_KEY: [u8; 16] = [8; 16];

/// What kind of server there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// For one client.
    Single,
    /// For many.
    Table,
}

/// Which of the sides have a twin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Twins {
    pub(crate) clients: bool,
    pub(crate) server: bool,
}

/// Whom a datagram is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Server,
    Client(Host),
}

/// A datagram on its way, or remembered.
#[derive(Clone, Debug)]
struct Datagram {
    to: To,
    from: Host,
    bytes: Vec<u8>,
}

struct ClientSlot {
    party: Box<dyn Party>,
    has_right_key: bool,
    /// A server has granted it the extended master secret, as each here does.
    is_granted: bool,
    /// It has reported that it is connected.
    is_connected: bool,
    /// It has reported its end.
    is_closed: bool,
}

/// What the server owes an address, and what it knows of it.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    received: usize,
    sent: usize,
    is_proved: bool,
}

/// How the server's application answers the question for a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Right,
    Wrong,
    Unknown,
    /// Not at all, until something else is decided.
    Late,
}

pub(crate) struct World {
    now: Instant,
    config: ServerConfig,
    kind: Server,
    twins: Twins,
    server: Box<dyn Party>,
    clients: BTreeMap<Host, ClientSlot>,
    network: VecDeque<Datagram>,
    seen: VecDeque<Datagram>,
    accounts: BTreeMap<Host, Account>,
    cookies: BTreeSet<(Host, Vec<u8>)>,
    /// The payloads that were sealed, and whether they have arrived.
    payloads: BTreeMap<Vec<u8>, bool>,
    counter: u32,
    answer: Answer,
    questions: Vec<(u64, PskIdentity)>,
    /// The live sessions of the server, and where their clients are.
    sessions: BTreeMap<u64, Host>,
    /// The addresses at which a client with the right key has been.
    genuine: BTreeSet<Host>,
    ever_connected: BTreeSet<Host>,
    /// How many clients have been at each address.
    begun: BTreeMap<Host, u32>,
    /// The attacker has used a key.
    has_insider: bool,
    seed: u64,
}

impl World {
    pub(crate) fn new(kind: Server, twins: Twins, input: &mut Input<'_>) -> Self {
        let config = config::config(input);
        let start = input.pick(&[1_000_000, 0, u64::MAX - 20_000_000]);
        let limit = config.dtls.max_datagram;
        let server: Box<dyn Party> = match kind {
            Server::Single => Box::new(Twin::new(1, limit, twins.server, |toy| {
                Alone::new(Host(0), SingleServer::new(&config.dtls, toy).unwrap())
            })),
            Server::Table => Box::new(Twin::new(1, limit, twins.server, |toy| {
                Table::new(iot_crypto::dtls::Server::new(config, toy).unwrap())
            })),
        };
        let mut world = Self {
            now: Instant::from_millis(start),
            config,
            kind,
            twins,
            server,
            clients: BTreeMap::new(),
            network: VecDeque::new(),
            seen: VecDeque::new(),
            accounts: BTreeMap::new(),
            cookies: BTreeSet::new(),
            payloads: BTreeMap::new(),
            counter: 0,
            answer: Answer::Right,
            questions: Vec::new(),
            sessions: BTreeMap::new(),
            genuine: BTreeSet::new(),
            ever_connected: BTreeSet::new(),
            begun: BTreeMap::new(),
            has_insider: false,
            seed: 1,
        };
        world.connect(Host(0), true);
        world
    }

    /// Does what `input` says, and then lets the network be good.
    pub(crate) fn run(mut self, input: &mut Input<'_>) {
        self.drive(usize::MAX);
        for _ in 0..STEPS {
            if input.is_empty() {
                break;
            }
            self.step(input);
            let room = usize::from(input.u8());
            self.drive(if room > 200 { usize::MAX } else { room });
        }
        self.calm_down();
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(24) {
            0..=3 => {
                for _ in 0..=input.below(6) {
                    self.deliver_first();
                    self.drive(usize::MAX);
                }
            }
            4 => drop(self.network.pop_front()),
            5 => {
                if let Some(first) = self.network.pop_front() {
                    self.network.push_back(first);
                }
            }
            6 => {
                if let Some(first) = self.network.front().cloned() {
                    self.deliver(&first, Origin::Network);
                }
            }
            7..=15 => self.attack(input),
            16 => {
                self.now = match input.below(4) {
                    0 => self.now + Duration::from_millis(u64::from(input.u16())),
                    1 => self.now + Duration::from_secs(u64::from(input.u8())),
                    2 => self.next().unwrap_or(self.now).max(self.now),
                    _ => {
                        let before = self.next().map_or(0, |at| at.as_millis().saturating_sub(1));
                        self.now.max(Instant::from_millis(before))
                    }
                }
            }
            17 => {
                let host = Host(input.below(usize::from(HOSTS)) as u8);
                let (length, room) = (usize::from(input.u16()), usize::from(input.u16()) % 2048);
                self.client_sends(host, length, room);
            }
            18 => {
                let index = input.below(4);
                let (length, room) = (usize::from(input.u16()), usize::from(input.u16()) % 2048);
                self.server_sends(index, length, room);
            }
            19 => self.close(input),
            20 => {
                self.answer =
                    input.pick(&[Answer::Right, Answer::Wrong, Answer::Unknown, Answer::Late]);
                for (session, identity) in std::mem::take(&mut self.questions) {
                    self.provide_psk(session, &identity);
                }
            }
            21 => {
                let host = Host(input.below(usize::from(HOSTS)) as u8);
                let has_right_key = input.u8() < 200;
                self.connect(host, has_right_key);
            }
            22 => {
                let is_dry = input.bool();
                self.server.set_dry(is_dry);
            }
            _ => match input.below(usize::from(HOSTS) + 1) {
                0 => self.server.shrink(),
                host => {
                    if let Some(client) = self.clients.get_mut(&Host(host as u8 - 1)) {
                        client.party.shrink();
                    }
                }
            },
        }
    }

    /// A client begins, or begins anew.
    fn connect(&mut self, host: Host, has_right_key: bool) {
        // The server for one client has only one.
        let host = if self.kind == Server::Single { Host(0) } else { host };
        self.seed += 1;
        let (dtls, now) = (self.config.dtls, self.now);
        let key = if has_right_key { RIGHT_KEY } else { WRONG_KEY };
        let make = |toy: &mut crate::toy::Toy| {
            let key = PresharedKey::new(&key).unwrap();
            Alone::new(host, Client::new(&dtls, toy, now, &identity(host), key).unwrap())
        };
        let party = Twin::new(self.seed, dtls.max_datagram, self.twins.clients, make);
        let party = Box::new(party);
        let slot = ClientSlot {
            party,
            has_right_key,
            is_granted: false,
            is_connected: false,
            is_closed: false,
        };
        self.clients.insert(host, slot);
        *self.begun.entry(host).or_default() += 1;
        if has_right_key {
            self.genuine.insert(host);
        }
    }

    fn deliver_first(&mut self) {
        if let Some(first) = self.network.pop_front() {
            self.deliver(&first, Origin::Network);
        }
    }

    fn deliver(&mut self, datagram: &Datagram, origin: Origin) {
        let Datagram { to, from, bytes } = datagram;
        match to {
            To::Server => {
                let account = self.accounts.entry(*from).or_default();
                account.received += bytes.len();
                account.is_proved |= self.cookies.iter().any(|(host, cookie)| {
                    host == from && bytes.windows(cookie.len()).any(|part| part == cookie)
                });
                let payloads = self.server.deliver(self.now, *from, bytes, origin);
                self.receive(payloads, b'c', *from);
            }
            To::Client(host) => {
                let Some(client) = self.clients.get_mut(host) else { return };
                client.is_granted |= record::grants_extended_master_secret(bytes);
                let payloads = client.party.deliver(self.now, *from, bytes, origin);
                assert!(payloads.is_empty() || !client.is_closed, "data after the end");
                self.receive(payloads, b's', *host);
            }
        }
    }

    /// What arrives was sealed for this session by the other side, and has not come
    /// before; unless somebody else has its key.
    fn receive(&mut self, payloads: Vec<Vec<u8>>, by: u8, host: Host) {
        for payload in payloads.into_iter().filter(|_| !self.has_insider) {
            assert_eq!(payload[..2], [by, host.0], "a payload is taken for another's");
            let has_come = self.payloads.get_mut(&payload).expect("a payload that nobody sent");
            assert!(!std::mem::replace(has_come, true), "a payload comes twice");
        }
    }

    /// Takes out everything that all have to say.
    fn drive(&mut self, room: usize) {
        for _ in 0..16 {
            let room = |limit: usize| room.min(limit);
            let server = self.server.drive(self.now, room(self.config.dtls.max_datagram));
            let mut is_quiet = server == Driven::default();
            self.follow_server(server);
            for host in self.clients.keys().copied().collect::<Vec<_>>() {
                let client = self.clients.get_mut(&host).unwrap();
                let driven = client.party.drive(self.now, room(self.config.dtls.max_datagram));
                is_quiet &= driven == Driven::default();
                self.follow_client(host, driven);
            }
            if is_quiet {
                return;
            }
        }
        panic!("the sides never come to rest");
    }

    fn follow_server(&mut self, Driven { sent, events }: Driven) {
        for (host, bytes) in sent {
            if let Some(cookie) = record::cookie(&bytes) {
                self.cookies.insert((host, cookie.to_vec()));
            }
            let account = self.accounts.entry(host).or_default();
            account.sent += bytes.len();
            let Account { received, sent, is_proved } = *account;
            assert!(
                is_proved || sent <= 3 * received,
                "{sent} bytes to an address that is not proved, for {received} from it"
            );
            self.send(Datagram { to: To::Client(host), from: host, bytes });
        }
        for event in events {
            match event {
                Event::PskRequired { session, identity } => {
                    if self.answer == Answer::Late {
                        self.questions.push((session, identity));
                        self.questions.truncate(MEMORY);
                    } else {
                        self.provide_psk(session, &identity);
                    }
                }
                Event::Connected { session, host } => {
                    let host = host.unwrap_or(Host(0));
                    let is_genuine = self.genuine.contains(&host);
                    assert!(is_genuine || self.has_insider, "a client without the key is in");
                    self.accounts.entry(host).or_default().is_proved = true;
                    self.sessions.insert(session, host);
                    self.ever_connected.insert(host);
                }
                Event::Closed { session, .. } => {
                    self.sessions.remove(&session);
                }
            }
        }
    }

    fn follow_client(&mut self, host: Host, Driven { sent, events }: Driven) {
        for (_, bytes) in sent {
            self.send(Datagram { to: To::Server, from: host, bytes });
        }
        let client = self.clients.get_mut(&host).unwrap();
        for event in events {
            assert!(!client.is_closed, "{event:?} after the end");
            match event {
                Event::Connected { .. } => {
                    assert!(!client.is_connected, "connected twice");
                    let is_known = self.ever_connected.contains(&host) && client.has_right_key;
                    assert!(is_known || self.has_insider, "only one side has a key");
                    assert!(client.is_granted || self.has_insider, "a downgrade goes unnoticed");
                    client.is_connected = true;
                }
                Event::Closed { .. } => client.is_closed = true,
                Event::PskRequired { .. } => panic!("a client asks for a key"),
            }
        }
    }

    fn send(&mut self, datagram: Datagram) {
        if self.seen.len() == MEMORY {
            self.seen.pop_front();
        }
        self.seen.push_back(datagram.clone());
        if self.network.len() == MEMORY {
            self.network.pop_front();
        }
        self.network.push_back(datagram);
    }

    /// When anyone wants to be called next.
    fn next(&self) -> Option<Instant> {
        let clients = self.clients.values().filter_map(|client| client.party.next());
        clients.chain(self.server.next()).min()
    }
}

/// What a client is called.
fn identity(host: Host) -> PskIdentity {
    PskIdentity::new(&[b'h', host.0]).unwrap()
}
