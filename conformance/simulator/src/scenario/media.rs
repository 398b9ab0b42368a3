//! A small network on each of the profiles: everything arrives, and commands run
//! once.

use std::collections::BTreeSet;

use iot_crypto::cloud::CloudEvent;
use iot_crypto::transmission::{Label, Reading, Severity, Value};
use iot_crypto::uplink::{self, Search};

use super::{Outcome, serves};
use crate::cast::{CLOUD, Cast, DEVICE, GATEWAY};
use crate::node::Event;
use crate::path::Path;
use crate::place::{NEGOTIATION, Place};
use crate::profile::{self, Profile};
use crate::random::Dice;
use crate::world::World;

/// The numbers of commands and alerts.
const MESSAGES: i64 = 20;
/// The time for a session, in seconds: a few attempts (SPEC.md section 13.1).
const PATIENCE: u64 = 600;

/// Lets a device on this network be commanded, and raise alerts.
#[must_use]
pub fn play(seed: u64, cast: &Cast, profile: Profile) -> Outcome {
    let mut outcome = Outcome::new(seed);
    let mut dice = Dice::new(0x15, seed);
    let mut world = World::new(seed);
    world.max_datagram = profile.max_datagram().min(1200);
    let below = Path::new(&[profile], &mut dice);
    world.connect(DEVICE, GATEWAY, below);
    let above = Path::new(&[profile::ETHERNET], &mut dice);
    world.connect(GATEWAY, CLOUD, above);
    cast.add_cloud(&mut world);
    cast.add_gateway(&mut world, cast.gateway_settings());
    let place = Place { host: GATEWAY, port: NEGOTIATION };
    cast.add_device(&mut world, uplink::Settings::new(Search::At(place)));
    world.wait(PATIENCE, CLOUD, |event| matches!(event, Event::Cloud(CloudEvent::Readings { .. })));
    let served = serves(&mut world, GATEWAY, cast.device.id());
    outcome.demand(served, || format!("no session after {} s", world.now.as_millis() / 1000));
    outcome.greatest("milliseconds to the first reading", world.now.as_millis());

    let (mut commanded, mut raised) = (BTreeSet::new(), BTreeSet::new());
    for number in 1..=MESSAGES {
        let (now, value) = (world.now, Value::Integer(number));
        let device = cast.device.id();
        if world.cloud(CLOUD).command(now, device, Label::Number(7), value).is_ok() {
            commanded.insert(number);
        }
        let reading = Reading::new(Label::Number(8), value);
        if world.device(DEVICE).alert(now, Severity::Warning, reading, "").is_ok() {
            raised.insert(number);
        }
        world.run(dice.between((1, 30)));
    }
    world.run(PATIENCE);
    let (mut done, mut heard) = (Vec::new(), Vec::new());
    for (_, _, event) in &world.events {
        match event {
            Event::Cloud(CloudEvent::CommandStatus { .. }) => done.push(0),
            Event::Cloud(CloudEvent::Alert { reading, .. }) => {
                heard.push(reading.value.to_string().parse().unwrap_or(-1));
            }
            _ => {}
        }
    }
    heard.sort_unstable();
    outcome.demand(heard == Vec::from_iter(raised), || format!("the cloud heard {heard:?}"));
    outcome.demand(done.len() == commanded.len(), || {
        format!("{} commands of {} ended", done.len(), commanded.len())
    });
    let executed: Vec<&String> = world
        .events
        .iter()
        .filter_map(|(_, _, event)| match event {
            Event::Executed(text) => Some(text),
            _ => None,
        })
        .collect();
    let different: BTreeSet<_> = executed.iter().collect();
    outcome.demand(different.len() == executed.len(), || "a command ran twice".to_owned());
    outcome.count("commands", executed.len() as u64);
    outcome.count("alerts", heard.len() as u64);
    outcome.end(&world)
}
