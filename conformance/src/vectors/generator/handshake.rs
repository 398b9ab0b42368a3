//! Handshakes of DTLS 1.2.

use serde_json::json;

use super::conversation::{Conversation, settings};
use super::key_schedule::{Handshake, Keys, Record, message};
use super::primitives::{secret, start};
use crate::hex::Hex;
use crate::subject::{Action, Endpoint, Extension, Happened, Settings, Side, Step};
use crate::vectors::Vector;

const IDENTITY: &[u8] = b"device 1";
/// TLS_PSK_WITH_CHACHA20_POLY1305_SHA256.
const SUITE: [u8; 2] = [0xcc, 0xab];
/// TLS_EMPTY_RENEGOTIATION_INFO_SCSV.
const SCSV: [u8; 2] = [0x00, 0xff];
const EXTENDED_MASTER_SECRET: &[u8] = &[0, 4, 0, 23, 0, 0];

fn psk() -> [u8; 32] {
    secret("pre-shared key of device 1")
}

pub(super) fn vectors() -> Vec<Vector> {
    [
        plain(),
        with_cookie(),
        fragmented(),
        short_key(),
        repeated(),
        lost_last_flight(),
        different_keys(),
        vec![without_extended_master_secret(), hello_in_fragments()],
        hellos_refused(),
    ]
    .concat()
}

fn plain() -> Vec<Vector> {
    let name = "plain";
    let mut conversation = Conversation::new(name, &psk(), IDENTITY);
    conversation.handshake();
    conversation.send(Side::Client, b"hello");
    conversation.send(Side::Server, b"welcome");
    conversation.act(Side::Client, Action::Close);
    conversation.deliver();
    conversation.vectors(name)
}

fn with_cookie() -> Vec<Vector> {
    let name = "with a cookie";
    let [client, server] = sides(name, &psk(), IDENTITY);
    let mut conversation = Conversation::of([client, Settings { cookies: true, ..server }]);
    conversation.handshake();
    conversation.send(Side::Client, b"hello");
    conversation.vectors(name)
}

/// The identity is as long as it may be, so that the `ClientKeyExchange` does not
/// fit into the smallest datagram.
fn fragmented() -> Vec<Vector> {
    let name = "fragmented, with a cookie";
    let sides = sides(name, &psk(), &[b'i'; 128]);
    let sides = sides.map(|side| Settings { datagram_limit: 128, cookies: true, ..side });
    let mut conversation = Conversation::of(sides);
    conversation.handshake();
    conversation.send(Side::Server, b"welcome");
    conversation.vectors(name)
}

fn short_key() -> Vec<Vector> {
    let name = "key of one byte, identity of none";
    let mut conversation = Conversation::new(name, &[0x5a], &[]);
    conversation.handshake();
    conversation.vectors(name)
}

fn repeated() -> Vec<Vector> {
    let name = "the hellos lost";
    let mut conversation = Conversation::new(name, &psk(), IDENTITY);
    conversation.act(Side::Client, Action::Wait);
    conversation.lose();
    // The client repeats its hello; the server's answer is lost.
    conversation.pass(1000);
    let hello = conversation.lose().remove(0);
    conversation.act(Side::Server, Action::Receive { datagram: Hex(hello) });
    conversation.lose();
    conversation.pass(1000);
    conversation.deliver();
    conversation.pass(2000);
    conversation.deliver();
    conversation.vectors(name)
}

fn lost_last_flight() -> Vec<Vector> {
    let name = "the server's Finished lost";
    let mut conversation = Conversation::new(name, &psk(), IDENTITY);
    conversation.act(Side::Client, Action::Wait);
    // ClientHello, ServerHello, the client's Finished.
    let mut to = Side::Server;
    for _ in 0..3 {
        let datagram = conversation.lose().remove(0);
        conversation.act(to, Action::Receive { datagram: Hex(datagram) });
        to = if to == Side::Server { Side::Client } else { Side::Server };
    }
    conversation.lose();
    conversation.pass(1000);
    conversation.deliver();
    conversation.send(Side::Client, b"hello");
    conversation.vectors(name)
}

fn different_keys() -> Vec<Vector> {
    let name = "different keys";
    let [client, server] = sides(name, &psk(), IDENTITY);
    let other = Hex(secret("another key").to_vec());
    let mut conversation = Conversation::of([client, Settings { psk: other, ..server }]);
    conversation.handshake();
    for _ in 0..5 {
        conversation.pass(10_000);
        conversation.deliver();
    }
    conversation.vectors_without_keys(name)
}

fn sides(name: &str, psk: &[u8], identity: &[u8]) -> [Settings; 2] {
    [Side::Client, Side::Server].map(|side| settings(name, side, psk, identity))
}

/// A `ClientHello` in one record.
struct Hello<'a> {
    version: [u8; 2],
    suites: &'a [[u8; 2]],
    compressions: &'a [u8],
    /// Length and extensions, or nothing.
    extensions: &'a [u8],
}

impl Hello<'_> {
    const USUAL: Self = Self {
        version: [0xfe, 0xfd],
        suites: &[SUITE, SCSV],
        compressions: &[0],
        extensions: EXTENDED_MASTER_SECRET,
    };

    fn message(&self) -> Vec<u8> {
        let suites = self.suites.concat();
        let suites_length = [0, u8::try_from(suites.len()).expect("short")];
        let compressions_length = [u8::try_from(self.compressions.len()).expect("short")];
        let random = secret("client random of a stranger");
        let body = [
            &self.version[..],
            &random,
            &[0],
            &[0],
            &suites_length,
            &suites,
            &compressions_length,
            self.compressions,
            self.extensions,
        ];
        message(1, 0, &body.concat())
    }

    fn record(&self) -> Vec<u8> {
        Record { kind: 22, number: [0; 8], fragment: self.message() }.encode()
    }
}

fn server_settings(name: &str, extended_master_secret: Extension) -> Settings {
    let settings = settings(name, Side::Server, &psk(), IDENTITY);
    Settings { extended_master_secret, ..settings }
}

/// A client that knows neither RFC 7627 nor RFC 5746, worked out here.
fn without_extended_master_secret() -> Vector {
    let name = "a client without the extended master secret: server";
    let settings = server_settings(name, Extension::Preferred);
    let mut server = Endpoint::new(settings.clone()).expect("good settings");
    let (mut steps, mut happened) = (Vec::new(), Vec::new());
    let mut take = |datagram: Vec<u8>| {
        let action = Action::Receive { datagram: Hex(datagram) };
        let step = Step { at: 10 * (steps.len() as u64), action };
        let result: Happened = server.step(&step).expect("a good step");
        steps.push(step);
        happened.push(result.clone());
        result
    };
    let hello = Hello { suites: &[SUITE], extensions: &[], ..Hello::USUAL };
    let answer = take(hello.record()).sent.remove(0).0;
    let random = secret(&format!("{name}: server random"));
    let server_hello = [&[0xfe, 0xfd], &random[..], &[0], &SUITE, &[0]].concat();
    let server_flight = [message(2, 0, &server_hello), message(14, 1, &[])].concat();
    let expected = Record { kind: 22, number: [0; 8], fragment: server_flight.clone() };
    assert_eq!(answer, expected.encode(), "no extension is answered that was not offered");

    let identity = [&[0, IDENTITY.len() as u8], IDENTITY].concat();
    let exchange = message(16, 1, &identity);
    let keys = Keys::new(&Handshake {
        psk: &psk(),
        client_random: start(&hello.message()[12 + 2..]),
        server_random: random,
        extended_master_secret: false,
        messages: &[hello.message(), server_flight, exchange.clone()].concat(),
        finished: 2,
    });
    let numbered = |number: u8| [0, 0, 0, 0, 0, 0, 0, number];
    let flight = [
        Record { kind: 22, number: numbered(1), fragment: exchange }.encode(),
        Record { kind: 20, number: numbered(2), fragment: vec![1] }.encode(),
        keys.seal(Side::Client, 0, 22, &message(20, 2, &keys.client_finished)),
    ];
    let answer = take(flight.concat()).sent.remove(0).0;
    let finished = keys.seal(Side::Server, 0, 22, &message(20, 2, &keys.server_finished));
    assert!(answer.ends_with(&finished), "the server's Finished is the one of RFC 5246");
    let hello = take(keys.seal(Side::Client, 1, 23, b"hello"));
    assert_eq!(hello.received, [Hex(b"hello".to_vec())]);
    let request = json!({ "op": "dtls", "settings": settings, "steps": steps });
    Vector::accepted(name, request, json!({ "steps": happened })).steps(keys.steps)
}

/// A `ClientHello` in two fragments, the second of which comes first.
fn hello_in_fragments() -> Vector {
    let name = "ClientHello in fragments: server";
    let settings = server_settings(name, Extension::Required);
    let whole = Hello::USUAL.message();
    let (header, body) = whole.split_at(12);
    let fragment = |number: u8, from: usize, to: usize| {
        let part = [&header[..6], &[0, 0, from as u8, 0, 0, (to - from) as u8], &body[from..to]];
        let number = [0, 0, 0, 0, 0, 0, 0, number];
        let datagram = Hex(Record { kind: 22, number, fragment: part.concat() }.encode());
        let action = Action::Receive { datagram };
        Step { at: 10 * u64::from(number[7]), action }
    };
    let steps = [fragment(0, 40, body.len()), fragment(1, 0, 40), fragment(2, 40, body.len())];
    let random = secret(&format!("{name}: server random"));
    // Extended master secret, and an empty renegotiation_info for the SCSV.
    let extensions = [0, 9, 0, 23, 0, 0, 0xff, 1, 0, 1, 0];
    let server_hello = [&[0xfe, 0xfd], &random[..], &[0], &SUITE, &[0], &extensions].concat();
    let flight = [message(2, 0, &server_hello), message(14, 1, &[])].concat();
    // With the number of the record that brought the first fragment.
    let number = [0, 0, 0, 0, 0, 0, 0, 1];
    let sent = Hex(Record { kind: 22, number, fragment: flight }.encode());
    let nothing = Happened::default();
    let answered = Happened { sent: vec![sent], ..Happened::default() };
    let request = json!({ "op": "dtls", "settings": settings, "steps": steps });
    Vector::accepted(name, request, json!({ "steps": [nothing.clone(), nothing, answered] }))
}

/// The `ClientHello`s that a server answers with an alert, or not at all.
fn hellos_refused() -> Vec<Vector> {
    let refused = |name: &str, because: &str, hello: &Hello<'_>, alert: Option<u8>| {
        let settings = server_settings(name, Extension::Required);
        let datagram = Hex(hello.record());
        let steps = [Step { at: 0, action: Action::Receive { datagram } }];
        // In a record of DTLS 1.0 with the number of the ClientHello's.
        let sent = alert.map(|alert| [21, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, alert]);
        let sent = sent.map(|record| Hex(record.to_vec())).into_iter().collect();
        let happened = [Happened { sent, ..Happened::default() }];
        let request = json!({ "op": "dtls", "settings": settings, "steps": steps });
        let name = format!("ClientHello refused: {name}");
        let because = Some(because.to_owned());
        Vector { because, ..Vector::accepted(name, request, json!({ "steps": happened })) }
    };
    let [protocol_version, handshake_failure, illegal_parameter, decode_error] = [70, 40, 47, 50];
    vec![
        refused(
            "DTLS 1.0",
            "alert protocol_version",
            &Hello { version: [0xfe, 0xff], ..Hello::USUAL },
            Some(protocol_version),
        ),
        refused(
            "another suite",
            "alert handshake_failure: TLS_PSK_WITH_AES_128_CCM_8 only",
            &Hello { suites: &[[0xc0, 0xa8]], ..Hello::USUAL },
            Some(handshake_failure),
        ),
        refused(
            "no extended master secret",
            "alert handshake_failure: it is required",
            &Hello { extensions: &[], ..Hello::USUAL },
            Some(handshake_failure),
        ),
        refused(
            "no null compression",
            "alert illegal_parameter",
            &Hello { compressions: &[1], ..Hello::USUAL },
            Some(illegal_parameter),
        ),
        refused(
            "renegotiation",
            "alert handshake_failure: the renegotiation_info is not empty (RFC 5746 section 3.6)",
            &Hello { extensions: &[0, 10, 0, 23, 0, 0, 0xff, 1, 0, 2, 1, 9], ..Hello::USUAL },
            Some(handshake_failure),
        ),
        refused(
            "extension cut off",
            "alert decode_error",
            &Hello { extensions: &[0, 3, 0, 23, 0], ..Hello::USUAL },
            Some(decode_error),
        ),
        refused(
            "TLS",
            "dropped: a version number of TLS",
            &Hello { version: [3, 3], ..Hello::USUAL },
            None,
        ),
    ]
}
