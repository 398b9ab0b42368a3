//! Someone who knows the pre-shared key and sees every datagram: derives the keys,
//! verifies both `Finished`, and opens every record. It shares no code with the
//! core but the primitives.

use std::collections::BTreeMap;

use super::key_schedule::{Handshake, Keys, Record, message};
use super::primitives::start;
use crate::subject::Side;
use crate::vectors::InnerValue;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
const CLIENT_KEY_EXCHANGE: u8 = 16;
const HANDSHAKE: u8 = 22;

/// A handshake message that is put together from its fragments.
struct Partial {
    kind: u8,
    body: Vec<u8>,
    /// Which bytes have arrived.
    here: Vec<bool>,
}

/// The messages of one side, by number.
#[derive(Default)]
struct Messages(BTreeMap<u16, Partial>);

impl Messages {
    fn take(&mut self, mut content: &[u8]) {
        while !content.is_empty() {
            let number =
                |at: usize| u32::from_be_bytes([0, content[at], content[at + 1], content[at + 2]]);
            let (length, offset, part) =
                (number(1) as usize, number(6) as usize, number(9) as usize);
            let sequence = u16::from_be_bytes([content[4], content[5]]);
            let partial = self.0.entry(sequence).or_insert_with(|| Partial {
                kind: content[0],
                body: vec![0; length],
                here: vec![false; length],
            });
            partial.body[offset..offset + part].copy_from_slice(&content[12..12 + part]);
            partial.here[offset..offset + part].fill(true);
            content = &content[12 + part..];
        }
    }

    /// The messages from the number `first` on, as they count in the transcript.
    fn encoded(&self, first: u16) -> Vec<u8> {
        let whole = self.0.range(first..).map(|(sequence, partial)| {
            assert!(partial.here.iter().all(|here| *here), "every fragment was sent");
            message(partial.kind, *sequence, &partial.body)
        });
        whole.flatten().collect()
    }

    fn last(&self, kind: u8) -> (u16, &[u8]) {
        let mut found = self.0.iter().rev().filter(|(_, partial)| partial.kind == kind);
        let (sequence, partial) = found.next().expect("the message was sent");
        (*sequence, &partial.body)
    }
}

/// The way from the pre-shared key to every record's content.
pub(super) fn observe(psk: &[u8], datagrams: &[(Side, Vec<u8>)]) -> Vec<InnerValue> {
    let (mut client, mut server) = (Messages::default(), Messages::default());
    let mut protected = Vec::new();
    for (side, datagram) in datagrams {
        for record in Record::all(datagram) {
            match (record.epoch(), record.kind, side) {
                (0, HANDSHAKE, Side::Client) => client.take(&record.fragment),
                (0, HANDSHAKE, Side::Server) => server.take(&record.fragment),
                (0, ..) => {}
                _ => protected.push((*side, record)),
            }
        }
    }
    // The first ClientHello and the HelloVerifyRequest don't count (RFC 6347
    // section 4.2.1).
    server.0.retain(|_, partial| partial.kind != HELLO_VERIFY_REQUEST);
    let (hello, client_hello) = client.last(CLIENT_HELLO);
    let (exchange, _) = client.last(CLIENT_KEY_EXCHANGE);
    let (_, server_hello) = server.last(SERVER_HELLO);
    let client_messages = client.encoded(hello);
    let key_exchange = client.encoded(exchange);
    let hello = &client_messages[..client_messages.len() - key_exchange.len()];
    let keys = Keys::new(&Handshake {
        psk,
        client_random: start(&client_hello[2..]),
        server_random: start(&server_hello[2..]),
        extended_master_secret: has_extended_master_secret(server_hello),
        messages: &[hello, &server.encoded(0), &key_exchange].concat(),
        finished: exchange + 1,
    });
    let mut steps = keys.steps.clone();
    for (side, record) in protected {
        let (content, opened) = keys.open(side, &record);
        if record.kind == HANDSHAKE {
            let verify_data = match side {
                Side::Client => &keys.client_finished,
                Side::Server => &keys.server_finished,
            };
            assert!(content.ends_with(verify_data), "the Finished is the one of RFC 5246");
        }
        steps.extend(opened);
    }
    steps
}

/// Whether a `ServerHello` has the extension 23 (RFC 7627 section 5.1).
fn has_extended_master_secret(body: &[u8]) -> bool {
    // Version, random, session id, suite, compression.
    let session_id = usize::from(body[34]);
    let mut extensions = body.get(35 + session_id + 3 + 2..).unwrap_or_default();
    while let [high, low, length_high, length_low, rest @ ..] = extensions {
        if [*high, *low] == [0, 23] {
            return true;
        }
        extensions = &rest[usize::from(u16::from_be_bytes([*length_high, *length_low]))..];
    }
    false
}
