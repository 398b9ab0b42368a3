//! A network among people who replay, forge, flood, and stall half-way: nobody
//! honest notices, nothing is taken twice, and a flood comes to little.

mod traffic;

use std::collections::BTreeMap;
use std::time::Duration;

use iot_crypto::cloud::CloudEvent;
use iot_crypto::gateway::GatewayEvent;
use iot_crypto::identity::{PrivateIdentity, Role};
use iot_crypto::time::Instant;
use iot_crypto::transmission::{CommandState, Label, OwnedValue, Reading, Severity, Value};

use super::{Outcome, serves, tells};
use crate::adversary::{Flooder, Forger, Replayer};
use crate::cast::{CLOUD, Cast, EPOCH, GATEWAY, YEAR, endorsed, identity};
use crate::node::Event;
use crate::place::{NEGOTIATION, Place, TRANSMISSION};
use crate::random::Dice;
use crate::world::World;

const DEVICES: [u16; 3] = [1, 2, 3];
/// Strangers have hosts from this number on.
const STRANGERS: u16 = 300;
/// When all devices must be connected, in seconds: an attempt that fails for want
/// of room takes 30 s.
const CONNECTED: u64 = 120;
/// How long it goes on after that, in seconds.
const LASTS: u64 = 1800;

/// Lets everyone attack.
#[must_use]
pub fn play(seed: u64, cast: &Cast) -> Outcome {
    let mut outcome = Outcome::new(seed);
    let mut dice = Dice::new(0x16, seed);
    let mut world = World::new(seed);
    world.adversaries.push(Box::new(Replayer::new(seed, Duration::from_millis(100))));
    world.adversaries.push(Box::new(Forger::new(seed, Duration::from_millis(100))));
    world.adversaries.push(Box::new(Flooder::new(seed, Duration::from_secs(1), 40)));
    cast.add_cloud(&mut world);
    cast.add_gateway(&mut world, cast.gateway_settings());
    let identities: BTreeMap<u16, PrivateIdentity> = DEVICES
        .map(|host| (host, identity(4000 + u64::from(host), &format!("device {host}"))))
        .into_iter()
        .collect();
    for (host, identity) in &identities {
        let endorsements = endorsed(&cast.company, identity, Role::Device, EPOCH + YEAR);
        let settings = cast.device_settings();
        cast.add_any_device(&mut world, *host, identity, endorsements, settings, &[1]);
    }
    world.run(CONNECTED);
    for (host, identity) in &identities {
        let served = serves(&mut world, GATEWAY, identity.id());
        outcome.demand(served, || format!("device {host} can't connect"));
    }
    let began = world.now;
    let mut number = 0;
    let mut asked = Asked::default();
    while world.now < began + Duration::from_secs(LASTS) {
        world.run(dice.between((1, 20)));
        number += 1;
        let (now, value) = (world.now, Value::Integer(number));
        let device = dice.any(&DEVICES);
        match dice.below(3) {
            0 => stall(&mut world, &mut dice),
            1 => {
                let id = identities[&device].id();
                let given = world.cloud(CLOUD).command(now, id, Label::Number(7), value);
                asked.commands += u64::from(given.is_ok());
            }
            _ => {
                let reading = Reading::new(Label::Number(8), value);
                let raised = world.device(device).alert(now, Severity::Warning, reading, "");
                asked.alerts += u64::from(raised.is_ok());
            }
        }
    }
    world.run(120);
    check(&mut outcome, &world, began, &asked);
    traffic::check(&mut outcome, &mut world);
    for (host, identity) in &identities {
        let served = serves(&mut world, GATEWAY, identity.id());
        outcome.demand(served, || format!("device {host} is not connected in the end"));
    }
    outcome.end(&world)
}

/// Somebody with the network key connects to a service, says something senseless or
/// nothing, and at some time, perhaps in the middle of the handshake, goes silent.
fn stall(world: &mut World, dice: &mut Dice) {
    let host = STRANGERS + dice.below(20_000) as u16;
    let service = dice.any(&[NEGOTIATION, NEGOTIATION, TRANSMISSION]);
    let at = dice.any(&[GATEWAY, GATEWAY, CLOUD]);
    world.add_stranger(host, Place { host: at, port: service }, 1);
    for _ in 0..dice.below(4) {
        let length = dice.below(200) as usize;
        let mut payload = dice.bytes(length);
        // What begins like a request or a segment of one (SPEC.md section 9).
        if dice.happens(1, 2) {
            payload.splice(..0, dice.any(&[[0x84, 0, 0x19, 2], [0x87, 1, 1, 1]]));
        }
        world.stranger(host).payloads.push(payload);
    }
    let until = world.now + Duration::from_millis(dice.below(8));
    world.run_until(until, |_| false);
    world.cut_off.insert(host);
}

/// How much was asked of the network, and taken.
#[derive(Default)]
struct Asked {
    commands: u64,
    alerts: u64,
}

/// Whether somebody has lost a session.
fn is_disconnection(event: &Event) -> bool {
    matches!(
        event,
        Event::Gateway(
            GatewayEvent::DeviceDisconnected { .. } | GatewayEvent::CloudDisconnected { .. }
        ) | Event::Cloud(CloudEvent::GatewayDisconnected { .. })
    ) || tells(event, "Disconnected")
}

fn check(outcome: &mut Outcome, world: &World, began: Instant, asked: &Asked) {
    let mut executed: BTreeMap<&str, u64> = BTreeMap::new();
    let mut heard: BTreeMap<String, u64> = BTreeMap::new();
    let (mut told, mut done) = (0, 0);
    for (at, host, event) in &world.events {
        match event {
            Event::Executed(text) => *executed.entry(text).or_default() += 1,
            Event::Cloud(CloudEvent::Alert { reading, .. }) => {
                *heard.entry(reading.value.to_string()).or_default() += 1;
            }
            Event::Cloud(CloudEvent::Readings { readings, .. }) => {
                outcome.count("readings", 1);
                let forged =
                    readings.iter().any(|reading| reading.value != OwnedValue::Float(21.5));
                outcome.demand(!forged, || format!("a reading that nobody gave: {readings:?}"));
            }
            Event::Cloud(CloudEvent::CommandStatus { state, .. }) => {
                done += u64::from(*state == CommandState::Done);
            }
            event if tells(event, "AlertDelivered") => told += 1,
            event if is_disconnection(event) => {
                outcome.demand(*at < began, || format!("{event:?} at host {host}, {at:?}"));
            }
            _ => {}
        }
    }
    for (text, times) in executed.iter().map(|(text, times)| (*text, times)) {
        outcome.demand(*times == 1, || format!("command {text} was carried out {times} times"));
    }
    for (value, times) in &heard {
        outcome.demand(*times == 1, || format!("alert {value} was heard {times} times"));
    }
    let Asked { commands, alerts } = *asked;
    let all = executed.len() as u64 == commands && done == commands;
    outcome.demand(all, || {
        format!("{commands} commands were given, {} carried out, {done} done", executed.len())
    });
    let all = heard.len() as u64 == alerts && told == alerts;
    outcome.demand(all, || {
        format!("{alerts} alerts were raised, {told} delivered, {} heard", heard.len())
    });
    outcome.count("commands carried out", executed.len() as u64);
    outcome.count("alerts", alerts);
}
