//! The way out: to one address or to everyone, and what becomes of a datagram
//! that the system does not take.

use crate::announce::{self, Target};
use crate::config::Announce;
use crate::error::purpose;
use crate::sockets::{Refusal, Sockets};
use crate::traffic::Drops;
use iot_crypto::endpoint::{Destination, LocalPort, Transmit};
use iot_crypto::time::Instant;
use mio::Registry;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long a datagram waits for room in the socket's send buffer.
const HOLD: Duration = Duration::from_millis(100);

/// Sends datagrams. When a socket's send buffer is full, the datagram is held,
/// and no other is taken from the role, until there is room; after [`HOLD`] it
/// is dropped, so that one congested interface delays timers and other peers no
/// longer than that. Copies for everyone are not held: the next announcement
/// repeats them.
pub(crate) struct Sender {
    announce: Announce,
    discovery_port: u16,
    held: Option<Held>,
    drops: Drops,
}

struct Held {
    port: LocalPort,
    to: SocketAddr,
    payload: Vec<u8>,
    until: Instant,
}

/// What became of a held datagram.
enum Retried {
    /// There is still no room.
    Held(Held),
    /// It was sent, or dropped.
    Done(Result<(), Refusal>),
}

impl Held {
    fn retry(self, now: Instant, send: impl FnOnce(&[u8]) -> Result<(), Refusal>) -> Retried {
        match send(&self.payload) {
            Err(Refusal::Blocked) if now < self.until => Retried::Held(self),
            result => Retried::Done(result),
        }
    }
}

impl Sender {
    pub(crate) fn new(announce: Announce, discovery_port: u16) -> Self {
        Self { announce, discovery_port, held: None, drops: Drops::default() }
    }

    pub(crate) fn drops(&self) -> Drops {
        self.drops
    }

    /// Until when a held datagram keeps others from being sent, if one does.
    pub(crate) fn held_until(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.until)
    }

    /// Sends what the role gave; `payload` is the whole datagram.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        sockets: &mut Sockets,
        registry: &Registry,
        transmit: &Transmit<SocketAddr>,
        payload: &[u8],
    ) {
        let port = transmit.from;
        match transmit.to {
            Destination::Address(to) => match sockets.send(now, port, to, payload) {
                Err(Refusal::Blocked) => {
                    let payload = payload.to_vec();
                    self.hold(sockets, registry, Held { port, to, payload, until: now + HOLD });
                }
                result => self.count(port, to, result),
            },
            Destination::Everyone => self.send_to_everyone(now, sockets, port, payload),
        }
    }

    /// Tries again to send a datagram that is held.
    pub(crate) fn retry(&mut self, now: Instant, sockets: &mut Sockets, registry: &Registry) {
        let Some(held) = self.held.take() else { return };
        let Held { port, to, .. } = held;
        match held.retry(now, |payload| sockets.send(now, port, to, payload)) {
            Retried::Held(held) => self.held = Some(held),
            Retried::Done(result) => {
                self.count(port, to, result);
                if let Err(error) = sockets.watch_for_room(registry, port, to, false) {
                    tracing::debug!(port = purpose(port), %error, "event queue not changed");
                }
            }
        }
    }

    fn hold(&mut self, sockets: &mut Sockets, registry: &Registry, held: Held) {
        match sockets.watch_for_room(registry, held.port, held.to, true) {
            Ok(()) => self.held = Some(held),
            Err(error) => self.count(held.port, held.to, Err(Refusal::System(error))),
        }
    }

    fn send_to_everyone(
        &mut self,
        now: Instant,
        sockets: &mut Sockets,
        port: LocalPort,
        payload: &[u8],
    ) {
        let local: Vec<IpAddr> =
            sockets.local_addresses(port).map(|address| address.ip()).collect();
        let interfaces = announce::interfaces();
        for target in announce::targets(&self.announce, self.discovery_port, &interfaces, &local) {
            let (to, result) = match target {
                Target::Address(to) => (to, sockets.send(now, port, to, payload)),
                Target::Group { group, interface } => {
                    let aimed = sockets.aim_multicast(port, group, interface);
                    (group, aimed.and_then(|()| sockets.send(now, port, group, payload)))
                }
            };
            self.count(port, to, result);
        }
    }

    fn count(&mut self, port: LocalPort, to: SocketAddr, result: Result<(), Refusal>) {
        let Err(refusal) = result else { return };
        tracing::debug!(port = purpose(port), %to, "datagram not sent: {refusal}");
        let counter = match refusal {
            Refusal::TooLong => &mut self.drops.too_long,
            Refusal::NoSocket => &mut self.drops.no_socket,
            Refusal::Blocked => &mut self.drops.blocked,
            Refusal::System(_) => &mut self.drops.refused,
        };
        *counter = counter.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Binding;

    fn held(to: SocketAddr) -> Held {
        let until = Instant::ZERO + HOLD;
        Held { port: LocalPort::FirstClient, to, payload: vec![1, 2, 3], until }
    }

    #[test]
    fn a_held_datagram_waits_for_room_and_is_dropped_when_none_comes() {
        let to = SocketAddr::from(([127, 0, 0, 1], 9));
        let blocked = |_: &[u8]| Err(Refusal::Blocked);
        let Retried::Held(still) = held(to).retry(Instant::from_millis(99), blocked) else {
            panic!("given up too early");
        };
        let late = still.retry(Instant::from_millis(100), blocked);
        assert!(matches!(late, Retried::Done(Err(Refusal::Blocked))));
        let room = held(to).retry(Instant::ZERO, |payload| {
            assert_eq!(payload, [1, 2, 3]);
            Ok(())
        });
        assert!(matches!(room, Retried::Done(Ok(()))));
    }

    #[test]
    fn a_held_datagram_leaves_when_the_event_queue_tells_of_room() {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let binding = Binding { port: LocalPort::FirstClient, address: local };
        let mut sockets = Sockets::open(&[binding], 1280).ok().unwrap();
        let mut poll = mio::Poll::new().unwrap();
        sockets.register(poll.registry()).unwrap();
        let mut sender = Sender::new(Announce::default(), 1);
        let to = sockets.local_addresses(LocalPort::FirstClient).next().unwrap();

        let mut events = mio::Events::with_capacity(4);
        let at_once = Some(Duration::ZERO);
        poll.poll(&mut events, at_once).unwrap();
        assert!(events.is_empty(), "room to send wakes nobody who does not wait for it");
        sender.hold(&mut sockets, poll.registry(), held(to));
        poll.poll(&mut events, at_once).unwrap();
        assert!(events.iter().any(mio::event::Event::is_writable));

        sender.retry(Instant::ZERO, &mut sockets, poll.registry());
        assert_eq!(sender.held_until(), None);
        assert_eq!(sockets.traffic(LocalPort::FirstClient).bytes_out, 3);
        assert_eq!(sender.drops(), Drops::default());
    }
}
