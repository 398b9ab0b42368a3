//! The three roles together, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, unreachable_pub)]
#![cfg(feature = "alloc")]

use std::time::Duration;

use chacha20::ChaCha20Rng;
use iot_crypto::cloud::CloudEvent;
use iot_crypto::downlink::Rotation;
use iot_crypto::gateway::GatewayEvent;
use iot_crypto::identity::{Refusal, Role};
use iot_crypto::transmission::{CommandState, Label, PresenceState, Reading, Severity, Value};
use iot_crypto::uplink::{self, Disconnection, Search};
use iot_crypto_simulator::{
    CLOUD, Cast, DEVICE, Event, GATEWAY, Link, Place, World, device_connected,
};
use rand_core::{Rng as _, SeedableRng as _};

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

fn disconnections(world: &World) -> usize {
    world
        .events
        .iter()
        .filter(|(.., event)| {
            matches!(event, Event::Gateway(GatewayEvent::DeviceDisconnected { .. }))
        })
        .count()
}

fn replacements(world: &World) -> usize {
    world
        .events
        .iter()
        .filter(|(.., event)| {
            matches!(event, Event::Gateway(GatewayEvent::DeviceConnected { replaced: true, .. }))
        })
        .count()
}

fn readings_at_gateway(world: &World) -> usize {
    world
        .events
        .iter()
        .filter(|(.., event)| matches!(event, Event::Gateway(GatewayEvent::Readings { .. })))
        .count()
}

#[test]
fn keys_are_rotated_by_age_without_losing_the_session() {
    // Of the readings every ten seconds, a bad link lets most arrive in time.
    for (link, least) in [(Link::GOOD, 118), (Link::BAD, 70)] {
        let (cast, mut world) = (Cast::new(), World::new(3));
        world.link = link;
        let mut settings = cast.gateway_settings();
        settings.downlink.rotation = Rotation {
            age: Duration::from_secs(120),
            grace: Duration::from_secs(600),
            ..Rotation::default()
        };
        cast.add_gateway(&mut world, settings);
        cast.add_device(&mut world, cast.device_settings());
        world.run(1200);
        assert_eq!(disconnections(&world), 0);
        assert!(replacements(&world) >= 5, "{}", replacements(&world));
        assert!(readings_at_gateway(&world) >= least, "{}", readings_at_gateway(&world));
        // Make before break, on the device's side as well.
        assert!(!world.events.iter().any(|(.., event)| matches!(
            event,
            Event::Device(text) if text.starts_with("Disconnected")
        )));
    }
}

#[test]
fn keys_are_rotated_by_volume() {
    let (cast, mut world) = (Cast::new(), World::new(3));
    let mut settings = cast.gateway_settings();
    settings.downlink.rotation.records = 10;
    cast.add_gateway(&mut world, settings);
    cast.add_device(&mut world, cast.device_settings());
    world.run(600);
    assert_eq!(disconnections(&world), 0);
    assert!((4..=7).contains(&replacements(&world)), "{}", replacements(&world));
}

#[test]
fn a_device_that_does_not_rotate_is_cut_off_after_its_time_of_grace() {
    let (cast, mut world) = (Cast::new(), World::new(3));
    let mut settings = cast.gateway_settings();
    settings.downlink.rotation = Rotation {
        age: Duration::from_secs(60),
        grace: Duration::from_secs(30),
        ..Rotation::default()
    };
    cast.add_gateway(&mut world, settings);
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    world.cut_off.insert(DEVICE);
    assert!(world.wait(91, GATEWAY, |event| matches!(
        event,
        Event::Gateway(GatewayEvent::DeviceDisconnected { reason: Disconnection::KeyTooOld, .. })
    )));
}

#[test]
fn a_device_comes_back_soon_after_its_gateway_restarts() {
    let (cast, mut world) = connected(1, Link::GOOD);
    cast.add_gateway_with(&mut world, cast.gateway_settings(), 99, &[1]);
    assert!(world.wait(60, GATEWAY, device_connected(cast.device.id())));
}

#[test]
fn a_gateway_comes_back_after_its_cloud_restarts_and_tells_it_of_its_devices() {
    let (cast, mut world) = connected(1, Link::GOOD);
    cast.add_cloud(&mut world);
    let device = cast.device.id();
    assert!(world.wait(200, CLOUD, |event| matches!(
        event,
        Event::Cloud(CloudEvent::DevicePresence { device: id, state: PresenceState::Connected, .. }) if *id == device
    )));
}

#[test]
fn a_device_that_restarts_takes_the_place_of_its_former_self() {
    let (cast, mut world) = connected(1, Link::GOOD);
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(60, GATEWAY, device_connected(cast.device.id())));
    assert!(
        world.wait(60, GATEWAY, |event| matches!(
            event,
            Event::Gateway(GatewayEvent::Readings { .. })
        ))
    );
    assert_eq!(world.gateway(GATEWAY).devices().count(), 1);
}

#[test]
fn what_the_gateway_has_acknowledged_reaches_the_cloud_when_it_is_back() {
    let (_, mut world) = connected(1, Link::GOOD);
    world.cut_off.insert(CLOUD);
    let now = world.now;
    let reading = Reading::new(Label::Number(1), Value::Float(99.0));
    world.device(DEVICE).alert(now, Severity::Warning, reading, "").unwrap();
    assert!(world.wait(10, DEVICE, |event| matches!(
        event,
        Event::Device(text) if text.starts_with("AlertDelivered")
    )));
    world.run(600);
    world.cut_off.clear();
    assert!(
        world.wait(600, CLOUD, |event| matches!(event, Event::Cloud(CloudEvent::Alert { .. })))
    );
}

#[test]
fn a_revocation_by_the_cloud_cuts_a_device_off_at_its_gateway() {
    let (cast, mut world) = connected(1, Link::GOOD);
    let revocation = cast
        .company
        .revoke(
            &iot_crypto_simulator::provider(0),
            cast.device.id(),
            iot_crypto_simulator::wall(world.now),
        )
        .unwrap();
    let now = world.now;
    world.cloud(CLOUD).revoke(now, &revocation).unwrap();
    assert!(world.wait(1, GATEWAY, |event| matches!(
        event,
        Event::Gateway(GatewayEvent::DeviceDisconnected {
            reason: Disconnection::Untrusted(Refusal::Revoked),
            ..
        })
    )));
    assert!(world.wait(60, DEVICE, |event| matches!(
        event,
        Event::Device(text) if text.contains("RefusedByPeer(Trust(Revoked))")
    )));
}

#[test]
fn a_gateway_that_was_away_learns_of_a_revocation_when_it_connects() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_cloud(&mut world);
    let revocation = cast
        .company
        .revoke(
            &iot_crypto_simulator::provider(0),
            cast.device.id(),
            iot_crypto_simulator::wall(world.now),
        )
        .unwrap();
    world.cloud(CLOUD).revoke(iot_crypto::time::Instant::ZERO, &revocation).unwrap();
    cast.add_gateway(&mut world, cast.gateway_settings());
    assert!(
        world.wait(30, GATEWAY, |event| matches!(event, Event::Gateway(GatewayEvent::Revoked(_))))
    );
}

#[test]
fn a_network_key_is_replaced_while_devices_still_hold_the_old_one() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_gateway_with(&mut world, cast.gateway_settings(), 51, &[2, 1]);
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(30, DEVICE, |event| matches!(
        event,
        Event::Device(text) if text.starts_with("NetworkKeyReceived")
    )));
    let (old, new) =
        (iot_crypto_simulator::network_key(1).id(), iot_crypto_simulator::network_key(2).id());
    assert_eq!(world.device(DEVICE).party().network().preferred().unwrap().id(), new);
    assert!(world.gateway(GATEWAY).retire_network_key(old));
    // The gateway restarts, and holds only the new key.
    cast.add_gateway_with(&mut world, cast.gateway_settings(), 98, &[2]);
    assert!(world.wait(120, GATEWAY, device_connected(cast.device.id())));
}

#[test]
fn a_configured_address_does_without_advertisements() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = cast.gateway_settings();
    settings.advertise = None;
    cast.add_gateway(&mut world, settings);
    let at = Place { host: GATEWAY, port: iot_crypto_simulator::NEGOTIATION };
    cast.add_device(&mut world, uplink::Settings::new(Search::At(at)));
    assert!(world.wait(10, GATEWAY, device_connected(cast.device.id())));
}

#[test]
fn everything_works_in_datagrams_of_208_bytes() {
    for (seed, link) in [(1, Link::GOOD), (2, Link::BAD), (3, Link::BAD)] {
        let (cast, mut world) = (Cast::new(), World::new(seed));
        world.link = link;
        world.max_datagram = 208;
        cast.network(&mut world);
        assert!(
            world.wait(600, CLOUD, |event| matches!(
                event,
                Event::Cloud(CloudEvent::Readings { .. })
            ))
        );
        assert!(world.sent.iter().all(|(.., bytes)| bytes.len() <= 208));
    }
}

#[test]
fn a_sleepy_device_is_given_what_waited_for_it_and_told_when_nothing_does() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_cloud(&mut world);
    let mut settings = cast.gateway_settings();
    settings.polling = None;
    cast.add_gateway(&mut world, settings);
    let mut settings = cast.device_settings();
    settings.sleepy = true;
    cast.add_device(&mut world, settings);
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    world.run(60);
    let now = world.now;
    let sent = world.sent.len();
    let device = cast.device.id();
    let (label, argument) = (Label::parse("switch").unwrap(), Value::Bool(true));
    world.gateway(GATEWAY).command(now, device, label, argument).unwrap();
    world.run(10);
    let to_device = world.sent[sent..]
        .iter()
        .filter(|(_, from, to, _)| to.host == DEVICE && to.port != 5 && from.host == GATEWAY);
    assert_eq!(to_device.count(), 0, "the gateway speaks to a device that sleeps");
    let now = world.now;
    world.device(DEVICE).wake(now).unwrap();
    assert!(world.wait(5, DEVICE, |event| matches!(event, Event::Executed(_))));
    assert!(world.wait(
        5,
        DEVICE,
        |event| matches!(event, Event::Device(text) if text == "MaySleep")
    ));
}

#[test]
fn a_device_without_a_clock_learns_the_time_and_a_session_ends_with_what_it_rests_on() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_gateway(&mut world, cast.gateway_settings());
    let until = iot_crypto_simulator::EPOCH + 300;
    let endorsements =
        iot_crypto_simulator::endorsed(&cast.company, &cast.device, Role::Device, until);
    let settings = cast.device_settings();
    cast.add_any_device(&mut world, DEVICE, &cast.device, endorsements, settings, &[1]);
    let now = world.now;
    assert_eq!(world.device(DEVICE).party().clock().at(now), None);
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    let now = world.now;
    assert!(world.device(DEVICE).party().clock().at(now).is_some());
    assert!(world.wait(400, GATEWAY, |event| matches!(
        event,
        Event::Gateway(GatewayEvent::DeviceDisconnected {
            reason: Disconnection::Untrusted(Refusal::Expired),
            ..
        })
    )));
    let at = world.now.as_millis() / 1000;
    assert!((299..=301).contains(&at), "{at}");
}

#[test]
fn a_network_key_that_differs_is_told_at_the_deadline() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_gateway(&mut world, cast.gateway_settings());
    let endorsements = iot_crypto_simulator::endorsed(
        &cast.company,
        &cast.device,
        Role::Device,
        iot_crypto_simulator::EPOCH + iot_crypto_simulator::YEAR,
    );
    let at = Place { host: GATEWAY, port: iot_crypto_simulator::NEGOTIATION };
    let settings = uplink::Settings::new(Search::At(at));
    cast.add_any_device(&mut world, DEVICE, &cast.device, endorsements, settings, &[7]);
    assert!(world.wait(31, DEVICE, |event| matches!(
        event,
        Event::Device(text) if text.starts_with("Failed(Negotiation(")
    )));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| {
        let (_, mut world) = connected(seed, Link::BAD);
        world.run(300);
        world.sent
    };
    assert!(run(5) == run(5));
    assert!(run(5) != run(6));
}

#[test]
fn garbage_on_every_port_in_every_state_changes_nothing() {
    let (cast, mut world) = (Cast::new(), World::new(9));
    cast.network(&mut world);
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let recorded: Vec<Vec<u8>> = {
        let (_, mut other) = connected(9, Link::GOOD);
        other.run(30);
        other.sent.into_iter().map(|(.., bytes)| bytes).collect()
    };
    for round in 0..3000 {
        for host in [DEVICE, GATEWAY, CLOUD] {
            let mut bytes = recorded[random.next_u32() as usize % recorded.len()].clone();
            for _ in 0..random.next_u32() % 4 {
                let at = random.next_u32() as usize % bytes.len();
                bytes[at] = random.next_u32() as u8;
            }
            bytes.truncate(1 + random.next_u32() as usize % bytes.len());
            let from = Place { host: 200 + (random.next_u32() % 20) as u16, port: 3 };
            let to = Place { host, port: 1 + (random.next_u32() % 5) as u16 };
            // Some pose as the peers themselves.
            let from = if random.next_u32() % 4 == 0 {
                Place {
                    host: [DEVICE, GATEWAY, CLOUD][random.next_u32() as usize % 3],
                    port: from.port,
                }
            } else {
                from
            };
            world.send(from, to, &bytes);
        }
        if round % 10 == 0 {
            world.run(1);
        }
    }
    world.run(120);
    assert_eq!(disconnections(&world), 0);
    assert!(readings_at_gateway(&world) >= 30);
    // Nothing but the counters tells of it.
    assert!(world.gateway(GATEWAY).dropped().records.total() > 1000);
    assert!(world.cloud(CLOUD).dropped().records.total() > 1000);
    assert!(world.device(DEVICE).dropped().advertisements > 100);
    let _ = cast;
}

#[test]
fn a_device_that_floods_its_gateway_does_not_take_the_room_of_others() {
    let (cast, mut world) = connected(1, Link::GOOD);
    let other = iot_crypto_simulator::identity(77, "other");
    let endorsements = iot_crypto_simulator::endorsed(
        &cast.company,
        &other,
        Role::Device,
        iot_crypto_simulator::EPOCH + iot_crypto_simulator::YEAR,
    );
    cast.add_any_device(&mut world, 3, &other, endorsements, cast.device_settings(), &[1]);
    assert!(world.wait(30, GATEWAY, device_connected(other.id())));
    world.cut_off.insert(CLOUD);
    for _ in 0..200 {
        let now = world.now;
        let reading = Reading::new(Label::Number(1), Value::Float(99.0));
        let _ = world.device(3).alert(now, Severity::Information, reading, "flood");
        world.run(1);
    }
    let alerts = world
        .events
        .iter()
        .filter(|(.., event)| matches!(event, Event::Gateway(GatewayEvent::Alert { .. })))
        .count();
    // Its share of the queue, and what is on its way already.
    assert!(alerts <= 64 + 16, "{alerts}");
    let now = world.now;
    let reading = Reading::new(Label::Number(1), Value::Float(1.0));
    world.device(DEVICE).alert(now, Severity::Critical, reading, "mine").unwrap();
    assert!(world.wait(5, DEVICE, |event| matches!(
        event,
        Event::Device(text) if text.starts_with("AlertDelivered")
    )));
    world.cut_off.clear();
    assert!(world.wait(600, CLOUD, |event| matches!(
        event,
        Event::Cloud(CloudEvent::Alert { severity: Severity::Critical, .. })
    )));
}

#[test]
fn a_gateway_that_is_full_answers_that_it_is_busy() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = cast.gateway_settings();
    settings.downlink.max_peers = 1;
    cast.add_gateway(&mut world, settings);
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    let other = iot_crypto_simulator::identity(77, "other");
    let endorsements = iot_crypto_simulator::endorsed(
        &cast.company,
        &other,
        Role::Device,
        iot_crypto_simulator::EPOCH + iot_crypto_simulator::YEAR,
    );
    cast.add_any_device(&mut world, 3, &other, endorsements, cast.device_settings(), &[1]);
    assert!(world.wait(30, 3, |event| matches!(
        event,
        Event::Device(text) if text.contains("RefusedByPeer(Busy)")
    )));
    assert_eq!(disconnections(&world), 0);
    // When the first one is gone, there is room.
    let now = world.now;
    world.device(DEVICE).close(now);
    assert!(world.wait(60, GATEWAY, device_connected(other.id())));
}

#[test]
fn a_first_contact_takes_few_bytes() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = cast.gateway_settings();
    settings.cloud = None;
    cast.add_gateway(&mut world, settings);
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(30, DEVICE, |event| matches!(
        event,
        Event::Device(text) if text.starts_with("Negotiated")
    )));
    let exchange = |(_, from, to, _): &&(_, Place, Place, Vec<u8>)| {
        to.port == iot_crypto_simulator::NEGOTIATION
            || (from.port == iot_crypto_simulator::NEGOTIATION && to.port == 3)
    };
    let bytes: usize = world.sent.iter().filter(exchange).map(|(.., bytes)| bytes.len()).sum();
    // The close_notify after it is not part of it.
    let bytes = bytes - 31;
    assert_eq!(bytes, 1056);
}

#[test]
fn devices_are_not_told_of_other_devices_that_are_revoked() {
    let (cast, mut world) = connected(1, Link::GOOD);
    let other = iot_crypto_simulator::identity(77, "other");
    let until = iot_crypto_simulator::EPOCH + iot_crypto_simulator::YEAR;
    let endorsements = iot_crypto_simulator::endorsed(&cast.company, &other, Role::Device, until);
    cast.add_any_device(&mut world, 3, &other, endorsements, cast.device_settings(), &[1]);
    assert!(world.wait(30, GATEWAY, device_connected(other.id())));
    let revoke = |world: &mut World, subject| {
        let now = world.now;
        let revocation = cast
            .company
            .revoke(&iot_crypto_simulator::provider(0), subject, iot_crypto_simulator::wall(now))
            .unwrap();
        world.gateway(GATEWAY).revoke(now, &revocation).unwrap();
        world.run(5);
        world.device(DEVICE).party().trust().revocations().count()
    };
    assert_eq!(revoke(&mut world, other.id()), 0);
    // Of anyone else they are: it might be the next gateway.
    assert_eq!(revoke(&mut world, cast.foreign.id()), 1);
}
