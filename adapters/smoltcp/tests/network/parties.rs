//! Roles that trust each other, and what their applications do.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng as _;
use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::crypto::{RustCrypto, SymmetricKey};
use iot_crypto::device::{Device, DeviceEvent};
use iot_crypto::gateway::{self, Gateway, GatewayEvent, Polling};
use iot_crypto::identity::{
    Authority, Endorsements, Grant, Name, PartyId, PrivateIdentity, Rights, Role, TrustStore,
};
use iot_crypto::party::Party;
use iot_crypto::time::{Instant, UnixTime, WallClock};
use iot_crypto::transmission::{CommandState, Label, MessageId, Reading, Value};
use iot_crypto::uplink::{self, Search};
use std::net::SocketAddr;
use std::time::Duration;

pub type Provider = RustCrypto<ChaCha20Rng>;

/// The wall time at the instant 0, and when all identities end.
const EPOCH: UnixTime = UnixTime::from_secs(1_800_000_000);
const END: UnixTime = UnixTime::from_secs(1_900_000_000);

/// The length of a datagram, and so of each buffer.
pub const DATAGRAM: usize = 600;

/// What happened at a station.
#[derive(Debug, PartialEq)]
pub enum Event {
    Connected { replaced: bool },
    Disconnected,
    Asked,
    Commanded(bool),
    Delivered(MessageId),
    Gateway(GatewayEvent),
}

/// A provider whose randomness is the same in every run.
fn provider(number: u8) -> Provider {
    RustCrypto::new(ChaCha20Rng::from_seed([number; 32]))
}

fn identity(number: u8, name: &str) -> PrivateIdentity {
    let name = Name::new(name).unwrap();
    PrivateIdentity::create(&mut provider(number), name, EPOCH, END).unwrap()
}

/// A party that the company vouches for, and that trusts the company.
fn party<const A: usize, const B: usize, const C: usize>(
    number: u8,
    me: &PrivateIdentity,
    role: Role,
) -> Party<Provider, TrustStore<A, B, C>> {
    let (provider, company) = (provider(100 + number), identity(1, "company"));
    let grant = Grant { roles: role.into(), rights: Rights::ALL };
    let endorsement = company.endorse(&provider, me.certificate(), EPOCH, END, grant).unwrap();
    let endorsements = Endorsements::new(&[endorsement]).unwrap();
    let mut trust = TrustStore::new();
    trust.add_party(&provider, company.certificate(), Authority::Full).unwrap();
    let mut network = NetworkKeys::new();
    network.add(NetworkKey::from_secret(&provider, SymmetricKey::new([1; 32]))).unwrap();
    let clock = WallClock::with_floor(EPOCH);
    Party::new(provider, me.clone(), endorsements, trust, network, clock).unwrap()
}

/// The device with this number.
pub fn device(number: u8, search: Search<SocketAddr>) -> (PartyId, Device<Provider, SocketAddr>) {
    let me = identity(number, "thermometer");
    let mut settings = uplink::Settings::new(search);
    settings.dtls.max_datagram = DATAGRAM;
    let party = party(number, &me, Role::Device);
    (me.id(), Device::new(party, settings, Instant::ZERO))
}

/// Answers what a device is asked, and notes what happens to it.
pub fn serve(device: &mut Device<Provider, SocketAddr>, events: &mut Vec<Event>) {
    while let Some(event) = device.poll_event() {
        match event {
            DeviceEvent::Connected { replaced, .. } => events.push(Event::Connected { replaced }),
            DeviceEvent::Disconnected { .. } => events.push(Event::Disconnected),
            DeviceEvent::AlertDelivered(id) => events.push(Event::Delivered(id)),
            DeviceEvent::DataRequest { request, .. } => {
                events.push(Event::Asked);
                let reading = Reading::new(Label::Number(1), Value::Float(21.5));
                device.respond(request, &[reading]).unwrap();
            }
            DeviceEvent::Command { request, argument, .. } => {
                events.push(Event::Commanded(argument == Value::Bool(true)));
                device.report(request, CommandState::Done, None).unwrap();
            }
            _ => {}
        }
    }
}

/// The gateway with this number, whose services have these UDP ports.
pub fn gateway(
    number: u8,
    (negotiation, transmission): (u16, u16),
    adapt: impl FnOnce(&mut gateway::Settings<SocketAddr>),
) -> (PartyId, Gateway<Provider, SocketAddr>) {
    let me = identity(number, "gateway");
    let mut settings = gateway::Settings::new(negotiation, transmission);
    settings.downlink.server.dtls.max_datagram = DATAGRAM;
    adapt(&mut settings);
    let party = party(number, &me, Role::Gateway);
    let mut gateway = Gateway::new(party, settings, Instant::ZERO).unwrap();
    gateway.set_time(Instant::ZERO, EPOCH);
    (me.id(), gateway)
}

/// Has a gateway ask every device for readings every 10 s.
pub fn polling(settings: &mut gateway::Settings<SocketAddr>) {
    settings.polling = Some(Polling { every: Duration::from_secs(10), labels: Vec::new() });
}
