//! What an observer opens, and what not.

use chacha20::ChaCha20Rng;
use iot_crypto::crypto::RustCrypto;
use rand_core::{Rng as _, SeedableRng as _};

use super::*;
use crate::testing::{Pair, Passed, client_address, provider, server_address};

type TestObserver = Observer<RustCrypto<ChaCha20Rng>>;

fn observer() -> TestObserver {
    Observer::new(provider(9))
}

/// Shows the observer what passed; gives what it opened.
fn show(observer: &mut TestObserver, passed: Vec<Passed>) -> Vec<Opened> {
    let mut opened = Vec::new();
    let (client, server) = (client_address(), server_address());
    let mut waiting: Option<Vec<u8>> = None;
    for passed in passed {
        let seen = match &passed {
            Passed::Up(datagram) => observer.see(client, server, datagram),
            Passed::Down(datagram) => observer.see(server, client, datagram),
            Passed::Secret(line) => {
                observer.take_secret(line);
                waiting.take().map_or_else(Seen::default, |it| observer.see(client, server, &it))
            }
        };
        if let (true, Passed::Up(datagram)) = (seen.lacks_secret, passed) {
            waiting = Some(datagram);
        }
        opened.extend(seen.opened);
    }
    opened
}

fn is(opened: &Opened, dissector: &str, content: &[u8]) -> bool {
    opened.dissector == Some(dissector) && opened.content == content
}

#[test]
fn every_protected_record_is_opened_and_named_by_what_its_session_carries() {
    let all = [
        ([1; 4].as_slice(), "iotcrypto.negotiation"),
        ([1; 8].as_slice(), "iotcrypto.transmission"),
        (b"stranger".split_at(5).0, "data"),
    ];
    for (identity, dissector) in all {
        let mut pair = Pair::connected(1, identity);
        pair.up(b"up");
        pair.down(b"down");
        pair.close();
        let opened = show(&mut observer(), pair.log.take());
        let [finished, other_finished, up, down, alert] = opened.as_slice() else {
            panic!("{opened:?}")
        };
        for finished in [finished, other_finished] {
            // A handshake message of type 20 with 12 bytes.
            assert_eq!((finished.dissector, finished.content.len()), (None, 24));
            assert_eq!(finished.content[0], 20);
        }
        assert!(is(up, dissector, b"up") && is(down, dissector, b"down"), "{opened:?}");
        assert!(is(alert, "iotcrypto.alert", &[1, 0]));
    }
}

#[test]
fn without_the_secret_nothing_is_opened_and_it_is_missed() {
    let mut pair = Pair::connected(1, &[1; 8]);
    pair.up(b"up");
    let (client, server) = (client_address(), server_address());
    let mut observer = observer();
    let mut lacks = 0;
    for passed in pair.log.take() {
        let seen = match passed {
            Passed::Up(datagram) => observer.see(client, server, &datagram),
            Passed::Down(datagram) => observer.see(server, client, &datagram),
            Passed::Secret(_) => continue,
        };
        assert_eq!(seen.opened, []);
        lacks += usize::from(seen.lacks_secret);
    }
    // Both Finished, and the data.
    assert_eq!(lacks, 3);
    // That of another handshake is of no use.
    let other = Pair::connected(2, &[1; 8]).log.take();
    let secret = other.into_iter().find(|passed| matches!(passed, Passed::Secret(_)));
    pair.up(b"again");
    let passed = secret.into_iter().chain(pair.log.take()).collect();
    assert_eq!(show(&mut observer, passed), []);
}

#[test]
fn a_record_that_was_changed_is_not_opened() {
    let mut pair = Pair::connected(1, &[1; 8]);
    let mut observer = observer();
    show(&mut observer, pair.log.take());
    pair.up(b"up");
    let passed = pair.log.take();
    let [Passed::Up(datagram)] = passed.as_slice() else { panic!("{passed:?}") };
    let (client, server) = (client_address(), server_address());
    for at in 0..datagram.len() {
        let mut changed = datagram.clone();
        changed[at] ^= 1;
        let seen = observer.see(client, server, &changed);
        assert_eq!(seen.opened, [], "the byte {at}");
    }
    // Nor is it the server's.
    assert_eq!(observer.see(server, client, datagram).opened, []);
    assert_eq!(observer.see(client, server, datagram).opened.len(), 1);
}

#[test]
fn a_session_goes_on_while_a_new_handshake_begins_from_its_address() {
    let mut observer = observer();
    let mut first = Pair::connected(1, &[1; 8]);
    show(&mut observer, first.log.take());
    let mut second = Pair::connected(2, &[1; 8]);
    // Up to the secret.
    let handshake = second.log.take();
    let (before, after) = handshake.split_at(3);
    show(&mut observer, before.to_vec());
    first.up(b"still");
    let opened = show(&mut observer, first.log.take());
    assert!(matches!(opened.as_slice(), [still] if still.content == b"still"), "{opened:?}");
    show(&mut observer, after.to_vec());
    first.down(b"late");
    second.up(b"new");
    let opened = show(&mut observer, [first.log.take(), second.log.take()].concat());
    let contents: Vec<&[u8]> = opened.iter().map(|opened| opened.content.as_slice()).collect();
    assert_eq!(contents, [b"late".as_slice(), b"new"]);
}

#[test]
fn strangers_that_only_begin_handshakes_displace_no_session() {
    let mut pair = Pair::connected(1, &[1; 8]);
    let passed = pair.log.take();
    let Some(Passed::Up(mut hello)) = passed.first().cloned() else { panic!("{passed:?}") };
    let mut observer = observer();
    show(&mut observer, passed);
    for number in 0..20_000_u32 {
        let [_, a, b, c] = number.to_be_bytes();
        // The random value, behind the headers of record and message.
        hello[27..31].copy_from_slice(&number.to_be_bytes());
        let stranger = SocketAddr::from(([10, a, b, c], 1));
        observer.see(stranger, server_address(), &hello);
    }
    assert_eq!(observer.handshakes.len(), MAX_HANDSHAKES.get());
    pair.up(b"up");
    assert_eq!(show(&mut observer, pair.log.take()).len(), 1);
}

#[test]
fn a_stranger_who_speaks_in_a_clients_name_hides_nothing() {
    let mut pair = Pair::connected(1, &[1; 8]);
    pair.up(b"up");
    let passed = pair.log.take();
    let Some(Passed::Up(hello)) = passed.first() else { panic!("{passed:?}") };
    let forged = |number: u8| {
        let mut hello = hello.clone();
        hello[27] ^= number;
        Passed::Up(hello)
    };
    for after in 1..4 {
        let mut passed = passed.clone();
        passed.splice(after..after, (1..4).map(forged));
        assert_eq!(show(&mut observer(), passed).len(), 3, "after {after}");
    }
    // Who goes on with it takes no more memory.
    let mut observer = observer();
    show(&mut observer, (0..=255).map(forged).collect());
    let known = observer.handshakes.iter().map(|(_, known)| known.len());
    assert_eq!(known.collect::<Vec<_>>(), [MAX_HANDSHAKES_OF_FLOW]);
}

#[test]
fn whatever_comes_nothing_panics() {
    let mut pair = Pair::connected(1, &[1; 8]);
    pair.up(b"up");
    let mut observer = observer();
    let mut random = ChaCha20Rng::from_seed([3; 32]);
    let (client, server) = (client_address(), server_address());
    for passed in pair.log.take() {
        match passed {
            Passed::Up(datagram) | Passed::Down(datagram) => {
                for length in 0..datagram.len() {
                    observer.see(client, server, &datagram[..length]);
                    observer.see(server, client, &datagram[..length]);
                    let mut changed = datagram.clone();
                    changed[length] = random.next_u32().to_be_bytes()[0];
                    observer.see(client, server, &changed);
                    observer.see(server, client, &changed);
                }
            }
            Passed::Secret(line) => observer.take_secret(&line),
        }
    }
}
