//! Chance that can be repeated: what follows from a seed.

use chacha20::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// Dice that fall the same way whenever they come from the same seed.
#[derive(Debug)]
pub struct Dice(ChaCha20Rng);

impl Dice {
    /// The dice of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.0.next_u64() % end).unwrap_or(0)
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// Any bytes.
    pub fn array<const LENGTH: usize>(&mut self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// This many bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// One of these; `None` if there are none.
    pub fn pick<T: Copy>(&mut self, these: &[T]) -> Option<T> {
        these.get(self.below(these.len())).copied()
    }

    /// Turns a few bits of `bytes` over.
    pub fn damage(&mut self, bytes: &mut [u8]) {
        for _ in 0..=self.below(3) {
            let place = self.below(bytes.len());
            let bit = self.below(8);
            if let Some(byte) = bytes.get_mut(place) {
                *byte ^= 1 << bit;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_and_another_one_something_else() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (dice.below(1000), dice.bytes(20), dice.pick(&[1, 2, 3]))
        };
        assert_eq!(throws(1), throws(1));
        assert_ne!(throws(1), throws(2));
    }

    #[test]
    fn what_is_damaged_is_changed_and_nothing_is_no_matter() {
        let mut dice = Dice::new(3);
        dice.damage(&mut []);
        assert_eq!((dice.below(0), dice.pick::<u8>(&[])), (0, None));
        let changed = (0..100).filter(|_| {
            let mut bytes = [7; 100];
            dice.damage(&mut bytes);
            bytes != [7; 100]
        });
        // Unless the same bit is turned over twice.
        assert!(changed.count() > 90);
    }
}
