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
        match sockets.send(now, port, to, &held.payload) {
            Err(Refusal::Blocked) if now < held.until => {
                self.held = Some(held);
                return;
            }
            result => self.count(port, to, result),
        }
        if let Err(error) = sockets.watch_for_room(registry, port, to, false) {
            tracing::debug!(port = purpose(port), %error, "event queue not changed");
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
        tracing::debug!(port = purpose(port), %to, ?refusal, "datagram not sent");
        let counter = match refusal {
            Refusal::TooLong => &mut self.drops.too_long,
            Refusal::NoSocket => &mut self.drops.no_socket,
            Refusal::Blocked => &mut self.drops.blocked,
            Refusal::System(_) => &mut self.drops.refused,
        };
        *counter = counter.saturating_add(1);
    }
}
