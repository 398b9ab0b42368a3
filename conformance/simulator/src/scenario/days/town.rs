//! The parties of the network, and who should have a session.
//!
//! What is known here of endorsements and revocations is kept in plain lists beside
//! the parties' own, and judged with plain comparisons (SPEC.md section 6.3).

use std::collections::BTreeMap;
use std::time::Duration;

use iot_crypto::connection::NetworkKeys;
use iot_crypto::device::{Device, DeviceTrust};
use iot_crypto::downlink;
use iot_crypto::gateway::{self, Gateway, GatewayTrust, Polling};
use iot_crypto::identity::{
    Authority, Endorsement, Endorsements, Grant, PartyId, PrivateIdentity, Revocation, Rights, Role,
};
use iot_crypto::party::Party;
use iot_crypto::time::{Instant, UnixTime, WallClock};
use iot_crypto::uplink::{self, Search};

use super::keys::Keys;
use super::{ALLOWANCE, forgetful, hours};
use crate::cast::{Cast, EPOCH, YEAR, identity, network, trusting};
use crate::node::Node;
use crate::place::{NEGOTIATION, Place, TRANSMISSION};
use crate::random::{Dice, provider, provider_at};
use crate::scenario::Outcome;
use crate::world::World;

pub(super) const CLOUD: u16 = 2000;
pub(super) const GATEWAYS: [u16; 3] = [1001, 1002, 1003];
/// How often a sleepy device wakes, in seconds: less than the grace of a rotation.
pub(super) const NAP: u64 = 50 * 60;

/// How old a session's key may become: a day, and an hour to replace it (SPEC.md section
/// 13.3).
const KEY_AGE: Duration = Duration::from_secs(25 * 3600);

/// Everyone who will trust for all of the time.
const FOR_GOOD: u64 = EPOCH + 200 * YEAR;

pub(super) struct Town<'a> {
    pub(super) world: World,
    pub(super) dice: Dice,
    pub(super) cast: &'a Cast,
    pub(super) devices: BTreeMap<u16, Resident>,
    pub(super) gateways: BTreeMap<u16, PrivateIdentity>,
    /// How far the clock of each gateway is ahead, in seconds.
    pub(super) ahead: BTreeMap<u16, u64>,
    /// Since when the partner is on the lists, if it is.
    pub(super) partner_listed: bool,
    /// Until when something is in the way of everyone: a bad network, a restart.
    pub(super) troubled_until: Instant,
    /// Since when each peer has its present session with the gateway or cloud at a host.
    pub(super) connected: BTreeMap<(u16, PartyId), Instant>,
    /// The revocations that the gateways heard, each with the end of its subject's
    /// endorsement.
    pub(super) revoked: Vec<(Revocation, u64)>,
    pub(super) keys: Keys,
    /// The number of identities that were made.
    pub(super) made: u64,
}

/// A device, and what should be.
pub(super) struct Resident {
    pub(super) identity: PrivateIdentity,
    /// Whether only the partner endorses it.
    pub(super) foreign: bool,
    pub(super) sleepy: bool,
    /// Where it looks for its gateway; otherwise it waits for an advertisement.
    pub(super) fixed: Option<u16>,
    /// The end of its endorsement.
    pub(super) endorsed_until: u64,
    pub(super) revoked: bool,
    /// Whether its clock is so wrong that it trusts nobody.
    pub(super) astray: bool,
    /// Until when something is in its own way.
    pub(super) troubled_until: Instant,
    pub(super) wakes: Option<Instant>,
}

impl<'a> Town<'a> {
    pub(super) fn new(seed: u64, cast: &'a Cast, devices: u16) -> Self {
        let gateways = GATEWAYS
            .map(|host| (host, identity(5000 + u64::from(host), &format!("gateway {host}"))));
        let mut town = Self {
            world: forgetful(seed),
            dice: Dice::new(0x17, seed),
            cast,
            devices: BTreeMap::new(),
            gateways: gateways.into_iter().collect(),
            ahead: BTreeMap::new(),
            partner_listed: true,
            troubled_until: Instant::ZERO + ALLOWANCE,
            connected: BTreeMap::new(),
            revoked: Vec::new(),
            keys: Keys::new(),
            made: 0,
        };
        town.start_cloud();
        for host in GATEWAYS {
            let mut trust = trusting(&[&cast.company]);
            trust.add_party(&provider(0), cast.partner.certificate(), Authority::Endorse).unwrap();
            town.start_gateway(host, trust, network(&[1]), 0);
        }
        for host in 1..=devices {
            town.settle(host);
        }
        town
    }

    /// The right time.
    pub(super) fn time(&self) -> u64 {
        EPOCH + self.world.now.as_millis() / 1000
    }

    fn endorse(
        &self,
        subject: &PrivateIdentity,
        foreign: bool,
        role: Role,
        until: u64,
    ) -> Endorsement {
        let issuer = if foreign { &self.cast.partner } else { &self.cast.company };
        let [from, to] = [EPOCH - YEAR, until].map(UnixTime::from_secs);
        let grant = Grant { roles: role.into(), rights: Rights::ALL };
        issuer.endorse(&provider(0), subject.certificate(), from, to, grant).unwrap()
    }

    fn start_cloud(&mut self) {
        let endorsement = self.endorse(&self.cast.cloud, false, Role::Cloud, FOR_GOOD);
        let party = Party::new(
            provider_at(&self.world, 1),
            self.cast.cloud.clone(),
            Endorsements::new(&[endorsement]).unwrap(),
            trusting(&[&self.cast.company]),
            network(&[1]),
            WallClock::unknown(),
        );
        let settings = downlink::Settings::new(TRANSMISSION);
        let mut cloud = iot_crypto::cloud::Cloud::new(party.unwrap(), settings).unwrap();
        cloud.set_time(self.world.now, UnixTime::from_secs(self.time()));
        self.world.nodes.insert(CLOUD, Node::Cloud(Box::new(cloud)));
    }

    /// Starts a gateway whose clock is `ahead` of the right time.
    pub(super) fn start_gateway(
        &mut self,
        host: u16,
        trust: GatewayTrust,
        keys: NetworkKeys,
        ahead: u64,
    ) {
        self.ahead.insert(host, ahead);
        let identity = self.gateways[&host].clone();
        let endorsement = self.endorse(&identity, false, Role::Gateway, FOR_GOOD);
        let party = Party::new(
            provider_at(&self.world, u64::from(host)),
            identity,
            Endorsements::new(&[endorsement]).unwrap(),
            trust,
            keys,
            WallClock::unknown(),
        );
        let mut settings = gateway::Settings::new(NEGOTIATION, TRANSMISSION);
        settings.advertise = Some(Duration::from_secs(600));
        settings.polling = Some(Polling { every: Duration::from_secs(3000), labels: Vec::new() });
        let cloud = Place { host: CLOUD, port: NEGOTIATION };
        settings.cloud = Some(uplink::Settings::new(Search::At(cloud)));
        let mut gateway = Gateway::new(party.unwrap(), settings, self.world.now).unwrap();
        gateway.set_time(self.world.now, UnixTime::from_secs(self.time() + ahead));
        self.world.nodes.insert(host, Node::Gateway(Box::new(gateway)));
    }

    /// Puts a new device at `host`.
    pub(super) fn settle(&mut self, host: u16) {
        self.made += 1;
        let name = format!("device {}", self.made);
        let identity = identity(100_000 + self.made, &name);
        let resident = Resident {
            identity,
            foreign: host.is_multiple_of(5),
            // One in twenty listens all the time.
            sleepy: host % 20 != 1,
            fixed: (!host.is_multiple_of(3)).then(|| GATEWAYS[usize::from(host) % GATEWAYS.len()]),
            endorsed_until: self.time() + 86_400 * self.dice.between((20, 120)),
            revoked: false,
            astray: false,
            troubled_until: self.world.now + ALLOWANCE,
            wakes: None,
        };
        self.devices.insert(host, resident);
        let floor = EPOCH - YEAR;
        self.start_device(
            host,
            trusting(&[&self.cast.company]),
            self.keys.to_install(),
            WallClock::with_floor(UnixTime::from_secs(floor)),
        );
    }

    /// Starts the device at `host`, with the endorsement that it has by now.
    pub(super) fn start_device(
        &mut self,
        host: u16,
        trust: DeviceTrust,
        keys: NetworkKeys,
        clock: WallClock,
    ) {
        let resident = &self.devices[&host];
        let endorsement = self.endorse(
            &resident.identity,
            resident.foreign,
            Role::Device,
            resident.endorsed_until,
        );
        let party = Party::new(
            provider_at(&self.world, u64::from(host)),
            resident.identity.clone(),
            Endorsements::new(&[endorsement]).unwrap(),
            trust,
            keys,
            clock,
        );
        let search = match resident.fixed {
            Some(host) => Search::At(Place { host, port: NEGOTIATION }),
            None => Search::Advertisement,
        };
        let mut settings = uplink::Settings::new(search);
        settings.sleepy = resident.sleepy;
        let device = Device::new(party.unwrap(), settings, self.world.now);
        self.world.nodes.insert(host, Node::Device(Box::new(device)));
        let sleepy = resident.sleepy;
        let nap = Duration::from_secs(self.dice.below(NAP));
        let first = self.world.now + nap;
        if let Some(resident) = self.devices.get_mut(&host) {
            resident.wakes = sleepy.then_some(first);
        }
    }

    /// How far the clock is ahead that is so most.
    pub(super) fn most_ahead(&self) -> u64 {
        self.ahead.values().copied().max().unwrap_or_default()
    }

    /// Whether the parties' words, as they are at `time`, are enough for `resident`.
    pub(super) fn should_be_trusted(&self, resident: &Resident, time: u64) -> bool {
        !resident.revoked
            && time < resident.endorsed_until
            && (!resident.foreign || self.partner_listed)
    }

    /// Looks at every device, and at every gateway's cloud.
    pub(super) fn look_at_everyone(&mut self, outcome: &mut Outcome) {
        let (now, time) = (self.world.now, self.time());
        let hosts: Vec<u16> = self.devices.keys().copied().collect();
        let mut serving: BTreeMap<PartyId, u16> = BTreeMap::new();
        for host in GATEWAYS {
            for (id, _) in self.world.gateway(host).devices() {
                *serving.entry(id).or_default() += 1;
            }
            let has_cloud = self.world.gateway(host).cloud().is_some();
            let id = self.gateways[&host].id();
            let is_known = self.world.cloud(CLOUD).gateways().any(|(known, _)| known == id);
            outcome.demand(has_cloud && is_known || now < self.troubled_until, || {
                format!("gateway {host} has no session with the cloud at {}", hours(now))
            });
        }
        for host in hosts {
            let connected = self.world.device(host).gateway().is_some();
            let resident = &self.devices[&host];
            let served = serving.contains_key(&resident.identity.id());
            let trusted = self.should_be_trusted(resident, time);
            outcome.demand(!served || trusted, || {
                format!("device {host} is served at {} and should not be", hours(now))
            });
            let calm = now >= self.troubled_until && now >= resident.troubled_until;
            // To a gateway whose clock is ahead, it ends earlier.
            let everywhere = self.should_be_trusted(resident, time + self.most_ahead());
            if everywhere && !resident.astray && calm {
                outcome.count("looks at devices that should have a session", 1);
                outcome.demand(served && connected, || {
                    format!("device {host} has no session at {} and should have one", hours(now))
                });
            } else if resident.astray || (!trusted && calm) {
                outcome.count("looks at devices that should have none", 1);
                outcome.demand(!connected, || {
                    format!("device {host} takes itself for connected at {}", hours(now))
                });
            }
        }
    }

    /// Looks at every session of the gateways and the cloud.
    pub(super) fn look_at_keys(&mut self, outcome: &mut Outcome) {
        let now = self.world.now;
        for host in GATEWAYS.into_iter().chain([CLOUD]) {
            let peers: Vec<PartyId> = match self.world.nodes.get(&host) {
                Some(Node::Gateway(gateway)) => gateway.devices().map(|(id, _)| id).collect(),
                Some(Node::Cloud(cloud)) => cloud.gateways().map(|(id, _)| id).collect(),
                _ => Vec::new(),
            };
            for peer in peers {
                let age = self.connected.get(&(host, peer)).map(|since| now.since(*since));
                outcome.demand(age.is_some_and(|age| age <= KEY_AGE), || {
                    format!("host {host} and {peer} have had a key for {age:?} at {}", hours(now))
                });
            }
        }
    }

    /// Whether a session with this device may end at `at`.
    pub(super) fn is_excused(&self, id: PartyId, at: Instant) -> bool {
        let Some(resident) = self.devices.values().find(|known| known.identity.id() == id) else {
            // It was replaced by another.
            return true;
        };
        let time = EPOCH + at.as_millis() / 1000;
        at < self.troubled_until
            || at < resident.troubled_until
            || resident.astray
            || !self.should_be_trusted(resident, time + self.most_ahead())
    }

    /// Whether this device has a session with another gateway than the one at `host`:
    /// what that one still has of it is left over from before it restarted.
    pub(super) fn has_moved(&mut self, id: PartyId, host: u16) -> bool {
        let old = self.gateways[&host].id();
        let of = |(_, known): &(&u16, &Resident)| known.identity.id() == id;
        let device = self.devices.iter().find(of).map(|(device, _)| *device);
        device.and_then(|device| self.world.device(device).gateway()).is_some_and(|new| new != old)
    }
}
