//! Long seeded runs in which everything goes wrong that may: bad links, parties
//! cut off or restarted, trust given and taken, rotation under way.
//!
//! `SOAK=1000 cargo test --release --test soak` runs a thousand seeds of each kind.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, unreachable_pub)]
#![cfg(feature = "alloc")]

use std::collections::BTreeMap;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use iot_crypto::cloud::CloudEvent;
use iot_crypto::downlink::Rotation;
use iot_crypto::gateway;
use iot_crypto::identity::{Authority, PartyId, PrivateIdentity, Role};
use iot_crypto::transmission::{Label, Reading, Severity, Value};
use iot_crypto_simulator::{
    CLOUD, Cast, EPOCH, Event, GATEWAY, Link, Place, World, YEAR, endorsed, trusting,
};
use rand_core::{Rng as _, SeedableRng as _};

const OTHER_GATEWAY: u16 = 11;
const DEVICES: [u16; 4] = [1, 2, 3, 4];
/// The one that only the partner endorses.
const FOREIGN: u16 = 4;

/// What may happen besides bad links, cut-offs, rotation, and changes of trust.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Devices restart.
    OneGateway,
    /// Everybody restarts, and devices roam.
    TwoGateways,
}

struct Soak {
    kind: Kind,
    cast: Cast,
    world: World,
    random: ChaCha20Rng,
    others: BTreeMap<u16, PrivateIdentity>,
    partner_is_trusted: bool,
    starts: u64,
    /// The arguments of commands and the values of alerts are all different.
    number: i64,
}

impl Soak {
    fn new(kind: Kind, seed: u64) -> Self {
        let mut bytes = [0x50; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let others = [OTHER_GATEWAY, 2, 3].map(|host| {
            (host, iot_crypto_simulator::identity(1000 + u64::from(host), &format!("party {host}")))
        });
        let mut soak = Self {
            kind,
            cast: Cast::new(),
            world: World::new(seed),
            random: ChaCha20Rng::from_seed(bytes),
            others: others.into_iter().collect(),
            partner_is_trusted: false,
            starts: 0,
            number: 0,
        };
        soak.cast.add_cloud(&mut soak.world);
        for gateway in soak.gateways() {
            soak.start_gateway(gateway);
        }
        for device in DEVICES {
            soak.start_device(device);
        }
        soak
    }

    fn gateways(&self) -> Vec<u16> {
        match self.kind {
            Kind::OneGateway => vec![GATEWAY],
            Kind::TwoGateways => vec![GATEWAY, OTHER_GATEWAY],
        }
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.random.next_u32() % limit
    }

    fn any(&mut self, hosts: &[u16]) -> u16 {
        hosts[self.below(hosts.len() as u32) as usize]
    }

    fn identity(&self, host: u16) -> &PrivateIdentity {
        match host {
            1 => &self.cast.device,
            FOREIGN => &self.cast.foreign,
            GATEWAY => &self.cast.gateway,
            host => &self.others[&host],
        }
    }

    fn settings(&self) -> gateway::Settings<Place> {
        let mut settings = self.cast.gateway_settings();
        settings.downlink.rotation = Rotation {
            age: Duration::from_secs(200),
            grace: Duration::from_secs(200),
            ..Rotation::default()
        };
        settings
    }

    fn start_gateway(&mut self, host: u16) {
        self.starts += 1;
        let identity = self.identity(host).clone();
        let endorsements = endorsed(&self.cast.company, &identity, Role::Gateway, EPOCH + YEAR);
        let mut parties = vec![&self.cast.company];
        if self.partner_is_trusted {
            parties.push(&self.cast.partner);
        }
        let (trust, settings, seed) = (trusting(&parties), self.settings(), 200 + self.starts);
        self.cast.add_any_gateway(
            &mut self.world,
            host,
            &identity,
            endorsements,
            trust,
            settings,
            seed,
            &[1],
        );
    }

    fn start_device(&mut self, host: u16) {
        let identity = self.identity(host).clone();
        let issuer = if host == FOREIGN { &self.cast.partner } else { &self.cast.company };
        let endorsements = endorsed(issuer, &identity, Role::Device, EPOCH + YEAR);
        let settings = self.cast.device_settings();
        self.cast.add_any_device(&mut self.world, host, &identity, endorsements, settings, &[1]);
    }

    fn change_trust(&mut self) {
        self.partner_is_trusted = !self.partner_is_trusted;
        let (now, trusted) = (self.world.now, self.partner_is_trusted);
        let partner = self.cast.partner.certificate().clone();
        let id = self.cast.partner.id();
        for host in self.gateways() {
            self.world.gateway(host).change_trust(now, |trust, provider| {
                if trusted {
                    trust.add_party(provider, &partner, Authority::Endorse).unwrap();
                } else {
                    trust.remove_party(&id);
                }
            });
        }
    }

    /// One thing happens.
    fn happen(&mut self) {
        let now = self.world.now;
        let device = self.any(&DEVICES);
        let id = self.identity(device).id();
        let gateways = self.gateways();
        let gateway = self.any(&gateways);
        self.number += 1;
        match self.below(20) {
            0 => self.world.link = Link::GOOD,
            1 => self.world.link = Link::BAD,
            2 => {
                let host = self.any(&[device, gateway, CLOUD]);
                self.world.cut_off.insert(host);
            }
            3..=5 => self.world.cut_off.clear(),
            6 => self.change_trust(),
            7 => self.start_device(device),
            8 if self.kind == Kind::TwoGateways => self.start_gateway(gateway),
            9 if self.kind == Kind::TwoGateways => self.cast.add_cloud(&mut self.world),
            10..=13 => {
                let (label, argument) = (Label::Number(7), Value::Integer(self.number));
                let _ = self.world.cloud(CLOUD).command(now, id, label, argument);
            }
            14 => {
                let (label, argument) = (Label::Number(7), Value::Integer(self.number));
                let _ = self.world.gateway(gateway).command(now, id, label, argument);
            }
            15 => self.world.devices_answer = !self.world.devices_answer,
            _ => {
                let reading = Reading::new(Label::Number(8), Value::Integer(self.number));
                let alert = self.world.device(device).alert(now, Severity::Warning, reading, "");
                if let Ok(alert) = alert {
                    let event = Event::Device(format!("raised {alert:?} {}", self.number));
                    self.world.events.push((now, device, event));
                }
            }
        }
    }

    /// Everything is well for an hour.
    fn calm_down(&mut self) {
        self.world.cut_off.clear();
        self.world.link = Link::GOOD;
        self.world.devices_answer = true;
        self.world.run(3600);
    }

    fn check_connections(&mut self) {
        for host in DEVICES {
            let id = self.identity(host).id();
            let expected = host != FOREIGN || self.partner_is_trusted;
            let gateway = self.world.device(host).gateway();
            assert_eq!(gateway.is_some(), expected, "the session of device {host}");
            let mut serving: Vec<PartyId> = Vec::new();
            for host in self.gateways() {
                if self.world.gateway(host).devices().any(|(known, _)| known == id) {
                    serving.push(self.identity(host).id());
                }
            }
            assert_eq!(serving, Vec::from_iter(gateway), "the gateways of device {host}");
        }
        assert_eq!(self.world.cloud(CLOUD).gateways().count(), self.gateways().len());
        use iot_crypto::cloud::DeviceState::Connected;
        let connected =
            |(_, entry): &(_, &iot_crypto::cloud::DeviceEntry)| entry.state == Connected;
        let known = self.world.cloud(CLOUD).structure().devices().filter(connected).count();
        assert_eq!(known, if self.partner_is_trusted { 4 } else { 3 }, "what the cloud knows");
    }

    fn check_commands(&self) {
        let mut executed = BTreeMap::new();
        for (at, host, event) in &self.world.events {
            if let Event::Executed(text) = event {
                let before = executed.insert(text, (at, host));
                assert_eq!(before, None, "{text} again at {at:?} by {host}");
            }
        }
        assert!(!executed.is_empty());
    }

    /// Each alert that was delivered came to the cloud once; no other more than
    /// once.
    fn check_alerts(&self) {
        let mut raised: BTreeMap<(u16, String), i64> = BTreeMap::new();
        let (mut delivered, mut heard) = (Vec::new(), BTreeMap::<i64, usize>::new());
        for (_, host, event) in &self.world.events {
            match event {
                Event::Device(text) if text.starts_with("raised ") => {
                    let (id, number) = text[7..].split_once(' ').unwrap();
                    raised.insert((*host, id.to_owned()), number.parse().unwrap());
                }
                Event::Device(text) if text.starts_with("AlertDelivered(") => {
                    let id = text["AlertDelivered(".len()..text.len() - 1].to_owned();
                    delivered.push(raised[&(*host, id)]);
                }
                Event::Cloud(CloudEvent::Alert { reading, .. }) => {
                    let number = reading.value.to_string().parse().unwrap();
                    *heard.entry(number).or_default() += 1;
                }
                _ => {}
            }
        }
        for number in &delivered {
            assert_eq!(heard.get(number), Some(&1), "alert {number}");
        }
        assert!(heard.values().all(|times| *times == 1));
        assert!(!delivered.is_empty());
    }
}

fn soak(kind: Kind, seeds: u64) {
    let seeds = std::env::var("SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(seeds);
    for seed in 0..seeds {
        let run = || {
            let mut soak = Soak::new(kind, seed);
            for _ in 0..120 {
                let seconds = u64::from(soak.below(40));
                soak.world.run(seconds);
                soak.happen();
            }
            soak.calm_down();
            soak.check_connections();
            soak.check_commands();
            if kind == Kind::OneGateway {
                soak.check_alerts();
            }
        };
        if let Err(panic) = std::panic::catch_unwind(run) {
            println!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn one_gateway_in_bad_times() {
    soak(Kind::OneGateway, 2);
}

#[test]
fn two_gateways_in_bad_times() {
    soak(Kind::TwoGateways, 2);
}
