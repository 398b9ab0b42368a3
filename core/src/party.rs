//! What every party is before it talks to anyone: an identity, whom it trusts,
//! the keys of its network, and what it knows of the time.

use crate::connection::{NetworkKey, NetworkKeys};
use crate::crypto::{EntropyError, Provider};
use crate::identity::{Endorsements, PrivateIdentity, SignatureMemory};
use crate::time::WallClock;

/// A party's own things, shared by all that it does. Every role has one.
pub struct Party<P, T> {
    pub(crate) provider: P,
    pub(crate) identity: PrivateIdentity,
    pub(crate) endorsements: Endorsements,
    pub(crate) trust: T,
    pub(crate) memory: SignatureMemory,
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
            memory: SignatureMemory::new(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::MAX_NETWORK_KEYS;
    use crate::crypto::SymmetricKey;
    use crate::identity::Name;
    use crate::testing::provider;
    use crate::time::UnixTime;

    #[test]
    fn a_network_key_that_is_taken_is_preferred_and_the_oldest_gives_way() {
        let mut random = provider(1);
        let (from, to) = (UnixTime::from_secs(0), UnixTime::from_secs(1));
        let name = Name::new("party").unwrap();
        let identity = PrivateIdentity::create(&mut random, name, from, to).unwrap();
        let mut party = Party::new(
            random,
            identity,
            Endorsements::default(),
            (),
            NetworkKeys::new(),
            WallClock::unknown(),
        )
        .unwrap();
        let key = |number| NetworkKey::from_secret(&provider(0), SymmetricKey::new([number; 32]));
        let held = |party: &Party<_, ()>| {
            (0..9).filter(|number| party.network.find(key(*number).id()).is_some()).count()
        };
        for number in 0..9 {
            party.take_network_key(key(number));
            assert_eq!(party.network.preferred(), Some(&key(number)));
            assert_eq!(held(&party), MAX_NETWORK_KEYS.min(usize::from(number) + 1));
        }
        // One that is there already only moves to the front.
        party.take_network_key(key(6));
        assert_eq!(party.network.preferred(), Some(&key(6)));
        assert_eq!(held(&party), MAX_NETWORK_KEYS);
    }
}
