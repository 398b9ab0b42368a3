//! Messages that are longer than a datagram.

use serde_json::{Value, json};

use super::cbor::{Item, array};
use super::negotiation::Negotiation;
use crate::hex::hex;
use crate::vectors::Vector;

fn segment(total: usize, offset: usize, part: &[u8]) -> Vec<u8> {
    array([0.into(), (total as u64).into(), (offset as u64).into(), part.into()]).encode()
}

/// `message` in segments whose parts have `length` bytes.
fn cut(message: &[u8], length: usize) -> Vec<Vec<u8>> {
    let parts = message.chunks(length).enumerate();
    parts.map(|(index, part)| segment(message.len(), index * length, part)).collect()
}

fn taken() -> Value {
    json!("taken")
}

fn dropped() -> Value {
    json!("dropped")
}

fn whole(message: &[u8]) -> Value {
    json!({ "message": hex(message) })
}

pub(super) fn vectors() -> Vec<Vector> {
    let message = &Negotiation::with_ephemeral_key().request().encode();
    let parts = cut(message, 100);
    let [first, second, third, fourth] = &parts[..] else { panic!("four parts") };
    let total = message.len();
    let vector = |name: &str, payloads: Vec<(&Vec<u8>, Value)>| {
        let (payloads, results): (Vec<_>, Vec<_>) =
            payloads.into_iter().map(|(payload, result)| (hex(payload), result)).unzip();
        let request = json!({ "op": "reassemble", "payloads": payloads });
        Vector::accepted(name, request, json!({ "results": results }))
    };
    let overlapping = segment(total, 150, &message[150..250]);
    let contradicting = segment(total, 100, &[0xee; 150]);
    let past_the_end = segment(total, 300, &[0; 100]);
    let unlimited = segment(769, 0, &[0; 100]);
    let longest = [0x81; 768];
    let longest_parts = cut(&longest, 400);
    let broken_head = array([0.into(), 303.into(), 0.into()]).encode();
    let number = Item::Array(vec![0.into(), 65_536.into(), 0.into(), vec![1].into()]).encode();
    let other_length = segment(200, 0, &message[..100]);
    vec![
        vector("whole", vec![(message, whole(message))]),
        vector(
            "in order",
            vec![(first, taken()), (second, taken()), (third, taken()), (fourth, whole(message))],
        ),
        vector(
            "in another order, one twice",
            vec![
                (fourth, taken()),
                (second, taken()),
                (second, taken()),
                (first, taken()),
                (third, whole(message)),
            ],
        ),
        vector(
            "overlapping",
            vec![
                (first, taken()),
                (second, taken()),
                (&overlapping, taken()),
                (third, taken()),
                (fourth, whole(message)),
            ],
        ),
        vector(
            "what arrived first counts",
            vec![
                (first, taken()),
                (third, taken()),
                (second, taken()),
                (&contradicting, taken()),
                (fourth, whole(message)),
            ],
        ),
        vector(
            "the message comes again",
            vec![
                (first, taken()),
                (second, taken()),
                (third, taken()),
                (fourth, whole(message)),
                (first, taken()),
                (second, taken()),
                (third, taken()),
                (fourth, whole(message)),
            ],
        ),
        vector(
            "another total begins another message",
            vec![
                (first, taken()),
                (&other_length, taken()),
                (second, taken()),
                (third, taken()),
                (fourth, taken()),
                (first, whole(message)),
            ],
        ),
        vector(
            "past the end",
            vec![
                (first, taken()),
                (second, taken()),
                (&past_the_end, dropped()),
                (third, taken()),
                (fourth, whole(message)),
            ],
        ),
        vector("longest", vec![(&longest_parts[0], taken()), (&longest_parts[1], whole(&longest))]),
        vector("too long", vec![(&unlimited, dropped())]),
        vector("malformed", vec![(&broken_head, dropped()), (&number, dropped())]),
    ]
}
