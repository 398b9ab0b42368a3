//! The parties that the figures are about: everything of them follows from a seed.

use chacha20::ChaCha20Rng;
use iot_crypto::connection::NetworkKey;
use iot_crypto::crypto::RustCrypto;
use iot_crypto::identity::{Endorsements, PrivateIdentity, Role};
use iot_crypto::time::UnixTime;

use crate::cast::{EPOCH, YEAR, endorsed, identity, network_key};
use crate::random::{Dice, generator};

/// The time at which everything takes place.
pub(super) const NOW: UnixTime = UnixTime::from_secs(EPOCH);

/// The provider of the figures: what a microcontroller has.
pub(super) type Provider = RustCrypto<ChaCha20Rng>;

/// The network key of the figures.
pub(super) const NETWORK_KEY: u8 = 1;

/// A company, and a gateway and a device that it endorses.
pub(super) struct Cast {
    pub(super) company: PrivateIdentity,
    pub(super) gateway: PrivateIdentity,
    pub(super) device: PrivateIdentity,
    pub(super) network_key: NetworkKey,
    dice: Dice,
}

impl Cast {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(0xf0, seed);
        let mut party = |name| identity(u64::from(dice.roll()), name);
        Self {
            company: party("company"),
            // Twelve bytes, the length of name that certificates are compared at.
            gateway: party("gateway-hall"),
            device: party("thermometer1"),
            network_key: network_key(NETWORK_KEY),
            dice,
        }
    }

    /// The next provider, each with other randomness.
    pub(super) fn provider(&mut self) -> Provider {
        RustCrypto::new(generator(0, u64::from(self.dice.roll())))
    }

    /// The company's word for the device.
    pub(super) fn device_endorsements(&self) -> Endorsements {
        endorsed(&self.company, &self.device, Role::Device, EPOCH + YEAR)
    }

    /// The company's word for the gateway.
    pub(super) fn gateway_endorsements(&self) -> Endorsements {
        endorsed(&self.company, &self.gateway, Role::Gateway, EPOCH + YEAR)
    }
}
