//! The message of a responder that doesn't agree (SPEC.md section 9.5).

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};
use subtle::ConstantTimeEq as _;

use super::message::{Kind, head, write_head};
use crate::crypto::{Provider, Sha256Digest};
use crate::identity;
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{BufferTooSmall, DecodeError, cbor};

/// The greatest length of a refusal, in bytes.
pub const REFUSAL_MAX_LEN: usize = 14;

/// Why a responder doesn't agree to negotiate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NegotiationRefusal {
    /// The initiator is not trusted.
    Trust(identity::Refusal),
    /// The request could not be decoded, or one of its keys is useless.
    Malformed,
    /// The request has a version that the responder doesn't know.
    UnknownVersion,
    /// The responder doesn't know the time, so that it can't tell whether a
    /// certificate is valid.
    TimeUnknown,
    /// The responder has no room; to be tried again later.
    Busy,
    /// The responder doesn't serve parties in the initiator's role.
    WrongRole,
    /// A reason with this code, which is not known here.
    Other(u8),
}

impl NegotiationRefusal {
    /// The number that stands for the reason on the wire.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Trust(refusal) => refusal.code(),
            Self::Malformed => 32,
            Self::UnknownVersion => 33,
            Self::TimeUnknown => 34,
            Self::Busy => 35,
            Self::WrongRole => 36,
            Self::Other(code) => code,
        }
    }

    /// The reason that `code` stands for.
    #[must_use]
    pub fn from_code(code: u8) -> Self {
        match code {
            32 => Self::Malformed,
            33 => Self::UnknownVersion,
            34 => Self::TimeUnknown,
            35 => Self::Busy,
            36 => Self::WrongRole,
            code => identity::Refusal::from_code(code).map_or(Self::Other(code), Self::Trust),
        }
    }
}

impl core::fmt::Display for NegotiationRefusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Trust(refusal) => refusal.fmt(f),
            Self::Malformed => f.write_str("the request is malformed"),
            Self::UnknownVersion => f.write_str("the request has an unknown version"),
            Self::TimeUnknown => f.write_str("the responder does not know the time"),
            Self::Busy => f.write_str("the responder has no room"),
            Self::WrongRole => f.write_str("the responder does not serve this role"),
            Self::Other(code) => write!(f, "a reason that is not known here ({code})"),
        }
    }
}

impl core::error::Error for NegotiationRefusal {}

impl From<identity::Refusal> for NegotiationRefusal {
    fn from(refusal: identity::Refusal) -> Self {
        Self::Trust(refusal)
    }
}

/// Encodes the refusal of the message `request` into `buffer`; returns the
/// length. The refusal names the request, so that it refuses no other.
///
/// # Errors
/// [`BufferTooSmall`]; [`REFUSAL_MAX_LEN`] bytes always suffice.
pub fn refuse<P: Provider>(
    provider: &P,
    request: &[u8],
    refusal: NegotiationRefusal,
    buffer: &mut [u8],
) -> Result<usize, BufferTooSmall> {
    let refers_to = RequestHash::new(provider.sha256_of(&[request]));
    cbor::encode(&Refused { code: refusal.code(), refers_to }, buffer)
}

/// The refusal message.
pub(super) struct Refused {
    code: u8,
    refers_to: RequestHash,
}

/// The first 8 bytes of the SHA-256 of M1.
struct RequestHash([u8; 8]);

impl RequestHash {
    fn new(digest: Sha256Digest) -> Self {
        let mut hash = [0; 8];
        for (to, from) in hash.iter_mut().zip(digest) {
            *to = from;
        }
        Self(hash)
    }
}

impl Refused {
    /// The reason, if this refuses the request that has this SHA-256.
    pub(super) fn of_request(&self, digest: Sha256Digest) -> Option<NegotiationRefusal> {
        let same = bool::from(self.refers_to.0.ct_eq(&RequestHash::new(digest).0));
        same.then(|| NegotiationRefusal::from_code(self.code))
    }
}

impl<C> Encode<C> for Refused {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        write_head(encoder, Kind::Refusal, 4)?.u8(self.code)?.bytes(&self.refers_to.0)?.ok()
    }
}

impl<'b> Decode<'b> for Refused {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        head(decoder, Kind::Refusal, 4)?;
        Ok(Self { code: decoder.unsigned()?, refers_to: RequestHash(cbor::bytes(decoder)?) })
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::items::{Item, bytes, codec_properties, number};
    use crate::testing::reencode;

    fn refused() -> BoxedStrategy<Item> {
        (number(u8::MAX.into()), bytes(8))
            .prop_map(|(code, refers_to)| {
                Item::List(vec![Item::Number(3), Item::Number(1), code, refers_to])
            })
            .boxed()
    }

    codec_properties!(refusals, refused(), reencode::<Refused>);

    #[test]
    fn every_code_is_read_as_it_is_written() {
        for code in 0..=u8::MAX {
            let refusal = NegotiationRefusal::from_code(code);
            assert_eq!(refusal.code(), code);
            assert_eq!(NegotiationRefusal::from_code(refusal.code()), refusal);
        }
    }
}
