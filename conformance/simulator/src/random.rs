//! Randomness: all of it from seeds.

use chacha20::ChaCha20Rng;
use iot_crypto_host::HostCrypto;
use rand_core::{Rng as _, SeedableRng as _};

use crate::world::World;

/// The provider of every simulated party: real cryptography, seeded. It gives the same
/// bytes as RustCrypto's, and long lives take a fifth of the time.
pub type Provider = HostCrypto<ChaCha20Rng>;

/// The provider that `seed` gives.
#[must_use]
pub fn provider(seed: u64) -> Provider {
    HostCrypto::new(generator(0, seed))
}

/// The provider of a party that starts now, so that it is another each time and in
/// each world.
pub(crate) fn provider_at(world: &World, party: u64) -> Provider {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(world.now.as_millis() << 16 | party).to_be_bytes());
    bytes[8..16].copy_from_slice(&world.seed.to_be_bytes());
    HostCrypto::new(ChaCha20Rng::from_seed(bytes))
}

/// A generator of its own for each `purpose`.
pub(crate) fn generator(purpose: u8, seed: u64) -> ChaCha20Rng {
    let mut bytes = [purpose; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    ChaCha20Rng::from_seed(bytes)
}

/// Seeded choices.
#[derive(Debug)]
pub struct Dice(ChaCha20Rng);

impl Dice {
    /// The dice that `seed` gives; another `purpose`, other dice.
    #[must_use]
    pub fn new(purpose: u8, seed: u64) -> Self {
        Self(generator(purpose, seed))
    }

    /// Any number.
    pub fn roll(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number below `limit`; 0 if that is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.0.next_u64() % limit }
    }

    /// A number from `least` to `greatest`.
    pub fn between(&mut self, (least, greatest): (u64, u64)) -> u64 {
        least + self.below(greatest.saturating_sub(least) + 1)
    }

    /// Whether something happens that does so `chance` times in `of`.
    pub fn happens(&mut self, chance: u64, of: u64) -> bool {
        self.below(of) < chance
    }

    /// One of `things`.
    ///
    /// # Panics
    /// If there are none.
    pub fn any<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len() as u64) as usize]
    }

    /// Random bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}
