//! How a device gets what it begins with.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;
use iot_crypto::connection::NetworkKeys;
use iot_crypto::crypto::Provider;
use iot_crypto::identity::{
    Authority, Certificate, Endorsement, Endorsements, Fingerprint, PrivateIdentity,
};
use iot_crypto::wire::cbor;

use super::items::{SLOTS, Seed, authority_code, buffer};
use super::log::Log;
use super::{Item, Store, StoreError};

/// What a device begins with.
#[derive(Clone, Copy, Debug)]
pub struct Provisioning<'a> {
    /// Who it is.
    pub identity: &'a PrivateIdentity,
    /// The endorsements of its certificate.
    pub endorsements: &'a Endorsements,
    /// The parties whose endorsements count to it, by their certificates, and how
    /// far their revocations reach.
    pub trusted: &'a [(&'a Certificate, Authority)],
    /// Endorsements of others that it holds itself, each with the fingerprint of
    /// the certificate.
    pub held: &'a [(Fingerprint, &'a Endorsement)],
    /// The keys of its network.
    pub network: &'a NetworkKeys,
}

impl<F: NorFlash> Store<F> {
    /// Writes what a device begins with into a region that is blank, or in which
    /// this was cut off, and a secret for its generator of random numbers, drawn
    /// from `provider`: a device that is provisioned anew does not repeat its
    /// random numbers though it counts its starts anew.
    ///
    /// # Errors
    /// [`StoreError`]. [`StoreError::Provisioned`], [`StoreError::Version`] and
    /// [`StoreError::Foreign`] say that the region holds something else, and nothing
    /// was written; [`Store::erase`] is what erases it.
    pub fn provision<P: Provider>(
        flash: F,
        region: Range<u32>,
        provider: &mut P,
        device: &Provisioning<'_>,
    ) -> Result<Self, StoreError> {
        let mut seed = Seed::default();
        provider.random(seed.expose_mut()).map_err(|_| StoreError::Entropy)?;
        let mut log = Log::begin(flash, region.start, region.end)?;
        let mut buffer = buffer();

        let length = device.identity.encode(buffer.as_mut_slice());
        let length = length.map_err(Item::Identity.invalid())?;
        let value = buffer.get(..length).unwrap_or_default();
        log.append_uncommitted(Item::Identity.key(0), value)?;
        log.append_uncommitted(Item::Seed.key(0), seed.expose())?;

        let length = device.network.encode(buffer.as_mut_slice());
        let length = length.map_err(Item::NetworkKeys.invalid())?;
        let value = buffer.get(..length).unwrap_or_default();
        log.append_uncommitted(Item::NetworkKeys.key(0), value)?;

        for (slot, endorsement) in SLOTS.zip(device.endorsements.iter()) {
            let length = cbor::encode(endorsement, buffer.as_mut_slice());
            let length = length.map_err(Item::Endorsement.invalid())?;
            let value = buffer.get(..length).unwrap_or_default();
            log.append_uncommitted(Item::Endorsement.key(slot), value)?;
        }
        for (slot, (certificate, authority)) in SLOTS.zip(device.trusted) {
            let (code, rest) = buffer.split_first_mut().ok_or(StoreError::Region)?;
            *code = authority_code(*authority);
            let length = cbor::encode(*certificate, rest).map_err(Item::TrustedParty.invalid())?;
            let value = buffer.get(..length.saturating_add(1)).unwrap_or_default();
            log.append_uncommitted(Item::TrustedParty.key(slot), value)?;
        }
        for (slot, (subject, endorsement)) in SLOTS.zip(device.held) {
            let (place, rest) = buffer.split_first_chunk_mut().ok_or(StoreError::Region)?;
            *place = subject.0;
            let length = cbor::encode(*endorsement, rest);
            let length = length.map_err(Item::HeldEndorsement.invalid())?;
            let length = length.saturating_add(subject.0.len());
            let value = buffer.get(..length).unwrap_or_default();
            log.append_uncommitted(Item::HeldEndorsement.key(slot), value)?;
        }
        log.commit()?;
        Ok(Self { log })
    }
}
