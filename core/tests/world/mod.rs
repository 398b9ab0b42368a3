//! A network in virtual time: parties, and datagrams that are lost, repeated and
//! delayed as a seed says. Driven by advertised deadlines only.

#![allow(dead_code)] // Each suite uses its part.

use std::collections::{BTreeMap, BTreeSet};

use chacha20::ChaCha20Rng;
use iot_crypto::cloud::{Cloud, CloudEvent};
use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::crypto::{RustCrypto, SymmetricKey};
use iot_crypto::device::{Device, DeviceEvent};
use iot_crypto::downlink;
use iot_crypto::dtls::{Client, Datagram, PresharedKey, PskIdentity};
use iot_crypto::endpoint::{Address, Destination, Endpoint, LocalPort, Transmit};
use iot_crypto::gateway::{self, Gateway, GatewayEvent, GatewayTrust, Polling};
use iot_crypto::identity::{
    Authority, Endorsements, Grant, Name, PartyId, PrivateIdentity, Rights, Role, TrustStore,
};
use iot_crypto::party::Party;
use iot_crypto::time::{Deadline, Instant, Reason, UnixTime, WallClock};
use iot_crypto::transmission::{CommandState, Label, Reading, Value};
use iot_crypto::uplink::{self, Search};
use iot_crypto::wire::BufferTooSmall;
use rand_core::{Rng as _, SeedableRng as _};
use std::time::Duration;

pub type Provider = RustCrypto<ChaCha20Rng>;

/// The wall time at the instant 0.
pub const EPOCH: u64 = 1_800_000_000;
pub const YEAR: u64 = 365 * 24 * 3600;

/// A host and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub host: u16,
    pub port: u16,
}

impl Address for Place {
    fn with_port(self, port: u16) -> Self {
        Self { port, ..self }
    }
}

pub const NEGOTIATION: u16 = 1;
pub const TRANSMISSION: u16 = 2;

fn number(port: LocalPort) -> u16 {
    match port {
        LocalPort::Negotiation => NEGOTIATION,
        LocalPort::Transmission => TRANSMISSION,
        LocalPort::FirstClient => 3,
        LocalPort::SecondClient => 4,
        LocalPort::Discovery => 5,
    }
}

fn port(number: u16) -> LocalPort {
    [
        LocalPort::Negotiation,
        LocalPort::Transmission,
        LocalPort::FirstClient,
        LocalPort::SecondClient,
        LocalPort::Discovery,
    ][usize::from(number) - 1]
}

pub fn provider(seed: u64) -> Provider {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    RustCrypto::new(ChaCha20Rng::from_seed(bytes))
}

/// The provider of a party that starts at `now`, so that it is another each time.
fn provider_at(now: Instant, seed: u64) -> Provider {
    provider(now.as_millis() << 16 | seed)
}

pub fn identity(seed: u64, name: &str) -> PrivateIdentity {
    let name = Name::new(name).unwrap();
    let (from, to) = (UnixTime::from_secs(EPOCH - YEAR), UnixTime::from_secs(EPOCH + 10 * YEAR));
    PrivateIdentity::create(&mut provider(seed), name, from, to).unwrap()
}

/// `subject`'s credentials with one endorsement by `issuer`.
pub fn endorsed(
    issuer: &PrivateIdentity,
    subject: &PrivateIdentity,
    role: Role,
    until: u64,
) -> Endorsements {
    let grant = Grant { roles: role.into(), rights: Rights::ALL };
    let (from, to) = (UnixTime::from_secs(EPOCH - YEAR), UnixTime::from_secs(until));
    let endorsement = issuer.endorse(&provider(0), subject.certificate(), from, to, grant).unwrap();
    Endorsements::new(&[endorsement]).unwrap()
}

pub fn network_key(number: u8) -> NetworkKey {
    NetworkKey::from_secret(&provider(0), SymmetricKey::new([number; 32]))
}

pub fn network(numbers: &[u8]) -> NetworkKeys {
    let mut keys = NetworkKeys::new();
    for number in numbers.iter().rev() {
        keys.add(network_key(*number)).unwrap();
    }
    keys
}

pub fn trusting<const A: usize, const B: usize, const C: usize>(
    parties: &[&PrivateIdentity],
) -> TrustStore<A, B, C> {
    let mut trust = TrustStore::new();
    for party in parties {
        trust.add_party(&provider(0), party.certificate(), Authority::Full).unwrap();
    }
    trust
}

#[allow(clippy::large_enum_variant)]
pub enum Node {
    Device(Box<Device<Provider, Place>>),
    Gateway(Box<Gateway<Provider, Place>>),
    Cloud(Box<Cloud<Provider, Place>>),
    Stranger(Box<Stranger>),
}

/// Somebody who connects to a port with a key, and then says what the test wants.
pub struct Stranger {
    provider: Provider,
    connection: Client<Provider>,
    to: Place,
    /// Sent as soon as it is connected.
    pub payloads: Vec<Vec<u8>>,
    pub received: Vec<Vec<u8>>,
}

impl Stranger {
    pub fn new(now: Instant, seed: u64, to: Place, identity: &[u8], key: &SymmetricKey) -> Self {
        let mut provider = provider(seed);
        let identity = PskIdentity::new(identity).unwrap();
        let key = PresharedKey::new(key.expose()).unwrap();
        let config = iot_crypto::dtls::Config::default();
        let connection = Client::new(&config, &mut provider, now, &identity, key).unwrap();
        Self { provider, connection, to, payloads: Vec::new(), received: Vec::new() }
    }

    pub fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }
}

impl Endpoint for Stranger {
    type Address = Place;

    fn handle_datagram(&mut self, now: Instant, _: LocalPort, _: Place, datagram: &mut [u8]) {
        let mut datagram = Datagram::new(datagram);
        while let Some(payload) =
            self.connection.handle_record(&mut self.provider, now, &mut datagram)
        {
            self.received.push(payload.to_vec());
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(&mut self.provider, now);
        while self.connection.poll_event().is_some() {}
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<Place>>, BufferTooSmall> {
        if let Some(length) = self.connection.poll_transmit(&mut self.provider, now, buffer)? {
            return Ok(Some(Transmit::new(LocalPort::FirstClient, self.to, length)));
        }
        if self.is_connected()
            && let Some(payload) = self.payloads.pop()
        {
            let length = self.connection.send(&mut self.provider, now, &payload, buffer).unwrap();
            return Ok(Some(Transmit::new(LocalPort::FirstClient, self.to, length)));
        }
        Ok(None)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.is_connected() && !self.payloads.is_empty() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        self.connection.poll_timeout()
    }
}

impl Node {
    fn endpoint(&mut self) -> &mut dyn Endpoint<Address = Place> {
        match self {
            Self::Device(device) => &mut **device,
            Self::Gateway(gateway) => &mut **gateway,
            Self::Cloud(cloud) => &mut **cloud,
            Self::Stranger(stranger) => &mut **stranger,
        }
    }
}

/// What an event was, without what it borrows.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Device(String),
    /// A command that a device carried out.
    Executed(String),
    Gateway(GatewayEvent),
    Cloud(CloudEvent),
}

/// How datagrams fare.
#[derive(Clone, Copy)]
pub struct Link {
    /// Of 256, how many are lost.
    pub loss: u8,
    /// Of 256, how many come twice.
    pub duplication: u8,
    /// The least and the greatest delay, in milliseconds.
    pub delay: (u64, u64),
    /// Of 256, how many have a bit turned.
    pub corruption: u8,
}

impl Link {
    pub const GOOD: Self = Self { loss: 0, duplication: 0, delay: (1, 1), corruption: 0 };
    /// 30 % lost, repeated, and reordered.
    pub const BAD: Self = Self { loss: 77, duplication: 77, delay: (1, 300), corruption: 13 };
}

pub struct World {
    pub now: Instant,
    pub link: Link,
    pub nodes: BTreeMap<u16, Node>,
    pub events: Vec<(Instant, u16, Event)>,
    /// Everything that was sent: from, to, bytes.
    pub sent: Vec<(Instant, Place, Place, Vec<u8>)>,
    random: ChaCha20Rng,
    in_flight: BTreeMap<(Instant, u64), (Place, Place, Vec<u8>)>,
    count: u64,
    /// Hosts that nothing reaches and nothing leaves.
    pub cut_off: BTreeSet<u16>,
    pub max_datagram: usize,
    /// Whether devices answer commands at once.
    pub devices_answer: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0x57; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self {
            now: Instant::ZERO,
            link: Link::GOOD,
            nodes: BTreeMap::new(),
            events: Vec::new(),
            sent: Vec::new(),
            random: ChaCha20Rng::from_seed(bytes),
            in_flight: BTreeMap::new(),
            count: 0,
            cut_off: BTreeSet::new(),
            max_datagram: 1200,
            devices_answer: true,
        }
    }

    pub fn device(&mut self, host: u16) -> &mut Device<Provider, Place> {
        match self.nodes.get_mut(&host) {
            Some(Node::Device(device)) => device,
            _ => panic!("no device {host}"),
        }
    }

    pub fn gateway(&mut self, host: u16) -> &mut Gateway<Provider, Place> {
        match self.nodes.get_mut(&host) {
            Some(Node::Gateway(gateway)) => gateway,
            _ => panic!("no gateway {host}"),
        }
    }

    pub fn cloud(&mut self, host: u16) -> &mut Cloud<Provider, Place> {
        match self.nodes.get_mut(&host) {
            Some(Node::Cloud(cloud)) => cloud,
            _ => panic!("no cloud {host}"),
        }
    }

    pub fn stranger(&mut self, host: u16) -> &mut Stranger {
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

    /// Puts a datagram on its way.
    pub fn send(&mut self, from: Place, to: Place, bytes: &[u8]) {
        self.sent.push((self.now, from, to, bytes.to_vec()));
        let mut roll = || self.random.next_u32();
        let of_256 = |roll: u32, chance: u8| (roll & 0xff) < u32::from(chance);
        let copies = if of_256(roll(), self.link.loss) {
            0
        } else if of_256(roll(), self.link.duplication) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            let (least, greatest) = self.link.delay;
            let delay = least + u64::from(roll()) % (greatest - least + 1);
            let mut bytes = bytes.to_vec();
            if of_256(roll(), self.link.corruption) && !bytes.is_empty() {
                let at = roll() as usize % bytes.len();
                bytes[at] ^= 1 << (roll() % 8);
            }
            self.count += 1;
            let arrival = self.now + Duration::from_millis(delay);
            self.in_flight.insert((arrival, self.count), (from, to, bytes));
        }
    }

    fn transmit(&mut self, host: u16) {
        let mut buffer = vec![0; self.max_datagram];
        for _ in 0..100_000 {
            let node = self.nodes.get_mut(&host).unwrap();
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
                Destination::Everyone => {
                    let devices: Vec<u16> = self
                        .nodes
                        .iter()
                        .filter(|(_, node)| matches!(node, Node::Device(_)))
                        .map(|(host, _)| *host)
                        .collect();
                    for device in devices {
                        let to = Place { host: device, port: number(LocalPort::Discovery) };
                        self.send(from, to, &bytes);
                    }
                }
            }
        }
        panic!("host {host} sends without end");
    }

    fn take_events(&mut self, host: u16) {
        loop {
            let now = self.now;
            let answer = self.devices_answer;
            let event = match self.nodes.get_mut(&host).unwrap() {
                Node::Gateway(gateway) => gateway.poll_event().map(Event::Gateway),
                Node::Cloud(cloud) => cloud.poll_event().map(Event::Cloud),
                Node::Device(device) => serve(device, answer),
                Node::Stranger(_) => None,
            };
            match event {
                Some(event) => self.events.push((now, host, event)),
                None => return,
            }
        }
    }

    /// When anything happens next.
    fn next(&mut self) -> Option<Instant> {
        let arrival = self.in_flight.keys().next().map(|(at, _)| *at);
        let deadlines = self
            .nodes
            .values_mut()
            .filter_map(|node| node.endpoint().poll_timeout().map(|deadline| deadline.at));
        deadlines.chain(arrival).min().map(|at| at.max(self.now))
    }

    /// Lets everything happen until `until`, or until `done`.
    pub fn run_until(&mut self, until: Instant, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let mut steps_at_once = 0;
        loop {
            let hosts: Vec<u16> = self.nodes.keys().copied().collect();
            for host in hosts {
                let node = self.nodes.get_mut(&host).unwrap();
                let due = node.endpoint().poll_timeout();
                if due.is_some_and(|deadline| deadline.at <= self.now) {
                    node.endpoint().handle_timeout(self.now);
                }
                self.transmit(host);
                self.take_events(host);
            }
            if done(self) {
                return true;
            }
            let Some(next) = self.next().filter(|next| *next <= until) else {
                self.now = self.now.max(until);
                return false;
            };
            steps_at_once = if next == self.now { steps_at_once + 1 } else { 0 };
            assert!(steps_at_once < 1000, "nothing goes on at {:?}", self.now);
            self.now = next;
            while let Some(entry) = self.in_flight.first_entry()
                && entry.key().0 <= self.now
            {
                let (from, to, mut bytes) = entry.remove();
                if self.cut_off.contains(&to.host) || self.cut_off.contains(&from.host) {
                    continue;
                }
                if let Some(node) = self.nodes.get_mut(&to.host) {
                    node.endpoint().handle_datagram(self.now, port(to.port), from, &mut bytes);
                    self.take_events(to.host);
                }
            }
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

/// The application of a device: measures 21.5 °C, and does what it is told.
fn serve(device: &mut Device<Provider, Place>, answers: bool) -> Option<Event> {
    Some(match device.poll_event()? {
        DeviceEvent::DataRequest { request, labels } => {
            let reading = Reading::new(Label::Number(1), Value::Float(21.5));
            let count = labels.len().max(1);
            device.respond(request, &vec![reading; count]).unwrap();
            Event::Device("data request".to_owned())
        }
        DeviceEvent::Command { request, label, argument } => {
            let text = format!("{label} {argument}");
            if answers {
                device.report(request, CommandState::Done, Some(Value::Bool(true))).unwrap();
            }
            Event::Executed(text)
        }
        event => Event::Device(format!("{event:?}")),
    })
}

/// The parties of a small network.
pub struct Cast {
    pub company: PrivateIdentity,
    pub partner: PrivateIdentity,
    pub cloud: PrivateIdentity,
    pub gateway: PrivateIdentity,
    pub device: PrivateIdentity,
    pub foreign: PrivateIdentity,
}

pub const CLOUD: u16 = 100;
pub const GATEWAY: u16 = 10;
pub const DEVICE: u16 = 1;
pub const FOREIGN: u16 = 2;

impl Cast {
    pub fn new() -> Self {
        Self {
            company: identity(1, "company"),
            partner: identity(2, "partner"),
            cloud: identity(3, "cloud"),
            gateway: identity(4, "gateway"),
            device: identity(5, "thermometer"),
            foreign: identity(6, "foreigner"),
        }
    }

    pub fn gateway_settings(&self) -> gateway::Settings<Place> {
        let mut settings = gateway::Settings::new(NEGOTIATION, TRANSMISSION);
        settings.polling = Some(Polling { every: Duration::from_secs(10), labels: Vec::new() });
        settings.cloud =
            Some(uplink::Settings::new(Search::At(Place { host: CLOUD, port: NEGOTIATION })));
        settings
    }

    pub fn add_cloud(&self, world: &mut World) {
        let endorsements = endorsed(&self.company, &self.cloud, Role::Cloud, EPOCH + YEAR);
        self.add_cloud_endorsed(world, endorsements);
    }

    pub fn add_cloud_endorsed(&self, world: &mut World, endorsements: Endorsements) {
        let party = Party::new(
            provider_at(world.now, 50),
            self.cloud.clone(),
            endorsements,
            trusting(&[&self.company]),
            network(&[1]),
            WallClock::unknown(),
        )
        .unwrap();
        let mut settings = downlink::Settings::new(TRANSMISSION);
        settings.server.dtls.max_datagram = world.max_datagram;
        let mut cloud = Cloud::new(party, settings).unwrap();
        cloud.set_time(world.now, wall(world.now));
        world.nodes.insert(CLOUD, Node::Cloud(Box::new(cloud)));
    }

    pub fn add_gateway(&self, world: &mut World, settings: gateway::Settings<Place>) {
        self.add_gateway_with(world, settings, 51, &[1]);
    }

    pub fn add_gateway_with(
        &self,
        world: &mut World,
        settings: gateway::Settings<Place>,
        seed: u64,
        keys: &[u8],
    ) {
        let endorsements = endorsed(&self.company, &self.gateway, Role::Gateway, EPOCH + YEAR);
        let trust = trusting(&[&self.company]);
        let identity = &self.gateway;
        self.add_any_gateway(world, GATEWAY, identity, endorsements, trust, settings, seed, keys);
    }

    /// The same gateway, before it knows the time.
    pub fn add_gateway_without_time(&self, world: &mut World, settings: gateway::Settings<Place>) {
        let party = Party::new(
            provider(51),
            self.gateway.clone(),
            endorsed(&self.company, &self.gateway, Role::Gateway, EPOCH + YEAR),
            trusting(&[&self.company]),
            network(&[1]),
            WallClock::unknown(),
        )
        .unwrap();
        let gateway = Gateway::new(party, settings, world.now).unwrap();
        world.nodes.insert(GATEWAY, Node::Gateway(Box::new(gateway)));
    }

    #[allow(clippy::too_many_arguments)]
    pub fn add_any_gateway(
        &self,
        world: &mut World,
        host: u16,
        identity: &PrivateIdentity,
        endorsements: Endorsements,
        trust: GatewayTrust,
        mut settings: gateway::Settings<Place>,
        seed: u64,
        keys: &[u8],
    ) {
        settings.downlink.server.dtls.max_datagram = world.max_datagram;
        if let Some(cloud) = &mut settings.cloud {
            cloud.dtls.max_datagram = world.max_datagram;
        }
        let party = Party::new(
            provider_at(world.now, seed),
            identity.clone(),
            endorsements,
            trust,
            network(keys),
            WallClock::unknown(),
        )
        .unwrap();
        let mut gateway = Gateway::new(party, settings, world.now).unwrap();
        gateway.set_time(world.now, wall(world.now));
        world.nodes.insert(host, Node::Gateway(Box::new(gateway)));
    }

    pub fn device_settings(&self) -> uplink::Settings<Place> {
        uplink::Settings::new(Search::Advertisement)
    }

    pub fn add_device(&self, world: &mut World, settings: uplink::Settings<Place>) {
        let endorsements = endorsed(&self.company, &self.device, Role::Device, EPOCH + YEAR);
        self.add_any_device(world, DEVICE, &self.device, endorsements, settings, &[1]);
    }

    pub fn add_foreign_device(&self, world: &mut World) {
        let endorsements = endorsed(&self.partner, &self.foreign, Role::Device, EPOCH + YEAR);
        let settings = self.device_settings();
        self.add_any_device(world, FOREIGN, &self.foreign, endorsements, settings, &[1]);
    }

    pub fn add_any_device(
        &self,
        world: &mut World,
        host: u16,
        identity: &PrivateIdentity,
        endorsements: Endorsements,
        mut settings: uplink::Settings<Place>,
        keys: &[u8],
    ) {
        settings.dtls.max_datagram = world.max_datagram;
        let party = Party::new(
            provider_at(world.now, 60 + u64::from(host)),
            identity.clone(),
            endorsements,
            trusting(&[&self.company]),
            network(keys),
            WallClock::with_floor(UnixTime::from_secs(EPOCH - YEAR)),
        )
        .unwrap();
        let device = Device::new(party, settings, world.now);
        world.nodes.insert(host, Node::Device(Box::new(device)));
    }

    /// A cloud, a gateway and a device.
    pub fn network(&self, world: &mut World) {
        self.add_cloud(world);
        self.add_gateway(world, self.gateway_settings());
        self.add_device(world, self.device_settings());
    }
}

/// The wall time. The caller's instants may begin anywhere, near their end too.
pub fn wall(now: Instant) -> UnixTime {
    UnixTime::from_secs(EPOCH + now.as_millis() / 1000 % 10_000_000)
}

/// The settings of a gateway without a cloud.
pub fn no_cloud(cast: &Cast) -> gateway::Settings<Place> {
    let mut settings = cast.gateway_settings();
    settings.cloud = None;
    settings
}

/// The kinds of event that tests wait for.
pub fn device_connected(id: PartyId) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Gateway(GatewayEvent::DeviceConnected { device, .. }) if *device == id)
}
