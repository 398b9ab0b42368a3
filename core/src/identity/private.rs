//! A party's own keys, and what it signs with them.

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use super::validity::Validity;
use super::{Certificate, Endorsement, Grant, Name, PartyId, Revocation};
use super::{certificate, endorsement, revocation};
use crate::crypto::{
    EntropyError, Invalid, P256PublicKey, P256Secret, Provider, SharedSecret, Signature,
    X25519PublicKey, X25519Secret,
};
use crate::time::UnixTime;
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{BufferTooSmall, DecodeError, cbor};

const VERSION: u8 = 1;

/// A certificate with the two private keys that belong to it.
///
/// The keys are erased when it is dropped, and not shown by `Debug`.
#[derive(Clone, Debug)]
pub struct PrivateIdentity {
    id: PartyId,
    stored: Stored,
}

/// What the private file holds.
#[derive(Clone, Debug)]
struct Stored {
    certificate: Certificate,
    x25519: X25519Secret,
    p256: P256Secret,
}

/// Why nothing was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssueError {
    /// There are no random numbers for new keys.
    Entropy(EntropyError),
    /// It would expire before it was created.
    Dates,
    /// The private key can't sign. It never happens to keys that
    /// [`PrivateIdentity`] made or checked.
    Key,
}

impl core::fmt::Display for IssueError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Entropy(error) => error.fmt(f),
            Self::Dates => f.write_str("it would expire before it was created"),
            Self::Key => f.write_str("the private key can't sign"),
        }
    }
}

impl core::error::Error for IssueError {}

impl From<EntropyError> for IssueError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}

impl From<Invalid> for IssueError {
    fn from(Invalid: Invalid) -> Self {
        Self::Key
    }
}

/// Why a private file was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// It is not the encoding of a private identity.
    Decode(DecodeError),
    /// The private keys don't belong to the certificate.
    WrongKeys,
    /// The certificate was not signed with its own key.
    SelfSignature,
}

impl core::fmt::Display for LoadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::WrongKeys => f.write_str("the private keys do not belong to the certificate"),
            Self::SelfSignature => f.write_str("the certificate was not signed with its own key"),
        }
    }
}

impl core::error::Error for LoadError {}

impl PrivateIdentity {
    /// The greatest length of an encoded private identity, in bytes.
    pub const MAX_LEN: usize = Certificate::MAX_LEN + 70;

    /// Makes new keys and a certificate for them, valid from `created` until
    /// just before `expires`.
    ///
    /// # Errors
    /// [`IssueError::Entropy`], [`IssueError::Dates`].
    pub fn create<P: Provider>(
        provider: &mut P,
        name: Name,
        created: UnixTime,
        expires: UnixTime,
    ) -> Result<Self, IssueError> {
        let mut x25519 = X25519Secret::default();
        provider.random(x25519.expose_mut())?;
        let (p256, public) = new_p256_key(provider)?;
        let content = certificate::Content {
            name,
            validity: Validity::new(created, expires).ok_or(IssueError::Dates)?,
            x25519: provider.x25519_public_key(&x25519),
            p256: public,
        };
        let certificate = Certificate::sign(provider, content, &p256)?;
        Ok(Self { id: certificate.id(provider), stored: Stored { certificate, x25519, p256 } })
    }

    /// The same keys, hence the same id, under a certificate with new dates. Its
    /// fingerprint is another, so it needs new endorsements.
    ///
    /// # Errors
    /// [`IssueError::Dates`].
    pub fn renew<P: Provider>(
        &self,
        provider: &P,
        created: UnixTime,
        expires: UnixTime,
    ) -> Result<Self, IssueError> {
        let content = certificate::Content {
            name: self.certificate().name().clone(),
            validity: Validity::new(created, expires).ok_or(IssueError::Dates)?,
            x25519: *self.certificate().x25519(),
            p256: *self.certificate().p256(),
        };
        let certificate = Certificate::sign(provider, content, &self.stored.p256)?;
        Ok(Self { id: self.id, stored: Stored { certificate, ..self.stored.clone() } })
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.stored.certificate
    }

    /// The id of the party.
    #[must_use]
    pub fn id(&self) -> PartyId {
        self.id
    }

    /// Gives this party's word for the certificate `subject`, from `created`
    /// until just before `expires`.
    ///
    /// # Errors
    /// [`IssueError::Dates`].
    pub fn endorse<P: Provider>(
        &self,
        provider: &P,
        subject: &Certificate,
        created: UnixTime,
        expires: UnixTime,
        grant: Grant,
    ) -> Result<Endorsement, IssueError> {
        let content = endorsement::Content {
            issuer: self.id,
            validity: Validity::new(created, expires).ok_or(IssueError::Dates)?,
            grant,
        };
        let fingerprint = subject.fingerprint(provider);
        Ok(Endorsement::sign(provider, &fingerprint, content, &self.stored.p256)?)
    }

    /// Declares that `subject` is no longer to be trusted.
    ///
    /// # Errors
    /// [`IssueError::Key`].
    pub fn revoke<P: Provider>(
        &self,
        provider: &P,
        subject: PartyId,
        created: UnixTime,
    ) -> Result<Revocation, IssueError> {
        let content = revocation::Content { issuer: self.id, subject, created };
        Ok(Revocation::sign(provider, content, &self.stored.p256)?)
    }

    /// Encodes certificate and private keys into `buffer`, for a file that only
    /// its owner can read; returns the length. The caller erases the buffer.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; [`PrivateIdentity::MAX_LEN`] bytes always suffice.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        cbor::encode(&self.stored, buffer)
    }

    /// Decodes what [`PrivateIdentity::encode`] wrote, and checks that the
    /// private keys belong to the certificate.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn decode<P: Provider>(provider: &P, bytes: &[u8]) -> Result<Self, LoadError> {
        let stored: Stored = cbor::decode(bytes).map_err(LoadError::Decode)?;
        let x25519 = provider.x25519_public_key(&stored.x25519);
        let p256 = provider.p256_public_key(&stored.p256);
        if x25519 != *stored.certificate.x25519() || p256 != Ok(*stored.certificate.p256()) {
            return Err(LoadError::WrongKeys);
        }
        stored.certificate.check_signature(provider).map_err(|Invalid| LoadError::SelfSignature)?;
        Ok(Self { id: stored.certificate.id(provider), stored })
    }

    /// Decodes what [`PrivateIdentity::encode`] wrote, without checking that the private
    /// keys belong to the certificate, which takes a device seconds: only for what was
    /// checked before, and kept where none but its owner writes, as in the store of a
    /// device.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode_unchecked<P: Provider>(provider: &P, bytes: &[u8]) -> Result<Self, DecodeError> {
        let stored: Stored = cbor::decode(bytes)?;
        Ok(Self { id: stored.certificate.id(provider), stored })
    }

    /// An exchange with the long-term key.
    pub(crate) fn x25519<P: Provider>(
        &self,
        provider: &P,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        provider.x25519(&self.stored.x25519, public)
    }

    /// A signature under a label that is the caller's own.
    pub(crate) fn sign<P: Provider>(
        &self,
        provider: &P,
        message: &[&[u8]],
    ) -> Result<Signature, Invalid> {
        provider.p256_sign(&self.stored.p256, message)
    }
}

fn new_p256_key<P: Provider>(
    provider: &mut P,
) -> Result<(P256Secret, P256PublicKey), EntropyError> {
    // One draw in 2^32 is no scalar of the curve; a source that gives nothing
    // else doesn't work.
    for _ in 0..4 {
        let mut secret = P256Secret::default();
        provider.random(secret.expose_mut())?;
        if let Ok(public) = provider.p256_public_key(&secret) {
            return Ok((secret, public));
        }
    }
    Err(EntropyError)
}

impl<C> Encode<C> for Stored {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.array(4)?.u8(VERSION)?.encode(&self.certificate)?;
        encoder.bytes(self.x25519.expose())?.bytes(self.p256.expose())?.ok()
    }
}

impl<'b> Decode<'b> for Stored {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::versioned_array(decoder, 4, VERSION)?;
        Ok(Self {
            certificate: decoder.decode()?,
            x25519: cbor::secret(decoder)?,
            p256: cbor::secret(decoder)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::items::{Item, bytes, certificate, codec_properties};
    use crate::testing::reencode;

    /// SPEC.md section 3.3; whether the keys fit is not for the codec to say.
    fn stored() -> BoxedStrategy<Item> {
        (certificate(), bytes(32), bytes(32))
            .prop_map(|(certificate, exchange, signing)| {
                Item::List(vec![Item::Number(1), certificate, exchange, signing])
            })
            .boxed()
    }

    codec_properties!(private_files, stored(), reencode::<Stored>);
}
