//! The handshake when nothing goes wrong, and the end.

use core::time::Duration;

use super::world::{Client, IDENTITY, KEY, World, config, identity, key, lengths};
use crate::dtls::*;

#[test]
fn a_handshake_takes_these_datagrams_and_no_more() {
    let mut world = World::connected(1, config());
    assert_eq!(lengths(&world.sent), [75, -36, 83, -86, 98, -67]);
    // The server numbers its records after the client's, as long as it keeps
    // nothing (RFC 6347 section 4.2.1).
    let numbers = [0, 1, 2, 3].map(|at| world.sent[at].bytes[10]);
    assert_eq!(numbers, [0, 0, 1, 1]);
    assert_eq!(world.client_events, [(world.now, Client(1), ConnectionEvent::Connected)]);
    let session = world.session();
    assert_eq!(
        world.server_events.last().unwrap().1,
        ServerEvent::Connected { session, address: Client(1), identity: identity() }
    );
    assert_eq!((world.server.len(), world.server.half_open()), (1, 0));
    assert_eq!(world.server.address(session), Some(Client(1)));
    world.both_ways();
    assert_eq!(world.next(), None);
    assert_eq!(world.server.drops().total(), 0);
    assert_eq!(world.client().drops().total(), 0);
}

#[test]
fn without_cookies_it_takes_two_fewer() {
    for cookies in [CookiePolicy::Never, CookiePolicy::UnderLoad { half_open: 0 }] {
        let mut world = World::connected(1, ServerConfig { cookies, ..config() });
        assert_eq!(lengths(&world.sent), [75, -86, 98, -67]);
        world.both_ways();
    }
}

#[test]
fn it_works_at_every_datagram_size_with_the_longest_identity() {
    for max_datagram in [128, 208, 1200] {
        let dtls = Config { max_datagram, ..Config::default() };
        let mut world = World::new(1, ServerConfig { dtls, ..config() });
        world.connect(1, &[b'x'; 128], &KEY);
        world.run_for(Duration::ZERO);
        let asked = world.server_events.iter().any(|(_, event)| {
            matches!(event, ServerEvent::PskRequired { identity, .. }
                if identity.as_bytes() == [b'x'; 128])
        });
        assert!(asked, "{max_datagram}");
        let mut world = World::connected(1, ServerConfig { dtls, ..config() });
        world.both_ways();
        let maximum = max_datagram - RECORD_OVERHEAD;
        assert_eq!(world.client().max_payload(), Some(maximum));
        world.client_sends(&std::vec![5; maximum]);
        assert_eq!(world.at_server.pop_front().unwrap().1.len(), maximum);
        let mut buffer = [0; 2048];
        let now = world.now;
        let World { clients, provider, .. } = &mut world;
        let client = clients.get_mut(&Client(1)).unwrap();
        let long = client.send(provider, now, &std::vec![5; maximum + 1], &mut buffer);
        assert_eq!(long, Err(SendError::PayloadTooLarge { maximum }));
    }
}

#[test]
fn either_side_may_close_and_both_know_why() {
    let mut world = World::connected(1, config());
    let now = world.now;
    world.faults.loss = 100;
    world.server_sends(b"late");
    let late = world.sent.last().unwrap().bytes.clone();
    world.faults.loss = 0;
    world.client().close(now);
    world.inject_to_client(1, &late);
    assert!(world.at_client.is_empty());
    assert_eq!(world.client_closed(), Some((now, CloseReason::ByApplication)));
    assert_eq!(world.server_closed(), Some((now, CloseReason::ByPeer)));
    assert_eq!((world.server.len(), world.next()), (0, None));

    let mut world = World::connected(1, config());
    let session = world.session();
    world.server.close(world.now, session);
    world.run_for(Duration::ZERO);
    assert_eq!(world.client_closed(), Some((world.now, CloseReason::ByPeer)));
    assert_eq!(world.server_closed(), Some((world.now, CloseReason::ByApplication)));
    assert_eq!((world.server.len(), world.next()), (0, None));
    let sent = world.server.send(&mut world.provider, world.now, session, b"x", &mut [0; 64]);
    assert_eq!(sent, Err(SendError::Closed));
}

#[test]
fn what_is_left_of_a_connection_is_a_small_session() {
    let mut world = World::connected(1, config());
    let client = world.clients.remove(&Client(1)).unwrap();
    let mut session = client.into_session().unwrap();
    let mut buffer = [0; 64];
    let length = session.send(&mut world.provider, world.now, b"up", &mut buffer).unwrap();
    assert_eq!((session.bytes_sent(), session.records_sent()), (2, 2));
    world.inject(1, &buffer[..length]);
    assert_eq!(world.at_server.pop_front().unwrap().1, b"up");
    world.connect(2, IDENTITY, &KEY);
    let client = world.clients.remove(&Client(2)).unwrap();
    assert!(client.into_session().is_err());
}

#[test]
fn a_buffer_that_is_too_small_loses_nothing_at_any_step() {
    let mut world = World::new(1, config());
    world.connect(1, IDENTITY, &KEY);
    let mut buffer = [0; 2048];
    for _ in 0..10 {
        let World { clients, provider, server, now, .. } = &mut world;
        let client = clients.get_mut(&Client(1)).unwrap();
        if let Err(error) = client.poll_transmit(provider, *now, &mut []) {
            let exact = &mut buffer[..error.needed];
            assert!(client.poll_transmit(provider, *now, &mut exact[1..]).is_err());
            let length = client.poll_transmit(provider, *now, exact).unwrap().unwrap();
            assert_eq!(length, error.needed);
            let mut datagram = Datagram::new(&mut buffer[..length]);
            assert!(server.handle_record(provider, *now, Client(1), &mut datagram).is_none());
        }
        while let Some(event) = server.poll_event() {
            if let ServerEvent::PskRequired { session, .. } = event {
                server.provide_psk(provider, *now, session, Some(key(&KEY)));
            }
        }
        if let Err(error) = server.poll_transmit(provider, *now, &mut []) {
            let exact = &mut buffer[..error.needed];
            assert!(server.poll_transmit(provider, *now, &mut exact[1..]).is_err());
            let (_, length) = server.poll_transmit(provider, *now, exact).unwrap().unwrap();
            assert_eq!(length, error.needed);
            let mut datagram = Datagram::new(&mut buffer[..length]);
            assert!(client.handle_record(provider, *now, &mut datagram).is_none());
        }
    }
    assert!(world.client().is_connected());
}
