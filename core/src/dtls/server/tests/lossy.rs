//! Networks that lose, repeat, reorder and damage.

use core::time::Duration;
use std::vec::Vec;

use super::world::{Client, Faults, IDENTITY, KEY, World, config, lengths};
use crate::dtls::*;
use crate::time::Instant;

const BAD: Faults = Faults { loss: 30, duplication: 30, reordering: 30, corruption: 0 };

fn sized(max_datagram: usize, cookies: CookiePolicy) -> ServerConfig {
    let dtls = Config { max_datagram, ..Config::default() };
    ServerConfig { dtls, cookies, ..config() }
}

/// Runs a handshake over a bad network to its end.
fn run(seed: u8, config: ServerConfig) -> World {
    let mut world = World::new(seed, config);
    world.faults = BAD;
    world.connect(1, IDENTITY, &KEY);
    world.run_for(config.dtls.handshake_timeout + Duration::from_millis(1));
    world
}

#[test]
fn a_handshake_over_a_bad_network_ends_connected_or_at_its_deadline() {
    let mut connected = 0;
    for seed in 0..150 {
        let size = [128, 208, 1200][usize::from(seed % 3)];
        let cookies = [CookiePolicy::Always, CookiePolicy::Never][usize::from(seed / 3 % 2)];
        let mut world = run(seed, sized(size, cookies));
        let deadline = Instant::from_millis(1_000_000 + 30_000);
        if world.client().is_connected() {
            connected += 1;
            world.faults = Faults::default();
            world.client_sends(b"up");
            world.server_sends(b"down");
            let session = world.session();
            assert_eq!(world.at_server.pop_back(), Some((session, b"up".to_vec())), "{seed}");
            assert_eq!(world.at_client.pop_back(), Some((Client(1), b"down".to_vec())), "{seed}");
        } else {
            let (at, reason) = world.client_closed().unwrap();
            assert!(matches!(reason, CloseReason::HandshakeTimeout { .. }), "{seed}: {reason:?}");
            assert_eq!(at, deadline, "{seed}");
        }
        // What remains at the server is the session, and handshakes that end.
        world.run_for(Duration::from_secs(31));
        assert_eq!(world.server.half_open(), 0, "{seed}");
        assert!(world.server.len() <= 1, "{seed}");
    }
    assert!(connected > 120, "only {connected} of 150 connected");
}

#[test]
fn damage_ends_a_handshake_by_its_deadline_at_the_latest() {
    for seed in 0..100 {
        let mut world = World::new(seed, sized(208, CookiePolicy::Always));
        world.faults = Faults { corruption: 20, ..BAD };
        world.connect(1, IDENTITY, &KEY);
        world.run_for(Duration::from_secs(30) + Duration::from_millis(1));
        assert!(world.client().is_connected() || world.client_closed().is_some(), "{seed}");
        world.run_for(Duration::from_secs(31));
        assert_eq!(world.server.half_open(), 0, "{seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for seed in 0..5 {
        let one = run(seed, config());
        let other = run(seed, config());
        assert!(one.sent == other.sent && !one.sent.is_empty());
        assert_eq!(one.client_events, other.client_events);
        assert_eq!(one.server_events, other.server_events);
    }
}

/// Runs a handshake in which the datagrams with these numbers are lost.
fn run_without(lost: &[usize]) -> World {
    let mut world = World::new(1, config());
    world.connect(1, IDENTITY, &KEY);
    // Everything is lost and carried over by hand, but for those.
    world.faults = Faults { loss: 100, ..Faults::default() };
    let mut carried = 0;
    for _ in 0..100 {
        world.run_for(Duration::ZERO);
        while let Some(sent) = world.sent.get(carried).cloned() {
            if !lost.contains(&carried) {
                world.fly(world.now, sent);
            }
            carried += 1;
            world.run_for(Duration::ZERO);
        }
        if let Some(next) = world.next() {
            world.run_for(next.since(world.now));
        }
    }
    world
}

#[test]
fn any_one_datagram_of_the_handshake_may_be_lost() {
    for lost in 0..6 {
        let mut world = run_without(&[lost]);
        assert!(world.client().is_connected(), "without datagram {lost}");
        assert_eq!(world.server.len(), 1, "without datagram {lost}");
        // One datagram lost costs at most the repetition of a flight by each side.
        let sent = lengths(&world.sent);
        assert!(sent.len() <= 9, "without datagram {lost}: {sent:?}");
    }
}

#[test]
fn the_last_flight_is_repeated_as_often_as_the_client_asks() {
    let mut world = run_without(&[5, 7, 9]);
    assert!(world.client().is_connected());
    assert_eq!(lengths(&world.sent)[4..], [98, -67, 98, -67, 98, -67, 98, -67]);
    let connected =
        |event: &&(Instant, ServerEvent<Client>)| matches!(event.1, ServerEvent::Connected { .. });
    assert_eq!(world.server_events.iter().filter(connected).count(), 1);
}

#[test]
fn the_last_flight_is_forgotten_when_data_has_come_or_time_has_passed() {
    // The client's Finished again, as a client that lacks the server's would send
    // it: an authentic record, so that only a client that is kept can make it.
    let finished = repeated_finished();
    assert_eq!(replay_into(&finished, |_| {}), [-67]);
    assert_eq!(replay_into(&finished, |world| world.run_for(Duration::from_secs(239))), [-67]);
    let none: [i64; 0] = [];
    assert_eq!(replay_into(&finished, |world| world.run_for(Duration::from_secs(240))), none);
    let with_data = |world: &mut World| {
        // Not with the number that the repetition has.
        world.client().write_state().skip_to(5);
        world.client_sends(b"data");
    };
    assert_eq!(replay_into(&finished, with_data), none);
}

#[test]
fn a_repeated_question_is_answered_at_once_and_a_repeated_answer_is_not() {
    let mut world = World::new(1, config());
    world.connect(1, IDENTITY, &KEY);
    world.faults = Faults { loss: 100, ..Faults::default() };
    for carried in 0..3 {
        world.run_for(Duration::ZERO);
        let sent = world.sent[carried].clone();
        world.fly(world.now, sent);
    }
    world.run_for(Duration::ZERO);
    let [_, request, hello, flight] = [0, 1, 2, 3].map(|at| world.sent[at].bytes.clone());
    world.inject(1, &hello);
    assert_eq!(lengths(&world.sent[4..]), [-86]);
    world.inject_to_client(1, &request);
    assert_eq!(lengths(&world.sent[5..]), [0; 0]);
    world.inject_to_client(1, &flight);
    world.inject_to_client(1, &flight);
    assert_eq!(lengths(&world.sent[5..]), [98]);
}

/// A second flight of the client, sealed anew, from a world in which the server's
/// last flight was lost; and all that came before.
fn repeated_finished() -> Vec<u8> {
    let world = run_without(&[5]);
    world.sent[6].bytes.clone()
}

/// What the server of a like world sends when that flight comes, after `meanwhile`.
fn replay_into(flight: &[u8], meanwhile: impl FnOnce(&mut World)) -> Vec<i64> {
    let mut world = World::connected(1, config());
    meanwhile(&mut world);
    let before = world.sent.len();
    world.inject(1, flight);
    lengths(&world.sent[before..])
}

#[test]
fn the_finished_may_overtake_the_key_exchange() {
    let mut world = World::new(1, config());
    world.connect(1, IDENTITY, &KEY);
    world.faults = Faults { loss: 100, ..Faults::default() };
    let mut carried = 0;
    while carried < 4 {
        world.run_for(Duration::ZERO);
        let sent = world.sent[carried].clone();
        world.fly(world.now, sent);
        carried += 1;
    }
    world.run_for(Duration::ZERO);
    let flight = world.sent[4].bytes.clone();
    let (key_exchange, finished) = flight.split_at(31);
    world.faults = Faults::default();
    world.inject(1, &finished[14..]);
    assert_eq!(world.server.half_open(), 1);
    world.inject(1, key_exchange);
    assert!(world.client().is_connected());
    assert_eq!(world.server.drops().total(), 0);
}

#[test]
fn data_that_overtakes_the_finished_is_dropped_and_counted() {
    let mut world = World::new(1, config());
    world.connect(1, IDENTITY, &KEY);
    world.faults = Faults { loss: 100, ..Faults::default() };
    for carried in 0..5 {
        world.run_for(Duration::ZERO);
        let sent = world.sent[carried].clone();
        world.fly(world.now, sent);
    }
    world.run_for(Duration::ZERO);
    assert_eq!(world.server.half_open(), 0);
    let finished = world.sent[5].clone();
    world.faults = Faults::default();
    world.server_sends(b"early");
    let early = world.sent.last().unwrap().clone();
    assert_eq!(world.client().drops().count(DropReason::Early), 1);
    assert!(world.at_client.is_empty());
    world.fly(world.now, finished);
    world.run_for(Duration::ZERO);
    // A copy of it that comes in time is not taken for a repetition.
    world.inject_to_client(1, &early.bytes);
    assert_eq!(world.at_client.pop_front(), Some((Client(1), b"early".to_vec())));
    world.server_sends(b"late");
    assert_eq!(world.at_client.pop_front(), Some((Client(1), b"late".to_vec())));
}
