//! What a gateway broadcasts of itself (SPEC.md section 8).

mod filter;

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};
use subtle::ConstantTimeEq as _;

use super::{NetworkKey, NetworkKeyId, NetworkKeys};
use crate::crypto::Provider;
use crate::identity::PartyId;
use crate::time::UnixTime;
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{BufferTooSmall, DecodeError, cbor};

pub use filter::{AdvertisementFilter, NotFresh};

const VERSION: u8 = 1;

/// A truncated HMAC-SHA256.
type Mac = [u8; 16];

/// The versions of the connection protocol that a gateway speaks; bit `n` of
/// the number stands for version `n + 1`. Versions that are not known here are
/// kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions(pub u32);

impl Versions {
    /// The version that is specified in SPEC.md.
    pub const V1: Self = Self(1);

    /// Whether there is a version in both sets.
    #[must_use]
    pub const fn intersect(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// What a gateway says of itself to everyone in reach.
///
/// Its time serves only to tell new advertisements from old ones, never to set a
/// clock: everybody who has the network key can make an advertisement, so that
/// any device could move the clocks of all others. Clocks are set by the time
/// that a gateway signs in the key negotiation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The gateway.
    pub gateway: PartyId,
    /// The UDP port of its key negotiation.
    pub negotiation_port: u16,
    /// The UDP port of its transmission service.
    pub transmission_port: u16,
    /// The versions of the connection protocol that it speaks.
    pub versions: Versions,
    /// When it was sent, if the gateway knows the time. A gateway that knew it
    /// once must not send without.
    pub time: Option<UnixTime>,
    /// Grows with every advertisement. A gateway that has no clock must not
    /// begin anew when it restarts.
    pub sequence: u32,
    /// The number that the gateway drew when it started. If it isn't that of the
    /// session's negotiation, the gateway seems to have started anew, and to have
    /// forgotten the session; to be asked in the session itself, since everybody
    /// who has the network key can make it seem so.
    pub incarnation: u32,
}

/// Why an advertisement was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvertisementError {
    /// It is not the encoding of an advertisement.
    Decode(DecodeError),
    /// It has a version that is not known here.
    UnknownVersion,
    /// It is authenticated with a network key that is not accepted here.
    UnknownKey,
    /// It was not made by a holder of the network key that it names.
    Forged,
}

impl core::fmt::Display for AdvertisementError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::UnknownVersion => DecodeError::UnknownVersion.fmt(f),
            Self::UnknownKey => f.write_str("the advertisement belongs to another network"),
            Self::Forged => f.write_str("the advertisement is forged"),
        }
    }
}

impl core::error::Error for AdvertisementError {}

/// What the authentication code covers.
struct Content {
    key: NetworkKeyId,
    advertisement: Advertisement,
}

struct Sealed {
    content: Content,
    mac: Mac,
}

impl Advertisement {
    /// The greatest length of a sealed advertisement, in bytes.
    pub const MAX_LEN: usize = 71;

    /// Authenticates the advertisement with `key` and encodes it into `buffer`;
    /// returns the length.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; [`Advertisement::MAX_LEN`] bytes always suffice.
    pub fn seal<P: Provider>(
        &self,
        provider: &P,
        key: &NetworkKey,
        buffer: &mut [u8],
    ) -> Result<usize, BufferTooSmall> {
        let content = Content { key: key.id(), advertisement: self.clone() };
        let mac = content.mac(provider, key);
        cbor::encode(&Sealed { content, mac }, buffer)
    }

    /// Decodes the advertisement that fills `bytes` and checks that a holder of
    /// one of `keys` made it; tells which key.
    ///
    /// Whether it is new is for the [`AdvertisementFilter`] to say.
    ///
    /// # Errors
    /// [`AdvertisementError`].
    pub fn open<P: Provider>(
        provider: &P,
        keys: &NetworkKeys,
        bytes: &[u8],
    ) -> Result<(Self, NetworkKeyId), AdvertisementError> {
        let Sealed { content, mac } = cbor::decode(bytes).map_err(|error| match error {
            DecodeError::UnknownVersion => AdvertisementError::UnknownVersion,
            error => AdvertisementError::Decode(error),
        })?;
        let key = keys.find(content.key).ok_or(AdvertisementError::UnknownKey)?;
        if bool::from(content.mac(provider, key).ct_eq(&mac)) {
            Ok((content.advertisement, content.key))
        } else {
            Err(AdvertisementError::Forged)
        }
    }
}

impl Content {
    /// Of an advertisement, less its authentication code of 17 bytes.
    const MAX_LEN: usize = Advertisement::MAX_LEN - 17;

    fn mac<P: Provider>(&self, provider: &P, key: &NetworkKey) -> Mac {
        let encoded = cbor::Encoded::<{ Self::MAX_LEN }>::of(self);
        let key = key.advertisement_key(provider);
        let whole = provider.hmac_sha256(key.expose(), &[encoded.as_bytes()]);
        let mut mac = [0; 16];
        for (to, from) in mac.iter_mut().zip(whole) {
            *to = from;
        }
        mac
    }

    fn items<W: Write>(&self, encoder: &mut Encoder<W>) -> Result<(), encode::Error<W::Error>> {
        let advertisement = &self.advertisement;
        encoder.u8(VERSION)?.encode(self.key)?.encode(advertisement.gateway)?;
        encoder.u16(advertisement.negotiation_port)?.u16(advertisement.transmission_port)?;
        encoder.u32(advertisement.versions.0)?.encode(advertisement.time.unwrap_or_default())?;
        encoder.u32(advertisement.sequence)?.u32(advertisement.incarnation)?.ok()
    }
}

impl<C> Encode<C> for Content {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.items(encoder.array(9)?)
    }
}

impl<C> Encode<C> for Sealed {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        self.content.items(encoder.array(10)?)?;
        encoder.bytes(&self.mac)?.ok()
    }
}

impl<'b> Decode<'b> for Sealed {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::versioned_array(decoder, 10, VERSION)?;
        Ok(Self {
            content: Content {
                key: decoder.decode()?,
                advertisement: Advertisement {
                    gateway: decoder.decode()?,
                    negotiation_port: decoder.unsigned()?,
                    transmission_port: decoder.unsigned()?,
                    versions: Versions(decoder.unsigned()?),
                    time: Some(decoder.decode()?).filter(|time| *time != UnixTime::default()),
                    sequence: decoder.unsigned()?,
                    incarnation: decoder.unsigned()?,
                },
            },
            mac: cbor::bytes(decoder)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SymmetricKey;
    use crate::testing::provider;

    fn advertisement() -> Advertisement {
        Advertisement {
            gateway: PartyId([7; 16]),
            negotiation_port: 4_433,
            transmission_port: 4_434,
            versions: Versions::V1,
            time: Some(UnixTime::from_secs(1_800_000_000)),
            sequence: 100,
            incarnation: 0x0102_0304,
        }
    }

    fn key(number: u8) -> NetworkKey {
        NetworkKey::from_secret(&provider(1), SymmetricKey::new([number; 32]))
    }

    fn ring(numbers: &[u8]) -> NetworkKeys {
        let mut ring = NetworkKeys::new();
        for number in numbers {
            ring.add(key(*number)).unwrap();
        }
        ring
    }

    fn sealed() -> std::vec::Vec<u8> {
        let mut buffer = [0; Advertisement::MAX_LEN];
        let length = advertisement().seal(&provider(1), &key(1), &mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    #[test]
    fn what_is_opened_is_what_was_sealed() {
        let (provider, bytes) = (provider(1), sealed());
        assert_eq!(bytes.len(), 60);
        for ring in [ring(&[1]), ring(&[1, 2])] {
            let opened = Advertisement::open(&provider, &ring, &bytes);
            assert_eq!(opened, Ok((advertisement(), key(1).id())));
        }
        let unknown = Advertisement { time: None, ..advertisement() };
        let mut buffer = [0; Advertisement::MAX_LEN];
        let length = unknown.seal(&provider, &key(1), &mut buffer).unwrap();
        let opened = Advertisement::open(&provider, &ring(&[1]), &buffer[..length]);
        assert_eq!(opened, Ok((unknown, key(1).id())));
    }

    #[test]
    fn the_greatest_size() {
        let greatest = Advertisement {
            gateway: PartyId([0xff; 16]),
            negotiation_port: u16::MAX,
            transmission_port: u16::MAX,
            versions: Versions(u32::MAX),
            time: Some(UnixTime::from_secs(u64::MAX)),
            sequence: u32::MAX,
            incarnation: u32::MAX,
        };
        let length = greatest.seal(&provider(1), &key(1), &mut [0; Advertisement::MAX_LEN]);
        assert_eq!(length, Ok(Advertisement::MAX_LEN));
    }

    #[test]
    fn every_byte_counts() {
        let (provider, bytes, ring) = (provider(1), sealed(), ring(&[1]));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Advertisement::open(&provider, &ring, &changed).is_err(), "byte {at}");
        }
    }

    #[test]
    fn each_fault_has_its_error() {
        let (provider, bytes) = (provider(1), sealed());
        let open = |ring: &NetworkKeys, bytes: &[u8]| {
            Advertisement::open(&provider, ring, bytes).unwrap_err()
        };
        assert_eq!(open(&ring(&[2, 3]), &bytes), AdvertisementError::UnknownKey);
        let mut forged = bytes.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(open(&ring(&[1]), &forged), AdvertisementError::Forged);
        let mut next_version = bytes.clone();
        next_version[1] = 2;
        assert_eq!(open(&ring(&[1]), &next_version), AdvertisementError::UnknownVersion);
        let truncated = AdvertisementError::Decode(DecodeError::Truncated);
        assert_eq!(open(&ring(&[1]), &bytes[..bytes.len() - 1]), truncated);
        assert_eq!(open(&ring(&[1]), &[]), truncated);
    }
}
