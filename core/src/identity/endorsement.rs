//! A third party's word for a certificate (SPEC.md section 4).

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use super::validity::Validity;
use super::{Fingerprint, Grant, PartyId, Rights, Roles};
use crate::crypto::{Invalid, P256PublicKey, P256Secret, Provider, Sha256Digest, Signature};
use crate::time::UnixTime;
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{DecodeError, cbor};

const VERSION: u8 = 1;
const LABEL: &[u8] = b"IoT-Crypto endorsement";

/// The signature of a third party over the fingerprint of a certificate, with
/// what it grants to the certificate's subject, and for how long.
///
/// It holds for one certificate: a renewed certificate has another fingerprint
/// and needs new endorsements. It doesn't name its subject, because it travels
/// with the certificate, or is held with the certificate's fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsement {
    content: Content,
    signature: Signature,
}

/// What the signature covers, besides the fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) issuer: PartyId,
    pub(super) validity: Validity,
    pub(super) grant: Grant,
}

impl Endorsement {
    /// The greatest length of an encoded endorsement, in bytes.
    pub const MAX_LEN: usize = 106;

    /// Decodes an endorsement that fills `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`]; [`DecodeError::Malformed`] also if it expires before it
    /// was created, or grants a role or right that is not known here.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::decode(bytes)
    }

    pub(super) fn sign<P: Provider>(
        provider: &P,
        subject: &Fingerprint,
        content: Content,
        secret: &P256Secret,
    ) -> Result<Self, Invalid> {
        let encoded = content.encoded();
        let signature = provider.p256_sign(secret, &[LABEL, &subject.0, encoded.as_bytes()])?;
        Ok(Self { content, signature })
    }

    /// Checks that the holder of `issuer_key` signed this for the certificate
    /// with the fingerprint `subject`.
    ///
    /// # Errors
    /// [`Invalid`] if not.
    pub fn check_signature<P: Provider>(
        &self,
        provider: &P,
        issuer_key: &P256PublicKey,
        subject: &Fingerprint,
    ) -> Result<(), Invalid> {
        let encoded = self.content.encoded();
        let message: [&[u8]; 3] = [LABEL, &subject.0, encoded.as_bytes()];
        provider.p256_verify(issuer_key, &message, &self.signature)
    }

    /// A hash of all that [`Endorsement::check_signature`] depends on.
    pub(super) fn digest<P: Provider>(
        &self,
        provider: &P,
        issuer_key: &P256PublicKey,
        subject: &Fingerprint,
    ) -> Sha256Digest {
        // Only the last part varies in length.
        let content = self.content.encoded();
        provider.sha256_of(&[&issuer_key.0, &subject.0, &self.signature.0, content.as_bytes()])
    }

    /// The party that gives its word.
    #[must_use]
    pub fn issuer(&self) -> PartyId {
        self.content.issuer
    }

    /// The first second in which the endorsement is valid.
    #[must_use]
    pub fn created(&self) -> UnixTime {
        self.content.validity.created()
    }

    /// The first second in which the endorsement is no longer valid.
    #[must_use]
    pub fn expires(&self) -> UnixTime {
        self.content.validity.expires()
    }

    /// The roles that the subject may play.
    #[must_use]
    pub fn roles(&self) -> Roles {
        self.content.grant.roles
    }

    /// What the subject may do in its roles.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.content.grant.rights
    }

    pub(super) fn validity(&self) -> Validity {
        self.content.validity
    }
}

impl Content {
    /// Of an endorsement, less its signature of 66 bytes.
    const MAX_LEN: usize = Endorsement::MAX_LEN - 66;

    fn encoded(&self) -> cbor::Encoded<{ Self::MAX_LEN }> {
        cbor::Encoded::of(self)
    }

    fn items<W: Write>(&self, encoder: &mut Encoder<W>) -> Result<(), encode::Error<W::Error>> {
        encoder.u8(VERSION)?.encode(self.issuer)?.encode(self.validity)?;
        encoder.encode(self.grant.roles)?.encode(self.grant.rights)?.ok()
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

impl<C> Encode<C> for Endorsement {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.content.items(encoder.array(7)?)?;
        encoder.bytes(&self.signature.0)?.ok()
    }
}

impl<'b> Decode<'b> for Endorsement {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::versioned_array(decoder, 7, VERSION)?;
        Ok(Self {
            content: Content {
                issuer: decoder.decode()?,
                validity: decoder.decode()?,
                grant: Grant { roles: decoder.decode()?, rights: decoder.decode()? },
            },
            signature: Signature(cbor::bytes(decoder)?),
        })
    }
}
