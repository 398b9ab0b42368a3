//! Each right, and what whoever lacks it can't do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, unreachable_pub)]
#![cfg(feature = "alloc")]

use iot_crypto::cloud::CloudEvent;
use iot_crypto::gateway::GatewayEvent;
use iot_crypto::identity::{Authority, Endorsements, Grant, PrivateIdentity, Rights, Role};
use iot_crypto::time::UnixTime;
use iot_crypto::transmission::{ErrorCode, Kind, Label, Reading, Severity, Value};
use iot_crypto_simulator::{
    CLOUD, Cast, DEVICE, EPOCH, Event, GATEWAY, World, YEAR, device_connected, trusting, wall,
};

const ALL: Rights = Rights::ALL;
const NO_DATA: &[Rights] = &[Rights::COMMAND, Rights::ALERT, Rights::REVOKE, Rights::KEYS];
const NO_COMMAND: &[Rights] = &[Rights::DATA, Rights::ALERT, Rights::REVOKE, Rights::KEYS];
const NO_ALERT: &[Rights] = &[Rights::DATA, Rights::COMMAND, Rights::REVOKE, Rights::KEYS];
const NO_REVOKE: &[Rights] = &[Rights::DATA, Rights::COMMAND, Rights::ALERT, Rights::KEYS];
const NO_KEYS: &[Rights] = &[Rights::DATA, Rights::COMMAND, Rights::ALERT, Rights::REVOKE];

fn union(rights: &[Rights]) -> Rights {
    rights.iter().fold(Rights::NONE, |sum, right| sum | *right)
}

fn granted(
    issuer: &PrivateIdentity,
    subject: &PrivateIdentity,
    role: Role,
    rights: Rights,
) -> Endorsements {
    let grant = Grant { roles: role.into(), rights };
    let (from, to) = (UnixTime::from_secs(EPOCH - YEAR), UnixTime::from_secs(EPOCH + YEAR));
    let certificate = subject.certificate();
    let endorsement =
        issuer.endorse(&iot_crypto_simulator::provider(0), certificate, from, to, grant).unwrap();
    Endorsements::new(&[endorsement]).unwrap()
}

/// A network whose parties have these rights; the device is connected, and the
/// cloud knows it.
fn network(cloud: Rights, gateway: Rights, device: Rights) -> (Cast, World) {
    let (cast, mut world) = (Cast::new(), World::new(1));
    let company = &cast.company;
    cast.add_cloud_endorsed(&mut world, granted(company, &cast.cloud, Role::Cloud, cloud));
    cast.add_any_gateway(
        &mut world,
        GATEWAY,
        &cast.gateway,
        granted(company, &cast.gateway, Role::Gateway, gateway),
        trusting(&[company]),
        cast.gateway_settings(),
        51,
        &[1],
    );
    let endorsements = granted(company, &cast.device, Role::Device, device);
    let settings = cast.device_settings();
    cast.add_any_device(&mut world, DEVICE, &cast.device, endorsements, settings, &[1]);
    assert!(world.wait(30, GATEWAY, device_connected(cast.device.id())));
    world.run(5);
    (cast, world)
}

fn count(world: &World, like: impl Fn(&Event) -> bool) -> usize {
    world.events.iter().filter(|(.., event)| like(event)).count()
}

fn readings_at_gateway(world: &World) -> usize {
    count(world, |event| matches!(event, Event::Gateway(GatewayEvent::Readings { .. })))
}

fn readings_at_cloud(world: &World) -> usize {
    count(world, |event| matches!(event, Event::Cloud(CloudEvent::Readings { .. })))
}

fn failed_at_cloud(world: &World) -> usize {
    count(world, |event| {
        matches!(
            event,
            Event::Cloud(CloudEvent::RequestFailed { code: ErrorCode::NotPermitted, .. })
        )
    })
}

fn command(cast: &Cast, world: &mut World) {
    let now = world.now;
    let label = Label::parse("switch").unwrap();
    world.cloud(CLOUD).command(now, cast.device.id(), label, Value::Bool(true)).unwrap();
    world.run(5);
}

fn executed(world: &World) -> usize {
    count(world, |event| matches!(event, Event::Executed(_)))
}

fn alert(world: &mut World) {
    let now = world.now;
    let reading = Reading::new(Label::Number(1), Value::Float(99.0));
    world.device(DEVICE).alert(now, Severity::Critical, reading, "").unwrap();
    world.run(5);
}

fn alerts(world: &World) -> (usize, usize) {
    (
        count(world, |event| matches!(event, Event::Gateway(GatewayEvent::Alert { .. }))),
        count(world, |event| matches!(event, Event::Cloud(CloudEvent::Alert { .. }))),
    )
}

#[test]
fn with_all_rights_everything_goes() {
    let (cast, mut world) = network(ALL, ALL, ALL);
    command(&cast, &mut world);
    alert(&mut world);
    assert_eq!((executed(&world), alerts(&world)), (1, (1, 1)));
    assert!(readings_at_gateway(&world) > 0 && readings_at_cloud(&world) > 0);
}

#[test]
fn data() {
    // A device neither serves a gateway without the right, nor is heard without.
    let (_, world) = network(ALL, union(NO_DATA), ALL);
    assert_eq!(readings_at_gateway(&world), 0);
    let (_, world) = network(ALL, ALL, union(NO_DATA));
    assert_eq!((readings_at_gateway(&world), readings_at_cloud(&world)), (0, 0));
    // A cloud without it can't ask; what gateways report is theirs to tell.
    let (cast, mut world) = network(union(NO_DATA), ALL, ALL);
    let now = world.now;
    world.cloud(CLOUD).request_data(now, cast.device.id(), &[]).unwrap();
    world.run(5);
    assert_eq!(failed_at_cloud(&world), 1);
}

#[test]
fn readings_are_not_taken_from_a_gateway_without_the_right() {
    // The company, which the device trusts, grants it; the partner, which the cloud
    // trusts, doesn't.
    let (cast, mut world) = (Cast::new(), World::new(1));
    cast.add_cloud(&mut world);
    let (partner, company) = (cast.partner.certificate().clone(), cast.company.id());
    let now = world.now;
    world.cloud(CLOUD).change_trust(now, |trust, provider| {
        trust.add_party(provider, &partner, Authority::Endorse).unwrap();
        trust.remove_party(&company);
    });
    let mut endorsements = granted(&cast.company, &cast.gateway, Role::Gateway, ALL);
    let other = granted(&cast.partner, &cast.gateway, Role::Gateway, union(NO_DATA));
    endorsements.push(other[0].clone()).unwrap();
    let trust = trusting(&[&cast.company]);
    let settings = cast.gateway_settings();
    cast.add_any_gateway(
        &mut world,
        GATEWAY,
        &cast.gateway,
        endorsements,
        trust,
        settings,
        51,
        &[1],
    );
    cast.add_device(&mut world, cast.device_settings());
    world.run(30);
    let now = world.now;
    world.cloud(CLOUD).request_data(now, cast.device.id(), &[]).unwrap();
    world.run(5);
    assert!(readings_at_gateway(&world) > 0);
    assert_eq!((readings_at_cloud(&world), failed_at_cloud(&world)), (0, 1));
}

#[test]
fn commands() {
    for (cloud, gateway) in [(union(NO_COMMAND), ALL), (ALL, union(NO_COMMAND))] {
        let (cast, mut world) = network(cloud, gateway, ALL);
        command(&cast, &mut world);
        assert_eq!((executed(&world), failed_at_cloud(&world)), (0, 1));
    }
}

#[test]
fn alerts_are_for_those_who_may_raise_them() {
    let (_, mut world) = network(ALL, ALL, union(NO_ALERT));
    alert(&mut world);
    assert_eq!(alerts(&world), (0, 0));
    assert_eq!(
        count(&world, |event| matches!(
            event,
            Event::Device(text) if text.starts_with("AlertRefused") && text.contains("NotPermitted")
        )),
        1
    );
    let (_, mut world) = network(ALL, union(NO_ALERT), ALL);
    alert(&mut world);
    assert_eq!(alerts(&world), (1, 0));
    // What is lost so is not lost in silence.
    let refused = GatewayEvent::CloudRefused { kind: Kind::Alert, code: ErrorCode::NotPermitted };
    assert_eq!(count(&world, |event| *event == Event::Gateway(refused.clone())), 1);
}

#[test]
fn revocations() {
    for (cloud, gateway, revoked) in
        [(ALL, ALL, (1, 1)), (union(NO_REVOKE), ALL, (0, 0)), (ALL, union(NO_REVOKE), (1, 0))]
    {
        let (cast, mut world) = network(cloud, gateway, ALL);
        let someone = iot_crypto_simulator::identity(80, "someone").id();
        let now = world.now;
        let revocation =
            cast.company.revoke(&iot_crypto_simulator::provider(0), someone, wall(now)).unwrap();
        world.cloud(CLOUD).revoke(now, &revocation).unwrap();
        world.run(5);
        let at_gateway =
            count(&world, |event| matches!(event, Event::Gateway(GatewayEvent::Revoked(_))));
        let at_device = count(
            &world,
            |event| matches!(event, Event::Device(text) if text.starts_with("Revoked")),
        );
        assert_eq!((at_gateway, at_device), revoked);
    }
}

#[test]
fn network_keys() {
    for (cloud, gateway, received) in
        [(ALL, ALL, (1, 1)), (union(NO_KEYS), ALL, (0, 0)), (ALL, union(NO_KEYS), (1, 0))]
    {
        let (_, mut world) = network(cloud, gateway, ALL);
        let now = world.now;
        world.cloud(CLOUD).add_network_key(now, iot_crypto_simulator::network_key(9));
        world.run(5);
        let at_gateway = count(&world, |event| {
            matches!(event, Event::Gateway(GatewayEvent::NetworkKeyReceived(_)))
        });
        let at_device = count(
            &world,
            |event| matches!(event, Event::Device(text) if text.starts_with("NetworkKeyReceived")),
        );
        assert_eq!((at_gateway, at_device), received);
    }
}
