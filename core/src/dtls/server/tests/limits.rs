//! What is kept, and sent, for whom.

use core::time::Duration;

use super::world::{Client, IDENTITY, KEY, World, config, lengths};
use crate::dtls::*;

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
    assert_eq!(lengths(&world.sent), [-86, -86]);
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
fn handshakes_that_are_never_ended_keep_nobody_out() {
    // One session, and one place left for all handshakes.
    let mut world = World::new(1, ServerConfig { max_sessions: 2, ..config() });
    world.connect(1, IDENTITY, &KEY);
    world.run_for(Duration::ZERO);
    world.connect(2, IDENTITY, &[8; 16]);
    world.run_for(Duration::ZERO);
    assert_eq!((world.server.len(), world.server.half_open()), (2, 1));
    world.connect(3, IDENTITY, &KEY);
    world.run_for(Duration::ZERO);
    assert!(world.clients[&Client(3)].is_connected());
    assert!(world.clients[&Client(1)].is_connected());
    assert_eq!(world.server_closed().unwrap().1, CloseReason::Overload);
    assert_eq!((world.server.len(), world.server.half_open()), (2, 0));
}

#[test]
fn only_a_whole_start_of_the_client_hello_has_the_answer_repeated() {
    let mut world = World::new(1, config());
    world.connect(1, IDENTITY, &KEY);
    world.settle();
    let hello = world.sent.iter().filter(|sent| !sent.by_server).nth(1).unwrap().bytes.clone();
    assert_eq!(hello.len(), 83);
    let mut world = World::new(1, config());
    world.inject(1, &hello);
    assert_eq!(lengths(&world.sent), [-86]);
    // An empty fragment of any message with the number of the ClientHello: who
    // forges the address could have 86 bytes sent there for 25.
    for kind in [0, 1, 16] {
        let mut empty = std::vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 12];
        empty.extend([kind, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        world.inject(1, &empty);
        assert_eq!(lengths(&world.sent), [-86], "{kind}");
    }
    world.inject(1, &hello);
    assert_eq!(lengths(&world.sent), [-86, -86]);
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
