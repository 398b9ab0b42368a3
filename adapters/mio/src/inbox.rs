//! What was read from a socket together, and waits to be handed to the role.

use crate::batch::Slot;
use iot_crypto::endpoint::LocalPort;
use std::net::SocketAddr;

/// The datagrams of one reading, which are taken out one by one.
pub(crate) struct Inbox {
    slots: Box<[Slot]>,
    /// The slots that are filled.
    filled: usize,
    /// The slot, and the byte in it, at which the next datagram begins.
    next: (usize, usize),
    port: LocalPort,
}

/// A datagram that came in.
pub(crate) struct Received<'a> {
    pub(crate) port: LocalPort,
    pub(crate) from: SocketAddr,
    pub(crate) payload: &'a mut [u8],
}

impl Inbox {
    /// An empty one for `size` datagrams, at least one, of any length.
    pub(crate) fn new(size: usize) -> Self {
        let slots = (0..size.max(1)).map(|_| Slot::new()).collect();
        Self { slots, filled: 0, next: (0, 0), port: LocalPort::Discovery }
    }

    /// The slots, to be filled; then tell [`Inbox::fill`]. What is still in them is
    /// gone.
    pub(crate) fn slots(&mut self) -> &mut [Slot] {
        self.filled = 0;
        &mut self.slots
    }

    /// The first `filled` slots have what came to `port`.
    pub(crate) fn fill(&mut self, port: LocalPort, filled: usize) {
        (self.filled, self.next, self.port) = (filled, (0, 0), port);
    }

    /// The datagrams that were read, all of them, with who sent them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.slots.iter().take(self.filled).flat_map(|slot| {
            let bytes = slot.buffer.get(..slot.length).unwrap_or_default();
            let datagrams = bytes.chunks(slot.stride.max(1));
            // A datagram without bytes is one, too.
            let empty = bytes.is_empty().then_some(bytes);
            datagrams.chain(empty).map(|payload| (slot.from, payload))
        })
    }

    /// Takes the next datagram out.
    pub(crate) fn take(&mut self) -> Option<Received<'_>> {
        let (index, start) = self.next;
        if index >= self.filled {
            return None;
        }
        let slot = self.slots.get_mut(index)?;
        let end = start.saturating_add(slot.stride.max(1)).min(slot.length);
        self.next = if end < slot.length { (index, end) } else { (index + 1, 0) };
        let payload = slot.buffer.get_mut(start..end)?;
        Some(Received { port: self.port, from: slot.from, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_taken_apart() {
        let mut inbox = Inbox::new(3);
        assert!(inbox.take().is_none());
        let from = SocketAddr::from(([127, 0, 0, 1], 9));
        for (slot, (bytes, stride)) in
            inbox.slots().iter_mut().zip([(b"aabbc".as_slice(), 2), (b"", 0), (b"defg", 4)])
        {
            slot.buffer[..bytes.len()].copy_from_slice(bytes);
            (slot.from, slot.length, slot.stride) = (from, bytes.len(), stride);
        }
        inbox.fill(LocalPort::Negotiation, 3);
        let all: Vec<_> = inbox.all().map(|(_, payload)| payload.to_vec()).collect();
        let mut taken = Vec::new();
        while let Some(received) = inbox.take() {
            assert_eq!((received.port, received.from), (LocalPort::Negotiation, from));
            taken.push(received.payload.to_vec());
        }
        assert_eq!(taken, [b"aa".as_slice(), b"bb", b"c", b"", b"defg"]);
        assert_eq!(all, taken);
        assert!(inbox.take().is_none());
    }
}
