//! A small network on each of the profiles: everything arrives, and commands run
//! once.

use iot_crypto::cloud::CloudEvent;
use iot_crypto::transmission::{CommandState, Label, Reading, Severity, Value};
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
/// A limit of datagrams that splits what is long (SPEC.md section 11.4), in bytes.
const TIGHT: usize = 208;
/// The time for a session, in seconds: a few attempts (SPEC.md section 13.1).
const PATIENCE: u64 = 600;

/// Lets a device on this network be commanded, and raise alerts.
#[must_use]
pub fn play(seed: u64, cast: &Cast, profile: Profile) -> Outcome {
    let mut outcome = Outcome::new(seed);
    let mut dice = Dice::new(0x15, seed);
    let mut world = World::new(seed);
    // The usual limit, or one that negotiations and the larger messages don't fit into.
    world.max_datagram = dice.any(&[profile.max_datagram().min(1200), TIGHT]);
    let below = Path::new(&[profile], &mut dice);
    world.connect(DEVICE, GATEWAY, below);
    let above = Path::new(&[profile::ETHERNET], &mut dice);
    world.connect(GATEWAY, CLOUD, above);
    cast.add_cloud(&mut world);
    cast.add_gateway(&mut world, cast.gateway_settings());
    let place = Place { host: GATEWAY, port: NEGOTIATION };
    cast.add_device(&mut world, uplink::Settings::new(Search::At(place)));
    let read = world
        .wait(PATIENCE, CLOUD, |event| matches!(event, Event::Cloud(CloudEvent::Readings { .. })));
    outcome.demand(read, || format!("no reading after {PATIENCE} s"));
    let served = serves(&mut world, GATEWAY, cast.device.id());
    outcome.demand(served, || format!("no session after {} s", world.now.as_millis() / 1000));
    outcome.greatest("milliseconds to the first reading", world.now.as_millis());

    for number in 1..=MESSAGES {
        let (now, value) = (world.now, Value::Integer(number));
        let taken = world.cloud(CLOUD).command(now, cast.device.id(), Label::Number(7), value);
        outcome.demand(taken.is_ok(), || format!("command {number} is not taken: {taken:?}"));
        let reading = Reading::new(Label::Number(8), value);
        let taken = world.device(DEVICE).alert(now, Severity::Warning, reading, "");
        outcome.demand(taken.is_ok(), || format!("alert {number} is not taken: {taken:?}"));
        world.run(dice.between((1, 30)));
    }
    world.run(PATIENCE);
    let (mut executed, mut ended, mut heard) = (Vec::new(), Vec::new(), Vec::new());
    for (_, _, event) in &world.events {
        match event {
            Event::Executed(text) => executed.push(number(text)),
            Event::Cloud(CloudEvent::CommandStatus { state, .. }) => ended.push(*state),
            Event::Cloud(CloudEvent::Alert { reading, .. }) => {
                heard.push(number(&reading.value.to_string()));
            }
            _ => {}
        }
    }
    // What is repeated may be overtaken.
    heard.sort_unstable();
    executed.sort_unstable();
    let all = Vec::from_iter(1..=MESSAGES);
    outcome.demand(heard == all, || format!("the cloud heard alerts {heard:?}"));
    outcome.demand(executed == all, || format!("the device carried out commands {executed:?}"));
    let done = vec![CommandState::Done; all.len()];
    outcome.demand(ended == done, || format!("the commands ended as {ended:?}"));
    outcome.count("commands", executed.len() as u64);
    outcome.count("alerts", heard.len() as u64);
    outcome.end(&world)
}

/// The number that a command or an alert ends with.
fn number(text: &str) -> i64 {
    text.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or(-1)
}
