//! Devices behind a router that translates addresses and now and then forgets its
//! bindings: datagrams of a session then come from an address that the gateway does
//! not know, and its own reach nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use iot_crypto::identity::Role;
use iot_crypto::transmission::{Label, Value};
use iot_crypto::uplink::{self, Search};

use super::{Outcome, serves};
use crate::cast::{Cast, EPOCH, GATEWAY, YEAR, endorsed, identity, no_cloud};
use crate::nat::Nat;
use crate::node::Event;
use crate::place::{NEGOTIATION, Place};
use crate::random::Dice;
use crate::world::World;

const ROUTER: u16 = 50;
const DEVICES: [u16; 3] = [1, 2, 3];
/// The time for a session to come back: a device asks after 60 s of silence and
/// waits for 20 s (SPEC.md section 13.2); an attempt follows after 2.5 s at most
/// (13.1), with four round trips of a few milliseconds.
const RECOVERY: u64 = 60 + 20 + 3 + 1;
const REBINDINGS: u64 = 6;

/// Lets a router forget.
#[must_use]
pub fn play(seed: u64, cast: &Cast) -> Outcome {
    let mut outcome = Outcome::new(seed);
    let mut dice = Dice::new(0x13, seed);
    let mut world = World::new(seed);
    // Longer than the polling keeps silent.
    let idle = Duration::from_secs(dice.between((15, 300)));
    world.nats.push(Nat::new(ROUTER, &DEVICES, idle));
    cast.add_gateway(&mut world, no_cloud(cast));
    let mut ids = BTreeMap::new();
    for host in DEVICES {
        let identity = identity(3000 + u64::from(host), &format!("device {host}"));
        let endorsements = endorsed(&cast.company, &identity, Role::Device, EPOCH + YEAR);
        let place = Place { host: GATEWAY, port: NEGOTIATION };
        let settings = uplink::Settings::new(Search::At(place));
        cast.add_any_device(&mut world, host, &identity, endorsements, settings, &[1]);
        ids.insert(host, identity.id());
    }
    let mut number = 0;
    let mut command_everyone = |world: &mut World| {
        for id in ids.values() {
            number += 1;
            let (now, value) = (world.now, Value::Integer(number));
            let _ = world.gateway(GATEWAY).command(now, *id, Label::Number(7), value);
        }
    };
    for round in 0..=REBINDINGS {
        if round > 0 {
            world.run(dice.below(600));
            world.nats[0].rebind();
            outcome.count("rebindings", 1);
            // They reach nobody, and are given up before the session is back.
            command_everyone(&mut world);
        }
        world.run(RECOVERY);
        for (host, id) in &ids {
            let connected = world.device(*host).gateway().is_some();
            let served = serves(&mut world, GATEWAY, *id);
            outcome.demand(connected && served, || {
                format!("device {host} is not connected {RECOVERY} s after rebinding {round}")
            });
        }
        let seen = world.events.len();
        command_everyone(&mut world);
        world.run(1);
        let news = world.events[seen..].iter();
        let done = news.filter(|(_, _, event)| matches!(event, Event::Executed(_))).count();
        outcome.demand(done == DEVICES.len(), || {
            format!("{done} commands of {} were carried out after rebinding {round}", DEVICES.len())
        });
    }
    let mut executed: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, _, event) in &world.events {
        if let Event::Executed(text) = event {
            *executed.entry(text).or_default() += 1;
        }
    }
    for (text, times) in &executed {
        outcome.demand(*times == 1, || format!("command {text} was carried out {times} times"));
    }
    outcome.count("commands carried out", executed.len() as u64);
    outcome.end(&world)
}
