//! Peers and strangers who mean harm, or hold the wrong key.

use core::time::Duration;
use std::vec::Vec;

use rand_core::{Rng as _, SeedableRng as _};

use super::world::{Client, Faults, IDENTITY, KEY, World, config, identity, key, lengths};
use crate::dtls::*;
use crate::testing::{TestProvider, provider};
use crate::time::Instant;

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
fn nothing_is_kept_for_who_has_not_proved_an_address() {
    let mut world = World::new(1, config());
    let hello = {
        let mut other = World::new(2, config());
        other.connect(1, IDENTITY, &KEY);
        other.run_for(Duration::ZERO);
        other.sent[0].bytes.clone()
    };
    for address in 0..500 {
        world.inject(address, &hello);
    }
    assert!(world.server.is_empty());
    // Even the first fragment of a ClientHello is answered, with less than it has.
    let mut fragment = hello[..62].to_vec();
    fragment[12] = 49;
    fragment[24] = 37;
    let before = world.sent.len();
    world.inject(1, &fragment);
    assert_eq!(lengths(&world.sent[before..]), [-36]);
    assert_eq!(world.server.drops().total(), 0);
}

#[test]
fn an_unproved_address_gets_at_most_three_times_what_it_sent() {
    let cookies = CookiePolicy::Never;
    let mut world = World::new(1, ServerConfig { cookies, ..config() });
    world.connect(1, IDENTITY, &KEY);
    world.run_for(Duration::ZERO);
    let hello = world.sent[0].bytes.clone();
    let mut world = World::new(1, ServerConfig { cookies, ..config() });
    world.inject(1, &hello);
    world.run_for(Duration::from_secs(60));
    let sent: usize = world.sent.iter().map(|sent| sent.bytes.len()).sum();
    assert!(sent > hello.len() && sent <= 3 * hello.len(), "{sent}");
    assert!(world.server.is_empty());
}

#[test]
fn the_oldest_half_open_handshake_gives_way() {
    let mut world = World::new(1, ServerConfig { max_half_open: 3, ..config() });
    world.answering = false;
    for address in 0..4 {
        world.connect(address, IDENTITY, &KEY);
        world.run_for(Duration::ZERO);
    }
    assert_eq!((world.server.len(), world.server.half_open()), (3, 3));
    assert_eq!(world.server_closed().unwrap().1, CloseReason::Overload);
}

#[test]
fn a_full_table_takes_no_new_handshake_and_keeps_its_sessions() {
    let mut world = World::new(1, ServerConfig { max_sessions: 2, ..config() });
    for address in 1..=3 {
        world.connect(address, IDENTITY, &KEY);
        world.run_for(Duration::ZERO);
    }
    assert_eq!(world.server.len(), 2);
    assert_eq!(world.server.drops().count(DropReason::NoRoom), 1);
    // There is room again as soon as one goes.
    let now = world.now;
    world.client().close(now);
    world.run_for(Duration::from_secs(10));
    assert!(world.clients[&Client(3)].is_connected());
}

#[test]
fn under_load_a_cookie_is_demanded() {
    let cookies = CookiePolicy::UnderLoad { half_open: 1 };
    let mut world = World::new(1, ServerConfig { cookies, ..config() });
    world.answering = false;
    let mut before = 0;
    for (address, flights) in
        [(0, &[75, -86, 98][..]), (1, &[75, -86, 98]), (2, &[75, -36, 83, -86, 98])]
    {
        world.connect(address, IDENTITY, &KEY);
        world.run_for(Duration::ZERO);
        assert_eq!(lengths(&world.sent[before..]), *flights, "client {address}");
        before = world.sent.len();
    }
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
fn a_session_ends_before_its_sequence_numbers_do() {
    let mut world = World::connected(1, config());
    world.clients.get_mut(&Client(1)).unwrap().skip_to((1 << 48) - 66);
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

#[test]
fn extended_master_secrets_are_insisted_on_unless_told_otherwise() {
    // A server that leaves the extension out, as one that does not know it does.
    for (policy, goes_on) in
        [(ExtendedMasterSecret::Required, false), (ExtendedMasterSecret::Preferred, true)]
    {
        let dtls = Config { extended_master_secret: policy, ..Config::default() };
        let mut provider = provider(1);
        let now = Instant::ZERO;
        let mut client =
            Connection::client(&dtls, &mut provider, now, &identity(), key(&KEY)).unwrap();
        let mut buffer = [0; 2048];
        let length = client.poll_transmit(&mut provider, now, &mut buffer).unwrap().unwrap();
        assert_eq!(length, 75);
        let mut flight = std::vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 62];
        flight.extend([2, 0, 0, 38, 0, 0, 0, 0, 0, 0, 0, 38, 0xfe, 0xfd]);
        flight.extend([6; 32]);
        flight.extend([0, 0xcc, 0xab, 0]);
        flight.extend([14, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        let mut datagram = Datagram::new(&mut flight);
        assert!(client.handle_record(&mut provider, now, &mut datagram).is_none());
        let length = client.poll_transmit(&mut provider, now, &mut buffer).unwrap().unwrap();
        if goes_on {
            assert_eq!((length, client.poll_event()), (98, None));
        } else {
            let alert = AlertDescription::HandshakeFailure;
            let closed = ConnectionEvent::Closed(CloseReason::Protocol(alert));
            assert_eq!(client.poll_event(), Some(closed));
            assert_eq!(buffer[13..length], [2, alert.code()]);
        }
    }
}

/// Carries all datagrams from one side to the other.
fn carry(
    provider: &mut TestProvider,
    now: Instant,
    from: &mut Connection<TestProvider>,
    to: &mut Connection<TestProvider>,
) {
    let mut buffer = [0; 2048];
    while let Some(length) = from.poll_transmit(provider, now, &mut buffer).unwrap() {
        let mut datagram = Datagram::new(&mut buffer[..length]);
        while to.handle_record(provider, now, &mut datagram).is_some() {}
    }
}

/// A server's connection with one peer, without a table.
fn answered(key_of_server: Option<PresharedKey>) -> (Vec<ConnectionEvent>, bool, bool) {
    let mut provider: TestProvider = provider(1);
    let dtls = Config::default();
    let mut now = Instant::ZERO;
    let mut server = Connection::server(&dtls, &mut provider).unwrap();
    let mut client = Connection::client(&dtls, &mut provider, now, &identity(), key(&KEY)).unwrap();
    let mut events = Vec::new();
    loop {
        carry(&mut provider, now, &mut client, &mut server);
        carry(&mut provider, now, &mut server, &mut client);
        while let Some(event) = server.poll_event() {
            if let ConnectionEvent::PskRequired(_) = event {
                server.provide_psk(&mut provider, now, key_of_server.clone());
            }
            events.push(event);
        }
        while client.poll_event().is_some() {}
        let deadlines = [server.poll_timeout(), client.poll_timeout()];
        let Some(next) = deadlines.into_iter().flatten().map(|deadline| deadline.at).min() else {
            return (events, server.is_connected(), client.is_connected());
        };
        now = now.max(next);
        server.handle_timeout(&mut provider, now);
        client.handle_timeout(&mut provider, now);
    }
}

#[test]
fn a_server_for_one_peer_needs_no_table() {
    let required = ConnectionEvent::PskRequired(identity());
    let connected = std::vec![required.clone(), ConnectionEvent::Connected];
    assert_eq!(answered(Some(key(&KEY))), (connected, true, true));
    let timeout = CloseReason::HandshakeTimeout { undecryptable: true };
    let closed = std::vec![required, ConnectionEvent::Closed(timeout)];
    assert_eq!(answered(None), (closed.clone(), false, false));
    assert_eq!(answered(Some(key(&[8; 16]))), (closed, false, false));
}
