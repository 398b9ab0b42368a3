//! Devices and gateways that meet over smoltcp, on every medium that it has.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod network;

use iot_crypto::gateway::GatewayEvent;
use iot_crypto::transmission::{CommandState, Label, Reading, Severity, Value};
use iot_crypto::uplink::Search;
use iot_crypto_smoltcp::{Announce, Config};
use network::{Event, Kind, Link, Station, World, address, polling};
use std::net::SocketAddr;
use std::time::Duration;

const GATEWAY: usize = 0;
const DEVICE: usize = 1;

fn device(kind: Kind, number: u8) -> Station {
    Station::device(kind, number, Config::default(), Search::Advertisement)
}

fn is_connected(station: &Station) -> bool {
    station.count(|event| matches!(event, Event::Connected { .. })) > 0
}

fn is_readings(event: &Event) -> bool {
    matches!(event, Event::Gateway(GatewayEvent::Readings { .. }))
}

/// A device finds its gateway, and does everything that a device does, over a link on
/// which frames are lost.
fn lives(kind: Kind, link: Link) {
    let gateway = Station::gateway(kind, 10, |settings| {
        polling(settings);
        settings.downlink.rotation.age = Duration::from_secs(300);
    });
    let mut world = World::new(1, link, vec![gateway, device(kind, 20)]);
    assert!(world.run_until(120, |world| is_connected(&world.stations[DEVICE])), "{kind:?}");
    assert!(world.run_until(60, |world| world.stations[GATEWAY].count(is_readings) > 1));

    let (now, id) = (world.now, world.stations[DEVICE].id);
    let on = (Label::Number(1), Value::Bool(true));
    let request = world.stations[GATEWAY].as_gateway().command(now, id, on.0, on.1).unwrap();
    let is_done = |event: &Event| matches!(event, Event::Gateway(GatewayEvent::CommandStatus { request: done, state: CommandState::Done, .. }) if *done == request);
    assert!(world.run_until(60, |world| world.stations[GATEWAY].count(is_done) == 1));
    assert_eq!(world.stations[DEVICE].count(|event| *event == Event::Commanded(true)), 1);

    let now = world.now;
    let reading = Reading::new(Label::Number(1), Value::Float(99.5));
    let device = world.stations[DEVICE].as_device();
    let alert = device.alert(now, Severity::Critical, reading, "hot").unwrap();
    let is_alert = |event: &Event| matches!(event, Event::Gateway(GatewayEvent::Alert { .. }));
    let delivered = Event::Delivered(alert);
    assert!(
        world.run_until(60, |world| world.stations[DEVICE].count(|event| *event == delivered) == 1)
    );
    assert_eq!(world.stations[GATEWAY].count(is_alert), 1);

    let rotated = Event::Connected { replaced: true };
    assert!(
        world.run_until(600, |world| world.stations[DEVICE].count(|event| *event == rotated) == 1)
    );
    let before = world.stations[GATEWAY].count(is_readings);
    assert!(world.run_until(60, |world| world.stations[GATEWAY].count(is_readings) > before));
    assert_eq!(world.stations[DEVICE].count(|event| *event == Event::Disconnected), 0);
}

#[test]
fn a_device_lives_on_ethernet_with_ipv4() {
    lives(Kind::EthernetV4, Link::BAD);
}

#[test]
fn a_device_lives_on_ethernet_with_ipv6() {
    lives(Kind::EthernetV6, Link::BAD);
}

#[test]
fn a_device_lives_on_ieee_802_15_4_with_6lowpan() {
    lives(Kind::Ieee802154, Link::FRAGMENTS);
}

#[test]
fn a_device_lives_on_a_line_that_carries_ip() {
    lives(Kind::IpV4, Link::BAD);
    lives(Kind::IpV6, Link::BAD);
}

#[test]
fn several_devices_share_a_gateway() {
    for kind in [Kind::EthernetV4, Kind::EthernetV6, Kind::Ieee802154] {
        let mut stations = vec![Station::gateway(kind, 10, polling)];
        stations.extend((20..25).map(|number| device(kind, number)));
        let mut world = World::new(2, Link::GOOD, stations);
        assert!(
            world.run_until(120, |world| world.stations[1..].iter().all(is_connected)),
            "{kind:?}"
        );
        world.run(60);
        for station in &world.stations[1..] {
            assert!(station.count(|event| *event == Event::Asked) > 4, "{kind:?}");
            assert_eq!(station.count(|event| *event == Event::Disconnected), 0, "{kind:?}");
        }
    }
}

#[test]
fn a_flood_changes_nothing_but_the_work() {
    for kind in [Kind::EthernetV4, Kind::EthernetV6, Kind::Ieee802154] {
        let config = Config { burst: 4, ..Config::default() };
        let device = Station::device(kind, 20, config, Search::Advertisement);
        let mut world =
            World::new(3, Link::GOOD, vec![Station::gateway(kind, 10, polling), device]);
        assert!(world.run_until(120, |world| is_connected(&world.stations[DEVICE])));
        world.run(15);
        let heard: Vec<_> = world.sent.iter().map(|(_, frame)| frame.clone()).collect();
        let before = world.stations[DEVICE].count(|event| *event == Event::Asked);
        // Frames that were heard before, as they were or damaged, and nonsense.
        for _ in 0..30 {
            for _ in 0..600 {
                let mut frame = heard[world.dice.below(heard.len() as u64) as usize].clone();
                match world.dice.below(3) {
                    0 => frame = world.dice.bytes(100),
                    1 => {
                        // smoltcp itself does not survive every damaged 6LoWPAN header.
                        let spared = if kind == Kind::Ieee802154 { frame.len() / 2 } else { 0 };
                        let damaged = (frame.len() - spared) as u64;
                        let place = spared + world.dice.below(damaged) as usize;
                        frame[place] ^= 1 << world.dice.below(8);
                    }
                    _ => {}
                }
                for station in [GATEWAY, DEVICE] {
                    let delay = 1 + world.dice.below(1000);
                    world.inject(station, delay, frame.clone());
                }
            }
            world.run(1);
        }
        let device = &world.stations[DEVICE];
        assert!(device.count(|event| *event == Event::Asked) > before + 1, "{kind:?}");
        assert_eq!(device.count(|event| *event == Event::Disconnected), 0, "{kind:?}");
        assert!(device.busiest.received <= 4 && device.busiest.sent <= 4);
        world.run(30);
        assert!(is_connected(&world.stations[DEVICE]));
    }
}

#[test]
fn a_flood_at_once_is_taken_in_turns_of_a_burst() {
    let config = Config { burst: 2, ..Config::default() };
    let device = Station::device(Kind::EthernetV4, 20, config, Search::Advertisement);
    let mut world = World::new(4, Link::GOOD, vec![device]);
    world.run(1);
    let before = world.stations[0].turns;
    for _ in 0..40 {
        world.inject(0, 1, vec![0xff; 60]);
    }
    world.run(1);
    let station = &world.stations[0];
    assert_eq!((station.port.overflows, station.port.inbox.len()), (24, 0));
    // Sixteen frames by two, and once more to see that there are none left.
    assert_eq!(station.turns - before, 9);
}

#[test]
fn a_gateway_that_is_not_there_costs_no_work_and_blocks_nothing() {
    for kind in [Kind::EthernetV4, Kind::EthernetV6, Kind::Ieee802154] {
        let nobody = SocketAddr::new(address(kind, 99).address().into(), 4441);
        let device = Station::device(kind, 20, Config::default(), Search::At(nobody));
        let mut world = World::new(5, Link::GOOD, vec![device]);
        world.run(60);
        let station = &world.stations[0];
        assert!(station.driver.drops().blocked > 0, "{kind:?}: what can't be sent is given up");
        assert!(station.turns < 400, "{kind:?}: {} turns in a minute", station.turns);
    }
}

#[test]
fn a_network_that_takes_no_frame_loses_none() {
    let kind = Kind::EthernetV4;
    let mut world =
        World::new(6, Link::GOOD, vec![Station::gateway(kind, 10, polling), device(kind, 20)]);
    assert!(world.run_until(120, |world| is_connected(&world.stations[DEVICE])));
    let drops = world.stations[DEVICE].driver.drops();
    world.stations[DEVICE].port.is_busy = true;
    let now = world.now;
    let reading = Reading::new(Label::Number(1), Value::Float(99.5));
    let device = world.stations[DEVICE].as_device();
    for _ in 0..2 {
        device.alert(now, Severity::Critical, reading, "hot").unwrap();
    }
    let turns = world.stations[DEVICE].turns;
    let end = world.now + Duration::from_millis(50);
    world.run_until(1, |world| world.now >= end);
    let station = &mut world.stations[DEVICE];
    assert!(station.turns - turns < 100, "it looks again, but not all the time");
    station.port.is_busy = false;
    let is_delivered = |event: &Event| matches!(event, Event::Delivered(_));
    let end = world.now + Duration::from_millis(100);
    assert!(world.run_until(1, |world| {
        world.stations[DEVICE].count(is_delivered) == 2 || world.now > end
    }));
    assert_eq!(world.stations[DEVICE].count(is_delivered), 2);
    assert_eq!(world.stations[DEVICE].driver.drops(), drops);
}

#[test]
fn a_query_for_multicast_groups_is_survived_on_every_medium() {
    for kind in [Kind::EthernetV6, Kind::Ieee802154] {
        let mut world = World::new(7, Link::GOOD, vec![device(kind, 20)]);
        world.run(1);
        let query = network::mld_query(kind, 10);
        world.inject(0, 1, query);
        world.run(60);
        let group = Announce::EXPERIMENTAL_V6;
        assert!(world.stations[0].interface.has_multicast_group(group), "{kind:?}");
        let reports = world.sent.iter().filter(|(_, frame)| frame.ends_with(&group.octets()));
        // Where it can be said, it is said when it joins and when it is asked.
        let expected = if kind == Kind::Ieee802154 { 0 } else { 1 };
        assert!(reports.count() >= expected, "{kind:?}");
    }
}
