//! Protected records: what is taken, and what is dropped.

use super::conversation::Conversation;
use super::primitives::secret;
use crate::hex::Hex;
use crate::subject::{Action, Happened, Side};
use crate::vectors::Vector;

pub(super) fn vectors() -> Vec<Vector> {
    [sizes(), dropped(), window(), closed_by_the_server()].concat()
}

fn connected(name: &str) -> Conversation {
    let mut conversation = Conversation::new(name, &secret(name), b"device 1");
    conversation.handshake();
    conversation
}

fn sizes() -> Vec<Vector> {
    let name = "sizes";
    let mut conversation = connected(name);
    for length in [0, 1, 15, 16, 17, 63, 64, 65, 255, 256, 1171] {
        let payload: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        conversation.send(Side::Client, &payload);
        conversation.send(Side::Server, &payload);
    }
    conversation.vectors(name)
}

/// Gives a datagram to the server, which must drop it.
fn refuse(conversation: &mut Conversation, datagram: &[u8]) {
    let happened = receive(conversation, datagram);
    assert_eq!(happened, Happened::default(), "it is dropped");
}

fn receive(conversation: &mut Conversation, datagram: &[u8]) -> Happened {
    conversation.act(Side::Server, Action::Receive { datagram: Hex(datagram.to_vec()) })
}

/// One record of the client that is still on its way.
fn sealed(conversation: &mut Conversation, payload: &[u8]) -> Vec<u8> {
    conversation.act(Side::Client, Action::Send { payload: Hex(payload.to_vec()) });
    conversation.lose().remove(0)
}

fn dropped() -> Vec<Vector> {
    let name = "damaged, repeated and misplaced";
    let mut conversation = connected(name);
    let good = sealed(&mut conversation, b"one");
    for at in 0..good.len() {
        let mut damaged = good.clone();
        damaged[at] ^= 1;
        refuse(&mut conversation, &damaged);
    }
    for length in 0..good.len() {
        refuse(&mut conversation, &good[..length]);
    }
    // An alert of epoch 0 has no say in a session (RFC 6347 section 4.1).
    refuse(&mut conversation, &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40]);
    assert_eq!(receive(&mut conversation, &good).received, [Hex(b"one".to_vec())]);
    refuse(&mut conversation, &good);
    // Two records in one datagram, the first of them a repetition.
    let next = sealed(&mut conversation, b"two");
    let both = [good, next].concat();
    assert_eq!(receive(&mut conversation, &both).received, [Hex(b"two".to_vec())]);
    conversation.vectors(name)
}

/// The replay window holds 64 records (RFC 6347 section 4.1.2.6).
fn window() -> Vec<Vector> {
    let name = "replay window";
    let mut conversation = connected(name);
    let records: Vec<_> = (0..66_u8).map(|number| sealed(&mut conversation, &[number])).collect();
    assert_eq!(receive(&mut conversation, &records[65]).received.len(), 1);
    assert_eq!(receive(&mut conversation, &records[2]).received.len(), 1);
    refuse(&mut conversation, &records[1]);
    assert_eq!(receive(&mut conversation, &records[64]).received.len(), 1);
    refuse(&mut conversation, &records[64]);
    refuse(&mut conversation, &records[65]);
    conversation.vectors(name)
}

fn closed_by_the_server() -> Vec<Vector> {
    let name = "closed by the server";
    let mut conversation = connected(name);
    let late = sealed(&mut conversation, b"late");
    conversation.act(Side::Server, Action::Close);
    conversation.deliver();
    refuse(&mut conversation, &late);
    conversation.vectors(name)
}
