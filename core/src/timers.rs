//! One moment for each of many keys, where the first one is found without a scan.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::time::Instant;

/// The timers: each key's moment, by whatever clock. Setting and finding one
/// takes logarithmic time.
#[derive(Debug)]
pub(crate) struct Timers<K, At = Instant> {
    at: BTreeMap<K, At>,
    order: BTreeSet<(At, K)>,
}

impl<K: Copy + Ord, At: Copy + Ord> Timers<K, At> {
    /// None is set.
    pub(crate) const fn new() -> Self {
        Self { at: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// Sets the timer of `key`, or takes it away.
    pub(crate) fn set(&mut self, key: K, at: Option<At>) {
        let before = match at {
            Some(at) => self.at.insert(key, at),
            None => self.at.remove(&key),
        };
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&(before, key));
        }
        if let Some(at) = at {
            self.order.insert((at, key));
        }
    }

    /// The timer that ends first.
    pub(crate) fn first(&self) -> Option<(At, K)> {
        self.order.first().copied()
    }

    /// The keys whose timers have ended at `now`.
    pub(crate) fn due(&self, now: At) -> Vec<K> {
        self.order.iter().take_while(|(at, _)| *at <= now).map(|(_, key)| *key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_one_timer_and_the_first_is_found() {
        let at = Instant::from_millis;
        let mut timers = Timers::new();
        timers.set('a', Some(at(5)));
        timers.set('b', Some(at(3)));
        assert_eq!(timers.first(), Some((at(3), 'b')));
        timers.set('b', Some(at(9)));
        assert_eq!(timers.first(), Some((at(5), 'a')));
        assert_eq!(timers.due(at(5)), ['a']);
        assert_eq!(timers.due(at(9)), ['a', 'b']);
        timers.set('a', None);
        timers.set('a', None);
        assert_eq!(timers.due(at(9)), ['b']);
    }
}
