//! Random numbers, drawn from their source in larger pieces.

use std::fmt;

use rand_core::{TryCryptoRng, TryRng};
use zeroize::{Zeroize as _, Zeroizing};

/// How many bytes are drawn at a time: of a handshake, some 32 are used.
const SIZE: usize = 512;

/// The random numbers of `R`, of which a stock is held: a call to the operating system
/// takes longer than all else that it takes to have 32 random bytes.
///
/// What was given away is erased at once, so that whoever sees the memory later learns
/// nothing of it. A process that is forked while there is a stock shares it with its
/// child, and a machine that is resumed twice from one snapshot gives it twice: whoever
/// does that makes a new one afterwards.
pub struct Stocked<R> {
    source: R,
    stock: Box<Zeroizing<[u8; SIZE]>>,
    /// How many bytes of the stock are left: its first ones.
    left: usize,
}

impl<R> fmt::Debug for Stocked<R> {
    /// Without what is in stock.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stocked").finish_non_exhaustive()
    }
}

impl<R> Stocked<R> {
    /// A stock, empty yet, of what comes from `source`.
    #[must_use]
    pub fn new(source: R) -> Self {
        Self { source, stock: Box::new(Zeroizing::new([0; SIZE])), left: 0 }
    }
}

/// A clone has a stock of its own.
impl<R: Clone> Clone for Stocked<R> {
    fn clone(&self) -> Self {
        Self::new(self.source.clone())
    }
}

impl<R: TryCryptoRng> Stocked<R> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], R::Error> {
        let mut array = [0; N];
        self.try_fill_bytes(&mut array)?;
        Ok(array)
    }
}

impl<R: TryCryptoRng> TryRng for Stocked<R> {
    type Error = R::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.array().map(u32::from_le_bytes)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.array().map(u64::from_le_bytes)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        if out.len() > SIZE {
            return self.source.try_fill_bytes(out);
        }
        if self.left < out.len() {
            // What is left is drawn anew with the rest: nothing is used twice.
            self.left = 0;
            self.source.try_fill_bytes(&mut self.stock[..])?;
            self.left = SIZE;
        }
        let rest = self.left - out.len();
        if let Some(given) = self.stock.get_mut(rest..self.left) {
            out.copy_from_slice(given);
            given.zeroize();
        }
        self.left = rest;
        Ok(())
    }
}

impl<R: TryCryptoRng> TryCryptoRng for Stocked<R> {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up, byte by byte, and how often it is asked; fails when it is told to.
    #[derive(Debug, Default)]
    struct Counter {
        next: u8,
        asked: usize,
        fails: bool,
    }

    impl TryRng for Counter {
        type Error = fmt::Error;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Err(fmt::Error)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Err(fmt::Error)
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
            if self.fails {
                return Err(fmt::Error);
            }
            self.asked += 1;
            for byte in out {
                self.next = self.next.wrapping_add(1);
                *byte = self.next;
            }
            Ok(())
        }
    }

    impl TryCryptoRng for Counter {}

    #[test]
    fn nothing_is_given_twice_and_what_was_given_is_erased() {
        let mut stocked = Stocked::new(Counter::default());
        let mut given = Vec::new();
        for length in [1, 32, 0, 100, 7, 60] {
            let mut out = vec![0; length];
            stocked.try_fill_bytes(&mut out).unwrap();
            given.extend(out);
            assert!(stocked.stock[stocked.left..].iter().all(|byte| *byte == 0));
        }
        assert_eq!(stocked.source.asked, 1);
        // The source counts to 200 without a repetition.
        given.sort_unstable();
        let count = given.len();
        given.dedup();
        assert_eq!((count, given.len()), (200, 200));
    }

    #[test]
    fn the_source_is_asked_when_the_stock_is_not_enough() {
        let mut stocked = Stocked::new(Counter::default());
        for _ in 0..SIZE / 32 {
            stocked.try_fill_bytes(&mut [0; 32]).unwrap();
        }
        assert_eq!((stocked.source.asked, stocked.left), (1, 0));
        stocked.try_next_u64().unwrap();
        assert_eq!((stocked.source.asked, stocked.left), (2, SIZE - 8));
        stocked.try_fill_bytes(&mut [0; SIZE + 1]).unwrap();
        assert_eq!((stocked.source.asked, stocked.left), (3, SIZE - 8));
    }

    #[test]
    fn a_source_that_fails_gives_nothing() {
        let mut stocked = Stocked::new(Counter::default());
        stocked.try_fill_bytes(&mut [0; SIZE - 1]).unwrap();
        stocked.source.fails = true;
        assert!(stocked.try_fill_bytes(&mut [0; 2]).is_err());
        // The last byte may be gone, but it is not given in the place of two.
        assert!(stocked.try_next_u32().is_err());
        stocked.source.fails = false;
        assert!(stocked.try_next_u32().is_ok());
    }
}
