//! What every party is before it talks to anyone: an identity, whom it trusts,
//! the keys of its network, and what it knows of the time.

use crate::connection::{NetworkKey, NetworkKeys};
use crate::crypto::{EntropyError, Provider};
use crate::identity::{Endorsements, PrivateIdentity};
use crate::time::WallClock;

/// A party's own things, shared by all that it does. Every role has one.
pub struct Party<P, T> {
    pub(crate) provider: P,
    pub(crate) identity: PrivateIdentity,
    pub(crate) endorsements: Endorsements,
    pub(crate) trust: T,
    pub(crate) network: NetworkKeys,
    pub(crate) clock: WallClock,
    pub(crate) incarnation: u32,
}

impl<P: Provider, T> Party<P, T> {
    /// A party that has just started. Its incarnation, by which its peers tell
    /// that it has (SPEC.md section 9.2), is drawn here.
    ///
    /// # Errors
    /// [`EntropyError`] if the provider has no randomness: a party doesn't start
    /// without.
    pub fn new(
        mut provider: P,
        identity: PrivateIdentity,
        endorsements: Endorsements,
        trust: T,
        network: NetworkKeys,
        clock: WallClock,
    ) -> Result<Self, EntropyError> {
        let mut incarnation = [0; 4];
        provider.random(&mut incarnation)?;
        Ok(Self {
            provider,
            identity,
            endorsements,
            trust,
            network,
            clock,
            incarnation: u32::from_be_bytes(incarnation),
        })
    }

    /// Whom the party trusts.
    pub const fn trust(&self) -> &T {
        &self.trust
    }

    /// The keys of its network.
    pub const fn network(&self) -> &NetworkKeys {
        &self.network
    }

    /// What it knows of the time.
    pub const fn clock(&self) -> &WallClock {
        &self.clock
    }

    /// Prefers `key` from now on. If there is no room for it, the key that was
    /// preferred longest ago gives way.
    pub(crate) fn take_network_key(&mut self, key: NetworkKey) {
        self.network.retire(key.id());
        if self.network.is_full()
            && let Some(oldest) = self.network.iter().last().map(NetworkKey::id)
        {
            self.network.retire(oldest);
        }
        let _ = self.network.add(key);
    }
}
