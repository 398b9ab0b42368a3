//! What a party sent or received: how much of each kind of message.

use super::Kind;

/// What was sent, or received, of one kind of message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// How many messages, repetitions included.
    pub messages: u32,
    /// The length of the last one, in bytes.
    pub payload: u16,
    /// The length of the datagram that carried it, in bytes of UDP payload.
    pub datagram: u16,
}

/// What was sent, or received, of each kind of message, for whoever wants to know what the
/// protocol costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally([Sent; Kind::ALL.len()]);

impl Tally {
    /// Nothing was sent yet.
    pub(crate) const fn new() -> Self {
        Self([Sent { messages: 0, payload: 0, datagram: 0 }; Kind::ALL.len()])
    }

    /// Notes that the encoded message `payload` went in a datagram of
    /// `datagram` bytes.
    pub(crate) fn note(&mut self, payload: &[u8], datagram: usize) {
        let sent = Kind::of_encoded(payload)
            .and_then(|kind| usize::from(kind.number()).checked_sub(1))
            .and_then(|index| self.0.get_mut(index));
        if let Some(sent) = sent {
            sent.messages = sent.messages.saturating_add(1);
            sent.payload = u16::try_from(payload.len()).unwrap_or(u16::MAX);
            sent.datagram = u16::try_from(datagram).unwrap_or(u16::MAX);
        }
    }

    /// The kinds of which there was something, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, Sent)> {
        let all = Kind::ALL.iter().copied().zip(self.0);
        all.filter(|(_, sent)| sent.messages > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::super::{Body, Message, MessageId};
    use super::*;

    #[test]
    fn each_kind_is_counted_apart_with_its_last_lengths() {
        let mut tally = Tally::new();
        assert_eq!(tally.iter().next(), None);
        let mut buffer = [0; 64];
        for (id, body) in [
            (1, Body::Awake),
            (1000, Body::Awake),
            (2, Body::Acknowledgement { nothing_waiting: true }),
        ] {
            let message = Message { id: MessageId(id), subject: None, body };
            let length = message.encode(&mut buffer).unwrap();
            tally.note(&buffer[..length], length + 29);
        }
        tally.note(b"noise", 34);
        let all: Vec<_> = tally.iter().collect();
        assert_eq!(
            all,
            [
                (Kind::Acknowledgement, Sent { messages: 1, payload: 4, datagram: 33 }),
                (Kind::Awake, Sent { messages: 2, payload: 5, datagram: 34 }),
            ]
        );
    }

    #[test]
    fn the_kinds_are_numbered_without_gaps() {
        let numbers = Kind::ALL.iter().map(|kind| usize::from(kind.number()));
        assert!(numbers.eq(1..=Kind::ALL.len()));
    }
}
