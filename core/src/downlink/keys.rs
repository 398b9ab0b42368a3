//! The negotiated keys whose peers have not connected with them yet.

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};

use crate::connection::{Negotiated, SessionKeyId};
use crate::time::{Deadline, Instant, Reason};

/// Keys by their id, and in the order in which they expire.
#[derive(Default)]
pub(super) struct PendingKeys {
    keys: BTreeMap<SessionKeyId, Negotiated>,
    /// May name keys that are already gone.
    order: VecDeque<(Instant, SessionKeyId)>,
}

impl PendingKeys {
    /// Keeps a key until it expires, which is not before those of earlier calls
    /// do. If there are more than `limit`, the oldest gives way: its peer will
    /// negotiate again.
    pub(super) fn add(&mut self, negotiated: Negotiated, expires: Instant, limit: usize) {
        let id = negotiated.key.id();
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
        self.keys.remove(&id)
    }

    /// Forgets the keys that are not `wanted`.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&Negotiated) -> bool) {
        self.keys.retain(|_, negotiated| wanted(negotiated));
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
        if let Some((_, id)) = self.order.pop_front() {
            self.keys.remove(&id);
        }
    }
}
