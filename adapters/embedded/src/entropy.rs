//! Random numbers from a source that may fail: health tests, and a generator that
//! refuses to go on without a healthy source.
//!
//! A microcontroller's generator of noise is an [`EntropySource`]. Its bytes pass
//! the continuous health tests of NIST SP 800-90B section 4.4, and are never given
//! out: [`Generator`] hashes them to the key of ChaCha20. Whoever gives a
//! [`RustCrypto`](iot_crypto::crypto::RustCrypto) this generator has a provider:
//!
//! ```
//! use iot_crypto::crypto::RustCrypto;
//! use iot_crypto_embedded::entropy::{EntropySource, Generator, Parameters};
//! use iot_crypto_embedded::store::Store;
//! # use embedded_storage::nor_flash::NorFlash;
//! # fn provider<F: NorFlash, S: EntropySource>(store: &mut Store<F>, source: S) -> Result<RustCrypto<Generator<S>>, Box<dyn std::error::Error>> {
//! let personalization = store.personalization()?;
//! let generator = Generator::new(source, Parameters::default(), &personalization)?;
//! let provider = RustCrypto::new(generator);
//! # Ok(provider)
//! # }
//! ```
//!
//! A source that repeats itself from start to start, or gives what passes the tests
//! though an attacker knows it, must not make a device repeat a nonce, a key or its
//! incarnation: into each key also goes the [`Personalization`], which
//! has a number that the store gives out once, and a secret.

mod generator;
mod health;

pub use generator::{Generator, Parameters, Personalization};
pub use health::{HealthTests, MinEntropy};

/// A source of entropy as it comes: noise that was digitized, not conditioned.
pub trait EntropySource {
    /// Fills `out` with samples of one byte each.
    ///
    /// # Errors
    /// [`SourceError`] if the hardware reports that it does not work.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), SourceError>;
}

/// The hardware of a source reports that it does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceError;

impl core::fmt::Display for SourceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the source of entropy reports that it does not work")
    }
}

impl core::error::Error for SourceError {}

/// Why there are no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum EntropyFailure {
    /// The source reports that it does not work.
    Source,
    /// The source gave the same byte too often in a row.
    RepetitionCount,
    /// The source gave one byte too often among others.
    AdaptiveProportion,
}

impl core::fmt::Display for EntropyFailure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Source => {
                "the source of entropy reports that it does not work; check that it is switched \
                 on and has its clock"
            }
            Self::RepetitionCount => {
                "the source of entropy is stuck (repetition count test); check that it is \
                 switched on and configured as its manual says"
            }
            Self::AdaptiveProportion => {
                "the source of entropy has lost entropy (adaptive proportion test); check its \
                 configuration, and the min-entropy that is claimed for it"
            }
        })
    }
}

impl core::error::Error for EntropyFailure {}

impl From<SourceError> for EntropyFailure {
    fn from(SourceError: SourceError) -> Self {
        Self::Source
    }
}
