//! A DTLS handshake over a network that does as it likes: loses, repeats, delays,
//! changes, mixes in what is old or of others. Both sides end with the same keys, or
//! without any.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use iot_crypto::dtls::{Config, CookiePolicy, ExtendedMasterSecret, PskIdentity, ServerConfig};
use iot_crypto::endpoint::{Destination, Endpoint, LocalPort};
use iot_crypto::time::Instant;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;

use crate::dtls::sides::{ClientSide, Knowledge, NAMES, SERVER, Serving, SingleSide, TableSide};
use crate::dtls::world::{config, cookies};
use crate::harness::{Place, Subject, records};
use crate::testing::edits::{Edit, edit, edited};

const CLIENT: Place = Place { host: 1, port: 0 };
const PORT: LocalPort = LocalPort::FirstClient;
const START: Instant = Instant::from_millis(1_000_000);

/// What becomes of a datagram. Delays are in milliseconds.
#[derive(Clone, Debug)]
enum Fate {
    Arrives(u64),
    IsLost,
    ArrivesTwice(u64, u64),
    IsChanged(Vec<Edit>, u64),
    /// Its records arrive apart, the last one first.
    IsTurned(u64),
    /// A record of what was sent before comes with it.
    IsMixed(Index, u64),
    /// Its ClientHello, if it is one, no longer offers the extended master secret.
    IsWeakened(u64),
}

/// Something that the network makes up: it sends what was sent before, or what
/// belongs to another handshake.
#[derive(Clone, Debug)]
struct Intrusion {
    at: u64,
    of_others: bool,
    which: Index,
    edits: Vec<Edit>,
    to_server: bool,
}

#[derive(Clone, Debug)]
struct Terms {
    client: Config,
    server: Config,
    cookies: CookiePolicy,
    name: usize,
    /// What the client has, and what the server's application answers, and after how
    /// many milliseconds.
    client_key: Knowledge,
    server_key: Knowledge,
    thinks_for: u64,
    fates: Vec<Fate>,
    intrusions: Vec<Intrusion>,
}

fn fate() -> impl Strategy<Value = Fate> {
    let delay = || prop_oneof![4 => 0..20_u64, 1 => 0..3_000_u64];
    let edits = prop::collection::vec(edit(), 1..3);
    prop_oneof![
        8 => delay().prop_map(Fate::Arrives),
        3 => Just(Fate::IsLost),
        2 => (delay(), delay()).prop_map(|(one, other)| Fate::ArrivesTwice(one, other)),
        2 => (edits, delay()).prop_map(|(edits, delay)| Fate::IsChanged(edits, delay)),
        1 => delay().prop_map(Fate::IsTurned),
        1 => (any::<Index>(), delay()).prop_map(|(which, delay)| Fate::IsMixed(which, delay)),
        1 => delay().prop_map(Fate::IsWeakened),
    ]
}

fn intrusion() -> impl Strategy<Value = Intrusion> {
    let edits = prop_oneof![Just(Vec::new()), prop::collection::vec(edit(), 1..3)];
    (0..8_000_u64, any::<bool>(), any::<Index>(), edits, any::<bool>()).prop_map(
        |(at, of_others, which, edits, to_server)| Intrusion {
            at,
            of_others,
            which,
            edits,
            to_server,
        },
    )
}

fn terms() -> impl Strategy<Value = Terms> {
    let key = || prop_oneof![6 => Just(Knowledge::Right), 1 => Just(Knowledge::Wrong)];
    let answer = prop_oneof![8 => key(), 1 => Just(Knowledge::Nothing)];
    let thinks_for = prop_oneof![2 => Just(0), 1 => 0..15_000_u64];
    (
        (config(), config(), cookies(), 0..NAMES.len()),
        (key(), answer, thinks_for),
        prop::collection::vec(fate(), 0..40),
        prop::collection::vec(intrusion(), 0..6),
    )
        .prop_map(|((client, server, cookies, name), keys, fates, intrusions)| Terms {
            client,
            server,
            cookies,
            name,
            client_key: keys.0,
            server_key: keys.1,
            thinks_for: keys.2,
            fates,
            intrusions,
        })
}

/// How it ended.
#[derive(Clone, Debug, PartialEq)]
enum End {
    /// Data went both ways.
    BothConnected,
    /// Only the server came to an end; its client does not take its data.
    OnlyTheServer,
    NobodyConnected,
}

struct Network<'a, S> {
    terms: &'a Terms,
    now: Instant,
    client: ClientSide,
    server: S,
    flying: BTreeMap<(Instant, usize), (Place, Vec<u8>)>,
    count: usize,
    /// What was sent so far, by whom.
    sent: Vec<(Place, Vec<u8>)>,
    /// When the application will have its answers ready.
    answers: Vec<Instant>,
    server_events: Vec<String>,
}

/// The datagrams of another handshake, under the same key and name.
fn of_others() -> &'static Vec<(Place, Vec<u8>)> {
    static OTHERS: OnceLock<Vec<(Place, Vec<u8>)>> = OnceLock::new();
    OTHERS.get_or_init(|| {
        let terms = Terms {
            client: Config::default(),
            server: Config::default(),
            cookies: CookiePolicy::Always,
            name: 0,
            client_key: Knowledge::Right,
            server_key: Knowledge::Right,
            thinks_for: 0,
            fates: Vec::new(),
            intrusions: Vec::new(),
        };
        let mut network = Network::<TableSide>::new(&terms, 77);
        network.run_until(START + Duration::from_secs(1));
        assert!(network.client.connected && network.sent.len() == 6);
        network.sent
    })
}

/// `datagram` without the extended master secret, if it is a whole `ClientHello` of
/// ours: the six bytes of the extension, and their length, are its last eight.
fn weakened(datagram: &[u8]) -> Vec<u8> {
    let mut bytes = datagram.to_vec();
    let Some(length) = bytes.len().checked_sub(25) else { return bytes };
    if bytes[0] == 22 && bytes[13] == 1 && bytes.ends_with(&[0, 4, 0, 23, 0, 0]) {
        let body = (length - 6) as u16;
        bytes.truncate(25 + length - 6);
        bytes[11..13].copy_from_slice(&(body + 12).to_be_bytes());
        bytes[15..17].copy_from_slice(&body.to_be_bytes());
        bytes[23..25].copy_from_slice(&body.to_be_bytes());
    }
    bytes
}

impl<'a, S: Serving> Network<'a, S> {
    fn new(terms: &'a Terms, seed: u64) -> Self {
        let server =
            ServerConfig { dtls: terms.server, cookies: terms.cookies, ..ServerConfig::default() };
        let name = NAMES[terms.name];
        let key = terms.client_key.key().unwrap();
        Self {
            terms,
            now: START,
            client: ClientSide::new(seed + 1, terms.client, START, name, &key),
            server: S::new(seed, server),
            flying: BTreeMap::new(),
            count: 0,
            sent: Vec::new(),
            answers: Vec::new(),
            server_events: Vec::new(),
        }
    }

    fn fly(&mut self, delay: u64, to: Place, bytes: Vec<u8>) {
        self.count += 1;
        let at = self.now + Duration::from_millis(delay);
        self.flying.insert((at, self.count), (to, bytes));
    }

    fn launch(&mut self, to: Place, bytes: Vec<u8>) {
        let fate = self.terms.fates.get(self.sent.len()).unwrap_or(&Fate::Arrives(0)).clone();
        self.sent.push((to, bytes.clone()));
        match fate {
            Fate::IsLost => {}
            Fate::Arrives(delay) => self.fly(delay, to, bytes),
            Fate::ArrivesTwice(one, other) => {
                self.fly(one, to, bytes.clone());
                self.fly(other, to, bytes);
            }
            Fate::IsChanged(edits, delay) => self.fly(delay, to, edited(&bytes, &edits)),
            Fate::IsTurned(delay) => {
                for record in records(&bytes).into_iter().rev() {
                    self.fly(delay, to, record.to_vec());
                }
            }
            Fate::IsMixed(which, delay) => {
                let other: &(Place, Vec<u8>) = which.get(&self.sent);
                let mut mixed = records(&other.1).first().map(|it| it.to_vec()).unwrap_or_default();
                mixed.extend(bytes);
                self.fly(delay, to, mixed);
            }
            Fate::IsWeakened(delay) => self.fly(delay, to, weakened(&bytes)),
        }
    }

    fn settle(&mut self) {
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        while let Some(at) = self.answers.first().filter(|at| **at <= self.now) {
            let _ = at;
            self.answers.remove(0);
            self.server.answer(self.now, self.terms.server_key);
        }
        let mut buffer = [0; 1500];
        while let Some(sent) = self.client.poll_transmit(self.now, &mut buffer).unwrap() {
            self.launch(SERVER, buffer[..sent.length].to_vec());
        }
        while let Some(sent) = self.server.poll_transmit(self.now, &mut buffer).unwrap() {
            assert_eq!(sent.to, Destination::Address(CLIENT));
            self.launch(CLIENT, buffer[..sent.length].to_vec());
        }
        while self.client.event().is_some() {}
        while let Some(event) = self.server.event() {
            if event.starts_with("PskRequired") {
                let thinks_for = Duration::from_millis(self.terms.thinks_for);
                self.answers.push(self.now + thinks_for);
            }
            self.server_events.push(event);
        }
    }

    /// A datagram arrives; gives the application data in it.
    fn arrive(&mut self, to: Place, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let payloads = if to == CLIENT {
            self.client.handle_datagram(self.now, PORT, SERVER, &mut bytes);
            self.client.payloads()
        } else {
            self.server.handle_datagram(self.now, PORT, CLIENT, &mut bytes);
            self.server.payloads()
        };
        payloads.into_iter().map(|(_, payload)| payload).collect()
    }

    fn next(&self) -> Option<Instant> {
        let deadlines = [self.client.poll_timeout(), self.server.poll_timeout()];
        let deadlines = deadlines.into_iter().flatten().map(|deadline| deadline.at);
        let arrival = self.flying.keys().next().map(|(at, _)| *at);
        deadlines.chain(arrival).chain(self.answers.first().copied()).min()
    }

    fn run_until(&mut self, end: Instant) {
        self.settle();
        for _ in 0..10_000 {
            let Some(next) = self.next().filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry().filter(|it| it.key().0 <= self.now) {
                let (to, bytes) = entry.remove();
                assert!(self.arrive(to, bytes).is_empty(), "application data in a handshake");
                self.settle();
            }
            self.settle();
        }
        panic!("deadlines that lead nowhere");
    }

    fn intrude(&mut self, intrusion: &Intrusion) {
        let from = if intrusion.of_others { of_others() } else { &self.sent };
        if from.is_empty() {
            return;
        }
        let known: &(Place, Vec<u8>) = intrusion.which.get(from);
        let bytes = edited(&known.1, &intrusion.edits);
        let to = if intrusion.to_server { SERVER } else { CLIENT };
        assert!(self.arrive(to, bytes).is_empty(), "application data in a handshake");
    }

    fn run(mut self) -> End {
        let mut intrusions = self.terms.intrusions.clone();
        intrusions.sort_by_key(|intrusion| intrusion.at);
        for intrusion in &intrusions {
            self.run_until(START + Duration::from_millis(intrusion.at));
            self.intrude(intrusion);
        }
        let timeout = self.terms.client.handshake_timeout;
        self.run_until(START + timeout);
        assert!(self.client.connected || self.client.closed, "the client still waits");
        // The last that may begin a handshake at the server was late by as much as the
        // network delays.
        self.run_until(START + timeout + timeout + Duration::from_secs(5));
        assert!(self.server.is_settled(), "the server still waits");
        self.check()
    }

    /// Looks who holds which keys, over a network that has become good.
    fn check(mut self) -> End {
        self.flying.clear();
        let (client, server) = (self.client.connected, {
            let opened = self.server_events.iter().filter(|it| it.starts_with("Connected"));
            opened.count() > 0
        });
        let same_key = self.terms.client_key == self.terms.server_key;
        assert!(same_key || !(client || server), "connected without a common key");
        let name = format!("{:?}", PskIdentity::new(NAMES[self.terms.name]).unwrap());
        let names_it = |event: &&String| event.starts_with("Connected {") && !event.contains(&name);
        assert_eq!(self.server_events.iter().find(names_it), None);

        let up = self.client.say(self.now, b"up").filter(|_| !self.client.closed);
        let down = self.server.say(self.now, 0, b"down").map(|(_, bytes)| bytes);
        if client {
            assert!(!self.client.closed, "an open session has ended by itself");
            let (up, down) = (up.unwrap(), down.expect("the server has a session"));
            assert_eq!(self.arrive(SERVER, up), [b"up"]);
            assert_eq!(self.arrive(CLIENT, down), [b"down"]);
            return End::BothConnected;
        }
        assert!(up.is_none(), "a client sends data without being connected");
        if let Some(down) = down {
            assert!(self.arrive(CLIENT, down).is_empty(), "a client takes data without a key");
        }
        if server { End::OnlyTheServer } else { End::NobodyConnected }
    }
}

proptest! {
    #[test]
    fn with_a_server_for_many_both_sides_have_the_same_keys_or_none(terms in terms()) {
        Network::<TableSide>::new(&terms, 1).run();
    }

    #[test]
    fn with_a_server_for_one_both_sides_have_the_same_keys_or_none(terms in terms()) {
        Network::<SingleSide>::new(&terms, 1).run();
    }

    /// Who strips the extended master secret from the offer of a client that would
    /// go without gets no session, and so no weaker one.
    #[test]
    fn a_weakened_offer_leads_nowhere(
        cookies in cookies(),
        policies in prop::array::uniform2(prop_oneof![
            Just(ExtendedMasterSecret::Required),
            Just(ExtendedMasterSecret::Preferred),
        ]),
    ) {
        let [client, server] = policies.map(|extended_master_secret| Config {
            extended_master_secret,
            ..Config::default()
        });
        let terms = Terms {
            client,
            server,
            cookies,
            name: 0,
            client_key: Knowledge::Right,
            server_key: Knowledge::Right,
            thinks_for: 0,
            fates: vec![Fate::IsWeakened(0); 100],
            intrusions: Vec::new(),
        };
        prop_assert_eq!(Network::<TableSide>::new(&terms, 1).run(), End::NobodyConnected);
        prop_assert_eq!(Network::<SingleSide>::new(&terms, 1).run(), End::NobodyConnected);
    }
}

/// Or else the properties would say little.
#[test]
fn every_end_is_reached() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut ends = BTreeMap::<String, u32>::new();
    for _ in 0..300 {
        let terms = terms().new_tree(&mut runner).unwrap().current();
        let end = Network::<TableSide>::new(&terms, 1).run();
        *ends.entry(format!("{end:?}")).or_default() += 1;
    }
    assert!(ends["BothConnected"] >= 60 && ends["NobodyConnected"] >= 30, "{ends:?}");
    assert!(ends["OnlyTheServer"] >= 1, "{ends:?}");
}
