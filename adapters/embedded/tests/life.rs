//! The life of a node with a gateway, in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(dead_code, reason = "each file of tests takes what it needs of the common ones")]

extern crate std;

#[path = "../src/testing.rs"]
mod testing;
mod world;

use std::time::Duration;

use iot_crypto::gateway::GatewayEvent;
use iot_crypto::identity::TrustStore;
use iot_crypto::transmission::{CommandState, ErrorCode, OwnedLabel, OwnedValue, Value};
use iot_crypto_embedded::event::Event;
use iot_crypto_embedded::store::Store;
use testing::Tear;
use world::{BLIND, BROKEN, DOOR, LENGTH, TEMPERATURE, World, company, identity, network_key};

fn device() -> iot_crypto::identity::PartyId {
    identity(3, "thermometer").id()
}

fn statuses(world: &World) -> Vec<(CommandState, Option<OwnedValue>)> {
    let statuses = world.told.iter().filter_map(|event| match event {
        GatewayEvent::CommandStatus { state, result, .. } => Some((*state, result.clone())),
        _ => None,
    });
    statuses.collect()
}

fn readings(world: &World) -> Vec<Vec<(OwnedLabel, OwnedValue)>> {
    let readings = world.told.iter().filter_map(|event| match event {
        GatewayEvent::Readings { readings, .. } => {
            let all = readings.iter().map(|reading| (reading.label.clone(), reading.value.clone()));
            Some(all.collect())
        }
        _ => None,
    });
    readings.collect()
}

#[test]
fn a_node_answers_and_alerts_though_datagrams_are_lost() {
    let mut world = World::new();
    world.loss = 20;
    world.connect();

    // Everything that can be measured, and what is named.
    world.gateway.request_data(world.now, device(), &[]).unwrap();
    assert!(world.run_until(60, |world| readings(world).len() == 1));
    world.gateway.request_data(world.now, device(), &[DOOR]).unwrap();
    assert!(world.run_until(60, |world| readings(world).len() == 2));
    let temperature = (TEMPERATURE.into(), OwnedValue::Float(21.5));
    let door = (DOOR.into(), OwnedValue::Text("moved 0 times".to_owned()));
    assert_eq!(readings(&world), [vec![temperature, door.clone()], vec![door]]);

    // What is not there, and what can't be measured.
    world.told.clear();
    for label in [BLIND, BROKEN] {
        world.gateway.request_data(world.now, device(), &[label]).unwrap();
        world.run(30);
    }
    let failed = |event: &GatewayEvent| match event {
        GatewayEvent::RequestFailed { code, .. } => Some(*code),
        _ => None,
    };
    let failed: Vec<_> = world.told.iter().filter_map(failed).collect();
    assert_eq!(failed, [ErrorCode::UnknownLabel, ErrorCode::Internal]);

    // Commands of every outcome, each carried out once.
    let commands = [
        (DOOR, Value::Bool(true), CommandState::Done, Some(OwnedValue::Integer(1))),
        (DOOR, Value::Integer(1), CommandState::Refused, None),
        (TEMPERATURE, Value::Integer(1), CommandState::Unknown, None),
        (BLIND, Value::Bool(true), CommandState::Done, Some(OwnedValue::Text("down".to_owned()))),
    ];
    for (label, argument, state, result) in commands {
        world.told.clear();
        world.gateway.command(world.now, device(), label, argument).unwrap();
        assert!(world.run_until(60, |world| !statuses(world).is_empty()));
        assert_eq!(statuses(&world), [(state, result)]);
    }
    assert_eq!(world.node.handlers().executed, 1);

    // The sender of alerts.
    world.node.handlers_mut().alarm = true;
    assert!(world.run_until(120, |world| {
        let alerts = world.told.iter();
        alerts.filter(|event| matches!(event, GatewayEvent::Alert { .. })).count() == 1
            && world.node.handlers().events.iter().any(|it| matches!(it, Event::AlertDelivered(_)))
    }));
}

#[test]
fn a_key_is_replaced_while_the_node_goes_on() {
    let mut settings = world::gateway_settings();
    settings.downlink.rotation.age = Duration::from_secs(600);
    let mut world = World::with(world::provisioned(), settings);
    world.connect();
    let is_replacement = |event: &Event| matches!(event, Event::Connected { replaced: true, .. });
    assert!(world.run_until(1200, |world| world.node.handlers().events.iter().any(is_replacement)));
    assert!(world.is_connected());
    let ended = |event: &Event| matches!(event, Event::Disconnected { .. });
    assert!(!world.node.handlers().events.iter().any(ended));
}

#[test]
fn what_the_gateway_hands_out_is_kept_over_a_restart() {
    let mut world = World::new();
    world.connect();
    let key = network_key(2);
    world.gateway.add_network_key(world.now, key.clone());
    assert!(world.run_until(60, |world| world.has_heard(&Event::NetworkKeyReceived(key.id()))));
    let (company, lost) = (company(), identity(9, "lost"));
    let time = iot_crypto::time::UnixTime::from_secs(world::EPOCH);
    let revocation = company.revoke(&world::provider(0), lost.id(), time).unwrap();
    world.gateway.revoke(world.now, &revocation).unwrap();
    assert!(world.run_until(60, |world| world.has_heard(&Event::Revoked(lost.id()))));

    let mut world = world.restart();
    assert_eq!(world.node.device().party().network().preferred(), Some(&key));
    let revocations = world.node.device().party().trust().revocations();
    assert_eq!(revocations.collect::<Vec<_>>(), [&revocation]);
    // The time that it learnt, within the hour.
    assert!(world.node.device().party().clock().floor().as_secs() >= world::EPOCH);
    world.connect();
}

/// A node whose power goes at some step of what it writes while it starts, connects,
/// and is handed a network key, comes back with the old key or the new one.
#[test]
fn power_may_be_lost_while_the_node_saves() {
    let whole = world::provisioned();
    for cut in 0.. {
        let tear = Tear::ALL[cut as usize % Tear::ALL.len()];
        let flash = whole.clone().cut_after(cut, tear);
        let noise = std::rc::Rc::new(std::cell::Cell::new(true));
        let mut world = match world::start(flash, &noise, iot_crypto::time::Instant::ZERO) {
            Ok(_) => World::with(whole.clone().cut_after(cut, tear), world::gateway_settings()),
            // While it started: it starts the next time.
            Err(_) => World::new(),
        };
        world.connect();
        let (old, new) = (network_key(1), network_key(2));
        world.gateway.add_network_key(world.now, new.clone());
        assert!(world.run_until(60, |world| world.has_heard(&Event::NetworkKeyReceived(new.id()))));
        let was_cut =
            world.node.handlers().events.iter().any(|it| matches!(it, Event::NotSaved(_)));

        let mut world = world.restart();
        let preferred = world.node.device().party().network().preferred().cloned();
        assert!(preferred == Some(new.clone()) || was_cut && preferred == Some(old));
        assert!(world.node.device().party().network().find(network_key(1).id()).is_some());
        world.connect();
        if cut > 10 && !was_cut {
            assert!(cut > 20, "{cut} steps are too few to be a start and a key");
            return;
        }
    }
}

#[test]
fn a_node_without_entropy_connects_to_nobody_and_comes_back_with_it() {
    let mut world = World::new();
    world.connect();
    world.noise.set(false);
    // The gateway forgets all sessions, so that a key has to be negotiated.
    world.gateway = world::gateway(5, world::gateway_settings(), world.now);
    let had = world.node.handlers().events.len();
    world.run(1200);
    let since = &world.node.handlers().events[had..];
    assert!(since.iter().any(|event| matches!(event, Event::Disconnected { .. })), "{since:?}");
    assert!(!since.iter().any(|event| matches!(event, Event::Connected { .. })), "{since:?}");
    assert_eq!(world.node.gateway(), None);

    world.noise.set(true);
    assert!(world.run_until(600, World::is_connected));
    assert!(world.gateway.request_data(world.now, device(), &[]).is_ok());
    world.told.clear();
    assert!(world.run_until(60, |world| readings(world).len() == 1));
}

#[test]
fn a_source_that_repeats_itself_does_not_make_two_starts_alike() {
    let mut world = World::new();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        world.sent.clear();
        world.connect();
        // The first datagram of a start has nothing of the gateway's in it.
        assert!(seen.insert(world.sent[0].clone()), "a handshake begins as one before");
        world = world.restart();
    }
}

#[test]
fn a_flood_of_garbage_changes_nothing() {
    use iot_crypto::endpoint::LocalPort::{
        Discovery, FirstClient, Negotiation, SecondClient, Transmission,
    };
    let mut world = World::new();
    world.connect();
    let had = world.node.handlers().events.len();
    for round in 0..20_000_u32 {
        let length = world.roll() as usize % 200;
        let mut bytes: Vec<u8> = (0..length).map(|_| world.roll() as u8).collect();
        // Some look like records of DTLS.
        if round % 2 == 0 {
            let header = [23, 254, 253, 0, 1];
            bytes.splice(0..header.len().min(bytes.len()), header);
        }
        let from = if round % 3 == 0 { Negotiation } else { Transmission };
        let to = [Discovery, FirstClient, SecondClient][round as usize % 3];
        world.inject(from, to, bytes);
        if round % 100 == 0 {
            world.run(1);
        }
    }
    world.run(10);
    assert_eq!(world.node.handlers().events.len(), had);
    assert!(world.node.device().dropped().records.total() > 1_000);
    assert!(world.node.device().dropped().advertisements > 1_000);
    world.gateway.request_data(world.now, device(), &[]).unwrap();
    assert!(world.run_until(60, |world| readings(world).len() == 1));
}

#[test]
fn a_node_with_a_larger_list_of_trust_is_the_same() {
    let flash = world::provisioned();
    let mut store = Store::open(flash, 0..LENGTH).unwrap();
    let trust: TrustStore<5, 5, 20> = store.trust(&world::provider(0)).unwrap();
    assert_eq!(trust.parties().count(), 1);
}
