//! What a party is called: its name, its id, and the fingerprint of its
//! certificate.

use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use crate::crypto::{P256PublicKey, Provider, Sha256Digest, X25519PublicKey};
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{DecodeError, cbor};

/// A name for people to read: 1 to 32 bytes of UTF-8 without control characters.
///
/// Names are chosen freely and need not be unique; what tells parties apart is
/// the [`PartyId`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(heapless::String<{ Name::MAX_LEN }>);

/// A name is empty, longer than 32 bytes, or contains control characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName;

impl core::fmt::Display for InvalidName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("a name has 1 to 32 bytes and no control characters")
    }
}

impl core::error::Error for InvalidName {}

impl Name {
    /// The greatest length of a name, in bytes.
    pub const MAX_LEN: usize = 32;

    /// Takes `name` over.
    ///
    /// # Errors
    /// [`InvalidName`].
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(InvalidName);
        }
        heapless::String::try_from(name).map(Self).map_err(|_| InvalidName)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::str::FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::new(text)
    }
}

impl core::fmt::Display for Name {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(&self.0)
    }
}

impl<C> Encode<C> for Name {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.str(&self.0)?.ok()
    }
}

impl<'b> Decode<'b> for Name {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        Self::new(decoder.str()?).map_err(|InvalidName| DecodeError::Malformed)
    }
}

/// The unique id of a party: the first 16 bytes of a SHA-256 over its two public
/// keys (SPEC.md section 3.2).
///
/// It follows from the keys, so that it costs no bytes in a certificate, nobody
/// can take another's, and it survives the renewal of the certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartyId(pub [u8; 16]);

/// A text is not the id of a party: 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPartyId;

impl core::fmt::Display for InvalidPartyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the id of a party has 32 hexadecimal digits")
    }
}

impl core::error::Error for InvalidPartyId {}

impl PartyId {
    const LABEL: &[u8] = b"IoT-Crypto party id";

    /// The id of the party that has these public keys.
    #[must_use]
    pub fn of_keys<P: Provider>(
        provider: &P,
        x25519: &X25519PublicKey,
        p256: &P256PublicKey,
    ) -> Self {
        let digest = provider.sha256_of(&[Self::LABEL, &x25519.0, &p256.0]);
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(digest) {
            *to = from;
        }
        Self(id)
    }

    /// Reads 32 hexadecimal digits, as [`PartyId`]'s `Display` writes them;
    /// capitals are taken as well.
    ///
    /// # Errors
    /// [`InvalidPartyId`].
    pub fn parse(text: &str) -> Result<Self, InvalidPartyId> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(InvalidPartyId);
        };
        let mut id = [0; 16];
        if pairs.len() != id.len() {
            return Err(InvalidPartyId);
        }
        let digit = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
                .ok_or(InvalidPartyId)
        };
        for (byte, &[high, low]) in id.iter_mut().zip(pairs) {
            *byte = digit(high)? << 4 | digit(low)?;
        }
        Ok(Self(id))
    }
}

impl core::str::FromStr for PartyId {
    type Err = InvalidPartyId;

    fn from_str(text: &str) -> Result<Self, InvalidPartyId> {
        Self::parse(text)
    }
}

impl core::fmt::Display for PartyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write_hex(f, &self.0)
    }
}

impl core::fmt::Debug for PartyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PartyId({self})")
    }
}

impl<C> Encode<C> for PartyId {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(&self.0)?.ok()
    }
}

impl<'b> Decode<'b> for PartyId {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::bytes(decoder).map(Self)
    }
}

/// The SHA-256 of a whole encoded certificate. A renewed certificate has another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub Sha256Digest);

impl core::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write_hex(f, &self.0)
    }
}

impl core::fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

fn write_hex(f: &mut core::fmt::Formatter<'_>, bytes: &[u8]) -> core::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = PartyId([0, 1, 0x2f, 0xa0, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff]);
        assert_eq!(id.to_string(), "00012fa00405060708090a0b0c0d0eff");
        assert_eq!(PartyId::parse(&id.to_string()), Ok(id));
        for wrong in
            ["", "00", "g0012fa00405060708090a0b0c0d0eff", "00012fa00405060708090a0b0c0d0efff"]
        {
            assert_eq!(PartyId::parse(wrong), Err(InvalidPartyId));
        }
    }

    #[test]
    fn names_are_short_and_printable() {
        assert_eq!(Name::new("Zürich 7").unwrap().as_str(), "Zürich 7");
        assert!(Name::new(&"x".repeat(32)).is_ok());
        for wrong in ["", "a\nb", "\u{85}", &"x".repeat(33)] {
            assert_eq!(Name::new(wrong), Err(InvalidName));
        }
    }
}
