//! The parties of simulated networks: who they are, who endorses whom, and what
//! they are configured with.

use std::time::Duration;

use iot_crypto::cloud::Cloud;
use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::crypto::SymmetricKey;
use iot_crypto::device::Device;
use iot_crypto::downlink;
use iot_crypto::gateway::{self, Gateway, GatewayEvent, GatewayTrust, Polling};
use iot_crypto::identity::{
    Authority, Endorsements, Grant, Name, PartyId, PrivateIdentity, Rights, Role, TrustStore,
};
use iot_crypto::party::Party;
use iot_crypto::time::{Instant, UnixTime, WallClock};
use iot_crypto::uplink::{self, Search};

use crate::node::{Event, Node};
use crate::place::{NEGOTIATION, Place, TRANSMISSION};
use crate::random::{provider, provider_at};
use crate::world::World;

/// The wall time at the instant 0.
pub const EPOCH: u64 = 1_800_000_000;
/// A year, in seconds.
pub const YEAR: u64 = 365 * 24 * 3600;

/// A party's identity, valid for eleven years around the beginning.
///
/// # Panics
/// If the name is none.
pub fn identity(seed: u64, name: &str) -> PrivateIdentity {
    let name = Name::new(name).unwrap();
    let (from, to) = (UnixTime::from_secs(EPOCH - YEAR), UnixTime::from_secs(EPOCH + 10 * YEAR));
    PrivateIdentity::create(&mut provider(seed), name, from, to).unwrap()
}

/// `subject`'s credentials with one endorsement by `issuer`, which grants all rights.
///
/// # Panics
/// If it can't be made.
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

/// The network key of this number.
pub fn network_key(number: u8) -> NetworkKey {
    NetworkKey::from_secret(&provider(0), SymmetricKey::new([number; 32]))
}

/// Network keys, the preferred one first.
///
/// # Panics
/// If they are more than a party can hold.
pub fn network(numbers: &[u8]) -> NetworkKeys {
    let mut keys = NetworkKeys::new();
    for number in numbers.iter().rev() {
        keys.add(network_key(*number)).unwrap();
    }
    keys
}

/// A list of trust with these parties, all of full authority.
///
/// # Panics
/// If they are more than it can hold.
pub fn trusting<const A: usize, const B: usize, const C: usize>(
    parties: &[&PrivateIdentity],
) -> TrustStore<A, B, C> {
    let mut trust = TrustStore::new();
    for party in parties {
        trust.add_party(&provider(0), party.certificate(), Authority::Full).unwrap();
    }
    trust
}

/// The parties of a small network.
#[derive(Debug)]
pub struct Cast {
    /// Endorses everyone but the foreign device.
    pub company: PrivateIdentity,
    /// Endorses the foreign device.
    pub partner: PrivateIdentity,
    /// The cloud.
    pub cloud: PrivateIdentity,
    /// The gateway.
    pub gateway: PrivateIdentity,
    /// The device.
    pub device: PrivateIdentity,
    /// The device of the partner.
    pub foreign: PrivateIdentity,
}

/// Where the cloud is.
pub const CLOUD: u16 = 100;
/// Where the gateway is.
pub const GATEWAY: u16 = 10;
/// Where the device is.
pub const DEVICE: u16 = 1;
/// Where the foreign device is.
pub const FOREIGN: u16 = 2;

impl Default for Cast {
    fn default() -> Self {
        Self::new()
    }
}

impl Cast {
    /// Everyone, the same each time.
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

    /// Settings of a gateway that polls every 10 s and has a cloud.
    pub fn gateway_settings(&self) -> gateway::Settings<Place> {
        let mut settings = gateway::Settings::new(NEGOTIATION, TRANSMISSION);
        settings.polling = Some(Polling { every: Duration::from_secs(10), labels: Vec::new() });
        settings.cloud =
            Some(uplink::Settings::new(Search::At(Place { host: CLOUD, port: NEGOTIATION })));
        settings
    }

    /// Adds the cloud.
    pub fn add_cloud(&self, world: &mut World) {
        let endorsements = endorsed(&self.company, &self.cloud, Role::Cloud, EPOCH + YEAR);
        self.add_cloud_endorsed(world, endorsements);
    }

    /// Adds the cloud, with these endorsements.
    ///
    /// # Panics
    /// If it can't be made.
    pub fn add_cloud_endorsed(&self, world: &mut World, endorsements: Endorsements) {
        let party = Party::new(
            provider_at(world, 50),
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

    /// Adds the gateway.
    pub fn add_gateway(&self, world: &mut World, settings: gateway::Settings<Place>) {
        self.add_gateway_with(world, settings, 51, &[1]);
    }

    /// Adds the gateway, with these network keys.
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

    /// Adds the gateway, before it knows the time.
    ///
    /// # Panics
    /// If it can't be made.
    pub fn add_gateway_without_time(&self, world: &mut World, settings: gateway::Settings<Place>) {
        let party = Party::new(
            provider_at(world, 51),
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

    /// Adds a gateway at `host`.
    ///
    /// # Panics
    /// If it can't be made.
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
            provider_at(world, seed),
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

    /// Settings of a device that waits for an advertisement.
    pub fn device_settings(&self) -> uplink::Settings<Place> {
        uplink::Settings::new(Search::Advertisement)
    }

    /// Adds the device.
    pub fn add_device(&self, world: &mut World, settings: uplink::Settings<Place>) {
        let endorsements = endorsed(&self.company, &self.device, Role::Device, EPOCH + YEAR);
        self.add_any_device(world, DEVICE, &self.device, endorsements, settings, &[1]);
    }

    /// Adds the foreign device.
    pub fn add_foreign_device(&self, world: &mut World) {
        let endorsements = endorsed(&self.partner, &self.foreign, Role::Device, EPOCH + YEAR);
        let settings = self.device_settings();
        self.add_any_device(world, FOREIGN, &self.foreign, endorsements, settings, &[1]);
    }

    /// Adds a device at `host`.
    ///
    /// # Panics
    /// If it can't be made.
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
            provider_at(world, 60 + u64::from(host)),
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

    /// Adds the cloud, the gateway and the device.
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

/// Whether an event of a gateway is that this device has connected.
pub fn device_connected(id: PartyId) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Gateway(GatewayEvent::DeviceConnected { device, .. }) if *device == id)
}
