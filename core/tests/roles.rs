//! The three roles together, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, unreachable_pub)]
#![cfg(feature = "alloc")]

mod world;

use iot_crypto::cloud::CloudEvent;
use iot_crypto::gateway::GatewayEvent;
use iot_crypto::transmission::{CommandState, Label, Reading, Severity, Value};
use world::{CLOUD, Cast, DEVICE, Event, GATEWAY, Link, World, device_connected};

fn connected(seed: u64, link: Link) -> (Cast, World) {
    let (cast, mut world) = (Cast::new(), World::new(seed));
    world.link = link;
    cast.network(&mut world);
    let device = cast.device.id();
    assert!(world.wait(600, CLOUD, |event| matches!(
        event,
        Event::Cloud(CloudEvent::DevicePresence { device: id, .. }) if *id == device
    )));
    (cast, world)
}

#[test]
fn a_device_finds_its_gateway_and_its_readings_reach_the_cloud() {
    let (cast, mut world) = connected(1, Link::GOOD);
    assert!(world.wait(30, CLOUD, |event| matches!(
        event,
        Event::Cloud(CloudEvent::Readings { request: None, .. })
    )));
    let entry = world.cloud(CLOUD).structure().device(cast.device.id()).unwrap();
    assert_eq!(entry.name, "thermometer");
    assert_eq!(entry.readings.len(), 1);
}

#[test]
fn a_command_of_the_cloud_is_carried_out_once_and_its_status_comes_back() {
    for seed in 0..20 {
        let (cast, mut world) = connected(seed, Link::BAD);
        let now = world.now;
        let (label, argument) = (Label::parse("switch").unwrap(), Value::Bool(true));
        world.cloud(CLOUD).command(now, cast.device.id(), label, argument).unwrap();
        world.wait(120, CLOUD, |event| {
            matches!(event, Event::Cloud(CloudEvent::CommandStatus { .. }))
        });
        let status = world.events.iter().find_map(|(_, _, event)| match event {
            Event::Cloud(CloudEvent::CommandStatus { state, .. }) => Some(*state),
            _ => None,
        });
        world.run(120);
        let executed =
            world.events.iter().filter(|(.., event)| matches!(event, Event::Executed(_))).count();
        match status {
            Some(CommandState::Done) => assert_eq!(executed, 1, "seed {seed}"),
            Some(CommandState::Expired) => assert_eq!(executed, 0, "seed {seed}"),
            Some(CommandState::Uncertain) => assert!(executed <= 1, "seed {seed}"),
            other => panic!("seed {seed}: {other:?}"),
        }
    }
}

#[test]
fn an_alert_reaches_the_cloud_once() {
    for seed in 0..20 {
        let (_, mut world) = connected(seed, Link::BAD);
        let now = world.now;
        let reading = Reading::new(Label::Number(1), Value::Float(99.0));
        world.device(DEVICE).alert(now, Severity::Critical, reading, "hot").unwrap();
        world.run(600);
        let alerts = world
            .events
            .iter()
            .filter(|(.., event)| matches!(event, Event::Cloud(CloudEvent::Alert { .. })))
            .count();
        assert_eq!(alerts, 1, "seed {seed}");
    }
}

#[test]
fn a_foreign_device_is_refused_let_in_and_cut_off() {
    let (cast, mut world) = connected(1, Link::GOOD);
    cast.add_foreign_device(&mut world);
    let foreign = cast.foreign.id();
    assert!(world.wait(30, GATEWAY, |event| matches!(
        event,
        Event::Gateway(GatewayEvent::DeviceRefused { who: Some((id, _)), .. }) if *id == foreign
    )));
    let now = world.now;
    let partner = cast.partner.certificate().clone();
    world
        .gateway(GATEWAY)
        .change_trust(now, |trust, provider| {
            trust.add_party(provider, &partner, iot_crypto::identity::Authority::Endorse)
        })
        .unwrap();
    assert!(world.wait(60, GATEWAY, device_connected(foreign)));
    let now = world.now;
    let partner = cast.partner.id();
    assert!(world.gateway(GATEWAY).change_trust(now, |trust, _| trust.remove_party(&partner)));
    assert!(world.wait(0, GATEWAY, |event| matches!(
        event,
        Event::Gateway(GatewayEvent::DeviceDisconnected { device, .. }) if *device == foreign
    )));
    // The other device is not disturbed.
    assert!(world.gateway(GATEWAY).devices().any(|(id, _)| id == cast.device.id()));
}
