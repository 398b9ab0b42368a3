//! The messages of a negotiation that one side refuses or drops.

use serde_json::json;

use super::{Negotiation, signed_response, transcript};
use crate::vectors::Vector;
use crate::vectors::generator::cast::{DEVICE, GATEWAY, company, day, encoded, endorsed};
use crate::vectors::generator::cbor::Item;
use crate::vectors::generator::primitives::{sha256, sign, start};

pub(super) fn vectors(negotiation: &Negotiation) -> Vec<Vector> {
    [requests_refused(negotiation), responses_dropped(negotiation), refusals_taken(negotiation)]
        .concat()
}

fn refusal(code: u64, request: &[u8]) -> Item {
    let refers_to: [u8; 8] = start(&sha256(request));
    Item::Array(vec![3.into(), 1.into(), code.into(), refers_to.into()])
}

/// The requests that the gateway refuses, each with the code that says why.
fn requests_refused(negotiation: &Negotiation) -> Vec<Vector> {
    let good = negotiation.request();
    let refused = |name: &str, because: &str, request: Vec<u8>, time: u64, code: u64| {
        Vector::refused(
            format!("M1 refused: {name}"),
            because,
            negotiation.ask_gateway(&request, time),
            "refusal",
        )
        .and("bytes", encoded(&refusal(code, &request)))
    };
    let now = day(20);
    let showing = |credential: Item| good.with(6, credential).encode();
    let device = &negotiation.device;
    let unsigned = Item::Array(vec![
        device.certificate().with(6, [1; 64]),
        Item::Array(vec![company().endorse(
            sha256(&device.certificate().with(6, [1; 64]).encode()),
            [day(0), day(100)],
            DEVICE,
            0,
        )]),
    ]);
    let word = |created: u64, expires: u64, roles: u64| {
        let dates = [day(created), day(expires)];
        showing(device.credential(&[company().endorse(device.fingerprint(), dates, roles, 0)]))
    };
    vec![
        refused("not yet valid", "the certificate begins later", good.encode(), day(0) - 1, 1),
        refused("expired", "the certificate has expired", good.encode(), day(100), 2),
        refused("self-signature", "it is not valid", showing(unsigned), now, 3),
        refused(
            "nobody's word",
            "there is no endorsement",
            showing(device.credential(&[])),
            now,
            4,
        ),
        refused("later word", "the endorsement begins later", word(21, 100, DEVICE), now, 7),
        refused("earlier word", "the endorsement has expired", word(0, 20, DEVICE), now, 8),
        refused("a gateway's word", "it grants another role", word(0, 100, GATEWAY), now, 9),
        refused("malformed", "the last byte is missing", cut(&good.encode()), now, 32),
        refused("nothing", "the message is empty", vec![], now, 32),
        refused(
            "ephemeral key zero",
            "the X25519 result is zero",
            good.with(5, [0; 32]).encode(),
            now,
            32,
        ),
        refused(
            "ephemeral key of order 8",
            "the X25519 result is zero (RFC 7748 section 6.1)",
            good.with(5, OF_ORDER_8).encode(),
            now,
            32,
        ),
        refused("version 2", "the version is not known", good.with(1, 2).encode(), now, 33),
        refused("no clock", "the responder does not know the time", good.encode(), 0, 34),
        refused(
            "a gateway",
            "the role is not the one served",
            good.with(2, GATEWAY).encode(),
            now,
            36,
        ),
        refused(
            "two roles",
            "the role is not one of the three",
            good.with(2, DEVICE | GATEWAY).encode(),
            now,
            32,
        ),
    ]
}

/// A point of order 8 on Curve25519, from RFC 7748's discussion of small orders.
const OF_ORDER_8: [u8; 32] = [
    0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a,
    0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
];

fn cut(bytes: &[u8]) -> Vec<u8> {
    bytes[..bytes.len() - 1].to_vec()
}

/// The answers that the device drops.
fn responses_dropped(negotiation: &Negotiation) -> Vec<Vector> {
    let good = negotiation.response();
    let dropped = |name: &str, because: &str, answer: Vec<u8>, reason: &str| {
        let request = negotiation.ask_device(&answer, json!({ "known": day(20) }));
        Vector::refused(format!("M2 dropped: {name}"), because, request, reason)
    };
    let request = negotiation.request();
    let content = negotiation.unsigned(day(20));
    let signed =
        |content: Vec<Item>| signed_response(&request, content, &negotiation.gateway).encode();
    let with =
        |index: usize, item: Item| Item::Array(content.clone()).with(index, item).items().to_vec();
    let other = Negotiation::with_nonce();
    let unlabelled = {
        let hash = transcript(&request.encode(), &Item::Array(content.clone()).encode());
        good.with(7, sign(&negotiation.gateway.signing_secret, &hash)).encode()
    };
    let stranger = negotiation.gateway.credential(&[]);
    let as_device = negotiation.gateway.credential(&[endorsed(&negotiation.gateway, DEVICE)]);
    vec![
        dropped("cut off", "the last byte is missing", cut(&good.encode()), "malformed"),
        dropped("version 2", "the version is not known", good.with(1, 2).encode(), "malformed"),
        dropped("M1", "it is a request", request.encode(), "malformed"),
        dropped("answer to another", "it signs another M1", other.response().encode(), "signature"),
        dropped("changed port", "another port was signed", good.with(4, 1).encode(), "signature"),
        dropped("changed time", "another time was signed", good.with(3, 1).encode(), "signature"),
        dropped("no label", "the signature lacks its label", unlabelled, "signature"),
        dropped(
            "signed by another",
            "the device's key made the signature",
            signed_response(&request, content.clone(), &negotiation.device).encode(),
            "signature",
        ),
        dropped(
            "ephemeral key zero",
            "the X25519 result is zero",
            signed(with(5, [0; 32].into())),
            "ephemeral key",
        ),
        dropped("nobody's word", "it is not endorsed", signed(with(6, stranger)), "not trusted")
            .and("code", 4),
        dropped(
            "a device's word",
            "it is endorsed as a device",
            signed(with(6, as_device)),
            "not trusted",
        )
        .and("code", 9),
    ]
}

/// The refusals that the device takes, and those that it drops.
fn refusals_taken(negotiation: &Negotiation) -> Vec<Vector> {
    let request = negotiation.request().encode();
    let ask = |answer: &Item| negotiation.ask_device(&answer.encode(), json!({ "known": day(20) }));
    let taken = |name: &str, because: &str, code: u64| {
        let request = ask(&refusal(code, &request));
        Vector::refused(format!("refusal: {name}"), because, request, "refused by the responder")
            .and("code", code)
    };
    let other = Negotiation::with_nonce().request().encode();
    vec![
        taken("no endorsement", "the responder does not trust the device", 4),
        taken("no room", "the responder is busy", 35),
        taken("unknown code", "an unknown code is a refusal all the same", 77),
        Vector::refused(
            "refusal of another request",
            "it refers to another M1",
            ask(&refusal(4, &other)),
            "refers to another request",
        ),
        Vector::refused(
            "refusal: malformed",
            "it refers to seven bytes",
            ask(&refusal(4, &request).with(3, [0; 7])),
            "malformed",
        ),
    ]
}
