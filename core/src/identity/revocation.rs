//! The withdrawal of trust in a party (SPEC.md section 5).

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use super::PartyId;
use crate::crypto::{Invalid, P256PublicKey, P256Secret, Provider, Signature};
use crate::time::UnixTime;
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{DecodeError, cbor};

const VERSION: u8 = 1;
const LABEL: &[u8] = b"IoT-Crypto revocation";

/// A party's statement that another, or itself, is no longer to be trusted.
///
/// It names the subject's id, not a certificate, so that a certificate renewed
/// with the same keys stays revoked. It has no end. How far it reaches is for
/// the verifier's list to say; see [`Authority`](super::Authority).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    content: Content,
    signature: Signature,
}

/// What the signature covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) issuer: PartyId,
    pub(super) subject: PartyId,
    pub(super) created: UnixTime,
}

impl Revocation {
    /// The greatest length of an encoded revocation, in bytes.
    pub const MAX_LEN: usize = 111;

    /// Decodes a revocation that fills `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`].
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

    /// Checks that the holder of `issuer_key` signed this.
    ///
    /// # Errors
    /// [`Invalid`] if not.
    pub fn check_signature<P: Provider>(
        &self,
        provider: &P,
        issuer_key: &P256PublicKey,
    ) -> Result<(), Invalid> {
        let content = self.content.encoded();
        provider.p256_verify(issuer_key, &[LABEL, content.as_bytes()], &self.signature)
    }

    /// The party that revokes.
    #[must_use]
    pub fn issuer(&self) -> PartyId {
        self.content.issuer
    }

    /// The party that is revoked.
    #[must_use]
    pub fn subject(&self) -> PartyId {
        self.content.subject
    }

    /// When the issuer signed this; for people to read, no decision rests on it.
    #[must_use]
    pub fn created(&self) -> UnixTime {
        self.content.created
    }
}

impl Content {
    /// Of a revocation, less its signature of 66 bytes.
    const MAX_LEN: usize = Revocation::MAX_LEN - 66;

    fn encoded(&self) -> cbor::Encoded<{ Self::MAX_LEN }> {
        cbor::Encoded::of(self)
    }

    fn items<W: Write>(&self, encoder: &mut Encoder<W>) -> Result<(), encode::Error<W::Error>> {
        encoder.u8(VERSION)?.encode(self.issuer)?.encode(self.subject)?;
        encoder.encode(self.created)?.ok()
    }
}

impl<C> Encode<C> for Content {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.items(encoder.array(4)?)
    }
}

impl<C> Encode<C> for Revocation {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.content.items(encoder.array(5)?)?;
        encoder.bytes(&self.signature.0)?.ok()
    }
}

impl<'b> Decode<'b> for Revocation {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::versioned_array(decoder, 5, VERSION)?;
        Ok(Self {
            content: Content {
                issuer: decoder.decode()?,
                subject: decoder.decode()?,
                created: decoder.decode()?,
            },
            signature: Signature(cbor::bytes(decoder)?),
        })
    }
}
