//! A certificate with its endorsements, as they travel (SPEC.md section 4.2).

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use super::{Certificate, Endorsement};
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{DecodeError, cbor};

/// The number of endorsements that can travel with a certificate.
pub const MAX_ENDORSEMENTS: usize = 4;

/// A certificate, and those endorsements of it that its subject shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The certificate.
    pub certificate: Certificate,
    /// Its endorsements.
    pub endorsements: Endorsements,
}

impl Credential {
    /// Decodes a credential that fills `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`]; [`DecodeError::Malformed`] also if there are more than
    /// [`MAX_ENDORSEMENTS`] endorsements.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::decode(bytes)
    }

    /// Encodes the credential of these two parts, without making one.
    pub(crate) fn encode_parts<W: Write>(
        certificate: &Certificate,
        endorsements: &Endorsements,
        encoder: &mut Encoder<W>,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.array(2)?.encode(certificate)?.encode(endorsements)?.ok()
    }
}

/// At most [`MAX_ENDORSEMENTS`] endorsements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endorsements(heapless::Vec<Endorsement, MAX_ENDORSEMENTS>);

/// More than [`MAX_ENDORSEMENTS`] endorsements were to travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyEndorsements;

impl core::fmt::Display for TooManyEndorsements {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "at most {MAX_ENDORSEMENTS} endorsements travel with a certificate")
    }
}

impl core::error::Error for TooManyEndorsements {}

impl Endorsements {
    /// No endorsement.
    #[must_use]
    pub const fn none() -> Self {
        Self(heapless::Vec::new())
    }

    /// Copies `endorsements`.
    ///
    /// # Errors
    /// [`TooManyEndorsements`].
    pub fn new(endorsements: &[Endorsement]) -> Result<Self, TooManyEndorsements> {
        heapless::Vec::from_slice(endorsements).map(Self).map_err(|_| TooManyEndorsements)
    }

    /// Appends an endorsement.
    ///
    /// # Errors
    /// [`TooManyEndorsements`]; nothing was changed.
    pub fn push(&mut self, endorsement: Endorsement) -> Result<(), TooManyEndorsements> {
        self.0.push(endorsement).map_err(|_| TooManyEndorsements)
    }
}

impl core::ops::Deref for Endorsements {
    type Target = [Endorsement];

    fn deref(&self) -> &[Endorsement] {
        &self.0
    }
}

impl<C> Encode<C> for Credential {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        Self::encode_parts(&self.certificate, &self.endorsements, encoder)
    }
}

impl<'b> Decode<'b> for Credential {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::array(decoder, 2)?;
        Ok(Self { certificate: decoder.decode()?, endorsements: decoder.decode()? })
    }
}

impl<C> Encode<C> for Endorsements {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.array(u64::try_from(self.0.len()).unwrap_or(u64::MAX))?;
        self.0.iter().try_for_each(|endorsement| encoder.encode(endorsement)?.ok())
    }
}

impl<'b> Decode<'b> for Endorsements {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        let mut endorsements = Self::none();
        for _ in 0..decoder.array()? {
            // The first one too many ends the loop, however many were announced.
            endorsements.push(decoder.decode()?).map_err(|_| DecodeError::Malformed)?;
        }
        Ok(endorsements)
    }
}
