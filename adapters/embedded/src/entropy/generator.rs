//! The generator of random numbers.

use core::num::NonZeroU16;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use iot_crypto::crypto::Secret;
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{EntropyFailure, EntropySource, HealthTests, MinEntropy};

/// The entropy of what a key is hashed from, in bits: 64 more than the key has
/// (NIST SP 800-90C, for full entropy).
const ENTROPY: u16 = 256 + 64;

/// The samples that are read at once.
const CHUNK: usize = 32;

const KEY_LABEL: &[u8] = b"IoT-Crypto generator key";
const PERSONALIZATION_LABEL: &[u8] = b"IoT-Crypto generator personalization";

/// How a [`Generator`] uses its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The min-entropy that is claimed for the source.
    pub min_entropy: MinEntropy,
    /// After how many draws new entropy is mixed in. A key negotiation takes a few;
    /// with 1, every draw waits for the source, and its failure shows at once.
    pub reseed_after: NonZeroU16,
}

impl Default for Parameters {
    /// The least min-entropy, and new entropy after 16 draws.
    fn default() -> Self {
        Self { min_entropy: MinEntropy::LEAST, reseed_after: NonZeroU16::MIN.saturating_add(15) }
    }
}

/// What sets a device, and each of its starts, apart from all others, even if the
/// source gives the same: erased when dropped, and not shown by `Debug`.
#[derive(Clone, Debug)]
pub struct Personalization(Secret<32>);

impl Personalization {
    /// Of a secret of the device, and a number that it has never used before.
    #[must_use]
    pub fn new(secret: &Secret<32>, number: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(PERSONALIZATION_LABEL);
        hash.update(secret.expose());
        hash.update(number.to_be_bytes());
        Self(Secret::new(hash.finalize().into()))
    }
}

/// A generator of random numbers: ChaCha20 under a key that is hashed from tested
/// samples of the source `S`, the key before, and the [`Personalization`].
///
/// Each draw replaces the key first, so that whoever reads the memory later can't
/// compute what was drawn before. When a health test fails, or the source reports
/// that it does not work, the draw fails, and so does each further one until the
/// source passes the start-up test anew: the device comes back by itself
/// when the cause goes.
pub struct Generator<S> {
    source: S,
    parameters: Parameters,
    personalization: Personalization,
    tests: HealthTests,
    /// Whether the source has passed the start-up test, and every test since.
    is_healthy: bool,
    key: Secret<32>,
    /// The draws until new entropy is mixed in.
    left: u16,
    seedings: u64,
}

impl<S: EntropySource> Generator<S> {
    /// A generator over a source that passes the start-up test.
    ///
    /// # Errors
    /// [`EntropyFailure`]: without a healthy source there is no generator.
    pub fn new(
        source: S,
        parameters: Parameters,
        personalization: &Personalization,
    ) -> Result<Self, EntropyFailure> {
        let mut generator = Self {
            source,
            parameters,
            personalization: personalization.clone(),
            tests: HealthTests::new(parameters.min_entropy),
            is_healthy: false,
            key: Secret::default(),
            left: 0,
            seedings: 0,
        };
        generator.seed()?;
        Ok(generator)
    }

    /// Mixes new entropy in, as before what is worth more than the usual.
    ///
    /// # Errors
    /// [`EntropyFailure`]; no more numbers are given until it succeeds.
    pub fn reseed(&mut self) -> Result<(), EntropyFailure> {
        self.left = 0;
        self.seed()
    }

    fn seed(&mut self) -> Result<(), EntropyFailure> {
        if !self.is_healthy {
            self.tests = HealthTests::new(self.parameters.min_entropy);
            self.sample(HealthTests::START_UP, |_| {})?;
            self.is_healthy = true;
        }
        let mut hash = Sha256::new();
        hash.update(KEY_LABEL);
        hash.update(self.personalization.0.expose());
        hash.update(self.seedings.to_be_bytes());
        hash.update(self.key.expose());
        let count = self.parameters.min_entropy.bytes_for(ENTROPY);
        self.sample(count, |samples| hash.update(samples))?;
        self.key = Secret::new(hash.finalize().into());
        self.seedings = self.seedings.saturating_add(1);
        self.left = self.parameters.reseed_after.get();
        Ok(())
    }

    /// Reads and tests `count` samples.
    fn sample(&mut self, count: u16, mut take: impl FnMut(&[u8])) -> Result<(), EntropyFailure> {
        let mut chunk = Zeroizing::new([0; CHUNK]);
        let mut left = usize::from(count);
        while left > 0 {
            let length = left.min(CHUNK);
            let samples = chunk.get_mut(..length).unwrap_or_default();
            let tested = self
                .source
                .fill(samples)
                .map_err(EntropyFailure::from)
                .and_then(|()| samples.iter().try_for_each(|sample| self.tests.test(*sample)));
            if let Err(failure) = tested {
                self.is_healthy = false;
                return Err(failure);
            }
            take(samples);
            left = left.saturating_sub(length);
        }
        Ok(())
    }
}

impl<S> core::fmt::Debug for Generator<S> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (parameters, is_healthy) = (self.parameters, self.is_healthy);
        f.debug_struct("Generator")
            .field("parameters", &parameters)
            .field("is_healthy", &is_healthy)
            .finish_non_exhaustive()
    }
}

impl<S: EntropySource> TryRng for Generator<S> {
    type Error = EntropyFailure;

    fn try_next_u32(&mut self) -> Result<u32, EntropyFailure> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, EntropyFailure> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), EntropyFailure> {
        if !self.is_healthy || self.left == 0 {
            self.seed()?;
        }
        self.left = self.left.saturating_sub(1);
        // By the cipher, not by the crate's generator: a device has that for its records.
        let mut stream = ChaCha20::new(self.key.expose().into(), &[0; 12].into());
        out.fill(0);
        let key = self.key.expose_mut();
        key.fill(0);
        // The stream ends after 256 GiB.
        let drawn = stream.try_apply_keystream(key).and_then(|()| stream.try_apply_keystream(out));
        drawn.map_err(|_| EntropyFailure::Source)
    }
}

impl<S: EntropySource> TryCryptoRng for Generator<S> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SourceError;

    /// A source whose bytes follow from its state, until it fails.
    #[derive(Clone)]
    struct Source {
        state: u64,
        /// The byte that it is stuck at.
        stuck: Option<u8>,
        is_off: bool,
    }

    fn source() -> Source {
        Source { state: 1, stuck: None, is_off: false }
    }

    impl EntropySource for Source {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), SourceError> {
            for byte in out {
                self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = self.stuck.unwrap_or(self.state.to_be_bytes()[0]);
            }
            if self.is_off { Err(SourceError) } else { Ok(()) }
        }
    }

    fn generator(source: Source, number: u64) -> Result<Generator<Source>, EntropyFailure> {
        let personalization = Personalization::new(&Secret::new([9; 32]), number);
        let parameters = Parameters { reseed_after: NonZeroU16::MIN, ..Parameters::default() };
        Generator::new(source, parameters, &personalization)
    }

    fn draw(generator: &mut Generator<Source>) -> Result<[u8; 32], EntropyFailure> {
        let mut bytes = [0; 32];
        generator.try_fill_bytes(&mut bytes)?;
        Ok(bytes)
    }

    #[test]
    fn there_is_no_generator_without_a_healthy_source() {
        let stuck = Source { stuck: Some(0), ..source() };
        assert_eq!(generator(stuck, 0).unwrap_err(), EntropyFailure::RepetitionCount);
        let off = Source { is_off: true, ..source() };
        assert_eq!(generator(off, 0).unwrap_err(), EntropyFailure::Source);
    }

    #[test]
    fn a_source_that_repeats_itself_at_each_start_does_not_repeat_the_numbers() {
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..8 {
            let mut generator = generator(source(), number).unwrap();
            for _ in 0..8 {
                assert!(seen.insert(draw(&mut generator).unwrap()));
            }
        }
        // The same number, as after a mistake of the caller's.
        assert!(!seen.insert(draw(&mut generator(source(), 0).unwrap()).unwrap()));
    }

    #[test]
    fn the_generator_stops_with_its_source_and_comes_back_with_it() {
        let mut generator = generator(source(), 0).unwrap();
        let first = draw(&mut generator).unwrap();
        generator.source.stuck = Some(3);
        for _ in 0..3 {
            assert_eq!(draw(&mut generator), Err(EntropyFailure::RepetitionCount));
        }
        generator.source.stuck = None;
        assert_ne!(draw(&mut generator).unwrap(), first);
        generator.source.is_off = true;
        assert_eq!(draw(&mut generator), Err(EntropyFailure::Source));
        generator.source.is_off = false;
        assert!(draw(&mut generator).is_ok());
    }

    #[test]
    fn new_entropy_is_mixed_in_as_often_as_is_set() {
        let personalization = Personalization::new(&Secret::new([9; 32]), 0);
        let reseed_after = NonZeroU16::new(3).unwrap();
        let parameters = Parameters { reseed_after, ..Parameters::default() };
        let mut generator = Generator::new(source(), parameters, &personalization).unwrap();
        let mut at = generator.source.state;
        for round in 1..10 {
            draw(&mut generator).unwrap();
            let has_read = core::mem::replace(&mut at, generator.source.state) != at;
            assert_eq!(has_read, round % 3 == 1 && round > 1, "{round}");
        }
    }
}
