//! The handshake messages of one flight of the peer, put together from their
//! fragments and given out in order.

use super::message::{Fragment, MessageHeader};
use crate::dtls::DropReason;
use crate::wire::{FragmentError, Reassembly};

/// Up to `MESSAGES` messages of at most `SIZE` bytes, beginning with the one
/// that is expected next.
///
/// Messages from further ahead are dropped; the peer repeats its flight.
pub(crate) struct Inbox<const SIZE: usize, const MESSAGES: usize> {
    next: u16,
    slots: [Option<Slot<SIZE>>; MESSAGES],
}

struct Slot<const SIZE: usize> {
    header: MessageHeader,
    body: Reassembly<SIZE>,
}

impl<const SIZE: usize> Slot<SIZE> {
    /// The message that the fragment belongs to.
    fn with(fragment: &Fragment<'_>) -> Result<Self, DropReason> {
        let header = fragment.header;
        let body = Reassembly::new(header.length as usize).map_err(drop_reason)?;
        let mut slot = Self { header, body };
        slot.insert(fragment)?;
        Ok(slot)
    }

    fn insert(&mut self, fragment: &Fragment<'_>) -> Result<(), DropReason> {
        let length = fragment.header.length as usize;
        self.body.insert(length, fragment.offset, fragment.body).map_err(drop_reason)
    }
}

impl<const SIZE: usize, const MESSAGES: usize> Inbox<SIZE, MESSAGES> {
    /// An empty inbox whose first message has the number `next`.
    pub(crate) fn new(next: u16) -> Self {
        Self { next, slots: [const { None }; MESSAGES] }
    }

    /// The number of the message that is expected next.
    pub(crate) fn next(&self) -> u16 {
        self.next
    }

    /// Takes a fragment. One that is dropped changes nothing.
    pub(crate) fn insert(&mut self, fragment: &Fragment<'_>) -> Result<(), DropReason> {
        let header = fragment.header;
        let ahead = header.sequence.checked_sub(self.next).ok_or(DropReason::Repeated)?;
        match self.slots.get_mut(usize::from(ahead)).ok_or(DropReason::Early)? {
            Some(slot) if slot.header != header => Err(DropReason::Malformed),
            Some(slot) => slot.insert(fragment),
            place => {
                *place = Some(Slot::with(fragment)?);
                Ok(())
            }
        }
    }

    /// Begins anew, with the message that has the number `next`.
    pub(crate) fn begin(&mut self, next: u16) {
        self.next = next;
        self.slots.fill_with(|| None);
    }

    /// Begins anew, with the message that the fragment belongs to. One that is dropped
    /// changes nothing.
    pub(crate) fn begin_with(&mut self, fragment: &Fragment<'_>) -> Result<(), DropReason> {
        let slot = Slot::with(fragment)?;
        self.begin(fragment.header.sequence);
        if let Some(place) = self.slots.first_mut() {
            *place = Some(slot);
        }
        Ok(())
    }

    /// The message that is next in order, if it is complete.
    pub(crate) fn front(&self) -> Option<(MessageHeader, &[u8])> {
        let slot = self.slots.first()?.as_ref()?;
        Some((slot.header, slot.body.complete()?))
    }

    /// Removes the message that is next in order.
    pub(crate) fn pop(&mut self) {
        if let Some(first) = self.slots.first_mut() {
            *first = None;
        }
        self.slots.rotate_left(MESSAGES.min(1));
        self.next = self.next.saturating_add(1);
    }
}

fn drop_reason(error: FragmentError) -> DropReason {
    match error {
        FragmentError::MessageTooLong | FragmentError::TooManyGaps => DropReason::TooLong,
        FragmentError::Inconsistent => DropReason::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::v12::message::HandshakeType;

    fn fragment(sequence: u16, length: u32, offset: usize, body: &[u8]) -> Fragment<'_> {
        let header = MessageHeader { kind: HandshakeType::SERVER_HELLO, sequence, length };
        Fragment { header, offset, body }
    }

    #[test]
    fn messages_that_come_out_of_order_are_given_out_in_order() {
        let mut inbox = Inbox::<16, 2>::new(4);
        inbox.insert(&fragment(5, 1, 0, b"z")).unwrap();
        assert_eq!(inbox.front(), None);
        inbox.insert(&fragment(4, 6, 3, b"def")).unwrap();
        assert_eq!(inbox.front(), None);
        inbox.insert(&fragment(4, 6, 0, b"abcd")).unwrap();
        assert_eq!(inbox.front().unwrap().1, b"abcdef");
        inbox.pop();
        assert_eq!(inbox.front().unwrap().1, b"z");
        inbox.pop();
        assert_eq!((inbox.front(), inbox.next()), (None, 6));
    }

    #[test]
    fn what_has_no_place_is_dropped() {
        let mut inbox = Inbox::<16, 2>::new(4);
        inbox.insert(&fragment(4, 6, 0, b"abc")).unwrap();
        assert_eq!(inbox.insert(&fragment(3, 1, 0, b"x")), Err(DropReason::Repeated));
        assert_eq!(inbox.insert(&fragment(6, 1, 0, b"x")), Err(DropReason::Early));
        assert_eq!(inbox.insert(&fragment(5, 17, 0, b"x")), Err(DropReason::TooLong));
        assert_eq!(inbox.insert(&fragment(4, 7, 3, b"def")), Err(DropReason::Malformed));
        inbox.insert(&fragment(4, 6, 3, b"def")).unwrap();
        assert_eq!(inbox.front().unwrap().1, b"abcdef");
    }
}
