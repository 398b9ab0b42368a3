//! Strangers, liars and misfortunes between the three roles, in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, unreachable_pub)]
#![cfg(feature = "alloc")]

use std::time::Duration;

use iot_crypto::cloud::{CloudEvent, DeviceState};
use iot_crypto::connection::{
    Advertisement, ForwardSecrecy, Initiator, InitiatorParameters, LocalParty, Versions,
};
use iot_crypto::downlink::Rotation;
use iot_crypto::gateway::GatewayEvent;
use iot_crypto::identity::{Authority, Endorsements, PartyId, Refusal, Role};
use iot_crypto::time::Instant;
use iot_crypto::transmission::{CommandState, Label, Reading, Severity, Value};
use iot_crypto::uplink::Disconnection;
use iot_crypto_simulator::{
    CLOUD, Cast, DEVICE, EPOCH, Event, GATEWAY, Link, NEGOTIATION, Place, TRANSMISSION, World,
    YEAR, device_connected, endorsed, no_cloud, trusting, wall,
};

const OTHER_GATEWAY: u16 = 11;
const SERVICE: Place = Place { host: GATEWAY, port: NEGOTIATION };

fn connected() -> (Cast, World) {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.network(&mut world);
    let device = cast.device.id();
    assert!(world.wait(60, CLOUD, |event| matches!(
        event,
        Event::Cloud(CloudEvent::DevicePresence { device: id, .. }) if *id == device
    )));
    (cast, world)
}

fn count(world: &World, like: impl Fn(&Event) -> bool) -> usize {
    world.events.iter().filter(|(.., event)| like(event)).count()
}

fn is_disconnection(event: &Event) -> bool {
    matches!(event, Event::Gateway(GatewayEvent::DeviceDisconnected { .. }))
}

fn is_replacement(event: &Event) -> bool {
    matches!(event, Event::Gateway(GatewayEvent::DeviceConnected { replaced: true, .. }))
}

fn told(text: &'static str) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Device(told) if told.starts_with(text))
}

/// A request for key negotiation, as this party would make it.
fn request_of(
    party: &iot_crypto::identity::PrivateIdentity,
    endorsements: &Endorsements,
    role: Role,
    peer_role: Role,
) -> Vec<u8> {
    let parameters = InitiatorParameters {
        role,
        peer_role,
        sleepy: false,
        incarnation: 77,
        forward_secrecy: ForwardSecrecy::On,
    };
    let initiator = Initiator::new(&mut iot_crypto_simulator::provider(9), parameters).unwrap();
    let mut bytes = vec![0; 1024];
    let length = initiator.request(LocalParty { identity: party, endorsements }, &mut bytes);
    bytes.truncate(length.unwrap());
    bytes
}

/// An advertisement that a member of the network made up.
fn advertise(world: &mut World, from: Place, gateway: PartyId, sequence: u32, incarnation: u32) {
    let advertisement = Advertisement {
        gateway,
        negotiation_port: from.port,
        transmission_port: from.port,
        versions: Versions::V1,
        time: Some(wall(world.now)),
        sequence,
        incarnation,
    };
    let mut bytes = [0; Advertisement::MAX_LEN];
    let key = iot_crypto_simulator::network_key(1);
    let length = advertisement.seal(&iot_crypto_simulator::provider(0), &key, &mut bytes).unwrap();
    world.send(from, Place { host: DEVICE, port: 5 }, &bytes[..length]);
}

#[test]
fn members_that_never_end_their_negotiation_sessions_do_not_fill_the_port() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = no_cloud(&cast);
    settings.downlink.server.max_sessions = 4;
    cast.add_gateway(&mut world, settings);
    for host in 30..34 {
        world.add_stranger(host, SERVICE, 1);
    }
    world.run(1);
    assert!((30..34).all(|host| world.stranger(host).is_connected()));
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(200, GATEWAY, device_connected(cast.device.id())));
}

#[test]
fn a_full_gateway_lets_its_own_devices_rotate() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = no_cloud(&cast);
    settings.downlink.max_peers = 1;
    settings.downlink.rotation = Rotation {
        age: Duration::from_secs(60),
        grace: Duration::from_secs(60),
        ..Rotation::default()
    };
    cast.add_gateway(&mut world, settings);
    cast.add_device(&mut world, cast.device_settings());
    world.run(600);
    assert_eq!(count(&world, is_disconnection), 0);
    assert!(count(&world, is_replacement) >= 5);
}

/// A device whose endorsement lasts until 300 s.
fn expiring() -> (Cast, World) {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_gateway(&mut world, no_cloud(&cast));
    let endorsements = endorsed(&cast.company, &cast.device, Role::Device, EPOCH + 300);
    let settings = cast.device_settings();
    cast.add_any_device(&mut world, DEVICE, &cast.device, endorsements, settings, &[1]);
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    (cast, world)
}

fn is_expiry(event: &Event) -> bool {
    matches!(
        event,
        Event::Gateway(GatewayEvent::DeviceDisconnected {
            reason: Disconnection::Untrusted(Refusal::Expired),
            ..
        })
    )
}

#[test]
fn a_clock_that_is_set_forward_ends_what_has_expired_at_once() {
    let (_, mut world) = expiring();
    let now = world.now;
    world.gateway(GATEWAY).set_time(now, iot_crypto::time::UnixTime::from_secs(EPOCH + 301));
    assert!(world.wait(0, GATEWAY, is_expiry));
}

#[test]
fn a_clock_that_is_set_back_ends_nothing_early() {
    let (_, mut world) = expiring();
    world.run(150);
    let now = world.now;
    let behind = iot_crypto::time::UnixTime::from_secs(wall(now).as_secs() - 100);
    assert!(world.gateway(GATEWAY).set_time(now, behind));
    let left = 300 - now.as_millis() / 1000;
    assert!(!world.wait(left + 95, GATEWAY, is_expiry));
    assert!(world.wait(10, GATEWAY, is_expiry));
}

/// Has the device leave its gateway for the other one.
fn roam(cast: &Cast, world: &mut World, from: u16, to: u16) {
    world.cut_off.insert(from);
    world.cut_off.remove(&to);
    let (now, company) = (world.now, cast.company.certificate().clone());
    world.device(DEVICE).change_trust(now, |trust, _| trust.remove_party(&cast.company.id()));
    let add = world
        .device(DEVICE)
        .change_trust(now, |trust, provider| trust.add_party(provider, &company, Authority::Full));
    add.unwrap();
    assert!(world.wait(13, to, device_connected(cast.device.id())));
    world.run(1);
}

#[test]
fn a_command_is_not_repeated_by_way_of_another_gateway() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = no_cloud(&cast);
    settings.polling = None;
    cast.add_gateway(&mut world, settings.clone());
    let other = iot_crypto_simulator::identity(40, "other gateway");
    let endorsements = endorsed(&cast.company, &other, Role::Gateway, EPOCH + YEAR);
    let trust = trusting(&[&cast.company]);
    cast.add_any_gateway(
        &mut world,
        OTHER_GATEWAY,
        &other,
        endorsements,
        trust,
        settings,
        41,
        &[1],
    );
    world.cut_off.insert(OTHER_GATEWAY);
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    world.devices_answer = false;
    let (now, device) = (world.now, cast.device.id());
    let label = Label::parse("switch").unwrap();
    world.gateway(GATEWAY).command(now, device, label, Value::Bool(true)).unwrap();
    assert!(world.wait(5, DEVICE, |event| matches!(event, Event::Executed(_))));
    roam(&cast, &mut world, GATEWAY, OTHER_GATEWAY);
    roam(&cast, &mut world, OTHER_GATEWAY, GATEWAY);
    assert!(world.now < now + Duration::from_secs(30), "the command has expired");
    world.run(60);
    assert_eq!(count(&world, |event| matches!(event, Event::Executed(_))), 1);
    assert!(
        count(&world, |event| matches!(
            event,
            Event::Gateway(GatewayEvent::CommandStatus { state: CommandState::Uncertain, .. })
        )) == 1
    );
}

#[test]
fn what_is_known_to_be_revoked_is_not_spread_again() {
    let (cast, mut world) = connected();
    let someone = iot_crypto_simulator::identity(80, "someone").id();
    let now = world.now;
    let revocation =
        cast.company.revoke(&iot_crypto_simulator::provider(0), someone, wall(now)).unwrap();
    world.cloud(CLOUD).revoke(now, &revocation).unwrap();
    assert!(world.wait(5, DEVICE, told("Revoked")));
    world.cut_off.insert(CLOUD);
    world.run(300);
    world.cut_off.clear();
    assert!(world.wait(600, GATEWAY, |event| matches!(
        event,
        Event::Gateway(GatewayEvent::CloudConnected { .. })
    )));
    world.run(10);
    let revoked = |event: &Event| matches!(event, Event::Gateway(GatewayEvent::Revoked(_)));
    assert_eq!(count(&world, revoked), 1);
    assert_eq!(count(&world, told("Revoked")), 1);
}

#[test]
fn a_gateway_that_restarted_is_handed_the_revocations_again() {
    let (cast, mut world) = connected();
    let someone = iot_crypto_simulator::identity(80, "someone").id();
    let now = world.now;
    let revocation =
        cast.company.revoke(&iot_crypto_simulator::provider(0), someone, wall(now)).unwrap();
    world.cloud(CLOUD).revoke(now, &revocation).unwrap();
    world.run(10);
    // The cloud takes the old session for a live one.
    cast.add_gateway_with(&mut world, cast.gateway_settings(), 99, &[1]);
    assert!(
        world.wait(60, GATEWAY, |event| matches!(event, Event::Gateway(GatewayEvent::Revoked(_))))
    );
}

#[test]
fn a_replayed_request_does_not_harm_the_party_that_made_it() {
    let (cast, mut world) = connected();
    let endorsements = endorsed(&cast.company, &cast.device, Role::Device, EPOCH + YEAR);
    let request = request_of(&cast.device, &endorsements, Role::Device, Role::Gateway);
    for host in 30..40 {
        world.add_stranger(host, SERVICE, 1);
        world.stranger(host).payloads.push(request.clone());
    }
    world.run(30);
    assert!((30..40).all(|host| world.stranger(host).received.len() == 1));
    assert_eq!(count(&world, is_disconnection) + count(&world, is_replacement), 0);
    let now = world.now;
    let label = Label::parse("switch").unwrap();
    world.cloud(CLOUD).command(now, cast.device.id(), label, Value::Bool(true)).unwrap();
    assert!(world.wait(2, CLOUD, |event| matches!(
        event,
        Event::Cloud(CloudEvent::CommandStatus { state: CommandState::Done, .. })
    )));
}

#[test]
fn who_shows_the_certificate_of_another_does_not_speak_for_it() {
    let (cast, mut world) = connected();
    let request = request_of(&cast.device, &Endorsements::default(), Role::Device, Role::Gateway);
    world.add_stranger(30, SERVICE, 1);
    world.stranger(30).payloads.push(request);
    world.run(30);
    assert_eq!(
        count(&world, |event| matches!(event, Event::Gateway(GatewayEvent::DeviceRefused { .. }))),
        1
    );
    let entry = world.cloud(CLOUD).structure().device(cast.device.id()).unwrap();
    assert_eq!(entry.state, DeviceState::Connected);
}

#[test]
fn a_negotiated_key_does_not_outlive_the_trust() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_gateway(&mut world, no_cloud(&cast));
    cast.add_device(&mut world, cast.device_settings());
    let negotiated =
        |event: &Event| matches!(event, Event::Gateway(GatewayEvent::DeviceNegotiated { .. }));
    assert!(world.wait(30, GATEWAY, negotiated));
    let (now, company) = (world.now, cast.company.id());
    assert!(world.gateway(GATEWAY).change_trust(now, |trust, _| trust.remove_party(&company)));
    world.run(600);
    assert_eq!(count(&world, device_connected(cast.device.id())), 0);
}

#[test]
fn nobody_gets_in_with_the_wrong_role_or_anothers_key_id() {
    let (cast, mut world) = connected();
    // A device that poses as a gateway to the cloud, and a gateway as a device.
    let endorsements = endorsed(&cast.company, &cast.device, Role::Device, EPOCH + YEAR);
    let cloud = Place { host: CLOUD, port: NEGOTIATION };
    let request = request_of(&cast.device, &endorsements, Role::Gateway, Role::Cloud);
    world.add_stranger(30, cloud, 1);
    world.stranger(30).payloads.push(request);
    let endorsements = endorsed(&cast.company, &cast.gateway, Role::Gateway, EPOCH + YEAR);
    let request = request_of(&cast.gateway, &endorsements, Role::Device, Role::Gateway);
    world.add_stranger(31, SERVICE, 1);
    world.stranger(31).payloads.push(request);
    // And the network key at the transmission port.
    world.add_stranger(32, Place { host: GATEWAY, port: TRANSMISSION }, 1);
    world.run(60);
    let refused = |event: &Event| {
        matches!(
            event,
            Event::Gateway(GatewayEvent::DeviceRefused { .. })
                | Event::Cloud(CloudEvent::GatewayRefused { .. })
        )
    };
    assert_eq!(count(&world, refused), 2);
    assert!(!world.stranger(32).is_connected());
    assert_eq!(count(&world, is_disconnection) + count(&world, is_replacement), 0);
}

#[test]
fn a_request_to_a_device_that_gave_way_is_given_up() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = no_cloud(&cast);
    settings.downlink.max_peers = 1;
    cast.add_gateway(&mut world, settings);
    cast.add_device(&mut world, cast.device_settings());
    let device = cast.device.id();
    assert!(world.wait(30, DEVICE, told("Connected")));
    let now = world.now;
    world.device(DEVICE).close(now);
    assert!(world.wait(5, GATEWAY, is_disconnection));
    let now = world.now;
    let label = Label::parse("switch").unwrap();
    let command = world.gateway(GATEWAY).command(now, device, label, Value::Bool(true)).unwrap();
    let other = iot_crypto_simulator::identity(77, "other");
    let endorsements = endorsed(&cast.company, &other, Role::Device, EPOCH + YEAR);
    cast.add_any_device(&mut world, 3, &other, endorsements, cast.device_settings(), &[1]);
    assert!(world.wait(25, GATEWAY, |event| matches!(
        event,
        Event::Gateway(GatewayEvent::CommandStatus {
            request, state: CommandState::Expired, ..
        }) if *request == command
    )));
    assert!(count(&world, device_connected(other.id())) == 1);
}

#[test]
fn after_it_was_closed_a_gateway_lets_nobody_in() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_cloud(&mut world);
    cast.add_gateway(&mut world, cast.gateway_settings());
    let mut settings = cast.device_settings();
    settings.search = iot_crypto::uplink::Search::At(SERVICE);
    cast.add_device(&mut world, settings);
    world.run(30);
    let (now, sent) = (world.now, world.sent.len());
    world.gateway(GATEWAY).close(now);
    world.run(0);
    let farewells = world.sent[sent..].iter().filter(|(_, from, ..)| from.host == GATEWAY);
    assert_eq!(farewells.count(), 2, "a close_notify to the device, and one to the cloud");
    let seen = world.events.len();
    world.run(600);
    assert!(world.events[seen..].iter().all(|(.., event)| !matches!(
        event,
        Event::Gateway(GatewayEvent::DeviceConnected { .. } | GatewayEvent::CloudConnected { .. })
    )));
}

#[test]
fn a_gateway_that_refuses_does_not_stand_in_front_of_one_that_would_not() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let other = iot_crypto_simulator::identity(40, "other gateway");
    let endorsements = endorsed(&cast.company, &other, Role::Gateway, EPOCH + YEAR);
    // It trusts nobody, and is always the first to be heard.
    cast.add_any_gateway(
        &mut world,
        5,
        &other,
        endorsements,
        trusting(&[]),
        no_cloud(&cast),
        41,
        &[1],
    );
    world.run_until(Instant::from_millis(10), |_| false);
    cast.add_gateway(&mut world, no_cloud(&cast));
    world.run_until(Instant::from_millis(1000), |_| false);
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(120, GATEWAY, device_connected(cast.device.id())));
}

#[test]
fn a_clock_that_was_learnt_may_drift() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_gateway(&mut world, no_cloud(&cast));
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    // Seen from the gateway, the device's clock falls an hour behind.
    cast.add_gateway_with(&mut world, no_cloud(&cast), 99, &[1]);
    let later = iot_crypto::time::UnixTime::from_secs(EPOCH + 4000);
    let now = world.now;
    world.gateway(GATEWAY).set_time(now, later);
    assert!(world.wait(120, GATEWAY, device_connected(cast.device.id())));
    let now = world.now;
    assert!(world.device(DEVICE).party().clock().at(now) >= Some(later));
}

#[test]
fn a_sleepy_device_notices_that_nobody_takes_its_alert() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = no_cloud(&cast);
    settings.polling = None;
    cast.add_gateway(&mut world, settings.clone());
    let mut device = cast.device_settings();
    device.sleepy = true;
    cast.add_device(&mut world, device);
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    // The gateway forgets everything, and the device doesn't hear it say so.
    settings.advertise = None;
    cast.add_gateway_with(&mut world, settings.clone(), 98, &[1]);
    let now = world.now;
    let reading = Reading::new(Label::Number(1), Value::Float(99.0));
    world.device(DEVICE).alert(now, Severity::Critical, reading, "").unwrap();
    assert!(world.wait(21, DEVICE, told("Disconnected")));
    settings.advertise = Some(Duration::from_secs(5));
    cast.add_gateway_with(&mut world, settings, 99, &[1]);
    assert!(world.wait(20, DEVICE, told("AlertDelivered")));
}

#[test]
fn a_sleepy_device_is_let_to_sleep_when_what_waited_has_expired() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = no_cloud(&cast);
    settings.polling = None;
    cast.add_gateway(&mut world, settings);
    let mut settings = cast.device_settings();
    settings.sleepy = true;
    cast.add_device(&mut world, settings);
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    world.devices_answer = false;
    let (now, device) = (world.now, cast.device.id());
    world.gateway(GATEWAY).request_data(now, device, &[]).unwrap();
    let label = Label::parse("switch").unwrap();
    world.gateway(GATEWAY).command(now, device, label, Value::Bool(true)).unwrap();
    world.device(DEVICE).wake(now).unwrap();
    assert!(world.wait(65, DEVICE, told("MaySleep")));
}

#[test]
fn a_sleepy_device_rotates_when_it_wakes() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let mut settings = no_cloud(&cast);
    settings.polling = None;
    settings.downlink.rotation = Rotation {
        age: Duration::from_secs(300),
        grace: Duration::from_secs(300),
        ..Rotation::default()
    };
    cast.add_gateway(&mut world, settings);
    let mut settings = cast.device_settings();
    settings.sleepy = true;
    cast.add_device(&mut world, settings);
    for _ in 0..20 {
        world.run(200);
        let now = world.now;
        world.device(DEVICE).wake(now).unwrap();
        assert!(world.wait(10, DEVICE, told("MaySleep")));
    }
    assert_eq!(count(&world, is_disconnection), 0);
    assert!(count(&world, is_replacement) >= 8, "{}", count(&world, is_replacement));
}

#[test]
fn a_lie_about_a_restart_costs_no_session_though_all_requests_are_put_off() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_cloud(&mut world);
    let mut settings = cast.gateway_settings();
    settings.polling = None;
    cast.add_gateway(&mut world, settings);
    cast.add_device(&mut world, cast.device_settings());
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    world.cut_off.insert(CLOUD);
    // The gateway takes no more alerts of this device.
    for _ in 0..100 {
        let now = world.now;
        let reading = Reading::new(Label::Number(1), Value::Float(99.0));
        let _ = world.device(DEVICE).alert(now, Severity::Warning, reading, "");
        world.run(1);
    }
    world.run(1);
    for round in 0..20 {
        advertise(&mut world, SERVICE, cast.gateway.id(), 1 << 30 | round, 4711);
        world.run(25);
    }
    assert_eq!(count(&world, is_disconnection), 0);
}

#[test]
fn made_up_advertisements_start_one_attempt_at_a_time_and_keep_nobody_out() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_gateway(&mut world, no_cloud(&cast));
    cast.add_device(&mut world, cast.device_settings());
    world.cut_off.insert(GATEWAY);
    let mut sequence = 0_u32;
    let mut lie = |world: &mut World, seconds: u64| {
        for _ in 0..seconds {
            sequence += 1;
            let mut id = [0xee; 16];
            id[..4].copy_from_slice(&sequence.to_be_bytes()[..4]);
            let from = Place { host: 200, port: 7 };
            advertise(world, from, PartyId(id), sequence, 0);
            world.run(1);
        }
    };
    lie(&mut world, 300);
    let sent = world.sent.iter().filter(|(_, from, ..)| from.host == DEVICE).count();
    // Each attempt sends at 0, 1, 3, 7 and 15 s, and then there is a pause.
    assert!(sent <= 5 * 10, "{sent}");
    world.cut_off.clear();
    lie(&mut world, 3600);
    assert_eq!(count(&world, device_connected(cast.device.id())), 1);
}

#[test]
fn a_gateway_without_a_clock_waits_for_the_time() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_gateway_without_time(&mut world, no_cloud(&cast));
    let mut settings = cast.device_settings();
    settings.search = iot_crypto::uplink::Search::At(SERVICE);
    cast.add_device(&mut world, settings);
    assert!(world.wait(30, DEVICE, told("Failed(RefusedByPeer(TimeUnknown))")));
    let now = world.now;
    world.gateway(GATEWAY).set_time(now, wall(now));
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
}

#[test]
fn the_end_of_time_is_far_enough_away() {
    let (cast, mut world) = (Cast::new(), World::new(1));
    world.now = Instant::from_millis(u64::MAX - 3_600_000);
    cast.network(&mut world);
    assert!(
        world.wait(60, CLOUD, |event| matches!(event, Event::Cloud(CloudEvent::Readings { .. })))
    );
    world.run(1800);
    assert_eq!(count(&world, is_disconnection), 0);
}

#[test]
fn four_endorsements_fit_through_datagrams_of_208_bytes() {
    for (seed, link) in [(1, Link::GOOD), (2, Link::BAD)] {
        let (cast, mut world) = (Cast::new(), World::new(seed));
        world.link = link;
        world.max_datagram = 208;
        let issuers: Vec<_> =
            (90..93).map(|seed| iot_crypto_simulator::identity(seed, "issuer")).collect();
        let all = |subject, role| {
            let issuers = issuers.iter().chain([&cast.company]);
            let endorsements: Vec<_> = issuers
                .flat_map(|issuer| {
                    endorsed(issuer, subject, role, EPOCH + YEAR)
                        .iter()
                        .cloned()
                        .collect::<Vec<_>>()
                })
                .collect();
            Endorsements::new(&endorsements).unwrap()
        };
        let (gateway, device) = (&cast.gateway, &cast.device);
        let endorsements = all(gateway, Role::Gateway);
        let trust = trusting(&[&cast.company]);
        let settings = no_cloud(&cast);
        cast.add_any_gateway(&mut world, GATEWAY, gateway, endorsements, trust, settings, 51, &[1]);
        let endorsements = all(device, Role::Device);
        let settings = cast.device_settings();
        cast.add_any_device(&mut world, DEVICE, device, endorsements, settings, &[1]);
        assert!(world.wait(300, GATEWAY, device_connected(device.id())), "seed {seed}");
    }
}
