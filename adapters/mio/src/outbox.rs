//! What was taken from the role, and waits to be sent.

use crate::batch::LARGEST_DATAGRAM;
use iot_crypto::endpoint::LocalPort;
use std::net::SocketAddr;

/// A datagram and where it goes.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing<'a> {
    pub(crate) to: SocketAddr,
    pub(crate) payload: &'a [u8],
}

/// Datagrams in the order in which they are to be sent.
pub(crate) struct Outbox {
    bytes: Box<[u8]>,
    /// Those that are not sent yet begin with number `next`.
    list: Vec<Entry>,
    next: usize,
    size: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    port: LocalPort,
    to: SocketAddr,
    start: usize,
    end: usize,
}

impl Outbox {
    /// An empty one for `size` datagrams, at least one.
    pub(crate) fn new(size: usize) -> Self {
        let bytes = vec![0; 2 * LARGEST_DATAGRAM].into_boxed_slice();
        let size = size.max(1);
        Self { bytes, list: Vec::with_capacity(size), next: 0, size }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.next == self.list.len()
    }

    /// Whether what is in it has to be sent before anything else is put in.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= self.size || self.end() > LARGEST_DATAGRAM
    }

    fn end(&self) -> usize {
        self.list.last().map_or(0, |last| last.end)
    }

    /// The room for the next datagram; for any, unless it is full.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let end = self.end();
        self.bytes.get_mut(end..).unwrap_or_default()
    }

    /// The first `length` bytes of [`Outbox::room`].
    pub(crate) fn written(&self, length: usize) -> &[u8] {
        let room = self.bytes.get(self.end()..).unwrap_or_default();
        // A role never claims more than the room holds; if it did, all of it would
        // be too long to be sent.
        room.get(..length).unwrap_or(room)
    }

    /// Keeps what was written there, to be sent from `port` to `to`.
    pub(crate) fn push(&mut self, port: LocalPort, to: SocketAddr, length: usize) {
        let start = self.end();
        let end = start.saturating_add(self.written(length).len());
        self.list.push(Entry { port, to, start, end });
    }

    /// The datagrams that leave next, all from one socket, and its port.
    pub(crate) fn next(&self) -> Option<(LocalPort, Vec<Outgoing<'_>>)> {
        let waiting = self.list.get(self.next..).unwrap_or_default();
        let first = waiting.first()?;
        let same =
            |entry: &&Entry| entry.port == first.port && entry.to.is_ipv4() == first.to.is_ipv4();
        let datagrams = waiting.iter().take_while(same).map(|entry| Outgoing {
            to: entry.to,
            payload: self.bytes.get(entry.start..entry.end).unwrap_or_default(),
        });
        Some((first.port, datagrams.collect()))
    }

    /// The first `count` are done with.
    pub(crate) fn advance(&mut self, count: usize) {
        self.next = self.next.saturating_add(count).min(self.list.len());
        if self.is_empty() {
            self.list.clear();
            self.next = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(outbox: &mut Outbox, port: LocalPort, to: SocketAddr, payload: &[u8]) {
        outbox.room()[..payload.len()].copy_from_slice(payload);
        outbox.push(port, to, payload.len());
    }

    #[test]
    fn what_leaves_together_is_of_one_socket_and_in_order() {
        let [v4, v6] = ["127.0.0.1:9", "[::1]:9"].map(|to| to.parse().unwrap());
        let mut outbox = Outbox::new(5);
        put(&mut outbox, LocalPort::Negotiation, v4, b"one");
        put(&mut outbox, LocalPort::Negotiation, v4, b"");
        put(&mut outbox, LocalPort::Negotiation, v6, b"three");
        put(&mut outbox, LocalPort::Transmission, v6, b"four");
        assert!(!outbox.is_full());
        put(&mut outbox, LocalPort::Transmission, v6, b"five");
        assert!(outbox.is_full());
        let mut left = Vec::new();
        while let Some((port, datagrams)) = outbox.next() {
            let payloads: Vec<_> = datagrams
                .iter()
                .map(|one| String::from_utf8_lossy(one.payload).into_owned())
                .collect();
            left.push((port, datagrams[0].to, payloads.join("+")));
            // One at a time is as good.
            outbox.advance(1);
        }
        assert_eq!(
            left.iter().map(|(_, _, payloads)| payloads.as_str()).collect::<Vec<_>>(),
            ["one+", "", "three", "four+five", "five"]
        );
        assert_eq!(
            (left[0].0, left[2].1, left[3].0),
            (LocalPort::Negotiation, v6, LocalPort::Transmission)
        );
        assert!(outbox.is_empty() && !outbox.is_full());
    }

    #[test]
    fn there_is_room_for_any_datagram_until_it_is_full() {
        let to = SocketAddr::from(([127, 0, 0, 1], 9));
        let mut outbox = Outbox::new(1000);
        let mut total = 0;
        while !outbox.is_full() {
            assert!(outbox.room().len() >= LARGEST_DATAGRAM);
            outbox.push(LocalPort::Negotiation, to, 1200);
            total += 1200;
        }
        assert!(total > LARGEST_DATAGRAM);
        let (_, datagrams) = outbox.next().unwrap();
        assert_eq!(datagrams.iter().map(|one| one.payload.len()).sum::<usize>(), total);
        outbox.advance(datagrams.len());
        assert!(outbox.is_empty() && !outbox.is_full());
    }
}
