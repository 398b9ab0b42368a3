//! Network address translation: many hosts behind one address, and bindings that
//! go away.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use iot_crypto::time::Instant;

use crate::place::Place;

/// A router that translates addresses. Each pair of an inner and an outer place
/// has a binding of its own (RFC 4787 section 4.1 calls that address and port
/// dependent mapping and section 5 such filtering: the strictest there are).
#[derive(Debug)]
pub struct Nat {
    /// Its own address.
    pub host: u16,
    inside: BTreeSet<u16>,
    idle: Duration,
    bindings: BTreeMap<(Place, Place), Binding>,
    next_port: u16,
}

#[derive(Debug)]
struct Binding {
    port: u16,
    used: Instant,
}

impl Nat {
    /// A router at `host`, with these hosts behind it, that forgets a binding after
    /// `idle`.
    #[must_use]
    pub fn new(host: u16, inside: &[u16], idle: Duration) -> Self {
        let inside = inside.iter().copied().collect();
        Self { host, inside, idle, bindings: BTreeMap::new(), next_port: 1000 }
    }

    /// Whether `host` is behind it.
    #[must_use]
    pub fn hides(&self, host: u16) -> bool {
        self.inside.contains(&host)
    }

    /// Forgets all bindings, as by a restart.
    pub fn rebind(&mut self) {
        self.bindings.clear();
    }

    /// What the source of a datagram from `inner` to `outer` becomes.
    pub(crate) fn outbound(&mut self, now: Instant, inner: Place, outer: Place) -> Place {
        let idle = self.idle;
        self.bindings.retain(|_, binding| now.since(binding.used) < idle);
        let next = &mut self.next_port;
        let binding = self.bindings.entry((inner, outer)).or_insert_with(|| {
            *next = next.checked_add(1).unwrap_or(1000);
            Binding { port: *next, used: now }
        });
        binding.used = now;
        Place { host: self.host, port: binding.port }
    }

    /// Whom a datagram from `outer` to the router's `port` is for, if for anyone.
    pub(crate) fn inbound(&self, now: Instant, outer: Place, port: u16) -> Option<Place> {
        let live = |binding: &Binding| now.since(binding.used) < self.idle;
        let of = |((_, known), binding): &(&(Place, Place), &Binding)| {
            *known == outer && binding.port == port && live(binding)
        };
        self.bindings.iter().find(of).map(|((inner, _), _)| *inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_until_the_binding_is_idle_or_the_router_has_forgotten_it() {
        let (inner, outer) = (Place { host: 1, port: 3 }, Place { host: 10, port: 1 });
        let other = Place { host: 11, port: 1 };
        let at = Instant::from_millis;
        let mut nat = Nat::new(50, &[1, 2], Duration::from_secs(60));
        assert!(nat.hides(1) && !nat.hides(10));
        let outside = nat.outbound(at(0), inner, outer);
        assert_eq!(outside.host, 50);
        assert_eq!(nat.inbound(at(59_999), outer, outside.port), Some(inner));
        assert_eq!(nat.inbound(at(1), other, outside.port), None);
        assert_eq!(nat.inbound(at(1), outer, outside.port + 1), None);
        assert_eq!(nat.inbound(at(60_000), outer, outside.port), None);
        assert_eq!(nat.outbound(at(59_000), inner, outer), outside);
        assert_ne!(nat.outbound(at(59_000), inner, other), outside);
        nat.rebind();
        assert_eq!(nat.inbound(at(59_000), outer, outside.port), None);
        assert_ne!(nat.outbound(at(59_000), inner, outer), outside);
    }
}
