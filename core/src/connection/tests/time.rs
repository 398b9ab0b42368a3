//! At which time certificates are checked, and who learns the time from whom.

use super::*;

#[test]
fn a_device_without_a_clock_learns_the_time_that_was_signed() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    let (_, response) = world.respond(&request).unwrap();
    world.clock = WallClock::with_floor(day(19));
    world.finish(&initiator, &response).unwrap();
    assert_eq!(world.clock.at(NOW), Some(day(20)));
    assert_eq!(world.clock.floor(), day(20));
}

#[test]
fn time_behind_the_floor_is_refused() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    let (_, response) = world.respond(&request).unwrap();
    world.clock = WallClock::with_floor(day(21));
    let before = world.clock;
    assert_eq!(world.finish(&initiator, &response), Err(NegotiationError::TimeBehindFloor));
    assert_eq!(world.clock, before);
}

#[test]
fn a_known_clock_decides_and_stays() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    let (_, response) = world.respond(&request).unwrap();
    // The gateway's clock says day 20.
    for (known, expected) in
        [(9, Some(Refusal::NotYetValid)), (19, None), (30, None), (50, Some(Refusal::Expired))]
    {
        world.clock = WallClock::unknown();
        world.clock.set(NOW, day(known));
        let finished = world.finish(&initiator, &response);
        assert_eq!(finished.err(), expected.map(NegotiationError::Untrusted), "day {known}");
        assert_eq!(world.clock.at(NOW), Some(day(known)));
    }
}

#[test]
fn without_any_time_nobody_is_trusted() {
    let mut world = world();
    let initiator = world.initiator(ForwardSecrecy::On);
    let request = world.request(&initiator);
    world.serving.now = None;
    assert_eq!(world.refused(&request), NegotiationRefusal::TimeUnknown);
    // Zero stands for an unknown time.
    let certificate = world.gateway.identity.certificate().clone();
    let unsigned = message::SignedResponse {
        response: message::Response {
            incarnation: 1,
            time: None,
            transmission_port: 1,
            ephemeral: *certificate.x25519(),
            credential: Credential { certificate, endorsements: Endorsements::none() },
        },
        signature: crate::crypto::Signature([0; 64]),
    };
    let mut buffer = [0; 400];
    let length = crate::wire::cbor::encode(&unsigned, &mut buffer).unwrap();
    let finished = world.finish(&initiator, &buffer[..length]);
    assert_eq!(finished, Err(NegotiationError::TimeUnknown));
}
