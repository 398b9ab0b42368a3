//! Clocks that are right, wrong or missing, and certificates and endorsements with
//! dates near by: who is connected is who should be, by the clocks as they are.
//!
//! What should be is worked out here from SPEC.md sections 6.3 and 9.5, with plain
//! comparisons of numbers.

use iot_crypto::device::Device;
use iot_crypto::gateway::{self, Gateway};
use iot_crypto::identity::{Endorsements, Grant, Name, PrivateIdentity, Rights, Role};
use iot_crypto::party::Party;
use iot_crypto::time::{UnixTime, WallClock};
use iot_crypto::uplink::{self, Search};

use super::{Outcome, serves};
use crate::cast::{Cast, DEVICE, EPOCH, GATEWAY, network, trusting};
use crate::node::Node;
use crate::place::{NEGOTIATION, Place, TRANSMISSION};
use crate::random::{Dice, provider, provider_at};
use crate::world::World;

const DAY: u64 = 24 * 3600;
/// How long it is watched, in seconds; no date falls into that time.
const WATCHED: u64 = 600;

/// From when until when something is valid.
#[derive(Clone, Copy, Debug)]
struct Dates(u64, u64);

impl Dates {
    /// Around the present, mostly; in whole days, so that nothing ends while it is
    /// watched.
    fn draw(dice: &mut Dice) -> Self {
        let begins_late = dice.happens(1, 12);
        let from = EPOCH - DAY * dice.between((1, 60)) + DAY * 30 * u64::from(begins_late);
        let ends_soon = !begins_late && dice.happens(1, 6);
        let until = EPOCH + DAY * if ends_soon { 1 } else { dice.between((31, 90)) };
        Self(from - DAY / 2, until + DAY / 2)
    }

    const fn hold(self, time: u64) -> bool {
        self.0 <= time && time < self.1
    }
}

/// What a party knows of the time when it starts.
#[derive(Clone, Copy, Debug)]
enum Clock {
    /// It has a clock, which shows this.
    Shows(u64),
    /// It has none, and knows that this has passed.
    Passed(u64),
}

impl Clock {
    fn draw(dice: &mut Dice) -> Self {
        let off = DAY * dice.between((1, 40));
        match dice.below(6) {
            0 => Self::Shows(EPOCH + off),
            1 => Self::Shows(EPOCH - off),
            2 => Self::Passed(EPOCH - off),
            3 => Self::Passed(EPOCH + off * u64::from(dice.happens(1, 2))),
            _ => Self::Shows(EPOCH),
        }
    }

    fn wall_clock(self, world: &World) -> WallClock {
        match self {
            Self::Shows(time) => {
                let mut clock = WallClock::unknown();
                clock.set(world.now, UnixTime::from_secs(time));
                clock
            }
            Self::Passed(time) => WallClock::with_floor(UnixTime::from_secs(time)),
        }
    }
}

/// A party with its dates.
struct Dated {
    identity: PrivateIdentity,
    endorsements: Endorsements,
    certificate: Dates,
    endorsement: Dates,
    clock: Clock,
}

impl Dated {
    fn draw(dice: &mut Dice, cast: &Cast, name: &str, role: Role, seed: u64) -> Self {
        let (certificate, endorsement) = (Dates::draw(dice), Dates::draw(dice));
        let clock = Clock::draw(dice);
        let [from, to] = [certificate.0, certificate.1].map(UnixTime::from_secs);
        let name = Name::new(name).unwrap();
        let identity = PrivateIdentity::create(&mut provider(seed), name, from, to).unwrap();
        let grant = Grant { roles: role.into(), rights: Rights::ALL };
        let [from, to] = [endorsement.0, endorsement.1].map(UnixTime::from_secs);
        let issued = cast.company.endorse(&provider(0), identity.certificate(), from, to, grant);
        let endorsements = Endorsements::new(&[issued.unwrap()]).unwrap();
        Self { identity, endorsements, certificate, endorsement, clock }
    }

    const fn is_valid_at(&self, time: u64) -> bool {
        self.certificate.hold(time) && self.endorsement.hold(time)
    }
}

/// Whether the two should find together (SPEC.md section 9.5).
fn should_connect(device: &Dated, gateway: &Dated) -> bool {
    // A gateway that doesn't know the time refuses everyone.
    let Clock::Shows(at_gateway) = gateway.clock else { return false };
    let at_device = match device.clock {
        Clock::Shows(time) => time,
        // It takes the gateway's, unless that has passed already.
        Clock::Passed(time) if at_gateway < time => return false,
        Clock::Passed(_) => at_gateway,
    };
    device.is_valid_at(at_gateway) && gateway.is_valid_at(at_device)
}

/// Puts a device and a gateway with any clocks and dates together.
#[must_use]
pub fn play(seed: u64, cast: &Cast) -> Outcome {
    let mut outcome = Outcome::new(seed);
    let mut dice = Dice::new(0x14, seed);
    let mut world = World::new(seed);
    let gateway = Dated::draw(&mut dice, cast, "gateway", Role::Gateway, seed << 1);
    let device = Dated::draw(&mut dice, cast, "device", Role::Device, seed << 1 | 1);

    let party = Party::new(
        provider_at(&world, 1),
        gateway.identity.clone(),
        gateway.endorsements.clone(),
        trusting(&[&cast.company]),
        network(&[1]),
        gateway.clock.wall_clock(&world),
    );
    let mut settings = gateway::Settings::new(NEGOTIATION, TRANSMISSION);
    settings.advertise = None;
    let node = Gateway::new(party.unwrap(), settings, world.now).unwrap();
    world.nodes.insert(GATEWAY, Node::Gateway(Box::new(node)));

    let party = Party::new(
        provider_at(&world, 2),
        device.identity.clone(),
        device.endorsements.clone(),
        trusting(&[&cast.company]),
        network(&[1]),
        device.clock.wall_clock(&world),
    );
    let place = Place { host: GATEWAY, port: NEGOTIATION };
    let settings = uplink::Settings::new(Search::At(place));
    let node = Device::new(party.unwrap(), settings, world.now);
    world.nodes.insert(DEVICE, Node::Device(Box::new(node)));

    world.run(WATCHED);
    let connected = world.device(DEVICE).gateway().is_some();
    let served = serves(&mut world, GATEWAY, device.identity.id());
    let expected = should_connect(&device, &gateway);
    outcome.demand(connected == expected && served == expected, || {
        format!(
            "connected: {connected}, {served}; it should be {expected}, with the device's clock \
             {:?}, certificate {:?}, endorsement {:?}, and the gateway's {:?}, {:?}, {:?}",
            device.clock,
            device.certificate,
            device.endorsement,
            gateway.clock,
            gateway.certificate,
            gateway.endorsement,
        )
    });
    outcome.count(if expected { "should connect" } else { "should not connect" }, 1);
    outcome.end(&world)
}
