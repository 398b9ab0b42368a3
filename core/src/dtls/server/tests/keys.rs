//! Keys that do not fit, come late, or are bound in the old way.

use core::time::Duration;
use std::vec::Vec;

use super::world::{IDENTITY, KEY, World, config, key, lengths};
use crate::dtls::*;
use crate::time::Instant;

/// The whole course of a handshake with a key that does not fit.
fn refused(identity: &[u8], key: &[u8]) -> World {
    let mut world = World::new(1, config());
    world.connect(1, identity, key);
    world.run_for(Duration::from_secs(40));
    world
}

#[test]
fn an_unknown_identity_cannot_be_told_from_a_wrong_key() {
    let wrong = refused(IDENTITY, &[8; 16]);
    let unknown = refused(b"devX", &[8; 16]);
    assert_eq!(lengths(&wrong.sent), lengths(&unknown.sent));
    let times = |world: &World| world.sent.iter().map(|sent| sent.at).collect::<Vec<_>>();
    assert_eq!(times(&wrong), times(&unknown));
    // All that is not protected is the same but for the identity.
    for (one, other) in wrong.sent.iter().zip(&unknown.sent).filter(|(one, _)| one.by_server) {
        assert_eq!(one.bytes, other.bytes);
    }
    assert_eq!(wrong.client_events, unknown.client_events);
}

#[test]
fn a_wrong_key_ends_at_the_deadline_on_both_sides() {
    let world = refused(IDENTITY, &[8; 16]);
    let deadline = Instant::from_millis(1_030_000);
    let undecryptable = CloseReason::HandshakeTimeout { undecryptable: true };
    assert_eq!(world.server_closed(), Some((deadline, undecryptable)));
    let (at, reason) = world.client_closed().unwrap();
    assert_eq!(at, deadline);
    assert!(matches!(reason, CloseReason::HandshakeTimeout { .. }));
    // The last words are alerts, in the clear: decrypt_error.
    let last = world.sent.iter().rev().find(|sent| sent.by_server).unwrap();
    assert_eq!((last.bytes[0], &last.bytes[13..]), (21, &[2, 51][..]));
    assert!(world.server.drops().count(DropReason::Undecryptable) >= 4);
    assert_eq!((world.server.len(), world.next()), (0, None));
}

#[test]
fn a_key_that_is_never_provided_counts_as_unknown() {
    let mut world = World::new(1, config());
    world.answering = false;
    world.connect(1, IDENTITY, &KEY);
    world.run_for(Duration::from_secs(40));
    let reason = CloseReason::HandshakeTimeout { undecryptable: true };
    assert_eq!(world.server_closed(), Some((Instant::from_millis(1_030_000), reason)));
}

#[test]
fn a_key_may_be_provided_later_and_needs_no_repetition() {
    let mut world = World::new(1, config());
    world.answering = false;
    world.connect(1, IDENTITY, &KEY);
    world.run_for(Duration::from_millis(900));
    let Some(ServerEvent::PskRequired { session, .. }) =
        world.server_events.last().map(|(_, event)| event.clone())
    else {
        panic!("no question");
    };
    let answer = Some(key(&KEY));
    world.server.provide_psk(&mut world.provider, world.now, session, answer.clone());
    world.run_for(Duration::ZERO);
    assert!(world.client().is_connected());
    assert_eq!(world.sent.len(), 6);
    world.server.provide_psk(&mut world.provider, world.now, session, answer);
    assert_eq!(world.server.len(), 1);
}

#[test]
fn a_forged_alert_is_forgotten_when_the_handshake_goes_on() {
    let mut world = World::new(1, config());
    world.answering = false;
    world.faults.loss = 100;
    world.connect(1, IDENTITY, &KEY);
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    for carried in 0..4 {
        world.run_for(Duration::ZERO);
        let sent = world.sent[carried].clone();
        world.inject_to_client(1, &alert);
        world.fly(world.now, sent);
    }
    world.run_for(Duration::ZERO);
    world.faults.loss = 0;
    world.inject(1, &alert);
    // The key comes later than the alert alone would have let it.
    world.run_for(Duration::from_secs(6));
    let session = world.server_events.iter().find_map(|(_, event)| match event {
        ServerEvent::PskRequired { session, .. } => Some(*session),
        _ => None,
    });
    let answer = Some(key(&KEY));
    world.server.provide_psk(&mut world.provider, world.now, session.unwrap(), answer);
    world.run_for(Duration::ZERO);
    assert!(world.client().is_connected());
}
