//! What the suites share: with the unit tests, and among themselves.

#[path = "../../src/testing/edits.rs"]
pub(crate) mod edits;
#[path = "../../src/testing/items.rs"]
pub(crate) mod items;

use chacha20::ChaCha20Rng;
use proptest::prelude::ProptestConfig;
use rand_core::SeedableRng as _;

/// The provider of the suites: its randomness is the same in every run. They are tests
/// of the provider for hosts, too, in its package.
#[cfg(not(host_provider))]
pub(crate) type Provider = iot_crypto::crypto::RustCrypto<ChaCha20Rng>;
#[cfg(host_provider)]
pub(crate) type Provider = iot_crypto_host::HostCrypto<ChaCha20Rng>;

/// A provider whose randomness follows from `seed`.
pub(crate) fn provider(seed: u64) -> Provider {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Provider::new(ChaCha20Rng::from_seed(bytes))
}

/// The configuration of a property that is dear to try: one case for each
/// `share` of the usual number, which `PROPTEST_CASES` sets.
pub(crate) fn one_in(share: u32) -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases.div_ceil(share), ..usual }
}
