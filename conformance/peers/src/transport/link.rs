//! Datagrams in memory.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::Transport;
use crate::Side;

/// What went one way over a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many datagrams.
    pub datagrams: u64,
    /// How many bytes they had together: what would be UDP payload.
    pub bytes: u64,
}

impl Traffic {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self { datagrams: self.datagrams + other.datagrams, bytes: self.bytes + other.bytes }
    }
}

/// Two queues between a client and a server. A datagram costs two copies, and no
/// memory is taken once the queues have grown.
#[derive(Debug, Default)]
pub struct Link {
    to_server: Rc<RefCell<Queue>>,
    to_client: Rc<RefCell<Queue>>,
}

impl Link {
    /// An empty link.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The end of one side. One side may have several, one after the other: what one
    /// of them did not receive is there for the next.
    #[must_use]
    pub fn end(&self, side: Side) -> LinkEnd {
        let (to_server, to_client) = (self.to_server.clone(), self.to_client.clone());
        match side {
            Side::Client => LinkEnd { incoming: to_client, outgoing: to_server },
            Side::Server => LinkEnd { incoming: to_server, outgoing: to_client },
        }
    }

    /// What `side` has sent since the link was made or emptied.
    #[must_use]
    pub fn sent_by(&self, side: Side) -> Traffic {
        match side {
            Side::Client => self.to_server.borrow().traffic,
            Side::Server => self.to_client.borrow().traffic,
        }
    }

    /// What both sides have sent since then.
    #[must_use]
    pub fn sent(&self) -> Traffic {
        self.sent_by(Side::Client).and(self.sent_by(Side::Server))
    }

    /// Takes away what was not received.
    pub fn discard(&self) {
        self.to_server.borrow_mut().discard();
        self.to_client.borrow_mut().discard();
    }

    /// Takes away what was not received, and counts from 0 again.
    pub fn clear(&self) {
        self.discard();
        self.to_server.borrow_mut().traffic = Traffic::default();
        self.to_client.borrow_mut().traffic = Traffic::default();
    }
}

/// One side's end of a [`Link`].
#[derive(Clone, Debug)]
pub struct LinkEnd {
    incoming: Rc<RefCell<Queue>>,
    outgoing: Rc<RefCell<Queue>>,
}

impl Transport for LinkEnd {
    fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut queue = self.incoming.borrow_mut();
        let length = queue.copy(buffer)?;
        queue.advance();
        Some(length)
    }

    fn peek(&self, buffer: &mut [u8]) -> Option<usize> {
        self.incoming.borrow().copy(buffer)
    }

    fn send(&self, datagram: &[u8]) {
        self.outgoing.borrow_mut().push(datagram);
    }
}

/// Datagrams that wait, one behind the other.
#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    /// Where the first one begins.
    start: usize,
    lengths: VecDeque<usize>,
    traffic: Traffic,
}

impl Queue {
    fn push(&mut self, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.lengths.push_back(datagram.len());
        self.traffic = self.traffic.and(Traffic { datagrams: 1, bytes: datagram.len() as u64 });
    }

    /// Copies the first one; gives how much of it fitted.
    fn copy(&self, buffer: &mut [u8]) -> Option<usize> {
        let length = (*self.lengths.front()?).min(buffer.len());
        let datagram = self.bytes.get(self.start..self.start + length)?;
        buffer.get_mut(..length)?.copy_from_slice(datagram);
        Some(length)
    }

    /// Takes the first one away.
    fn advance(&mut self) {
        self.start += self.lengths.pop_front().unwrap_or_default();
        if self.lengths.is_empty() {
            self.bytes.clear();
            self.start = 0;
        }
    }

    fn discard(&mut self) {
        self.bytes.clear();
        self.lengths.clear();
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_arrive_in_order_whole_and_counted() {
        let link = Link::new();
        let (client, server) = (link.end(Side::Client), link.end(Side::Server));
        let mut buffer = [0; 8];
        assert_eq!(server.receive(&mut buffer), None);
        client.send(b"one");
        client.send(b"");
        server.send(b"back");
        client.send(b"three");
        assert_eq!(server.peek(&mut buffer), Some(3));
        assert_eq!(server.peek(&mut buffer[..2]), Some(2));
        for expected in [&b"one"[..], b"", b"three"] {
            let length = server.receive(&mut buffer);
            assert_eq!(length.and_then(|length| buffer.get(..length)), Some(expected));
        }
        assert_eq!(server.receive(&mut buffer), None);
        assert_eq!(link.sent_by(Side::Client), Traffic { datagrams: 3, bytes: 8 });
        assert_eq!(link.sent_by(Side::Server), Traffic { datagrams: 1, bytes: 4 });
        // What does not fit is lost, as with a socket.
        assert_eq!(client.receive(&mut buffer[..2]), Some(2));
        assert_eq!(client.receive(&mut buffer), None);
    }

    #[test]
    fn a_link_that_was_emptied_is_as_new() {
        let link = Link::new();
        link.end(Side::Client).send(b"lost");
        link.discard();
        assert_eq!(link.end(Side::Server).receive(&mut [0; 8]), None);
        assert_eq!(link.sent_by(Side::Client), Traffic { datagrams: 1, bytes: 4 });
        link.clear();
        assert_eq!(link.sent_by(Side::Client), Traffic::default());
    }
}
