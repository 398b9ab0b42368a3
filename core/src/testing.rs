//! What the unit tests share.

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::crypto::RustCrypto;

/// The provider of the tests: its randomness is the same in every run.
pub(crate) type TestProvider = RustCrypto<ChaCha20Rng>;

/// A provider whose randomness follows from `seed`.
pub(crate) fn provider(seed: u8) -> TestProvider {
    RustCrypto::new(ChaCha20Rng::from_seed([seed; 32]))
}
