//! Two connections without a table, and without `alloc`.

use core::cell::RefCell;
use std::rc::Rc;
use std::vec::Vec;

use crate::crypto::{KeyLog, KeyLogLabel};
use crate::dtls::handshake::Handshake;
use crate::dtls::*;
use crate::testing::{TestProvider, provider};
use crate::time::Instant;

const KEY: [u8; 16] = [7; 16];

fn identity() -> PskIdentity {
    PskIdentity::new(b"dev1").unwrap()
}

fn key(bytes: &[u8]) -> PresharedKey {
    PresharedKey::new(bytes).unwrap()
}

#[test]
fn connections_and_sessions_are_as_small_as_promised() {
    assert!(size_of::<Client<TestProvider>>() <= 1270);
    assert!(size_of::<SingleServer<TestProvider>>() <= 1500);
    assert!(size_of::<Session<TestProvider>>() <= 300);
}

/// Carries all datagrams from one side to the other.
fn carry(
    provider: &mut TestProvider,
    now: Instant,
    from: &mut Connection<TestProvider, impl Handshake<TestProvider>>,
    to: &mut Connection<TestProvider, impl Handshake<TestProvider>>,
) {
    let mut buffer = [0; 2048];
    while let Some(length) = from.poll_transmit(provider, now, &mut buffer).unwrap() {
        let mut datagram = Datagram::new(&mut buffer[..length]);
        while to.handle_record(provider, now, &mut datagram).is_some() {}
    }
}

/// What a server sends at once when these datagrams come in.
fn sent_after(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let mut provider: TestProvider = provider(1);
    let mut server = SingleServer::new(&Config::default(), &mut provider).unwrap();
    for datagram in datagrams {
        let mut bytes = datagram.clone();
        let mut datagram = Datagram::new(&mut bytes);
        assert!(server.handle_record(&mut provider, Instant::ZERO, &mut datagram).is_none());
    }
    let mut buffer = [0; 2048];
    let sent = server.poll_transmit(&mut provider, Instant::ZERO, &mut buffer).unwrap();
    buffer[..sent.unwrap_or(0)].to_vec()
}

/// Our `ClientHello`, as a datagram of 75 bytes.
fn hello() -> Vec<u8> {
    let (dtls, mut provider) = (Config::default(), provider(2));
    let mut client =
        Client::new(&dtls, &mut provider, Instant::ZERO, &identity(), key(&KEY)).unwrap();
    let mut buffer = [0; 2048];
    let length = client.poll_transmit(&mut provider, Instant::ZERO, &mut buffer).unwrap();
    buffer[..length.unwrap()].to_vec()
}

#[test]
fn a_hello_that_is_dropped_draws_nothing() {
    let undisturbed = sent_after(&[hello()]);
    assert_eq!(undisturbed.len(), 86);
    // Of a message that is too long, and of a suite that is not served.
    let (mut too_long, mut other_suite) = (hello(), hello());
    too_long[14] = 1;
    let suite = hello().windows(2).position(|two| two == [0xcc, 0xab]).unwrap();
    other_suite[suite] = 0;
    for dropped in [too_long, other_suite] {
        assert_eq!(sent_after(core::slice::from_ref(&dropped)), []);
        assert_eq!(sent_after(&[dropped, hello()]), undisturbed);
    }
}

#[test]
fn the_last_alert_too_counts_as_sent_to_an_address_that_is_not_proved() {
    // Three answers are just what may be sent for so long a hello.
    let mut hello = hello();
    hello.extend([0, 21, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
    for length in [12, 16, 24, 70] {
        hello[length] += 11;
    }
    assert_eq!(hello.len(), 86);
    for (repetitions, farewell) in [(2, 0), (1, 15)] {
        let (dtls, mut provider) = (Config::default(), provider(1));
        let mut server: SingleServer<TestProvider> =
            SingleServer::new(&dtls, &mut provider).unwrap();
        let mut bytes = hello.clone();
        let mut now = Instant::ZERO;
        server.handle_record(&mut provider, now, &mut Datagram::new(&mut bytes));
        let mut buffer = [0; 2048];
        for _ in 0..=repetitions {
            server.handle_timeout(&mut provider, now);
            let sent = server.poll_transmit(&mut provider, now, &mut buffer);
            assert_eq!(sent, Ok(Some(86)));
            now = server.poll_timeout().unwrap().at;
        }
        server.close(now);
        let sent = server.poll_transmit(&mut provider, now, &mut buffer).unwrap();
        assert_eq!(sent.unwrap_or(0), farewell);
    }
}

/// A server's connection with one peer, without a table.
fn answered(key_of_server: Option<PresharedKey>) -> (Vec<ConnectionEvent>, bool, bool) {
    let mut provider: TestProvider = provider(1);
    let dtls = Config::default();
    let mut now = Instant::ZERO;
    let mut server = SingleServer::new(&dtls, &mut provider).unwrap();
    let mut client = Client::new(&dtls, &mut provider, now, &identity(), key(&KEY)).unwrap();
    let mut events = Vec::new();
    loop {
        carry(&mut provider, now, &mut client, &mut server);
        carry(&mut provider, now, &mut server, &mut client);
        while let Some(event) = server.poll_event() {
            if let ConnectionEvent::PskRequired(identity) = &event {
                server.provide_psk(&mut provider, now, identity, key_of_server.clone());
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

#[test]
fn a_late_key_does_not_prove_another_name() {
    let mut provider: TestProvider = provider(1);
    let (dtls, now) = (Config::default(), Instant::ZERO);
    let mut server = SingleServer::new(&dtls, &mut provider).unwrap();
    // The holder of one key begins under its own name, then under another's.
    let other = PskIdentity::new(b"dev2").unwrap();
    for name in [&identity(), &other] {
        let mut client = Client::new(&dtls, &mut provider, now, name, key(&KEY)).unwrap();
        for _ in 0..2 {
            carry(&mut provider, now, &mut client, &mut server);
            carry(&mut provider, now, &mut server, &mut client);
        }
        assert_eq!(server.poll_event(), Some(ConnectionEvent::PskRequired(name.clone())));
    }
    server.provide_psk(&mut provider, now, &identity(), Some(key(&KEY)));
    assert!(!server.is_connected());
    // The question for the other name is still open.
    server.provide_psk(&mut provider, now, &other, Some(key(&KEY)));
    assert!(server.is_connected());
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
        let mut client = Client::new(&dtls, &mut provider, now, &identity(), key(&KEY)).unwrap();
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

/// A secret that was logged, with its label and the client's random value.
type Note = (KeyLogLabel, [u8; 32], Vec<u8>);

#[derive(Clone, Default)]
struct Notes(Rc<RefCell<Vec<Note>>>);

impl KeyLog for Notes {
    fn log_secret(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        self.0.borrow_mut().push((label, *client_random, secret.to_vec()));
    }
}

#[test]
fn both_sides_log_the_same_secret_once() {
    let [at_client, at_server] = [Notes::default(), Notes::default()];
    let mut ours = provider(1).with_key_log(at_client.clone());
    let mut theirs = provider(2).with_key_log(at_server.clone());
    let (dtls, now) = (Config::default(), Instant::ZERO);
    let mut server = SingleServer::new(&dtls, &mut theirs).unwrap();
    let mut client = Client::new(&dtls, &mut ours, now, &identity(), key(&KEY)).unwrap();
    let mut buffer = [0; 2048];
    let mut client_random = None;
    loop {
        let sent = client.poll_transmit(&mut ours, now, &mut buffer).unwrap();
        if let Some(length) = sent {
            // Behind the headers of record and message, and the version.
            client_random.get_or_insert_with(|| <[u8; 32]>::try_from(&buffer[27..59]).unwrap());
            let mut datagram = Datagram::new(&mut buffer[..length]);
            assert!(server.handle_record(&mut theirs, now, &mut datagram).is_none());
        }
        if let Some(ConnectionEvent::PskRequired(identity)) = server.poll_event() {
            server.provide_psk(&mut theirs, now, &identity, Some(key(&KEY)));
        }
        let answered = server.poll_transmit(&mut theirs, now, &mut buffer).unwrap();
        if let Some(length) = answered {
            let mut datagram = Datagram::new(&mut buffer[..length]);
            while client.handle_record(&mut ours, now, &mut datagram).is_some() {}
        }
        if sent.is_none() && answered.is_none() {
            break;
        }
    }
    assert!(client.is_connected() && server.is_connected());
    let logged = at_client.0.borrow();
    let [(label, random, secret)] = logged.as_slice() else { panic!("one line, {logged:?}") };
    assert_eq!((*label, Some(*random)), (KeyLogLabel::ClientRandom, client_random));
    assert_eq!(secret.len(), 48);
    assert_eq!(*logged, *at_server.0.borrow());
}

/// A `HelloVerifyRequest` with the cookie `cookie`, in a record and a message with
/// these numbers.
fn hello_verify_request(record: u8, message: u8, cookie: u8) -> [u8; 29] {
    let mut datagram = [0; 29];
    datagram[..13].copy_from_slice(&[22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, record, 0, 16]);
    datagram[13..25].copy_from_slice(&[3, 0, 0, 4, 0, message, 0, 0, 0, 0, 0, 4]);
    datagram[25..].copy_from_slice(&[0xfe, 0xff, 1, cookie]);
    datagram
}

#[test]
fn a_demand_for_a_cookie_that_answers_an_earlier_hello_is_not_followed() {
    let (dtls, now, mut provider) = (Config::default(), Instant::ZERO, provider(1));
    let mut client = Client::new(&dtls, &mut provider, now, &identity(), key(&KEY)).unwrap();
    // Gives the number of the ClientHello that the client sends then, and its cookie.
    let mut answer = |mut demand: [u8; 29]| {
        let mut datagram = Datagram::new(&mut demand);
        assert!(client.handle_record(&mut provider, now, &mut datagram).is_none());
        let mut buffer = [0; 2048];
        let length = client.poll_transmit(&mut provider, now, &mut buffer).unwrap()?;
        let hello = &buffer[..length];
        Some((hello[10], hello[18], hello[61]))
    };
    // The first hello has gone twice by the time of the first demand: the path is
    // slower than the timer.
    assert_eq!(answer([0; 29]), Some((0, 0, 0)));
    assert_eq!(answer(hello_verify_request(0, 0, 7)), Some((1, 1, 7)));
    // A server that keeps nothing demands another cookie for the repetition. If that
    // were followed, a third hello would reach a server that has taken the second.
    assert_eq!(answer(hello_verify_request(0, 0, 8)), None);
    // One that demands a new cookie in answer to the second is followed, whichever
    // number tells that (RFC 6347 section 4.2.1).
    assert_eq!(answer(hello_verify_request(1, 0, 9)), Some((2, 2, 9)));
    assert_eq!(answer(hello_verify_request(0, 2, 10)), Some((3, 3, 10)));
}
