//! The two messages of the key negotiation (SPEC.md section 9.2).

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use crate::crypto::{Signature, X25519PublicKey};
use crate::identity::{Credential, Endorsements, PrivateIdentity, Role, Roles};
use crate::time::UnixTime;
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{DecodeError, cbor};

/// The version of the negotiation.
const VERSION: u8 = 1;

/// What a message is; its first item.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Segment = 0,
    Request = 1,
    Response = 2,
    Refusal = 3,
}

/// One's own side of a negotiation: the keys, and the endorsements to show.
#[derive(Clone, Copy, Debug)]
pub struct LocalParty<'a> {
    /// The certificate and its private keys.
    pub identity: &'a PrivateIdentity,
    /// The endorsements of that certificate.
    pub endorsements: &'a Endorsements,
}

/// What keeps an old answer from passing for a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// An ephemeral key, which also closes past sessions to whoever steals the
    /// initiator's long-term key later.
    Ephemeral(X25519PublicKey),
    /// A random number.
    Nonce([u8; 16]),
}

/// The initiator's message, M1. Its credential is that of a peer, still
/// unchecked, or one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<C = Credential> {
    /// What the initiator says that it is.
    pub role: Role,
    /// Whether the initiator sleeps most of the time.
    pub sleepy: bool,
    /// The number that the initiator drew when it started.
    pub incarnation: u32,
    /// What makes this message unlike every other.
    pub freshness: Freshness,
    /// The initiator's certificate with its endorsements.
    pub credential: C,
}

/// What the responder's signature covers of M2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Response<C = Credential> {
    pub(super) incarnation: u32,
    pub(super) time: Option<UnixTime>,
    pub(super) transmission_port: u16,
    pub(super) ephemeral: X25519PublicKey,
    pub(super) credential: C,
}

/// The responder's message, M2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedResponse<C = Credential> {
    pub(super) response: Response<C>,
    pub(super) signature: Signature,
}

impl Request {
    /// Decodes the message that fills `bytes`. Nothing in it is checked yet.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::decode(bytes)
    }
}

/// Reads the head of a message of `length` items: array, kind and version.
pub(super) fn head(decoder: &mut Decoder<'_>, kind: Kind, length: u64) -> Result<(), DecodeError> {
    let found = decoder.array()?;
    if decoder.unsigned::<u8>()? != kind as u8 {
        return Err(DecodeError::Malformed);
    }
    if decoder.unsigned::<u8>()? != VERSION {
        return Err(DecodeError::UnknownVersion);
    }
    if found == length { Ok(()) } else { Err(DecodeError::Malformed) }
}

/// Writes the head of a message of `length` items.
pub(super) fn write_head<W: Write>(
    encoder: &mut Encoder<W>,
    kind: Kind,
    length: u64,
) -> Result<&mut Encoder<W>, encode::Error<W::Error>> {
    encoder.array(length)?.u8(kind as u8)?.u8(VERSION)
}

/// As a credential.
impl<C> Encode<C> for LocalParty<'_> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        Credential::encode_parts(self.identity.certificate(), self.endorsements, encoder)
    }
}

impl<C> Encode<C> for Freshness {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::Ephemeral(key) => encoder.bytes(&key.0)?.ok(),
            Self::Nonce(nonce) => encoder.bytes(nonce)?.ok(),
        }
    }
}

impl<'b> Decode<'b> for Freshness {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        let bytes = decoder.bytes()?;
        let key = || bytes.try_into().map(|key| Self::Ephemeral(X25519PublicKey(key)));
        let nonce = bytes.try_into().map(Self::Nonce);
        nonce.or_else(|_| key()).map_err(|_| DecodeError::Malformed)
    }
}

impl<X, C: Encode<()>> Encode<X> for Request<C> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut X,
    ) -> Result<(), encode::Error<W::Error>> {
        write_head(encoder, Kind::Request, 7)?.encode(Roles::from(self.role))?.bool(self.sleepy)?;
        encoder.u32(self.incarnation)?.encode(self.freshness)?.encode(&self.credential)?.ok()
    }
}

impl<'b> Decode<'b> for Request {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        head(decoder, Kind::Request, 7)?;
        Ok(Self {
            role: decoder.decode::<Roles>()?.single().ok_or(DecodeError::Malformed)?,
            sleepy: decoder.bool()?,
            incarnation: decoder.unsigned()?,
            freshness: decoder.decode()?,
            credential: decoder.decode()?,
        })
    }
}

impl<C: Encode<()>> Response<C> {
    fn items<W: Write>(&self, encoder: &mut Encoder<W>) -> Result<(), encode::Error<W::Error>> {
        encoder.u32(self.incarnation)?.encode(self.time.unwrap_or_default())?;
        encoder.u16(self.transmission_port)?.bytes(&self.ephemeral.0)?;
        encoder.encode(&self.credential)?.ok()
    }
}

impl<X, C: Encode<()>> Encode<X> for Response<C> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut X,
    ) -> Result<(), encode::Error<W::Error>> {
        self.items(write_head(encoder, Kind::Response, 7)?)
    }
}

impl<X, C: Encode<()>> Encode<X> for SignedResponse<C> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut X,
    ) -> Result<(), encode::Error<W::Error>> {
        self.response.items(write_head(encoder, Kind::Response, 8)?)?;
        encoder.bytes(&self.signature.0)?.ok()
    }
}

impl<'b> Decode<'b> for SignedResponse {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        head(decoder, Kind::Response, 8)?;
        Ok(Self {
            response: Response {
                incarnation: decoder.unsigned()?,
                time: Some(decoder.decode()?).filter(|time| *time != UnixTime::default()),
                transmission_port: decoder.unsigned()?,
                ephemeral: X25519PublicKey(cbor::bytes(decoder)?),
                credential: decoder.decode()?,
            },
            signature: Signature(cbor::bytes(decoder)?),
        })
    }
}

/// Bytes that are an encoding already.
pub(super) struct Raw<'a>(pub(super) &'a [u8]);

impl<X> Encode<X> for Raw<'_> {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut X,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.writer_mut().write_all(self.0).map_err(encode::Error::write)
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::items::{Item, bytes, codec_properties, credential, number};
    use crate::testing::reencode;

    /// M2 (SPEC.md section 9.2). M1 is public, and has its properties there.
    fn response() -> BoxedStrategy<Item> {
        let numbers = (number(u32::MAX.into()), number(u64::MAX), number(u16::MAX.into()));
        (numbers, bytes(32), credential(), bytes(64))
            .prop_map(|((incarnation, time, port), ephemeral, credential, signature)| {
                let head = [Item::Number(2), Item::Number(1)];
                let rest = [incarnation, time, port, ephemeral, credential, signature];
                Item::List([&head[..], &rest].concat())
            })
            .boxed()
    }

    codec_properties!(responses, response(), reencode::<SignedResponse>);

    proptest! {
        #[test]
        fn what_is_read_of_a_response_is_what_was_written(item in response()) {
            let SignedResponse { response, signature } =
                cbor::decode(&item.encode()).unwrap();
            let time = response.time.map_or(0, UnixTime::as_secs);
            prop_assert_eq!(response.time.is_some(), time != 0);
            let numbers = [response.incarnation.into(), time, response.transmission_port.into()];
            prop_assert_eq!(&numbers.map(Item::Number)[..], &item.items()[2..5]);
            let keys = [response.ephemeral.0.to_vec(), signature.0.to_vec()].map(Item::Bytes);
            prop_assert_eq!([&keys[0], &keys[1]], [&item.items()[5], &item.items()[7]]);
            // What is signed is the same with one item less.
            let signed = Item::List(item.items()[..7].to_vec()).encode();
            let mut bytes = vec![0; signed.len()];
            prop_assert_eq!(cbor::encode(&response, &mut bytes), Ok(signed.len()));
            prop_assert_eq!(bytes, signed);
        }
    }
}
