//! The continuous health tests of NIST SP 800-90B section 4.4.

use core::num::NonZeroU16;

use super::EntropyFailure;

/// The window of the adaptive proportion test for samples that are not single bits
/// (section 4.4.2).
const WINDOW: u16 = 512;

/// The min-entropy that is claimed for each byte of a source, in whole bits from
/// 1 to 8: what its manufacturer states, rounded down, or what an estimation
/// by section 3 found.
///
/// The cutoffs of the tests follow from it, such that a healthy source fails each
/// decision with a probability of at most 2^-20.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MinEntropy(NonZeroU16);

impl MinEntropy {
    /// One bit for each byte: for a source of which little is known.
    pub const LEAST: Self = Self(NonZeroU16::MIN);

    /// This many bits for each byte; `None` if they are less than 1 or more than 8.
    #[must_use]
    pub const fn bits_per_byte(bits: u8) -> Option<Self> {
        match NonZeroU16::new(bits as u16) {
            Some(bits) if bits.get() <= 8 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The bytes of the source that have `bits` bits of entropy together.
    #[must_use]
    pub const fn bytes_for(self, bits: u16) -> u16 {
        bits.div_ceil(self.0.get())
    }

    /// The cutoff of the repetition count test (section 4.4.1): 1 + ⌈20 / H⌉.
    #[must_use]
    pub const fn repetition_count_cutoff(self) -> u16 {
        1 + 20_u16.div_ceil(self.0.get())
    }

    /// The cutoff of the adaptive proportion test (section 4.4.2):
    /// 1 + critbinom(512, 2^-H, 1 − 2^-20).
    #[must_use]
    pub const fn adaptive_proportion_cutoff(self) -> u16 {
        match self.0.get() {
            1 => 311,
            2 => 177,
            3 => 103,
            4 => 62,
            5 => 39,
            6 => 25,
            7 => 18,
            _ => 13,
        }
    }
}

/// The state of the two tests of a source.
#[derive(Clone)]
pub struct HealthTests {
    min_entropy: MinEntropy,
    /// The last sample, and how often it came in a row.
    last: u8,
    repeated: u16,
    /// The first sample of the window, how often it came, and how many there were.
    first: u8,
    occurred: u16,
    seen: u16,
}

impl HealthTests {
    /// The samples that have to pass before any is used (section 4.3, requirement 4).
    pub const START_UP: u16 = 1024;

    /// The tests of a source of which nothing was seen.
    #[must_use]
    pub const fn new(min_entropy: MinEntropy) -> Self {
        Self { min_entropy, last: 0, repeated: 0, first: 0, occurred: 0, seen: 0 }
    }

    /// Tests the next sample.
    ///
    /// # Errors
    /// [`EntropyFailure::RepetitionCount`], [`EntropyFailure::AdaptiveProportion`].
    pub fn test(&mut self, sample: u8) -> Result<(), EntropyFailure> {
        // Both see each sample, whatever the other says.
        let is_stuck = self.count_repetition(sample);
        let is_biased = self.count_proportion(sample);
        if is_stuck {
            Err(EntropyFailure::RepetitionCount)
        } else if is_biased {
            Err(EntropyFailure::AdaptiveProportion)
        } else {
            Ok(())
        }
    }

    fn count_repetition(&mut self, sample: u8) -> bool {
        if self.repeated > 0 && sample == self.last {
            self.repeated = self.repeated.saturating_add(1);
        } else {
            (self.last, self.repeated) = (sample, 1);
        }
        self.repeated >= self.min_entropy.repetition_count_cutoff()
    }

    fn count_proportion(&mut self, sample: u8) -> bool {
        if self.seen == 0 {
            (self.first, self.occurred) = (sample, 0);
        }
        self.occurred = self.occurred.saturating_add(u16::from(sample == self.first));
        self.seen = self.seen.saturating_add(1) % WINDOW;
        self.occurred >= self.min_entropy.adaptive_proportion_cutoff()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that can be claimed.
    fn claims() -> impl Iterator<Item = MinEntropy> {
        (1..=8).filter_map(MinEntropy::bits_per_byte)
    }

    /// 1 + the least `k` of which P(X ≤ k) ≥ 1 − 2^-20, for X of 512 samples that are
    /// the likeliest one with the probability 2^-`bits`.
    fn adaptive_proportion_cutoff(bits: i32) -> u16 {
        let p = 2.0_f64.powi(-bits);
        let mut probability = (1.0 - p).powi(512);
        let mut sum = 0.0;
        for k in 0..=512_u16 {
            sum += probability;
            if 1.0 - sum <= 2.0_f64.powi(-20) {
                return k + 1;
            }
            probability *= f64::from(512 - k) / f64::from(k + 1) * p / (1.0 - p);
        }
        unreachable!()
    }

    #[test]
    fn the_cutoffs_are_those_of_the_formulas() {
        for (bits, claim) in (1..).zip(claims()) {
            assert_eq!(claim.adaptive_proportion_cutoff(), adaptive_proportion_cutoff(bits));
        }
        let cutoffs: std::vec::Vec<u16> =
            claims().map(MinEntropy::repetition_count_cutoff).collect();
        assert_eq!(cutoffs, [21, 11, 8, 6, 5, 5, 4, 4]);
        assert_eq!(MinEntropy::bits_per_byte(0), None);
        assert_eq!(MinEntropy::bits_per_byte(9), None);
    }

    #[test]
    fn a_sample_that_comes_as_often_as_the_cutoff_says_fails() {
        for claim in claims() {
            let mut tests = HealthTests::new(claim);
            for _ in 1..claim.repetition_count_cutoff() {
                assert_eq!(tests.test(7), Ok(()));
            }
            assert_eq!(tests.test(7), Err(EntropyFailure::RepetitionCount));
            // Another sample ends the run.
            let mut tests = HealthTests::new(claim);
            for number in 0..HealthTests::START_UP {
                assert_eq!(tests.test(u8::try_from(number % 256).unwrap()), Ok(()));
            }
        }
    }

    #[test]
    fn a_sample_that_comes_too_often_in_a_window_fails() {
        for claim in claims() {
            let mut tests = HealthTests::new(claim);
            let cutoff = claim.adaptive_proportion_cutoff();
            // Between two of them comes one of the others, so that no run is long, until
            // the window has no room for others any more.
            let (mut other, mut count, mut failed) = (0_u8, 0, false);
            for place in 0..WINDOW {
                let left = WINDOW - place;
                let sample = if place % 2 == 0 || cutoff - count >= left {
                    count += 1;
                    255
                } else {
                    other = (other + 1) % 255;
                    other
                };
                failed = tests.count_proportion(sample);
                assert_eq!(failed, count >= cutoff, "{claim:?} {place}");
                if failed {
                    break;
                }
            }
            assert!(failed);
            // One less passes, and the next window begins anew.
            let mut tests = HealthTests::new(claim);
            for place in 0..2 * WINDOW {
                let sample = if place % WINDOW < cutoff - 1 { 255 } else { 1 };
                assert!(!tests.count_proportion(sample), "{claim:?} {place}");
            }
        }
    }
}
