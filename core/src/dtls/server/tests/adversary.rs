//! Peers and strangers who mean harm, or hold the wrong key.

use core::time::Duration;
use std::vec::Vec;

use rand_core::{Rng as _, SeedableRng as _};

use super::world::{Client, Faults, IDENTITY, KEY, World, config, lengths};
use crate::dtls::v12::record::ContentType;
use crate::dtls::*;

/// The traffic of a whole connection: handshake, data both ways, close.
fn traffic() -> Vec<super::world::Sent> {
    let mut world = World::connected(1, config());
    world.client_sends(b"up");
    world.server_sends(b"down");
    let now = world.now;
    world.client().close(now);
    world.run_for(Duration::ZERO);
    world.sent
}

/// A world whose handshake has gone so far: a number of datagrams have arrived.
fn halted(arrived: usize) -> World {
    let mut world = World::new(1, config());
    world.connect(1, IDENTITY, &KEY);
    world.faults = Faults { loss: 100, ..Faults::default() };
    for carried in 0..arrived {
        world.run_for(Duration::ZERO);
        let sent = world.sent[carried].clone();
        world.fly(world.now, sent);
    }
    world.run_for(Duration::ZERO);
    world.faults = Faults::default();
    world
}

#[test]
fn garbage_in_any_state_harms_nothing() {
    let traffic = traffic();
    let mut random = chacha20::ChaCha20Rng::from_seed([3; 32]);
    for arrived in 0..=6 {
        for _ in 0..400 {
            let mut world = halted(arrived);
            let mut bytes = match random.next_u32() % 3 {
                0 => {
                    let mut bytes = std::vec![0; random.next_u32() as usize % 120];
                    random.fill_bytes(&mut bytes);
                    bytes
                }
                _ => traffic[random.next_u32() as usize % traffic.len()].bytes.clone(),
            };
            if !bytes.is_empty() {
                for _ in 0..random.next_u32() % 4 {
                    let at = random.next_u32() as usize % bytes.len();
                    bytes[at] = random.next_u32() as u8;
                }
                bytes.truncate(1 + random.next_u32() as usize % bytes.len().max(1));
            }
            world.inject(1, &bytes);
            world.inject_to_client(1, &bytes);
            world.run_for(Duration::from_secs(100));
            assert!(world.at_server.is_empty() && world.at_client.is_empty());
        }
    }
}

#[test]
fn forged_truncated_and_replayed_records_change_nothing_but_a_counter() {
    let mut world = World::connected(1, config());
    world.faults = Faults { loss: 100, ..Faults::default() };
    world.client_sends(b"data");
    let data = world.sent.last().unwrap().bytes.clone();
    world.faults = Faults::default();
    let events = world.server_events.len();
    for at in 0..data.len() {
        for bit in 0..8 {
            let mut forged = data.clone();
            forged[at] ^= 1 << bit;
            // A change of the length may make two records of it.
            let before = world.server.drops().total();
            world.inject(1, &forged);
            assert!(world.server.drops().total() > before, "byte {at}, bit {bit}");
        }
    }
    for length in 1..data.len() {
        let before = world.server.drops().total();
        world.inject(1, &data[..length]);
        assert_eq!(world.server.drops().total(), before + 1, "{length} bytes");
    }
    assert!(world.at_server.is_empty());
    world.inject(1, &data);
    assert_eq!(world.at_server.pop_front().unwrap().1, b"data");
    let replayed = world.server.drops().count(DropReason::Replayed);
    world.inject(1, &data);
    assert_eq!(world.server.drops().count(DropReason::Replayed), replayed + 1);
    assert!(world.at_server.is_empty());
    assert_eq!(world.server_events.len(), events);
    assert_eq!((world.server.len(), world.next()), (1, None));
}

#[test]
fn alerts_and_handshake_messages_of_epoch_0_do_not_touch_a_session() {
    let traffic = traffic();
    let mut world = World::connected(1, config());
    let sent = world.sent.len();
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let close = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0];
    for bytes in [&alert[..], &close, &traffic[1].bytes, &traffic[3].bytes, &traffic[4].bytes[..31]]
    {
        world.inject(1, bytes);
        world.inject_to_client(1, bytes);
    }
    world.run_for(Duration::from_secs(100));
    assert!(world.client().is_connected());
    assert_eq!((world.server.len(), world.sent.len()), (1, sent));
}

#[test]
fn a_forged_alert_does_not_end_a_handshake_that_goes_on() {
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    for arrived in 0..6 {
        let mut world = halted(arrived);
        world.inject_to_client(1, &alert);
        world.inject(1, &alert);
        world.run_for(Duration::from_secs(20));
        assert!(world.client().is_connected(), "after {arrived} datagrams");
    }
}

#[test]
fn an_alert_and_nothing_else_ends_the_handshake_soon() {
    let mut world = World::new(1, config());
    world.faults.loss = 100;
    world.connect(1, IDENTITY, &KEY);
    world.run_for(Duration::from_millis(500));
    let begin = world.now;
    world.inject_to_client(1, &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]);
    world.run_for(Duration::from_secs(20));
    let reason = CloseReason::Alert(AlertDescription::HandshakeFailure);
    assert_eq!(world.client_closed(), Some((begin + Duration::from_secs(4), reason)));
}

#[test]
fn a_client_that_begins_anew_replaces_its_session_once_it_has_proved_itself() {
    let mut world = World::connected(1, config());
    let first = world.session();
    world.connect(1, IDENTITY, &KEY);
    world.run_for(Duration::ZERO);
    assert!(world.client().is_connected());
    assert_ne!(world.session(), first);
    assert_eq!(world.server_closed().unwrap().1, CloseReason::Replaced);
    assert_eq!(world.server.len(), 1);
    world.client_sends(b"up");
    assert_eq!(world.at_server.pop_front(), Some((world.session(), b"up".to_vec())));
}

#[test]
fn a_stranger_at_the_address_of_a_session_does_not_displace_it() {
    for cookies in
        [CookiePolicy::Always, CookiePolicy::UnderLoad { half_open: 9 }, CookiePolicy::Never]
    {
        let mut world = World::connected(1, ServerConfig { cookies, ..config() });
        let owner = world.clients.remove(&Client(1)).unwrap();
        world.connect(1, IDENTITY, &[8; 16]);
        world.run_for(Duration::from_secs(3));
        assert_eq!((world.server.len(), world.server.half_open()), (2, 1));
        // The owner goes on meanwhile, and afterwards.
        let stranger = world.clients.insert(Client(1), owner).unwrap();
        world.client_sends(b"one");
        let owner = world.clients.insert(Client(1), stranger).unwrap();
        world.run_for(Duration::from_secs(60));
        world.clients.insert(Client(1), owner);
        world.client_sends(b"two");
        assert_eq!(world.at_server.len(), 2);
        assert_eq!((world.server.len(), world.server.half_open()), (1, 0));
    }
}

#[test]
fn a_late_repetition_of_the_first_messages_is_no_new_handshake() {
    let mut world = World::connected(1, config());
    let hello = world.sent[2].bytes.clone();
    let sent = world.sent.len();
    world.inject(1, &hello);
    assert_eq!(world.server.drops().count(DropReason::Repeated), 1);
    assert_eq!((world.server.half_open(), world.sent.len()), (0, sent));
}

#[test]
fn a_client_with_nothing_in_common_is_told_so_and_not_kept() {
    let cookies = CookiePolicy::Never;
    let mut world = World::new(1, ServerConfig { cookies, ..config() });
    world.connect(1, IDENTITY, &KEY);
    world.run_for(Duration::ZERO);
    let mut hello = world.sent[0].bytes.clone();
    // Another suite: TLS_PSK_WITH_CHACHA20_POLY1305_SHA256's neighbour.
    let suite = hello.windows(2).position(|two| two == [0xcc, 0xab]).unwrap();
    hello[suite + 1] = 0xaa;
    let mut world = World::new(1, ServerConfig { cookies, ..config() });
    world.inject(1, &hello);
    assert_eq!(world.sent.last().unwrap().bytes[13..], [2, 40]);
    assert!(world.server.is_empty());
}

#[test]
fn there_is_no_renegotiation() {
    let hello = traffic()[0].bytes[13..].to_vec();
    let hello_request = [0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0];
    for (message, answer) in [(&hello[..], &[-31][..]), (&hello_request, &[])] {
        let mut world = World::connected(1, config());
        let mut buffer = [0; 200];
        let World { clients, provider, .. } = &mut world;
        let write = clients.get_mut(&Client(1)).unwrap().write_state();
        let length = write.seal(provider, ContentType::Handshake, message, &mut buffer).unwrap();
        let before = world.sent.len();
        world.inject(1, &buffer[..length]);
        assert_eq!(lengths(&world.sent[before..]), *answer);
        // It goes on as before: the alert was a warning.
        world.client_sends(b"up");
        assert_eq!(world.at_server.len(), 1);
        assert!(world.client().is_connected());
    }
}

#[test]
fn a_session_ends_before_its_sequence_numbers_do() {
    let mut world = World::connected(1, config());
    world.client().write_state().skip_to((1 << 48) - 66);
    world.client_sends(b"last");
    let reason = CloseReason::SequenceNumbersExhausted;
    assert_eq!(world.client_closed().unwrap().1, reason);
    assert_eq!(world.server_closed().unwrap().1, CloseReason::ByPeer);
    assert_eq!(world.at_server.pop_front().unwrap().1, b"last");
    let now = world.now;
    let World { clients, provider, .. } = &mut world;
    let client = clients.get_mut(&Client(1)).unwrap();
    assert_eq!(client.send(provider, now, b"x", &mut [0; 64]), Err(SendError::Closed));
}
