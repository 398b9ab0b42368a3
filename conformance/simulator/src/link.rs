//! How datagrams fare on a network of which no more is said than this.

use std::time::Duration;

use crate::random::Dice;

/// How datagrams fare: each is lost, repeated, delayed and damaged by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Of 256, how many are lost.
    pub loss: u8,
    /// Of 256, how many come twice.
    pub duplication: u8,
    /// The least and the greatest delay, in milliseconds. What is delayed by less
    /// overtakes.
    pub delay: (u64, u64),
    /// Of 256, how many have a bit turned.
    pub corruption: u8,
}

impl Link {
    /// Everything arrives, after a millisecond.
    pub const GOOD: Self = Self { loss: 0, duplication: 0, delay: (1, 1), corruption: 0 };
    /// 30 % lost, repeated, and reordered.
    pub const BAD: Self = Self { loss: 77, duplication: 77, delay: (1, 300), corruption: 13 };
    /// A fifth lost, and delays of up to a tenth of a second.
    pub const LOSSY: Self = Self { loss: 51, duplication: 0, delay: (1, 100), corruption: 0 };

    /// The copies of `bytes` that arrive, each after its delay.
    pub(crate) fn carry(&self, dice: &mut Dice, bytes: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        let of_256 = |roll: u32, chance: u8| (roll & 0xff) < u32::from(chance);
        let copies = if of_256(dice.roll(), self.loss) {
            0
        } else if of_256(dice.roll(), self.duplication) {
            2
        } else {
            1
        };
        let copy = |_| {
            let (least, greatest) = self.delay;
            let delay = least + u64::from(dice.roll()) % (greatest - least + 1);
            let mut bytes = bytes.to_vec();
            if of_256(dice.roll(), self.corruption) && !bytes.is_empty() {
                let at = dice.roll() as usize % bytes.len();
                bytes[at] ^= 1 << (dice.roll() % 8);
            }
            (Duration::from_millis(delay), bytes)
        };
        (0..copies).map(copy).collect()
    }
}
