//! The way out: to one address or to everyone, and what becomes of a datagram
//! that the system does not take.

use crate::announce::{self, Target};
use crate::config::Announce;
use crate::error::purpose;
use crate::outbox::{Outbox, Outgoing};
use crate::sockets::{Refusal, Sockets};
use crate::traffic::Drops;
use iot_crypto::endpoint::{Destination, LocalPort, Transmit};
use iot_crypto::time::Instant;
use mio::Registry;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long a datagram waits for room in the socket's send buffer.
const HOLD: Duration = Duration::from_millis(100);

/// Sends datagrams, as many together as there are. When a socket's send buffer is
/// full, they are held, and no other is taken from the role, until there is room; after
/// [`HOLD`] the first one is dropped, with all behind it that wait for the same socket,
/// so that one congested interface delays timers and other peers no longer than that.
/// Copies for everyone are not held: the next announcement repeats them.
pub(crate) struct Sender {
    announce: Announce,
    discovery_port: u16,
    outbox: Outbox,
    held: Option<Held>,
    drops: Drops,
}

/// What the first datagram of the outbox waits for.
#[derive(Clone, Copy)]
struct Held {
    port: LocalPort,
    to: SocketAddr,
    until: Instant,
}

impl Sender {
    /// One that sends up to `batch` datagrams together.
    pub(crate) fn new(announce: Announce, discovery_port: u16, batch: usize) -> Self {
        let outbox = Outbox::new(batch);
        Self { announce, discovery_port, outbox, held: None, drops: Drops::default() }
    }

    pub(crate) fn drops(&self) -> Drops {
        self.drops
    }

    /// Until when held datagrams keep others from being sent, if they do.
    pub(crate) fn held_until(&self) -> Option<Instant> {
        self.held.map(|held| held.until)
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.outbox.is_empty()
    }

    /// Room for the next datagram, of any length; what waits is sent for it, if need
    /// be. `None` while datagrams are held.
    pub(crate) fn room(
        &mut self,
        now: Instant,
        sockets: &mut Sockets,
        registry: &Registry,
    ) -> Option<&mut [u8]> {
        if self.outbox.is_full() {
            self.flush(now, sockets, registry);
        }
        self.held.is_none().then(|| self.outbox.room())
    }

    /// Takes what the role wrote there: it leaves with the next [`Sender::flush`].
    pub(crate) fn take(
        &mut self,
        now: Instant,
        sockets: &mut Sockets,
        transmit: &Transmit<SocketAddr>,
    ) {
        match transmit.to {
            Destination::Address(to) => self.outbox.push(transmit.from, to, transmit.length),
            Destination::Everyone => self.send_to_everyone(now, sockets, transmit),
        }
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self, now: Instant, sockets: &mut Sockets, registry: &Registry) {
        while let Some((port, datagrams)) = self.outbox.next() {
            let Some(&Outgoing { to, .. }) = datagrams.first() else { return };
            let (done, refusal) = match sockets.send(now, port, &datagrams) {
                Ok(sent) => (sent, None),
                Err(Refusal::Blocked) => match self.held {
                    Some(held) if now < held.until => return,
                    Some(_) => (datagrams.len(), Some(Refusal::Blocked)),
                    None => match sockets.watch_for_room(registry, port, to, true) {
                        Ok(()) => {
                            self.held = Some(Held { port, to, until: now + HOLD });
                            return;
                        }
                        Err(error) => (1, Some(Refusal::System(error))),
                    },
                },
                Err(refusal) => (1, Some(refusal)),
            };
            drop(datagrams);
            self.outbox.advance(done);
            self.release(sockets, registry);
            if let Some(refusal) = refusal {
                self.count(port, to, &refusal, done);
            }
        }
    }

    /// The datagram that was held is gone.
    fn release(&mut self, sockets: &mut Sockets, registry: &Registry) {
        let Some(Held { port, to, .. }) = self.held.take() else { return };
        if let Err(error) = sockets.watch_for_room(registry, port, to, false) {
            tracing::debug!(port = purpose(port), %error, "event queue not changed");
        }
    }

    fn send_to_everyone(
        &mut self,
        now: Instant,
        sockets: &mut Sockets,
        transmit: &Transmit<SocketAddr>,
    ) {
        let (port, payload) = (transmit.from, self.outbox.written(transmit.length));
        let local: Vec<IpAddr> =
            sockets.local_addresses(port).map(|address| address.ip()).collect();
        let interfaces = announce::interfaces();
        let mut refusals = Vec::new();
        for target in announce::targets(&self.announce, self.discovery_port, &interfaces, &local) {
            let (to, aimed) = match target {
                Target::Address(to) => (to, Ok(())),
                Target::Group { group, interface } => {
                    (group, sockets.aim_multicast(port, group, interface))
                }
            };
            let sent = aimed.and_then(|()| sockets.send(now, port, &[Outgoing { to, payload }]));
            refusals.extend(sent.err().map(|refusal| (to, refusal)));
        }
        for (to, refusal) in refusals {
            self.count(port, to, &refusal, 1);
        }
    }

    fn count(&mut self, port: LocalPort, to: SocketAddr, refusal: &Refusal, datagrams: usize) {
        tracing::debug!(port = purpose(port), %to, datagrams, "not sent: {refusal}");
        let counter = match refusal {
            Refusal::TooLong => &mut self.drops.too_long,
            Refusal::NoSocket => &mut self.drops.no_socket,
            Refusal::Blocked => &mut self.drops.blocked,
            Refusal::System(_) => &mut self.drops.refused,
        };
        *counter = counter.saturating_add(u64::try_from(datagrams).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Binding, Traffic};

    struct World {
        sockets: Sockets,
        poll: mio::Poll,
        events: mio::Events,
        sender: Sender,
        to: SocketAddr,
    }

    impl World {
        fn new() -> Self {
            let local = SocketAddr::from(([127, 0, 0, 1], 0));
            let binding = Binding { port: LocalPort::FirstClient, address: local };
            let mut sockets = Sockets::open(&[binding], 1280).ok().unwrap();
            let poll = mio::Poll::new().unwrap();
            sockets.register(poll.registry()).unwrap();
            let to = sockets.local_addresses(LocalPort::FirstClient).next().unwrap();
            let sender = Sender::new(Announce::default(), 1, 4);
            Self { sockets, poll, events: mio::Events::with_capacity(4), sender, to }
        }

        fn put(&mut self, number: u8, now: Instant) {
            let room = self.sender.room(now, &mut self.sockets, self.poll.registry()).unwrap();
            room[..3].fill(number);
            let transmit = Transmit {
                from: LocalPort::FirstClient,
                to: Destination::Address(self.to),
                length: 3,
            };
            self.sender.take(now, &mut self.sockets, &transmit);
        }

        fn flush(&mut self, millis: u64) {
            let now = Instant::from_millis(millis);
            self.sender.flush(now, &mut self.sockets, self.poll.registry());
        }

        fn tells_of_room(&mut self) -> bool {
            self.poll.poll(&mut self.events, Some(Duration::ZERO)).unwrap();
            self.events.iter().any(mio::event::Event::is_writable)
        }
    }

    #[test]
    fn held_datagrams_leave_when_the_event_queue_tells_of_room() {
        let mut world = World::new();
        assert!(!world.tells_of_room(), "room to send wakes nobody who does not wait for it");
        world.put(1, Instant::ZERO);
        world.put(2, Instant::ZERO);
        world.sockets.blocked = true;
        world.flush(0);
        assert_eq!(world.sender.held_until(), Some(Instant::from_millis(100)));
        let registry = world.poll.registry();
        assert!(world.sender.room(Instant::ZERO, &mut world.sockets, registry).is_none());
        assert!(world.tells_of_room());

        world.sockets.blocked = false;
        world.flush(50);
        assert_eq!(world.sender.held_until(), None);
        assert_eq!(world.sockets.traffic(LocalPort::FirstClient).bytes_out, 6);
        assert_eq!(world.sender.drops(), Drops::default());
        world.put(3, Instant::ZERO);
        assert!(!world.tells_of_room());
    }

    #[test]
    fn held_datagrams_are_dropped_when_no_room_comes() {
        let mut world = World::new();
        world.put(1, Instant::ZERO);
        world.put(2, Instant::ZERO);
        world.sockets.blocked = true;
        world.flush(0);
        world.flush(99);
        assert_eq!(world.sender.drops(), Drops::default());
        world.flush(100);
        assert_eq!(world.sender.drops().blocked, 2);
        assert_eq!(world.sender.held_until(), None);
        assert_eq!(world.sockets.traffic(LocalPort::FirstClient), Traffic::default());
    }
}
