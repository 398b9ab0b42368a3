//! A device, its gateway and their cloud, each as twins, on a network that does as it
//! is told.

use std::collections::BTreeMap;
use std::time::Duration;

use iot_crypto::connection::{ForwardSecrecy, MAX_NETWORK_KEYS};
use iot_crypto::downlink::{self, Rotation};
use iot_crypto::endpoint::{Destination, LocalPort};
use iot_crypto::gateway::{self, Polling};
use iot_crypto::time::Instant;
use iot_crypto::uplink::{self, Search};
use proptest::prelude::*;
use proptest::sample::Index;

use super::sides::{CloudSide, DeviceSide, GatewaySide};
use crate::harness::{Parcel, Place, Subject, Trials, Twin, records};

const DEVICE: u16 = 1;
const GATEWAY: u16 = 10;
const CLOUD: u16 = 100;
const PORTS: [LocalPort; 5] = [
    LocalPort::Negotiation,
    LocalPort::Transmission,
    LocalPort::FirstClient,
    LocalPort::SecondClient,
    LocalPort::Discovery,
];
const NEGOTIATION: u16 = 0;
const TRANSMISSION: u16 = 1;
const DISCOVERY: u16 = 4;
/// The longest time between two attempts.
const RETRY_LIMIT: Duration = Duration::from_secs(20);

fn number(port: LocalPort) -> u16 {
    PORTS.iter().position(|known| *known == port).unwrap() as u16
}

#[derive(Clone, Debug)]
pub(crate) struct Terms {
    max_datagram: usize,
    forward_secrecy: ForwardSecrecy,
    sleepy: bool,
    /// Whether the device waits for an advertisement.
    advertised: bool,
    /// After how many seconds keys are replaced.
    rotation: u64,
    buffers: Vec<usize>,
    /// What becomes of the datagrams, in turn: how long each takes, in milliseconds, and
    /// what happens to it, out of 16.
    fates: Vec<(u64, u8)>,
}

pub(crate) fn terms() -> impl Strategy<Value = Terms> {
    let secrecy = prop_oneof![Just(ForwardSecrecy::On), Just(ForwardSecrecy::Off)];
    let flags = (any::<bool>(), any::<bool>());
    let buffers = prop::collection::vec(prop_oneof![0..200_usize, 0..1_200_usize], 0..4);
    let delay = prop_oneof![4 => 0..30_u64, 1 => 0..3_000_u64];
    let fates = prop::collection::vec((delay, 0..16_u8), 0..50);
    let size = prop_oneof![Just(208), 208..400_usize, Just(1200)];
    (size, secrecy, flags, 100..900_u64, buffers, fates).prop_map(
        |(max_datagram, forward_secrecy, (sleepy, advertised), rotation, buffers, fates)| Terms {
            max_datagram,
            forward_secrecy,
            sleepy,
            advertised,
            rotation,
            buffers,
            fates,
        },
    )
}

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Who {
    Device,
    Gateway,
    Cloud,
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// So many milliseconds pass.
    Pass(u64),
    Alert,
    Wake,
    /// The gateway's or the cloud's application commands the device.
    Command(Who),
    RequestData,
    /// The device's application answers, or no longer does so at once.
    Answer(bool),
    /// The cloud hands out a new network key.
    Key,
    Restart(Who),
    /// A datagram that arrived arrives again.
    Repeat(Index),
    /// What follows changes nothing: calls before the deadline,
    Early(Who),
    /// mistakes of the application,
    Mistake(Who, u8),
    /// bytes of any kind,
    Garbage(Who, u8, Vec<u8>),
    /// a protected record or an advertisement that somebody changed,
    Forge(Index, Index, u8),
    /// a datagram from where nothing is expected, or at a port that is not served.
    Misplace(Index, bool),
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let who = || prop_oneof![Just(Who::Device), Just(Who::Gateway), Just(Who::Cloud)];
    let above = || prop_oneof![Just(Who::Gateway), Just(Who::Cloud)];
    let garbage = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        8 => prop_oneof![2 => 0..3_000_u64, 1 => 0..60_000_u64].prop_map(Pass),
        3 => Just(Alert),
        1 => Just(Wake),
        4 => above().prop_map(Command),
        1 => Just(RequestData),
        2 => prop::bool::weighted(0.7).prop_map(Answer),
        1 => Just(Key),
        1 => who().prop_map(Restart),
        2 => any::<Index>().prop_map(Repeat),
        5 => who().prop_map(Early),
        6 => (who(), any::<u8>()).prop_map(|(who, which)| Mistake(who, which)),
        2 => (who(), 0..5_u8, garbage).prop_map(|(who, port, bytes)| Garbage(who, port, bytes)),
        6 => any::<(Index, Index, u8)>().prop_map(|(which, at, bit)| Forge(which, at, bit)),
        3 => any::<(Index, bool)>().prop_map(|(which, port)| Misplace(which, port)),
    ]
}

/// What the world needs of a twin of any kind.
trait Party {
    fn deadline(&self) -> Option<Instant>;
    fn receive(&mut self, now: Instant, port: LocalPort, from: Place, bytes: &[u8]);
    fn settle(&mut self, now: Instant) -> Vec<(LocalPort, Destination<Place>, Vec<u8>)>;
    fn try_early(&mut self, now: Instant);
    fn try_mistake(&mut self, now: Instant, which: u8);
    fn try_bad(&mut self, now: Instant, port: LocalPort, from: Place, bytes: &[u8]);
    fn trials(&self) -> Trials;
}

impl<S: Subject> Party for Twin<S> {
    fn deadline(&self) -> Option<Instant> {
        Self::deadline(self)
    }

    fn receive(&mut self, now: Instant, port: LocalPort, from: Place, bytes: &[u8]) {
        Self::receive(self, now, port, from, bytes);
    }

    fn settle(&mut self, now: Instant) -> Vec<(LocalPort, Destination<Place>, Vec<u8>)> {
        let mut all = Vec::new();
        if self.is_due(now) {
            self.timeout(now);
        }
        // Now the events first, now the output.
        if now.as_millis().is_multiple_of(2) {
            while self.event(now).is_some() {}
        }
        while let Some((sent, bytes)) = self.transmit(now) {
            all.push((sent.from, sent.to, bytes));
        }
        while self.event(now).is_some() {}
        all
    }

    fn try_early(&mut self, now: Instant) {
        Self::try_early(self, now);
    }

    fn try_mistake(&mut self, now: Instant, which: u8) {
        Self::try_mistake(self, now, which);
    }

    fn try_bad(&mut self, now: Instant, port: LocalPort, from: Place, bytes: &[u8]) {
        Self::try_bad(self, now, port, from, bytes);
    }

    fn trials(&self) -> Trials {
        Self::trials(self)
    }
}

/// What was seen of those who were restarted since.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) executed: Vec<i64>,
    pub(crate) done: Vec<i64>,
    pub(crate) delivered: Vec<i64>,
    pub(crate) at_gateway: Vec<i64>,
    pub(crate) at_cloud: Vec<i64>,
    pub(crate) trials: Trials,
}

pub(crate) struct World {
    terms: Terms,
    now: Instant,
    device: Twin<DeviceSide>,
    gateway: Twin<GatewaySide>,
    cloud: Twin<CloudSide>,
    starts: u64,
    answers: bool,
    /// The arguments of commands and the values of alerts are all different.
    numbers: i64,
    keys: u8,
    flying: BTreeMap<(Instant, u64), Parcel>,
    count: u64,
    arrived: Vec<Parcel>,
    reached: Reached,
    /// The alerts that a gateway took charge of, and took with it.
    lost: Vec<i64>,
}

impl Terms {
    fn dtls(&self) -> iot_crypto::dtls::Config {
        iot_crypto::dtls::Config {
            max_datagram: self.max_datagram,
            ..iot_crypto::dtls::Config::default()
        }
    }

    fn device(&self, seed: u64, now: Instant) -> Twin<DeviceSide> {
        let search = if self.advertised {
            Search::Advertisement
        } else {
            Search::At(Place { host: GATEWAY, port: NEGOTIATION })
        };
        let mut settings = uplink::Settings::new(search);
        settings.forward_secrecy = self.forward_secrecy;
        settings.sleepy = self.sleepy;
        settings.retry_limit = RETRY_LIMIT;
        settings.dtls = self.dtls();
        Twin::new(&self.buffers, || DeviceSide::new(seed, settings.clone(), now))
    }

    fn downlink(&self) -> downlink::Settings {
        let mut settings = downlink::Settings::new(TRANSMISSION);
        settings.server.dtls = self.dtls();
        settings.rotation = Rotation {
            age: Duration::from_secs(self.rotation),
            grace: Duration::from_secs(self.rotation),
            ..Rotation::default()
        };
        settings
    }

    fn gateway(&self, seed: u64, now: Instant) -> Twin<GatewaySide> {
        let mut settings = gateway::Settings::new(NEGOTIATION, TRANSMISSION);
        settings.downlink = self.downlink();
        settings.polling = Some(Polling { every: Duration::from_secs(60), labels: Vec::new() });
        let mut cloud = uplink::Settings::new(Search::At(Place { host: CLOUD, port: NEGOTIATION }));
        cloud.dtls = self.dtls();
        cloud.retry_limit = RETRY_LIMIT;
        settings.cloud = Some(cloud);
        Twin::new(&self.buffers, || GatewaySide::new(seed, settings.clone(), now))
    }

    fn cloud(&self, seed: u64, now: Instant) -> Twin<CloudSide> {
        Twin::new(&self.buffers, || CloudSide::new(seed, self.downlink(), now))
    }
}

impl World {
    pub(crate) fn new(terms: &Terms) -> Self {
        let now = Instant::from_millis(1_000_000);
        let mut world = Self {
            now,
            device: terms.device(1, now),
            gateway: terms.gateway(2, now),
            cloud: terms.cloud(3, now),
            terms: terms.clone(),
            starts: 3,
            answers: true,
            numbers: 0,
            keys: 1,
            flying: BTreeMap::new(),
            count: 0,
            arrived: Vec::new(),
            reached: Reached::default(),
            lost: Vec::new(),
        };
        // Over a good network, they find each other first.
        let fates = std::mem::take(&mut world.terms.fates);
        world.pass(10_000);
        assert!(world.device.plain().is_connected() && world.gateway.plain().is_connected());
        world.terms.fates = fates;
        world
    }

    fn parties(&mut self) -> [(u16, &mut dyn Party); 3] {
        [(DEVICE, &mut self.device), (GATEWAY, &mut self.gateway), (CLOUD, &mut self.cloud)]
    }

    fn party(&mut self, who: Who) -> &mut dyn Party {
        match who {
            Who::Device => &mut self.device,
            Who::Gateway => &mut self.gateway,
            Who::Cloud => &mut self.cloud,
        }
    }

    fn at(&mut self, host: u16) -> &mut dyn Party {
        self.party(match host {
            DEVICE => Who::Device,
            GATEWAY => Who::Gateway,
            _ => Who::Cloud,
        })
    }

    fn post(&mut self, from: Place, to: Place, bytes: Vec<u8>) {
        let turn = self.count as usize % self.terms.fates.len().max(1);
        let (delay, luck) = self.terms.fates.get(turn).copied().unwrap_or((1, 15));
        let delays = match luck {
            0..3 => vec![],
            3..5 => vec![delay, delay / 2 + 1],
            _ => vec![delay],
        };
        self.count += 1;
        for (copy, delay) in delays.into_iter().enumerate() {
            let at = self.now + Duration::from_millis(delay);
            let parcel = Parcel { from, to, bytes: bytes.clone() };
            self.flying.insert((at, self.count * 2 + copy as u64), parcel);
        }
    }

    /// Takes all output and events of everyone, until there are none.
    fn settle(&mut self) {
        for _ in 0..1_000 {
            let now = self.now;
            let mut sent = Vec::new();
            let mut quiet = true;
            for (host, party) in self.parties() {
                quiet &= party.deadline().is_none_or(|at| at > now);
                sent.extend(party.settle(now).into_iter().map(|sent| (host, sent)));
            }
            if self.answers {
                let answered = self.device.both(DeviceSide::answer);
                quiet &= answered.is_empty();
            }
            for (host, (port, to, bytes)) in sent {
                let from = Place { host, port: number(port) };
                let to = match to {
                    Destination::Address(to) => to,
                    Destination::Everyone => Place { host: DEVICE, port: DISCOVERY },
                };
                self.post(from, to, bytes);
            }
            if quiet {
                return;
            }
        }
        panic!("deadlines that lead nowhere");
    }

    fn arrive(&mut self, parcel: Parcel) {
        let (now, port) = (self.now, PORTS[usize::from(parcel.to.port)]);
        self.at(parcel.to.host).receive(now, port, parcel.from, &parcel.bytes);
        self.arrived.push(parcel);
        self.settle();
    }

    fn pass(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        self.settle();
        loop {
            let deadlines = self.parties().map(|(_, party)| party.deadline());
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let next = deadlines.into_iter().chain([arrival]).flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            // Whoever is called in between does nothing.
            let between = self.now + next.since(self.now) / 2;
            for (_, party) in self.parties() {
                party.try_early(between);
            }
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry().filter(|it| it.key().0 <= self.now) {
                let parcel = entry.remove();
                self.arrive(parcel);
            }
            self.settle();
        }
        self.now = end;
    }

    /// Takes down what was seen of somebody, who then begins anew.
    fn restart(&mut self, who: Who) {
        self.starts += 1;
        let (seed, now) = (self.starts, self.now);
        self.note(who);
        match who {
            Who::Device => self.device = self.terms.device(seed, now),
            Who::Gateway => {
                let at_cloud: Vec<_> = self.all_at_cloud();
                let taken = self.reached.at_gateway.iter().copied();
                self.lost.extend(taken.filter(|value| !at_cloud.contains(value)));
                self.gateway = self.terms.gateway(seed, now);
            }
            Who::Cloud => self.cloud = self.terms.cloud(seed, now),
        }
        // A gateway and a cloud keep the network keys in a file.
        for key in 2..=self.keys {
            match who {
                Who::Device => {}
                Who::Gateway => self.gateway.both(|gateway| gateway.add_network_key(now, key)),
                Who::Cloud => self.cloud.both(|cloud| cloud.add_network_key(now, key)),
            }
        }
    }

    fn all_at_cloud(&self) -> Vec<i64> {
        [&self.reached.at_cloud[..], &self.cloud.plain().alerts].concat()
    }

    fn note(&mut self, who: Who) {
        let trials = self.party(who).trials();
        self.reached.trials += trials;
        let Self { reached, device, gateway, cloud, .. } = self;
        match who {
            Who::Device => {
                reached.executed.extend(&device.plain().executed);
                reached.delivered.extend(&device.plain().delivered);
            }
            Who::Gateway => {
                reached.done.extend(&gateway.plain().done);
                reached.at_gateway.extend(&gateway.plain().alerts);
            }
            Who::Cloud => {
                reached.done.extend(&cloud.plain().done);
                reached.at_cloud.extend(&cloud.plain().alerts);
            }
        }
    }

    fn picked(&self, which: &Index) -> Option<Parcel> {
        (!self.arrived.is_empty()).then(|| which.get(&self.arrived).clone())
    }

    /// A change that nobody without the key could make good: of a protected record, as
    /// something else than a message of a handshake, which would be kept until there
    /// are keys; or of an advertisement.
    fn forge(&mut self, which: &Index, at: &Index, bit: u8) {
        let Some(parcel) = self.picked(which) else { return };
        let mut bytes = if parcel.to.port == DISCOVERY {
            parcel.bytes.clone()
        } else {
            let all = records(&parcel.bytes);
            let Some(record) = all.into_iter().rfind(|it| it.len() > 13 && it[4] != 0) else {
                return;
            };
            let mut bytes = record.to_vec();
            bytes[0] = 21 + 2 * (bit >> 4 & 1);
            // The number far ahead, or just ahead.
            bytes[9] = bytes[9].wrapping_add(bit >> 5);
            bytes
        };
        let start = if parcel.to.port == DISCOVERY { 0 } else { 13 };
        let at = start + at.index(bytes.len() - start);
        bytes[at] ^= 1 << (bit % 8);
        let (now, port) = (self.now, PORTS[usize::from(parcel.to.port)]);
        self.at(parcel.to.host).try_bad(now, port, parcel.from, &bytes);
    }

    pub(crate) fn perform(&mut self, operation: &Operation) {
        let now = self.now;
        self.numbers += 1;
        let number = self.numbers;
        match operation {
            Operation::Pass(milliseconds) => self.pass(*milliseconds),
            Operation::Alert => {
                self.device.both(|device| device.alert(now, number));
            }
            Operation::Wake => {
                self.device.both(|device| device.wake(now));
            }
            Operation::Command(Who::Cloud) => {
                self.cloud.both(|cloud| cloud.command(now, number));
            }
            Operation::Command(_) => {
                self.gateway.both(|gateway| gateway.command(now, number));
            }
            Operation::RequestData => {
                self.gateway.both(|gateway| gateway.request_data(now));
            }
            Operation::Answer(at_once) => {
                self.answers = *at_once;
                self.device.both(DeviceSide::answer);
            }
            // As many as are accepted at once: nobody who was away is kept out.
            Operation::Key if self.keys < MAX_NETWORK_KEYS as u8 => {
                self.keys += 1;
                let key = self.keys;
                self.cloud.both(|cloud| cloud.add_network_key(now, key));
            }
            Operation::Key => {}
            Operation::Restart(who) => self.restart(*who),
            Operation::Repeat(which) => {
                if let Some(parcel) = self.picked(which) {
                    self.arrive(parcel);
                }
            }
            Operation::Early(who) => self.party(*who).try_early(now),
            Operation::Mistake(who, which) => self.party(*who).try_mistake(now, *which),
            Operation::Garbage(who, port, bytes) => {
                let from = Place { host: GATEWAY, port: NEGOTIATION };
                self.party(*who).try_bad(now, PORTS[usize::from(*port)], from, bytes);
            }
            Operation::Forge(which, at, bit) => self.forge(which, at, *bit),
            Operation::Misplace(which, at_port) => {
                let Some(parcel) = self.picked(which) else { return };
                let port = PORTS[usize::from(parcel.to.port)];
                let is_client = matches!(port, LocalPort::FirstClient | LocalPort::SecondClient);
                let (port, from) = if *at_port {
                    let unserved = if parcel.to.host == DEVICE {
                        LocalPort::Transmission
                    } else {
                        LocalPort::Discovery
                    };
                    (unserved, parcel.from)
                } else if is_client {
                    (port, Place { host: 77, ..parcel.from })
                } else {
                    return;
                };
                self.at(parcel.to.host).try_bad(now, port, from, &parcel.bytes);
            }
        }
        self.settle();
    }

    /// Lets everyone find each other again, and looks at what has become of it all.
    pub(crate) fn finish(mut self) -> Reached {
        self.answers = true;
        self.terms.fates.clear();
        self.device.both(DeviceSide::answer);
        // Longer than the longest wait between two attempts or two copies of a request, and
        // than it takes to notice that somebody is gone.
        for _ in 0..3 {
            self.pass(100_000);
            let now = self.now;
            self.device.both(|device| device.wake(now));
        }
        self.pass(70_000);
        assert!(self.device.plain().is_connected(), "the device has no session");
        assert!(self.gateway.plain().is_connected(), "the gateway has no sessions");
        assert_eq!(self.device.plain().undelivered(), 0, "alerts that do not arrive");
        [Who::Device, Who::Gateway, Who::Cloud].into_iter().for_each(|who| self.note(who));
        let reached = &self.reached;
        let mut executed = reached.executed.clone();
        executed.sort_unstable();
        assert!(executed.windows(2).all(|two| two[0] != two[1]), "a command ran twice");
        for done in &reached.done {
            assert!(executed.binary_search(done).is_ok(), "{done} is said to be done");
        }
        for delivered in &reached.delivered {
            assert!(reached.at_gateway.contains(delivered), "{delivered} was not delivered");
        }
        for alert in &reached.at_gateway {
            let arrived = reached.at_cloud.contains(alert) || self.lost.contains(alert);
            assert!(arrived, "{alert} was not handed on");
        }
        self.reached
    }
}
