//! Randomness from the operating system.

use getrandom::SysRng;

use crate::{HostCrypto, Stocked};

/// The provider of a party on a host, with the operating system's random numbers. The
/// secrets of sessions go to the key log `L`, if there is one
/// ([`HostCrypto::with_key_log`]).
pub type OsProvider<L = ()> = HostCrypto<Stocked<SysRng>, L>;

/// An [`OsProvider`]; each party has one. After a fork, or from a snapshot of the machine,
/// make a new one ([`Stocked`]).
#[must_use]
pub fn os_provider() -> OsProvider {
    HostCrypto::new(Stocked::new(SysRng))
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
