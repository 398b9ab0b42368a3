//! A node and its gateway in virtual time, over a network that loses datagrams.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::rc::Rc;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use embedded_storage::nor_flash::NorFlash;
use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::crypto::{RustCrypto, SymmetricKey};
use iot_crypto::endpoint::{Destination, Endpoint, LocalPort};
use iot_crypto::gateway::{self, Gateway, GatewayEvent, GatewayTrust};
use iot_crypto::identity::{
    Authority, Endorsements, Grant, Name, PrivateIdentity, Rights, Role, TrustStore,
};
use iot_crypto::party::Party;
use iot_crypto::time::{Instant, UnixTime, WallClock};
use iot_crypto::transmission::{Label, Reading, Severity, Ticket, Value};
use iot_crypto::uplink::{Search, Settings};
use iot_crypto_embedded::entropy::{EntropySource, Generator, MinEntropy, Parameters, SourceError};
use iot_crypto_embedded::event::Event;
use iot_crypto_embedded::handlers::{Execution, Handlers, Sender, Texts, Unavailable};
use iot_crypto_embedded::node::Node;
use iot_crypto_embedded::store::{Provisioning, Store, StoreError};
use rand_core::SeedableRng as _;

use crate::testing::TornFlash;

pub(crate) type Provider = RustCrypto<ChaCha20Rng>;
pub(crate) type TestNode = Node<RustCrypto<Generator<Noise>>, SocketAddr, TornFlash, Room>;

/// The wall time at the instant 0.
pub(crate) const EPOCH: u64 = 1_800_000_000;
const YEAR: u64 = 365 * 24 * 3600;
/// The length of the store.
pub(crate) const LENGTH: u32 = 8192;

pub(crate) fn provider(seed: u8) -> Provider {
    RustCrypto::new(ChaCha20Rng::from_seed([seed; 32]))
}

pub(crate) fn identity(seed: u8, name: &str) -> PrivateIdentity {
    let (from, to) = (UnixTime::from_secs(EPOCH - YEAR), UnixTime::from_secs(EPOCH + 10 * YEAR));
    PrivateIdentity::create(&mut provider(seed), Name::new(name).unwrap(), from, to).unwrap()
}

pub(crate) fn company() -> PrivateIdentity {
    identity(1, "company")
}

pub(crate) fn network_key(number: u8) -> NetworkKey {
    NetworkKey::from_secret(&provider(0), SymmetricKey::new([number; 32]))
}

fn network() -> NetworkKeys {
    let mut keys = NetworkKeys::new();
    keys.add(network_key(1)).unwrap();
    keys
}

fn endorsed(subject: &PrivateIdentity, role: Role) -> Endorsements {
    let grant = Grant { roles: role.into(), rights: Rights::ALL };
    let (from, to) = (UnixTime::from_secs(EPOCH - YEAR), UnixTime::from_secs(EPOCH + 10 * YEAR));
    let given = company().endorse(&provider(0), subject.certificate(), from, to, grant);
    Endorsements::new(&[given.unwrap()]).unwrap()
}

/// Writes what the device begins with.
pub(crate) fn provision<F: NorFlash>(flash: F) -> Result<Store<F>, StoreError> {
    let (company, device) = (company(), identity(3, "thermometer"));
    let provisioning = Provisioning {
        identity: &device,
        endorsements: &endorsed(&device, Role::Device),
        trusted: &[(company.certificate(), Authority::Full)],
        held: &[],
        network: &network(),
    };
    Store::provision(flash, 0..LENGTH, &mut provider(7), &provisioning)
}

pub(crate) fn provisioned() -> TornFlash {
    provision(TornFlash::erased(LENGTH as usize)).unwrap().into_flash()
}

/// A source that gives the same at each start, while it works.
#[derive(Clone)]
pub(crate) struct Noise {
    state: u64,
    works: Rc<Cell<bool>>,
}

impl EntropySource for Noise {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), SourceError> {
        for byte in out {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = if self.works.get() { self.state.to_be_bytes()[0] } else { 0 };
        }
        Ok(())
    }
}

pub(crate) const TEMPERATURE: Label<'static> = Label::Number(1);
pub(crate) const DOOR: Label<'static> = Label::Text("door");
pub(crate) const BROKEN: Label<'static> = Label::Text("broken");
pub(crate) const BLIND: Label<'static> = Label::Text("blind");

/// The application: what it was asked, and what it is to do.
#[derive(Default)]
pub(crate) struct Room {
    pub(crate) events: Vec<Event>,
    pub(crate) executed: u32,
    /// A command that is being carried out, until an instant.
    moving: Option<(Ticket, Option<Instant>)>,
    pub(crate) alarm: bool,
}

impl Handlers for Room {
    fn labels(&self) -> &'static [Label<'static>] {
        &[TEMPERATURE, DOOR, BROKEN]
    }

    fn read<'t>(
        &mut self,
        label: Label<'static>,
        texts: &mut Texts<'t>,
    ) -> Result<Reading<'t>, Unavailable> {
        let value = match label {
            TEMPERATURE => Value::Float(21.5),
            DOOR => texts.text(&format!("moved {} times", self.executed))?,
            _ => return Err(Unavailable("it is broken")),
        };
        Ok(Reading::new(label, value))
    }

    fn execute(&mut self, request: Ticket, label: Label<'_>, argument: Value<'_>) -> Execution<'_> {
        match (label, argument) {
            (DOOR, Value::Bool(_)) => {
                self.executed += 1;
                Execution::Done(Some(Value::Integer(i64::from(self.executed))))
            }
            (DOOR, _) => Execution::Refused,
            (BLIND, _) => {
                self.moving = Some((request, None));
                Execution::Later
            }
            _ => Execution::Unknown,
        }
    }

    fn send(&mut self, now: Instant, sender: &mut Sender<'_>) -> Option<Instant> {
        if self.alarm {
            let reading = Reading::new(TEMPERATURE, Value::Float(90.0));
            self.alarm = sender.alert(Severity::Critical, reading, "fire").is_err();
        }
        let (request, until) = self.moving?;
        let until = until.unwrap_or(now + Duration::from_secs(5));
        if now < until {
            self.moving = Some((request, Some(until)));
            return Some(until);
        }
        self.moving = None;
        sender.report(request, Execution::Done(Some(Value::Text("down")))).unwrap();
        None
    }

    fn observe(&mut self, event: &Event) {
        self.events.push(*event);
    }
}

const GATEWAY: [u8; 4] = [10, 0, 0, 1];
const NODE: [u8; 4] = [10, 0, 0, 2];

/// The number of a local port.
fn number(port: LocalPort) -> u16 {
    match port {
        LocalPort::Discovery => 1000,
        LocalPort::FirstClient => 1001,
        LocalPort::SecondClient => 1002,
        LocalPort::Negotiation => 2001,
        LocalPort::Transmission => 2002,
    }
}

fn port(number: u16) -> LocalPort {
    match number {
        1000 => LocalPort::Discovery,
        1001 => LocalPort::FirstClient,
        1002 => LocalPort::SecondClient,
        2001 => LocalPort::Negotiation,
        _ => LocalPort::Transmission,
    }
}

fn address(host: [u8; 4], port: LocalPort) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from(host), number(port)))
}

/// A datagram on its way.
struct Packet {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) node: TestNode,
    pub(crate) gateway: Gateway<Provider, SocketAddr>,
    pub(crate) told: Vec<GatewayEvent>,
    /// What the node sent.
    pub(crate) sent: Vec<Vec<u8>>,
    /// Whether the source of entropy works.
    pub(crate) noise: Rc<Cell<bool>>,
    /// Of 100 datagrams, so many are lost.
    pub(crate) loss: u64,
    packets: BTreeMap<(Instant, u64), Packet>,
    count: u64,
    dice: u64,
}

pub(crate) fn settings() -> Settings<SocketAddr> {
    Settings::new(Search::Advertisement)
}

pub(crate) fn gateway_settings() -> gateway::Settings<SocketAddr> {
    gateway::Settings::new(number(LocalPort::Negotiation), number(LocalPort::Transmission))
}

pub(crate) fn gateway(
    seed: u8,
    settings: gateway::Settings<SocketAddr>,
    now: Instant,
) -> Gateway<Provider, SocketAddr> {
    let identity = identity(2, "gateway");
    let mut trust: GatewayTrust = TrustStore::new();
    trust.add_party(&provider(0), company().certificate(), Authority::Full).unwrap();
    let endorsements = endorsed(&identity, Role::Gateway);
    let party =
        Party::new(provider(seed), identity, endorsements, trust, network(), WallClock::unknown());
    let mut gateway = Gateway::new(party.unwrap(), settings, now).unwrap();
    let time = UnixTime::from_secs(EPOCH + now.as_millis() / 1000);
    assert!(gateway.set_time(now, time));
    gateway
}

/// Starts the node that is on `flash`.
pub(crate) fn start(
    flash: TornFlash,
    works: &Rc<Cell<bool>>,
    now: Instant,
) -> Result<TestNode, StoreError> {
    let mut store = Store::open(flash, 0..LENGTH)?;
    let personalization = store.personalization()?;
    let min_entropy = MinEntropy::bits_per_byte(4).unwrap();
    let parameters = Parameters { min_entropy, reseed_after: NonZeroU16::MIN };
    let noise = Noise { state: 1, works: works.clone() };
    let generator = Generator::new(noise, parameters, &personalization).unwrap();
    let provider = RustCrypto::new(generator);
    let trust = store.trust(&provider)?;
    let party = store.party(provider, trust)?;
    Ok(Node::new(party, store, Room::default(), settings(), now))
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(provisioned(), gateway_settings())
    }

    pub(crate) fn with(flash: TornFlash, settings: gateway::Settings<SocketAddr>) -> Self {
        let (now, noise) = (Instant::ZERO, Rc::new(Cell::new(true)));
        Self {
            now,
            node: start(flash, &noise, now).unwrap(),
            gateway: gateway(4, settings, now),
            told: Vec::new(),
            sent: Vec::new(),
            noise,
            loss: 0,
            packets: BTreeMap::new(),
            count: 0,
            dice: 1,
        }
    }

    /// Takes power from the node, and gives it back.
    pub(crate) fn restart(self) -> Self {
        let flash = self.node.into_store().into_flash().powered();
        let node = start(flash, &self.noise, self.now).unwrap();
        Self { node, ..self }
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice
    }

    pub(crate) fn post(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.count += 1;
        if self.roll() % 100 >= self.loss {
            let at = self.now + Duration::from_millis(20 + self.roll() % 20);
            self.packets.insert((at, self.count), Packet { from, to, bytes });
        }
    }

    /// Sends bytes of anybody's to a port of the node.
    pub(crate) fn inject(&mut self, from: LocalPort, to: LocalPort, bytes: Vec<u8>) {
        self.post(address(GATEWAY, from), address(NODE, to), bytes);
    }

    fn collect(&mut self) {
        let mut buffer = [0; 1500];
        while let Some(sent) = self.node.poll_transmit(self.now, &mut buffer).unwrap() {
            let Destination::Address(to) = sent.to else { panic!("a device advertises") };
            self.sent.push(buffer[..sent.length].to_vec());
            self.post(address(NODE, sent.from), to, buffer[..sent.length].to_vec());
        }
        while let Some(sent) = self.gateway.poll_transmit(self.now, &mut buffer).unwrap() {
            let to = match sent.to {
                Destination::Address(to) => to,
                Destination::Everyone => address(NODE, LocalPort::Discovery),
            };
            self.post(address(GATEWAY, sent.from), to, buffer[..sent.length].to_vec());
        }
        while let Some(event) = self.gateway.poll_event() {
            self.told.push(event);
        }
    }

    /// Goes on to the next thing that happens.
    fn step(&mut self) {
        self.collect();
        let deadlines = [self.node.poll_timeout(), self.gateway.poll_timeout()];
        let deadline = deadlines.into_iter().flatten().map(|deadline| deadline.at).min();
        let packet = self.packets.first_key_value().map(|((at, _), _)| *at);
        let next = [deadline, packet].into_iter().flatten().min().expect("nothing ever happens");
        self.now = self.now.max(next);
        if packet.is_some_and(|at| at <= self.now) {
            let (_, Packet { from, to, mut bytes }) = self.packets.pop_first().unwrap();
            let port = port(to.port());
            if to.ip() == Ipv4Addr::from(NODE) {
                self.node.handle_datagram(self.now, port, from, &mut bytes);
            } else {
                self.gateway.handle_datagram(self.now, port, from, &mut bytes);
            }
        } else {
            self.node.handle_timeout(self.now);
            self.gateway.handle_timeout(self.now);
        }
        self.collect();
    }

    /// Goes on until `done`, for at most `seconds`; whether it was.
    pub(crate) fn run_until(&mut self, seconds: u64, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + Duration::from_secs(seconds);
        while self.now < end {
            if done(self) {
                return true;
            }
            self.step();
        }
        done(self)
    }

    pub(crate) fn run(&mut self, seconds: u64) {
        self.run_until(seconds, |_| false);
    }

    pub(crate) fn connect(&mut self) {
        assert!(self.run_until(300, Self::is_connected), "{:?}", self.node.handlers().events);
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.node.gateway().is_some() && self.gateway.devices().count() == 1
    }

    pub(crate) fn has_heard(&self, event: &Event) -> bool {
        self.node.handlers().events.contains(event)
    }
}
