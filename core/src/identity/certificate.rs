//! A party's certificate (SPEC.md section 3).

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use super::validity::Validity;
use super::{Fingerprint, Name, PartyId};
use crate::crypto::{Invalid, P256PublicKey, P256Secret, Provider, Signature, X25519PublicKey};
use crate::time::UnixTime;
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{DecodeError, cbor};

const VERSION: u8 = 1;
const LABEL: &[u8] = b"IoT-Crypto certificate";

/// What a party says of itself: its name, its two public keys, and for how long
/// it means to use them; signed with the second of the keys.
///
/// A decoded certificate is well formed, but its signature is still unchecked;
/// only a [`VerifiedCertificate`](super::VerifiedCertificate) was checked and is
/// trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    content: Content,
    signature: Signature,
}

/// What the signature covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) name: Name,
    pub(super) validity: Validity,
    pub(super) x25519: X25519PublicKey,
    pub(super) p256: P256PublicKey,
}

impl Certificate {
    /// The greatest length of an encoded certificate, in bytes: with a name of 32
    /// bytes and dates beyond the year 2106.
    pub const MAX_LEN: usize = 189;

    /// Decodes a certificate that fills `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`]; [`DecodeError::Malformed`] also if the certificate
    /// expires before it was created.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::decode(bytes)
    }

    pub(super) fn sign<P: Provider>(
        provider: &P,
        content: Content,
        secret: &P256Secret,
    ) -> Result<Self, Invalid> {
        let signature = provider.p256_sign(secret, &[LABEL, content.encoded().as_bytes()])?;
        Ok(Self { content, signature })
    }

    /// Checks the self-signature.
    ///
    /// # Errors
    /// [`Invalid`] if the certificate was not signed with its own key.
    pub fn check_signature<P: Provider>(&self, provider: &P) -> Result<(), Invalid> {
        let content = self.content.encoded();
        provider.p256_verify(&self.content.p256, &[LABEL, content.as_bytes()], &self.signature)
    }

    /// The id of the party.
    #[must_use]
    pub fn id<P: Provider>(&self, provider: &P) -> PartyId {
        PartyId::of_keys(provider, &self.content.x25519, &self.content.p256)
    }

    /// The fingerprint of this certificate.
    #[must_use]
    #[inline(never)] // The encoding is not there while signatures are verified.
    pub fn fingerprint<P: Provider>(&self, provider: &P) -> Fingerprint {
        let encoded = cbor::Encoded::<{ Self::MAX_LEN }>::of(self);
        Fingerprint(provider.sha256_of(&[encoded.as_bytes()]))
    }

    /// The name of the party.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.content.name
    }

    /// The first second in which the certificate is valid.
    #[must_use]
    pub fn created(&self) -> UnixTime {
        self.content.validity.created()
    }

    /// The first second in which the certificate is no longer valid.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.content.validity.expires()
    }

    /// The public key for key exchange.
    #[must_use]
    pub fn x25519(&self) -> &X25519PublicKey {
        &self.content.x25519
    }

    /// The public key for signatures.
    #[must_use]
    pub fn p256(&self) -> &P256PublicKey {
        &self.content.p256
    }

    pub(super) fn validity(&self) -> Validity {
        self.content.validity
    }
}

impl Content {
    /// Of a certificate, less its signature of 66 bytes.
    const MAX_LEN: usize = Certificate::MAX_LEN - 66;

    fn encoded(&self) -> cbor::Encoded<{ Self::MAX_LEN }> {
        cbor::Encoded::of(self)
    }

    fn items<W: Write>(&self, encoder: &mut Encoder<W>) -> Result<(), encode::Error<W::Error>> {
        encoder.u8(VERSION)?.encode(&self.name)?.encode(self.validity)?;
        encoder.bytes(&self.x25519.0)?.bytes(&self.p256.0)?.ok()
    }
}

impl<C> Encode<C> for Content {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.items(encoder.array(6)?)
    }
}

impl<C> Encode<C> for Certificate {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.content.items(encoder.array(7)?)?;
        encoder.bytes(&self.signature.0)?.ok()
    }
}

impl<'b> Decode<'b> for Certificate {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::versioned_array(decoder, 7, VERSION)?;
        Ok(Self {
            content: Content {
                name: decoder.decode()?,
                validity: decoder.decode()?,
                x25519: X25519PublicKey(cbor::bytes(decoder)?),
                p256: P256PublicKey(cbor::bytes(decoder)?),
            },
            signature: Signature(cbor::bytes(decoder)?),
        })
    }
}
