//! A network in virtual time: parties, and datagrams on their way between them.
//!
//! It is driven by advertised deadlines only: a party is called when a datagram
//! arrives for it and when its deadline has come, and at no other time. So a party
//! that would need to be looked at now and then stands still here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use iot_crypto::cloud::Cloud;
use iot_crypto::device::Device;
use iot_crypto::endpoint::{Destination, LocalPort};
use iot_crypto::gateway::Gateway;
use iot_crypto::time::Instant;
use sha2::{Digest as _, Sha256};

use crate::adversary::Adversary;
use crate::cast::network_key;
use crate::link::Link;
use crate::nat::Nat;
use crate::node::{Event, Node, Stranger};
use crate::path::Path;
use crate::place::{Place, number, port};
use crate::random::{Dice, Provider, provider};

/// How many times in a row something may happen at the same instant. More is taken
/// for a party that never comes to rest.
const AT_ONCE: usize = 1000;
/// How many datagrams a party may send at the same instant.
const MAX_BURST: usize = 100_000;

/// A datagram that was sent: when, from, to, bytes.
pub type Sent = (Instant, Place, Place, Vec<u8>);

/// A network in virtual time.
pub struct World {
    /// What everything comes from.
    pub seed: u64,
    /// The present instant.
    pub now: Instant,
    /// How datagrams fare between hosts that have no path of their own.
    pub link: Link,
    /// The parties, by their hosts.
    pub nodes: BTreeMap<u16, Node>,
    /// What happened: when, at which host, what.
    pub events: Vec<(Instant, u16, Event)>,
    /// Everything that parties sent, while [`World::keeps_sent`].
    pub sent: Vec<Sent>,
    /// The same of what adversaries sent, in anyone's name.
    pub attacks: Vec<Sent>,
    /// Whether what is sent is kept.
    pub keeps_sent: bool,
    /// Hosts that nothing reaches and nothing leaves.
    pub cut_off: BTreeSet<u16>,
    /// The size of the parties' buffers, in bytes.
    pub max_datagram: usize,
    /// Whether devices answer commands at once.
    pub devices_answer: bool,
    /// The ways between two hosts, the lesser number first.
    pub paths: BTreeMap<(u16, u16), Path>,
    /// The routers that translate addresses.
    pub nats: Vec<Nat>,
    /// Who hears everything that parties send, and sends what it likes.
    pub adversaries: Vec<Box<dyn Adversary>>,
    dice: Dice,
    in_flight: BTreeMap<(Instant, u64), InFlight>,
    count: u64,
    agenda: Agenda,
    digest: Sha256,
}

/// A datagram on its way.
#[derive(Debug)]
struct InFlight {
    /// As whose it is seen at its end.
    seen_from: Place,
    from: Place,
    to: Place,
    bytes: Vec<u8>,
    /// How many networks of its path lie behind it.
    hops: usize,
}

/// When each party is to be called.
#[derive(Debug, Default)]
struct Agenda {
    due: BTreeSet<(Instant, u16)>,
    deadlines: BTreeMap<u16, Instant>,
    /// Those that were touched since their deadline was asked for.
    touched: BTreeSet<u16>,
}

impl Agenda {
    fn set(&mut self, host: u16, deadline: Option<Instant>) {
        if let Some(old) = self.deadlines.remove(&host) {
            self.due.remove(&(old, host));
        }
        if let Some(deadline) = deadline {
            self.deadlines.insert(host, deadline);
            self.due.insert((deadline, host));
        }
    }

    /// Those that are to be looked at now, in the order of their numbers.
    fn take(&mut self, now: Instant) -> BTreeSet<u16> {
        let mut hosts = std::mem::take(&mut self.touched);
        hosts.extend(self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, host)| *host));
        hosts
    }
}

impl World {
    /// An empty world; the same seed and the same doings give the same world.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Instant::ZERO,
            link: Link::GOOD,
            nodes: BTreeMap::new(),
            events: Vec::new(),
            sent: Vec::new(),
            attacks: Vec::new(),
            keeps_sent: true,
            cut_off: BTreeSet::new(),
            max_datagram: 1200,
            devices_answer: true,
            paths: BTreeMap::new(),
            nats: Vec::new(),
            adversaries: Vec::new(),
            dice: Dice::new(0x57, seed),
            in_flight: BTreeMap::new(),
            count: 0,
            agenda: Agenda::default(),
            digest: Sha256::new(),
        }
    }

    /// The device at `host`.
    ///
    /// # Panics
    /// If there is none.
    pub fn device(&mut self, host: u16) -> &mut Device<Provider, Place> {
        self.agenda.touched.insert(host);
        match self.nodes.get_mut(&host) {
            Some(Node::Device(device)) => device,
            _ => panic!("no device {host}"),
        }
    }

    /// The gateway at `host`.
    ///
    /// # Panics
    /// If there is none.
    pub fn gateway(&mut self, host: u16) -> &mut Gateway<Provider, Place> {
        self.agenda.touched.insert(host);
        match self.nodes.get_mut(&host) {
            Some(Node::Gateway(gateway)) => gateway,
            _ => panic!("no gateway {host}"),
        }
    }

    /// The cloud at `host`.
    ///
    /// # Panics
    /// If there is none.
    pub fn cloud(&mut self, host: u16) -> &mut Cloud<Provider, Place> {
        self.agenda.touched.insert(host);
        match self.nodes.get_mut(&host) {
            Some(Node::Cloud(cloud)) => cloud,
            _ => panic!("no cloud {host}"),
        }
    }

    /// The stranger at `host`.
    ///
    /// # Panics
    /// If there is none.
    pub fn stranger(&mut self, host: u16) -> &mut Stranger {
        self.agenda.touched.insert(host);
        match self.nodes.get_mut(&host) {
            Some(Node::Stranger(stranger)) => stranger,
            _ => panic!("no stranger {host}"),
        }
    }

    /// Puts somebody at `host` who connects to `to` with a network key.
    pub fn add_stranger(&mut self, host: u16, to: Place, number: u8) {
        let key = network_key(number);
        let secret = key.psk(&provider(0));
        let stranger = Stranger::new(self.now, u64::from(host), to, &key.id().0, &secret);
        self.nodes.insert(host, Node::Stranger(Box::new(stranger)));
    }

    /// Connects two hosts by a path of their own.
    pub fn connect(&mut self, one: u16, other: u16, path: Path) {
        self.paths.insert((one.min(other), one.max(other)), path);
    }

    /// The first bytes of the SHA-256 of all that was sent and of all events, in
    /// hexadecimal: two runs of the same world have the same one.
    #[must_use]
    pub fn digest(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.digest.clone().finalize()[..8])
    }

    /// Puts a datagram on its way.
    pub fn send(&mut self, from: Place, to: Place, bytes: &[u8]) {
        if self.keeps_sent {
            self.sent.push((self.now, from, to, bytes.to_vec()));
        }
        for adversary in &mut self.adversaries {
            adversary.hear(self.now, from, to, bytes);
        }
        self.launch(from, to, bytes);
    }

    fn launch(&mut self, from: Place, to: Place, bytes: &[u8]) {
        self.digest.update(self.now.as_millis().to_be_bytes());
        for place in [from, to] {
            self.digest.update(place.host.to_be_bytes());
            self.digest.update(place.port.to_be_bytes());
        }
        self.digest.update(bytes);
        let (mut seen_from, mut real_to) = (from, to);
        for nat in &mut self.nats {
            if nat.hides(from.host) && !nat.hides(to.host) {
                seen_from = nat.outbound(self.now, from, to);
            }
            if nat.host == to.host {
                let Some(inner) = nat.inbound(self.now, from, to.port) else { return };
                real_to = inner;
            }
        }
        let datagram = InFlight { seen_from, from, to: real_to, bytes: Vec::new(), hops: 0 };
        match self.paths.get_mut(&ends(from, real_to)) {
            Some(path) => {
                for bytes in path.admit(&mut self.dice, bytes) {
                    self.carry(InFlight { bytes, ..datagram.shallow() });
                }
            }
            None => {
                for (delay, bytes) in self.link.carry(&mut self.dice, bytes) {
                    self.schedule(self.now + delay, InFlight { bytes, ..datagram.shallow() });
                }
            }
        }
    }

    fn schedule(&mut self, at: Instant, datagram: InFlight) {
        self.count += 1;
        self.in_flight.insert((at, self.count), datagram);
    }

    /// Sends a datagram over the next network of its path.
    fn carry(&mut self, mut datagram: InFlight) {
        let InFlight { from, to, hops, .. } = datagram;
        let Some(path) = self.paths.get_mut(&ends(from, to)) else { return };
        let backward = from.host > to.host;
        let length = datagram.bytes.len();
        if let Some(at) = path.carry(&mut self.dice, self.now, length, backward, hops) {
            datagram.hops += 1;
            self.schedule(at, datagram);
        }
    }

    fn transmit(&mut self, host: u16) {
        let mut buffer = vec![0; self.max_datagram];
        for _ in 0..MAX_BURST {
            let Some(node) = self.nodes.get_mut(&host) else { return };
            let Some(sent) = node.endpoint().poll_transmit(self.now, &mut buffer).unwrap() else {
                return;
            };
            let from = Place { host, port: number(sent.from) };
            let bytes = buffer[..sent.length].to_vec();
            assert!(sent.length <= self.max_datagram);
            if self.cut_off.contains(&host) {
                continue;
            }
            match sent.to {
                Destination::Address(to) => self.send(from, to, &bytes),
                Destination::Everyone => self.broadcast(from, &bytes),
            }
        }
        panic!("host {host} sends without end");
    }

    /// A datagram to all devices that are in reach of a broadcast.
    fn broadcast(&mut self, from: Place, bytes: &[u8]) {
        let is_in_reach = |host: u16| !self.nats.iter().any(|nat| nat.hides(host));
        let devices: Vec<u16> = self
            .nodes
            .iter()
            .filter(|(host, node)| matches!(node, Node::Device(_)) && is_in_reach(**host))
            .map(|(host, _)| *host)
            .collect();
        for device in devices {
            self.send(from, Place { host: device, port: number(LocalPort::Discovery) }, bytes);
        }
    }

    fn take_events(&mut self, host: u16) {
        while let Some(node) = self.nodes.get_mut(&host)
            && let Some(event) = node.poll_event(self.devices_answer)
        {
            self.digest.update(self.now.as_millis().to_be_bytes());
            self.digest.update(host.to_be_bytes());
            self.digest.update(format!("{event:?}"));
            self.events.push((self.now, host, event));
        }
    }

    /// Calls a party for as long as its deadline has come: what is due, what it
    /// sends, what it tells.
    fn call(&mut self, host: u16) {
        for _ in 0..AT_ONCE {
            let Some(node) = self.nodes.get_mut(&host) else {
                return self.agenda.set(host, None);
            };
            let deadline = node.endpoint().poll_timeout().map(|deadline| deadline.at);
            if deadline.is_none_or(|deadline| deadline > self.now) {
                return self.agenda.set(host, deadline);
            }
            node.endpoint().handle_timeout(self.now);
            self.transmit(host);
            self.take_events(host);
        }
        panic!("host {host} never comes to rest at {:?}", self.now);
    }

    /// When anything happens next.
    fn next(&self) -> Option<Instant> {
        if !self.agenda.touched.is_empty() {
            return Some(self.now);
        }
        let arrival = self.in_flight.keys().next().map(|(at, _)| *at);
        let deadline = self.agenda.due.first().map(|(at, _)| *at);
        let attack = self.adversaries.iter().filter_map(|adversary| adversary.poll_timeout()).min();
        [arrival, deadline, attack].into_iter().flatten().min().map(|at| at.max(self.now))
    }

    fn attack(&mut self) {
        let mut attacks = Vec::new();
        for adversary in &mut self.adversaries {
            if adversary.poll_timeout().is_some_and(|at| at <= self.now) {
                attacks.extend(adversary.act(self.now));
            }
        }
        for (from, to, bytes) in attacks {
            self.launch(from, to, &bytes);
            if self.keeps_sent {
                self.attacks.push((self.now, from, to, bytes));
            }
        }
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.in_flight.first_entry()
            && entry.key().0 <= self.now
        {
            let datagram = entry.remove();
            let InFlight { seen_from, from, to, .. } = datagram;
            if self.cut_off.contains(&to.host) || self.cut_off.contains(&from.host) {
                continue;
            }
            let path = self.paths.get(&ends(from, to));
            if path.is_some_and(|path| datagram.hops < path.length()) {
                self.carry(datagram);
                continue;
            }
            if let Some(node) = self.nodes.get_mut(&to.host)
                && let Some(port) = port(to.port)
            {
                let mut bytes = datagram.bytes;
                node.endpoint().handle_datagram(self.now, port, seen_from, &mut bytes);
                self.agenda.touched.insert(to.host);
            }
        }
    }

    /// Lets everything happen until `until`, or until `done`.
    ///
    /// # Panics
    /// If nothing goes on any more though something is always due.
    pub fn run_until(&mut self, until: Instant, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        // Parties may have been added, replaced and told things since the last time.
        self.agenda.touched.extend(self.nodes.keys());
        let mut steps_at_once = 0;
        loop {
            for host in self.agenda.take(self.now) {
                self.call(host);
            }
            self.attack();
            if done(self) {
                return true;
            }
            let Some(next) = self.next().filter(|next| *next <= until) else {
                self.now = self.now.max(until);
                return false;
            };
            steps_at_once = if next == self.now { steps_at_once + 1 } else { 0 };
            assert!(steps_at_once < AT_ONCE, "nothing goes on at {:?}", self.now);
            self.now = next;
            self.deliver();
        }
    }

    /// Lets everything happen for so many seconds.
    pub fn run(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        self.run_until(until, |_| false);
    }

    /// Runs until an event like this has happened at `host` after now.
    pub fn wait(&mut self, seconds: u64, host: u16, like: impl Fn(&Event) -> bool) -> bool {
        let seen = self.events.len();
        let until = self.now + Duration::from_secs(seconds);
        self.run_until(until, |world| {
            world.events[seen..].iter().any(|(_, at, event)| *at == host && like(event))
        })
    }
}

impl InFlight {
    /// The same without its bytes.
    const fn shallow(&self) -> Self {
        Self { bytes: Vec::new(), ..*self }
    }
}

/// The two ends of a way, the lesser number first.
fn ends(one: Place, other: Place) -> (u16, u16) {
    (one.host.min(other.host), one.host.max(other.host))
}

impl core::fmt::Debug for World {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}
