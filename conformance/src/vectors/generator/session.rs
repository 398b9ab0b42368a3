//! From the network key to the last message.

use iot_crypto::connection::transfer::Segments;

use super::advertisement::{network, usual};
use super::cast::device;
use super::conversation::{Conversation, settings};
use super::key_schedule::word;
use super::message::samples;
use super::negotiation::Negotiation;
use super::network_key::{id, psk};
use crate::subject::{Action, Settings, Side};
use crate::vectors::{InnerValue, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    let variants = [
        ("with an ephemeral key", Negotiation::with_ephemeral_key()),
        ("with a random number", Negotiation::with_nonce()),
    ];
    let negotiations = variants.iter().flat_map(|(name, negotiation)| {
        [
            negotiated(&format!("negotiation {name}"), negotiation, 1200),
            negotiated(&format!("negotiation {name}, in segments"), negotiation, 200),
        ]
        .concat()
    });
    let [(_, first), (_, second)] = &variants;
    negotiations
        .chain(messages("session of device and gateway", first, &of_device()))
        .chain(messages("session of gateway and cloud", second, &of_gateway()))
        .collect()
}

/// A negotiation in a DTLS session under the network key, announced by an
/// advertisement.
fn negotiated(name: &str, negotiation: &Negotiation, datagram_limit: usize) -> Vec<Vector> {
    let key = network();
    let sides = [Side::Client, Side::Server].map(|side| Settings {
        datagram_limit,
        cookies: true,
        ..settings(name, side, &psk(&key), &id(&key))
    });
    let mut conversation = Conversation::of(sides);
    conversation.handshake();
    let (request, response) = (negotiation.request().encode(), negotiation.response().encode());
    for (side, message) in [(Side::Client, &request), (Side::Server, &response)] {
        let payloads = Segments::new(message, datagram_limit - 29).expect("short enough");
        let mut buffer = [0; 1200];
        for index in 0..payloads.count() {
            let length = payloads.write(index, &mut buffer).expect("room").expect("a payload");
            conversation.send(side, &buffer[..length]);
        }
    }
    conversation.act(Side::Client, Action::Close);
    conversation.deliver();
    let outcome = negotiation.outcome();
    let around = [
        InnerValue::new("advertisement", &usual().sealed(&key).encode()),
        InnerValue::new("M1", &request),
        InnerValue::new("M2", &response),
        InnerValue::new("session key", &outcome.key),
        InnerValue::new("session key id", &outcome.id),
    ];
    with_steps(conversation.vectors(name), &around)
}

/// The message `samples(id)[index]` from `side`.
struct Said {
    side: Side,
    index: usize,
    id: u64,
    about_a_device: bool,
}

const DEVICE: Side = Side::Client;
const GATEWAY: Side = Side::Server;

fn said(side: Side, index: usize, id: u64) -> Said {
    Said { side, index, id, about_a_device: false }
}

/// Every kind that passes between a device and its gateway. Each side counts its
/// own requests.
fn of_device() -> Vec<Said> {
    vec![
        // The device wakes; the gateway asks, commands, and lets it sleep.
        said(DEVICE, 9, 1),
        said(GATEWAY, 0, 1),
        said(DEVICE, 1, 1),
        said(GATEWAY, 3, 2),
        said(DEVICE, 8, 2),
        said(DEVICE, 5, 2),
        said(GATEWAY, 8, 1),
        // It raises an alert, which there is no room for at first.
        said(DEVICE, 6, 2),
        said(GATEWAY, 7, 2),
        said(DEVICE, 6, 2),
        said(GATEWAY, 8, 2),
        // The gateway hands out a key and a revocation, commands, and asks for a
        // new session.
        said(GATEWAY, 10, 3),
        said(DEVICE, 8, 3),
        said(GATEWAY, 11, 4),
        said(DEVICE, 8, 4),
        said(GATEWAY, 2, 5),
        said(DEVICE, 4, 5),
        said(GATEWAY, 14, 6),
        said(DEVICE, 8, 6),
    ]
}

/// What passes between a gateway and its cloud, about a device.
fn of_gateway() -> Vec<Said> {
    let order = [
        (Side::Client, 12, 1),
        (Side::Server, 8, 1),
        (Side::Client, 13, 2),
        (Side::Server, 8, 2),
        (Side::Client, 6, 3),
        (Side::Server, 8, 3),
        (Side::Server, 0, 1),
        (Side::Client, 1, 1),
        (Side::Server, 3, 2),
        (Side::Client, 8, 2),
        (Side::Client, 4, 2),
    ];
    order.map(|(side, index, id)| Said { side, index, id, about_a_device: true }).into()
}

/// A session under a negotiated key, in which `all` is said. Whose key it is makes
/// no difference to DTLS.
fn messages(name: &str, negotiation: &Negotiation, all: &[Said]) -> Vec<Vector> {
    let outcome = negotiation.outcome();
    let mut conversation = Conversation::new(name, &outcome.key, &outcome.id);
    conversation.handshake();
    let mut steps = Vec::new();
    for Said { side, index, id, about_a_device } in all {
        let mut sample = samples(*id).swap_remove(*index);
        if *about_a_device {
            sample = sample.about(device().id());
        }
        let bytes = sample.item.encode();
        let who = word(*side);
        steps.push(InnerValue::new(format!("{who} says: {}, id {id}", sample.name), &bytes));
        conversation.send(*side, &bytes);
    }
    conversation.act(Side::Client, Action::Close);
    conversation.deliver();
    with_steps(conversation.vectors(name), &steps)
}

fn with_steps(vectors: Vec<Vector>, around: &[InnerValue]) -> Vec<Vector> {
    let all = |vector: &Vector| [around, &vector.steps].concat();
    vectors.into_iter().map(|vector| Vector { steps: all(&vector), ..vector }).collect()
}
