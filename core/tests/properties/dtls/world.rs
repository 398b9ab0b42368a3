//! Some clients and a server, and a network between them that does as it is told.

use std::collections::BTreeMap;
use std::time::Duration;

use iot_crypto::dtls::{Config, CookiePolicy, ExtendedMasterSecret, ServerConfig};
use iot_crypto::endpoint::LocalPort;
use iot_crypto::time::Instant;
use proptest::prelude::*;
use proptest::sample::Index;

use super::sides::{ClientSide, Knowledge, NAMES, SERVER, Serving};
use crate::harness::{Parcel, Place, Trials, Twin, records};
use crate::testing::edits::{Edit, edit, edited};

const PORT: LocalPort = LocalPort::FirstClient;

/// What everything is configured with.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    client: Config,
    server: ServerConfig,
    /// What the clients are called.
    name: &'static [u8],
    /// What they know.
    knowledge: Knowledge,
    /// The lengths of the buffers that are tried.
    buffers: Vec<usize>,
}

fn datagram() -> impl Strategy<Value = usize> {
    prop_oneof![Just(128), 129..240_usize, Just(1200)]
}

pub(crate) fn cookies() -> impl Strategy<Value = CookiePolicy> {
    prop_oneof![
        Just(CookiePolicy::Always),
        (0..3_usize).prop_map(|half_open| CookiePolicy::UnderLoad { half_open }),
        Just(CookiePolicy::Never),
    ]
}

pub(crate) fn extended_master_secret() -> impl Strategy<Value = ExtendedMasterSecret> {
    prop_oneof![Just(ExtendedMasterSecret::Required), Just(ExtendedMasterSecret::Preferred)]
}

pub(crate) fn config() -> impl Strategy<Value = Config> {
    (datagram(), extended_master_secret()).prop_map(|(max_datagram, extended_master_secret)| {
        Config { max_datagram, extended_master_secret, ..Config::default() }
    })
}

pub(crate) fn server_config() -> impl Strategy<Value = ServerConfig> {
    let limits = (1..4_usize, 1..4_usize, 1..12_u64);
    (config(), cookies(), limits).prop_map(|(dtls, cookies, (sessions, half_open, seconds))| {
        ServerConfig {
            dtls,
            cookies,
            max_sessions: sessions,
            max_half_open: half_open,
            psk_timeout: Duration::from_secs(seconds),
        }
    })
}

pub(crate) fn terms() -> impl Strategy<Value = Terms> {
    let knowledge = prop_oneof![5 => Just(Knowledge::Right), 1 => Just(Knowledge::Wrong)];
    let buffers = prop::collection::vec(prop_oneof![0..30_usize, 0..200_usize], 0..4);
    let name = prop::sample::select(&NAMES[..]);
    (config(), server_config(), name, knowledge, buffers).prop_map(
        |(client, server, name, knowledge, buffers)| Terms {
            client,
            server,
            name,
            knowledge,
            buffers,
        },
    )
}

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// One datagram that is on its way arrives.
    Carry(Index),
    /// All of them arrive, and all that they cause.
    CarryAll,
    Lose(Index),
    /// One that is on its way arrives, and will arrive again.
    Copy(Index),
    /// One that was ever sent arrives changed.
    Damage(Index, Vec<Edit>),
    /// One that was ever sent arrives once more; or at another place than it was
    /// meant for.
    Repeat(Index, Option<Index>),
    /// The records of two that were sent arrive in one.
    Splice(Index, Index),
    /// A record that was sent arrives under another number, which is far ahead.
    Renumber(Index, u64),
    /// Bytes of any kind arrive somewhere.
    Garbage(Index, Vec<u8>),
    /// Time passes until the next deadline, or for so many milliseconds.
    Sleep,
    Wait(u64),
    /// Somebody is called before his deadline.
    Early(Index),
    Answer(Knowledge),
    /// Somebody says something of this length.
    Say(Index, usize),
    Close(Index),
    /// A client forgets everything and begins anew.
    Restart(Index),
    Mistake(Index, u8),
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let answer = prop_oneof![
        6 => Just(Knowledge::Right),
        1 => Just(Knowledge::Wrong),
        1 => Just(Knowledge::Nothing),
    ];
    let garbage = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        6 => any::<Index>().prop_map(Carry),
        6 => Just(CarryAll),
        2 => any::<Index>().prop_map(Lose),
        1 => any::<Index>().prop_map(Copy),
        6 => (any::<Index>(), prop::collection::vec(edit(), 1..4))
            .prop_map(|(which, edits)| Damage(which, edits)),
        3 => any::<(Index, Option<Index>)>().prop_map(|(which, to)| Repeat(which, to)),
        2 => any::<(Index, Index)>().prop_map(|(one, other)| Splice(one, other)),
        2 => (any::<Index>(), 1..200_u64).prop_map(|(which, ahead)| Renumber(which, ahead)),
        1 => (any::<Index>(), garbage).prop_map(|(to, bytes)| Garbage(to, bytes)),
        2 => Just(Sleep),
        1 => prop_oneof![0..3_000_u64, 0..40_000_u64].prop_map(Wait),
        3 => any::<Index>().prop_map(Early),
        6 => answer.prop_map(Answer),
        6 => (any::<Index>(), 4..99_usize).prop_map(|(who, length)| Say(who, length)),
        1 => any::<Index>().prop_map(Close),
        1 => any::<Index>().prop_map(Restart),
        3 => any::<(Index, u8)>().prop_map(|(who, which)| Mistake(who, which)),
    ]
}

pub(crate) struct World<S> {
    terms: Terms,
    now: Instant,
    server: Twin<S>,
    clients: Vec<Twin<ClientSide>>,
    /// On its way.
    flying: Vec<Parcel>,
    /// All that was ever sent.
    sent: Vec<Parcel>,
    starts: u64,
    said: u32,
    /// What was said, by whom to whom, until it is heard.
    unheard: BTreeMap<Vec<u8>, (Place, Place)>,
    reached: Reached,
}

/// How far a world has come.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) events: Vec<String>,
    /// How much of what was said was heard.
    pub(crate) heard: u32,
    pub(crate) trials: Trials,
}

fn place(client: usize) -> Place {
    Place { host: client as u16 + 1, port: 0 }
}

impl<S: Serving> World<S> {
    pub(crate) fn new(terms: &Terms, clients: usize) -> Self {
        let server = Twin::new(&terms.buffers, || S::new(99, terms.server));
        let mut world = Self {
            terms: terms.clone(),
            now: Instant::from_millis(1_000_000),
            server,
            clients: Vec::new(),
            flying: Vec::new(),
            sent: Vec::new(),
            starts: 0,
            said: 0,
            unheard: BTreeMap::new(),
            reached: Reached::default(),
        };
        for _ in 0..clients {
            let client = world.start();
            world.clients.push(client);
        }
        world.settle();
        world
    }

    fn start(&mut self) -> Twin<ClientSide> {
        self.starts += 1;
        let (seed, now, config) = (self.starts, self.now, self.terms.client);
        let name = self.terms.name;
        let key = self.terms.knowledge.key().unwrap();
        Twin::new(&self.terms.buffers, || ClientSide::new(seed, config, now, name, &key))
    }

    fn client_at(&self, to: Place) -> Option<usize> {
        (0..self.clients.len()).find(|client| place(*client) == to)
    }

    fn post(&mut self, from: Place, to: Place, bytes: Vec<u8>) {
        let parcel = Parcel { from, to, bytes };
        self.sent.push(parcel.clone());
        self.flying.push(parcel);
    }

    /// Takes all output and events of everyone, until there are none; now the ones
    /// first, now the others.
    fn settle(&mut self) {
        for turn in 0..1_000 {
            let mut quiet = true;
            let now = self.now;
            if self.server.is_due(now) {
                self.server.timeout(now);
                quiet = false;
            }
            if (turn + self.sent.len()).is_multiple_of(2) {
                self.take_events();
            }
            while let Some((sent, bytes)) = self.server.transmit(now) {
                let iot_crypto::endpoint::Destination::Address(to) = sent.to else { panic!() };
                self.post(SERVER, to, bytes);
            }
            for client in 0..self.clients.len() {
                let twin = &mut self.clients[client];
                if twin.is_due(now) {
                    twin.timeout(now);
                    quiet = false;
                }
                while let Some((_, bytes)) = self.clients[client].transmit(now) {
                    self.post(place(client), SERVER, bytes);
                }
            }
            self.take_events();
            self.server.plain().check();
            if quiet {
                return;
            }
        }
        panic!("deadlines that lead nowhere");
    }

    fn take_events(&mut self) {
        let now = self.now;
        self.reached.events.extend(std::iter::from_fn(|| self.server.event(now)));
        for client in &mut self.clients {
            self.reached.events.extend(std::iter::from_fn(|| client.event(now)));
        }
    }

    fn hear(&mut self, at: Place, heard: Vec<(u64, Vec<u8>)>) {
        for (_, payload) in heard {
            self.reached.heard += 1;
            let said = self.unheard.remove(&payload);
            let (by, to) = said.expect("what was said once is heard once at most");
            assert!(to == at && by != at, "{payload:?} went from {by:?} to {to:?}, not to {at:?}");
        }
    }

    /// A genuine datagram arrives.
    fn arrive(&mut self, parcel: &Parcel) {
        let Parcel { from, to, bytes } = parcel;
        if let Some(client) = self.client_at(*to) {
            let heard = self.clients[client].receive(self.now, PORT, *from, bytes);
            self.hear(*to, heard);
        } else if *to == SERVER {
            let heard = self.server.receive(self.now, PORT, *from, bytes);
            self.hear(*to, heard);
        }
        self.settle();
    }

    /// Any datagram arrives.
    fn intrude(&mut self, parcel: &Parcel) {
        let Parcel { from, to, bytes } = parcel;
        if let Some(client) = self.client_at(*to) {
            let heard = self.clients[client].try_any(self.now, PORT, *from, bytes);
            self.hear(*to, heard);
        } else if *to == SERVER {
            let heard = self.server.try_any(self.now, PORT, *from, bytes);
            self.hear(*to, heard);
        }
        self.settle();
    }

    fn pick(&self, which: &Index) -> Option<Parcel> {
        (!self.sent.is_empty()).then(|| which.get(&self.sent).clone())
    }

    /// When anything is due next.
    fn next(&self) -> Option<Instant> {
        self.clients.iter().map(Twin::deadline).chain([self.server.deadline()]).flatten().min()
    }

    fn wait_until(&mut self, end: Instant) {
        while let Some(next) = self.next().filter(|next| *next <= end) {
            // Whoever is called in between does nothing.
            let between = self.now + next.since(self.now) / 2;
            self.server.try_early(between);
            self.clients.iter_mut().for_each(|client| client.try_early(between));
            self.now = self.now.max(next);
            self.settle();
        }
        self.now = end;
    }

    /// Delivers everything until nothing is on its way.
    fn carry_all(&mut self) {
        for _ in 0..1_000 {
            if self.flying.is_empty() {
                return;
            }
            let parcel = self.flying.remove(0);
            self.arrive(&parcel);
        }
        panic!("they answer each other without end");
    }

    /// Somebody: a client, or the server as the last.
    fn who(&self, who: &Index) -> Option<usize> {
        let who = who.index(self.clients.len() + 1);
        (who < self.clients.len()).then_some(who)
    }

    fn say(&mut self, who: &Index, length: usize) {
        self.said += 1;
        let mut payload = vec![0; length];
        payload[..4].copy_from_slice(&self.said.to_be_bytes());
        let (now, which) = (self.now, self.said as usize);
        let (from, sent) = match self.who(who) {
            Some(client) => {
                let sent = self.clients[client].both(|client| client.say(now, &payload));
                (place(client), sent.map(|bytes| (SERVER, bytes)))
            }
            None => (SERVER, self.server.both(|server| server.say(now, which, &payload))),
        };
        if let Some((to, bytes)) = sent {
            self.unheard.insert(payload, (from, to));
            self.post(from, to, bytes);
        }
    }

    pub(crate) fn perform(&mut self, operation: &Operation) {
        let now = self.now;
        match operation {
            Operation::Carry(which) if !self.flying.is_empty() => {
                let parcel = self.flying.remove(which.index(self.flying.len()));
                self.arrive(&parcel);
            }
            Operation::CarryAll => self.carry_all(),
            Operation::Lose(which) if !self.flying.is_empty() => {
                self.flying.remove(which.index(self.flying.len()));
            }
            Operation::Copy(which) if !self.flying.is_empty() => {
                let parcel = which.get(&self.flying).clone();
                self.arrive(&parcel);
            }
            Operation::Carry(_) | Operation::Lose(_) | Operation::Copy(_) => {}
            Operation::Damage(which, edits) => {
                if let Some(mut parcel) = self.pick(which) {
                    parcel.bytes = edited(&parcel.bytes, edits);
                    self.intrude(&parcel);
                }
            }
            Operation::Repeat(which, elsewhere) => {
                if let Some(mut parcel) = self.pick(which) {
                    if let Some(who) = elsewhere {
                        let stranger = self.who(who).map_or(SERVER, place);
                        (parcel.from, parcel.to) = if stranger == SERVER {
                            (parcel.to, parcel.from)
                        } else {
                            (stranger, SERVER)
                        };
                    }
                    self.intrude(&parcel);
                }
            }
            Operation::Splice(one, other) => {
                if let (Some(mut one), Some(other)) = (self.pick(one), self.pick(other)) {
                    let tail = records(&other.bytes).last().map(|last| last.to_vec());
                    one.bytes.extend(tail.unwrap_or_default());
                    self.intrude(&one);
                }
            }
            Operation::Renumber(which, ahead) => {
                if let Some(mut parcel) = self.pick(which)
                    && let Some(number) = parcel.bytes.get_mut(5..11)
                {
                    let old = number.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
                    number.copy_from_slice(&(old.wrapping_add(*ahead)).to_be_bytes()[2..]);
                    self.intrude(&parcel);
                }
            }
            Operation::Garbage(to, bytes) => {
                let (from, to) = match self.who(to) {
                    Some(client) => (SERVER, place(client)),
                    None => (place(0), SERVER),
                };
                self.intrude(&Parcel { from, to, bytes: bytes.clone() });
            }
            Operation::Sleep => {
                if let Some(next) = self.next() {
                    self.wait_until(self.now.max(next));
                }
            }
            Operation::Wait(milliseconds) => {
                self.wait_until(now + Duration::from_millis(*milliseconds));
            }
            Operation::Early(who) => match self.who(who) {
                Some(client) => self.clients[client].try_early(now),
                None => self.server.try_early(now),
            },
            Operation::Answer(knowledge) => {
                self.server.both(|server| server.answer(now, *knowledge));
            }
            Operation::Say(who, length) => self.say(who, *length),
            Operation::Close(who) => match self.who(who) {
                Some(client) => self.clients[client].both(|client| client.close(now)),
                None => self.server.both(|server| server.close(now, 0)),
            },
            Operation::Restart(who) => {
                if let Some(client) = self.who(who) {
                    self.reached.trials += self.clients[client].trials();
                    self.clients[client] = self.start();
                }
            }
            Operation::Mistake(who, which) => match self.who(who) {
                Some(client) => self.clients[client].try_mistake(now, *which),
                None => self.server.try_mistake(now, *which),
            },
        }
        self.settle();
    }

    /// In the end no handshake is under way any more, whoever was not answered, and
    /// nobody waits for anything.
    pub(crate) fn finish(mut self) -> Reached {
        self.carry_all();
        self.wait_until(self.now + Duration::from_secs(60));
        self.flying.clear();
        assert!(self.server.plain().is_settled());
        assert_eq!(self.next(), None);
        for client in &self.clients {
            self.reached.trials += client.trials();
            let client = client.plain();
            assert!(client.connected || client.closed, "a handshake without an end");
        }
        self.reached.trials += self.server.trials();
        self.reached
    }
}
