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
