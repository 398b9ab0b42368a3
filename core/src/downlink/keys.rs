//! The negotiated keys whose peers have not connected with them yet.

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};

use crate::connection::{Negotiated, SessionKeyId};
use crate::identity::PartyId;
use crate::time::{Deadline, Instant, Reason};

/// Keys by their id, and in the order in which they expire.
#[derive(Default)]
pub(super) struct PendingKeys {
    keys: BTreeMap<SessionKeyId, Negotiated>,
    /// May name keys that are already gone.
    order: VecDeque<(Instant, SessionKeyId)>,
    /// The same of each peer, the oldest first.
    by_peer: BTreeMap<PartyId, VecDeque<SessionKeyId>>,
}

/// The keys that wait for one peer. Whoever holds the network key can repeat a
/// peer's requests, and have as many negotiated: they push out only that peer's
/// own, not those of others.
const KEYS_PER_PEER: usize = 4;

impl PendingKeys {
    /// Keeps a key until it expires, which is not before those of earlier calls
    /// do. If there are more than `limit`, the oldest gives way: its peer will
    /// negotiate again.
    pub(super) fn add(&mut self, negotiated: Negotiated, expires: Instant, limit: usize) {
        let id = negotiated.key.id();
        let of_peer = self.by_peer.entry(negotiated.peer.id()).or_default();
        of_peer.push_back(id);
        if of_peer.len() > KEYS_PER_PEER
            && let Some(oldest) = of_peer.pop_front()
        {
            self.keys.remove(&oldest);
        }
        self.keys.insert(id, negotiated);
        self.order.push_back((expires, id));
        while self.order.len() > limit.max(1) {
            self.pop();
        }
    }

    /// The key with this id.
    pub(super) fn get(&self, id: SessionKeyId) -> Option<&Negotiated> {
        self.keys.get(&id)
    }

    /// Takes the key with this id out: it is used once.
    pub(super) fn take(&mut self, id: SessionKeyId) -> Option<Negotiated> {
        let negotiated = self.keys.remove(&id)?;
        self.forget(negotiated.peer.id(), id);
        Some(negotiated)
    }

    /// Forgets the keys that are not `wanted`.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&Negotiated) -> bool) {
        self.keys.retain(|_, negotiated| wanted(negotiated));
        for of_peer in self.by_peer.values_mut() {
            of_peer.retain(|id| self.keys.contains_key(id));
        }
        self.by_peer.retain(|_, of_peer| !of_peer.is_empty());
    }

    /// Forgets all keys.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Forgets the keys that have expired.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while self.order.front().is_some_and(|(expires, _)| *expires <= now) {
            self.pop();
        }
    }

    /// When to call [`PendingKeys::handle_timeout`] next.
    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        self.order.front().map(|(expires, _)| Deadline::new(*expires, Reason::Cleanup))
    }

    fn pop(&mut self) {
        if let Some((_, id)) = self.order.pop_front()
            && let Some(negotiated) = self.keys.remove(&id)
        {
            self.forget(negotiated.peer.id(), id);
        }
    }

    fn forget(&mut self, peer: PartyId, id: SessionKeyId) {
        if let Some(of_peer) = self.by_peer.get_mut(&peer) {
            of_peer.retain(|known| *known != id);
            if of_peer.is_empty() {
                self.by_peer.remove(&peer);
            }
        }
    }
}
