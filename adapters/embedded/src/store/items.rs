//! The values in the store, encoded and decoded.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;
use iot_crypto::connection::NetworkKeys;
use iot_crypto::crypto::{EntropyError, Provider, Secret};
use iot_crypto::identity::{
    Authority, Certificate, Endorsement, Endorsements, Fingerprint, PrivateIdentity, Revocation,
    Trust, TrustError, TrustStore,
};
use iot_crypto::party::Party;
use iot_crypto::time::{UnixTime, WallClock};
use iot_crypto::wire::cbor;
use zeroize::Zeroizing;

use super::log::Key;
use super::{Item, Store, StoreError};

/// The length of the longest value: a private identity.
pub(super) const MAX_VALUE: usize = PrivateIdentity::MAX_LEN;

/// A value on its way from or to the flash; erased when dropped.
pub(super) type Buffer = Zeroizing<[u8; MAX_VALUE]>;

pub(super) fn buffer() -> Buffer {
    Zeroizing::new([0; MAX_VALUE])
}

/// The secret for the generator of random numbers.
pub(super) type Seed = Secret<32>;

impl Item {
    /// The key of the value with the number `slot` among those of its kind.
    pub(super) const fn key(self, slot: u8) -> Key {
        let kind = match self {
            Self::Identity => 1,
            Self::Endorsement => 2,
            Self::TrustedParty => 3,
            Self::HeldEndorsement => 4,
            Self::Revocation => 5,
            Self::NetworkKeys => 6,
            Self::Time => 7,
            Self::SequenceNumber => 8,
            Self::Seed => 9,
        };
        Key { kind, slot }
    }

    /// The error of a value of this kind that can't be decoded.
    pub(super) fn invalid<E>(self) -> impl FnOnce(E) -> StoreError {
        move |_| StoreError::Invalid(self)
    }
}

impl<F: NorFlash> Store<F> {
    /// The device with all that is stored, and whom it trusts: [`Store::trust`], or a
    /// list from elsewhere.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Entropy`] if the provider has no random numbers.
    pub fn party<P: Provider, T: Trust>(
        &mut self,
        provider: P,
        trust: T,
    ) -> Result<Party<P, T>, StoreError> {
        let identity = self.identity(&provider)?;
        let endorsements = self.endorsements()?;
        let network = self.network_keys(&provider)?;
        let clock = WallClock::with_floor(self.time()?);
        Party::new(provider, identity, endorsements, trust, network, clock)
            .map_err(|EntropyError| StoreError::Entropy)
    }

    /// Who the device is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn identity<P: Provider>(&mut self, provider: &P) -> Result<PrivateIdentity, StoreError> {
        let mut buffer = buffer();
        let bytes = self.value(Item::Identity, 0, &mut buffer)?;
        let bytes = bytes.ok_or(StoreError::Invalid(Item::Identity))?;
        PrivateIdentity::decode_unchecked(provider, bytes).map_err(Item::Identity.invalid())
    }

    /// The endorsements of its certificate.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn endorsements(&mut self) -> Result<Endorsements, StoreError> {
        let (mut buffer, mut endorsements) = (buffer(), Endorsements::none());
        let invalid = StoreError::Invalid(Item::Endorsement);
        for slot in SLOTS {
            let Some(bytes) = self.value(Item::Endorsement, slot, &mut buffer)? else { break };
            let endorsement = Endorsement::decode(bytes).map_err(|_| invalid)?;
            endorsements.push(endorsement).map_err(|_| invalid)?;
        }
        Ok(endorsements)
    }

    /// Replaces the endorsements of its certificate, by those of a renewal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_endorsements(&mut self, endorsements: &Endorsements) -> Result<(), StoreError> {
        self.save_all(Item::Endorsement, endorsements.iter())
    }

    /// Whom the device trusts, with the revocations that it has received. Every
    /// signature is verified again.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Invalid`] also if a table has no room for what
    /// was stored.
    pub fn trust<P: Provider, const A: usize, const B: usize, const C: usize>(
        &mut self,
        provider: &P,
    ) -> Result<TrustStore<A, B, C>, StoreError> {
        let mut trust = TrustStore::new();
        self.load_trust(provider, &mut trust)?;
        Ok(trust)
    }

    /// As [`Store::trust`], into a list that has its place already.
    ///
    /// # Errors
    /// As there; what was loaded until then stays.
    pub fn load_trust<P: Provider, const A: usize, const B: usize, const C: usize>(
        &mut self,
        provider: &P,
        trust: &mut TrustStore<A, B, C>,
    ) -> Result<(), StoreError> {
        let mut buffer = buffer();
        let invalid = StoreError::Invalid(Item::TrustedParty);
        for slot in SLOTS {
            let Some(bytes) = self.value(Item::TrustedParty, slot, &mut buffer)? else { break };
            let (authority, certificate) = bytes.split_first().ok_or(invalid)?;
            let certificate = Certificate::decode(certificate).map_err(|_| invalid)?;
            let authority = authority_of(*authority).ok_or(invalid)?;
            trust.add_party(provider, &certificate, authority).map_err(|_| invalid)?;
        }
        let invalid = StoreError::Invalid(Item::HeldEndorsement);
        for slot in SLOTS {
            let Some(bytes) = self.value(Item::HeldEndorsement, slot, &mut buffer)? else { break };
            let (subject, endorsement) = bytes.split_first_chunk().ok_or(invalid)?;
            let endorsement = Endorsement::decode(endorsement).map_err(|_| invalid)?;
            let held = trust.hold_endorsement(Fingerprint(*subject), endorsement);
            held.map_err(|_| invalid)?;
        }
        let invalid = StoreError::Invalid(Item::Revocation);
        for slot in SLOTS {
            let Some(bytes) = self.value(Item::Revocation, slot, &mut buffer)? else { break };
            let revocation = Revocation::decode(bytes).map_err(|_| invalid)?;
            match trust.revoke(provider, &revocation) {
                // It has no effect while its issuer is not trusted.
                Ok(_) | Err(TrustError::UnknownIssuer) => {}
                Err(_) => return Err(invalid),
            }
        }
        Ok(())
    }

    /// Saves the revocations.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_revocations<T: Trust>(&mut self, trust: &T) -> Result<(), StoreError> {
        self.save_all(Item::Revocation, trust.revocations())
    }

    /// The keys of its network.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn network_keys<P: Provider>(&mut self, provider: &P) -> Result<NetworkKeys, StoreError> {
        let mut buffer = buffer();
        match self.value(Item::NetworkKeys, 0, &mut buffer)? {
            Some(bytes) => {
                NetworkKeys::decode(provider, bytes).map_err(Item::NetworkKeys.invalid())
            }
            None => Ok(NetworkKeys::new()),
        }
    }

    /// Saves the keys of its network.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_network_keys(&mut self, keys: &NetworkKeys) -> Result<(), StoreError> {
        let mut buffer = buffer();
        let length = keys.encode(buffer.as_mut_slice()).map_err(Item::NetworkKeys.invalid())?;
        self.save(Item::NetworkKeys, 0, buffer.get(..length).unwrap_or_default())
    }

    /// The last time that was known; 0 if none was.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn time(&mut self) -> Result<UnixTime, StoreError> {
        Ok(UnixTime::from_secs(self.number(Item::Time)?))
    }

    /// Saves the last time that is known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn save_time(&mut self, time: UnixTime) -> Result<(), StoreError> {
        self.save(Item::Time, 0, &time.as_secs().to_le_bytes())
    }

    /// The secret that was drawn when the device was provisioned.
    pub(super) fn seed(&mut self) -> Result<Seed, StoreError> {
        let mut buffer = buffer();
        let bytes = self.value(Item::Seed, 0, &mut buffer)?;
        let mut seed = Seed::default();
        let bytes = bytes.filter(|bytes| bytes.len() == seed.expose().len());
        seed.expose_mut().copy_from_slice(bytes.ok_or(StoreError::Invalid(Item::Seed))?);
        Ok(seed)
    }

    pub(super) fn number(&mut self, item: Item) -> Result<u64, StoreError> {
        let mut buffer = buffer();
        match self.value(item, 0, &mut buffer)? {
            Some(bytes) => {
                bytes.try_into().map(u64::from_le_bytes).map_err(|_| StoreError::Invalid(item))
            }
            None => Ok(0),
        }
    }

    pub(super) fn value<'b>(
        &mut self,
        item: Item,
        slot: u8,
        buffer: &'b mut Buffer,
    ) -> Result<Option<&'b [u8]>, StoreError> {
        let length = self.log.get(item.key(slot), buffer.as_mut_slice())?;
        Ok(length.and_then(|length| buffer.get(..length)))
    }

    pub(super) fn save(&mut self, item: Item, slot: u8, value: &[u8]) -> Result<(), StoreError> {
        self.log.put(item.key(slot), value)
    }

    /// Saves values in the slots from the first on; the ones behind become empty.
    ///
    /// The order matters when power is lost: a value that only moves forward is
    /// never gone, and no slot is filled behind an empty one.
    fn save_all<'i, T: minicbor::Encode<()> + 'i>(
        &mut self,
        item: Item,
        values: impl Iterator<Item = &'i T>,
    ) -> Result<(), StoreError> {
        let (mut buffer, mut slots) = (buffer(), SLOTS);
        for value in values {
            let slot = slots.next().ok_or(StoreError::Invalid(item))?;
            let length = cbor::encode(value, buffer.as_mut_slice()).map_err(item.invalid())?;
            self.save(item, slot, buffer.get(..length).unwrap_or_default())?;
        }
        let first = slots.start;
        let mut end = first;
        while end < SLOTS.end && self.log.contains(item.key(end))? {
            end = end.saturating_add(1);
        }
        (first..end).rev().try_for_each(|slot| self.save(item, slot, &[]))
    }
}

/// The numbers of the values of one kind; those that there are begin at the first,
/// without a gap.
pub(super) const SLOTS: Range<u8> = 0..u8::MAX;

pub(super) const fn authority_code(authority: Authority) -> u8 {
    match authority {
        Authority::Endorse => 1,
        Authority::Full => 2,
    }
}

const fn authority_of(code: u8) -> Option<Authority> {
    match code {
        1 => Some(Authority::Endorse),
        2 => Some(Authority::Full),
        _ => None,
    }
}
