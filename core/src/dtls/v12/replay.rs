//! The replay window (RFC 6347 section 4.1.2.6, RFC 4303 section 3.4.3).

/// The width of the window, in records.
const WIDTH: u64 = 64;

/// Which of the last 64 sequence numbers were received.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReplayWindow {
    /// One more than the highest number received.
    next: u64,
    /// Bit `i`: the number `next - 1 - i` was received.
    received: u64,
}

impl ReplayWindow {
    /// Whether `sequence` is neither received nor older than the window.
    pub(crate) fn is_new(&self, sequence: u64) -> bool {
        match self.next.checked_sub(sequence) {
            None | Some(0) => true,
            Some(behind) => behind <= WIDTH && (self.received >> (behind - 1)) & 1 == 0,
        }
    }

    /// Marks `sequence` as received. To be called only once the record has
    /// proved authentic.
    pub(crate) fn mark(&mut self, sequence: u64) {
        match self.next.checked_sub(sequence) {
            None | Some(0) => {
                let after = sequence.saturating_add(1);
                let forward = after.saturating_sub(self.next);
                self.received = u32::try_from(forward)
                    .ok()
                    .and_then(|n| self.received.checked_shl(n))
                    .unwrap_or(0)
                    | 1;
                self.next = after;
            }
            Some(behind) if behind <= WIDTH => self.received |= 1 << (behind - 1),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set_of_all_numbers(
            steps in proptest::collection::vec((0_u64..150, 0_u64..80), 1..300)
        ) {
            let mut window = ReplayWindow::default();
            let mut received = BTreeSet::new();
            let mut highest = 0_u64;
            for (forward, back) in steps {
                let sequence = (highest + forward / 50 * forward).saturating_sub(back);
                let old = !received.is_empty() && sequence + WIDTH <= highest;
                prop_assert_eq!(window.is_new(sequence), !old && !received.contains(&sequence));
                if window.is_new(sequence) {
                    window.mark(sequence);
                    received.insert(sequence);
                    highest = highest.max(sequence);
                    prop_assert!(!window.is_new(sequence));
                }
            }
        }
    }

    #[test]
    fn the_last_number_of_an_epoch_fits() {
        let mut window = ReplayWindow::default();
        window.mark((1 << 48) - 1);
        assert!(!window.is_new((1 << 48) - 1));
        assert!(window.is_new((1 << 48) - 64));
        assert!(!window.is_new((1 << 48) - 65));
    }
}
