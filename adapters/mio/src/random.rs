//! Randomness from the operating system.

use getrandom::SysRng;
use iot_crypto::crypto::RustCrypto;

/// The provider of a party on a host: RustCrypto's implementations, with the
/// operating system's random numbers.
pub type OsProvider = RustCrypto<SysRng>;

/// An [`OsProvider`]. It holds no state; make as many as there are parties.
#[must_use]
pub fn os_provider() -> OsProvider {
    RustCrypto::new(SysRng)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iot_crypto::crypto::Provider as _;

    #[test]
    fn two_providers_give_different_bytes() {
        let (mut one, mut other) = ([0; 32], [0; 32]);
        os_provider().random(&mut one).unwrap();
        os_provider().random(&mut other).unwrap();
        assert_ne!(one, other);
    }
}
