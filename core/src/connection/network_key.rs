//! The key that everyone in a network shares (SPEC.md section 7).

use heapless::Vec;
use minicbor::encode::Write;
use minicbor::{Encode, Encoder, encode};

use crate::crypto::{EntropyError, Provider, SymmetricKey};
use crate::wire::cbor::{Decode, Decoder};
use crate::wire::{BufferTooSmall, DecodeError, cbor};

const VERSION: u8 = 1;
const ID_LABEL: &[u8] = b"IoT-Crypto network key id";
const PSK_LABEL: &[u8] = b"IoT-Crypto network pre-shared key";
const ADVERTISEMENT_LABEL: &[u8] = b"IoT-Crypto advertisement key";

/// The number of network keys that are accepted at once.
pub const MAX_NETWORK_KEYS: usize = 4;

/// What a network key is called on the wire: four bytes that follow from the key,
/// so that nobody has to give out numbers. It is also the PSK identity of the
/// DTLS sessions for key negotiation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkKeyId(pub [u8; 4]);

impl core::fmt::Display for NetworkKeyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl core::fmt::Debug for NetworkKeyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "NetworkKeyId({self})")
    }
}

impl<C> Encode<C> for NetworkKeyId {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.bytes(&self.0)?.ok()
    }
}

impl<'b> Decode<'b> for NetworkKeyId {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::bytes(decoder).map(Self)
    }
}

/// A secret that everyone in a network shares. It keeps strangers from talking
/// to anyone at all; it doesn't tell the members of the network apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkKey {
    id: NetworkKeyId,
    secret: SymmetricKey,
}

impl NetworkKey {
    /// The length of an encoded network key, in bytes.
    pub const ENCODED_LEN: usize = 36;

    /// Draws a new key.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn create<P: Provider>(provider: &mut P) -> Result<Self, EntropyError> {
        let mut secret = SymmetricKey::default();
        provider.random(secret.expose_mut())?;
        Ok(Self::from_secret(provider, secret))
    }

    /// The key that consists of this secret.
    #[must_use]
    pub fn from_secret<P: Provider>(provider: &P, secret: SymmetricKey) -> Self {
        let mut id = NetworkKeyId([0; 4]);
        provider.hkdf_sha256(&[], secret.expose(), &[ID_LABEL], &mut id.0);
        Self { id, secret }
    }

    /// What the key is called on the wire.
    #[must_use]
    pub fn id(&self) -> NetworkKeyId {
        self.id
    }

    /// The pre-shared key for the DTLS sessions in which keys are negotiated.
    #[must_use]
    pub fn psk<P: Provider>(&self, provider: &P) -> SymmetricKey {
        self.derive(provider, PSK_LABEL)
    }

    /// The key that authenticates advertisements.
    pub(super) fn advertisement_key<P: Provider>(&self, provider: &P) -> SymmetricKey {
        self.derive(provider, ADVERTISEMENT_LABEL)
    }

    fn derive<P: Provider>(&self, provider: &P, label: &[u8]) -> SymmetricKey {
        let mut key = SymmetricKey::default();
        provider.hkdf_sha256(&[], self.secret.expose(), &[label], key.expose_mut());
        key
    }

    /// Encodes the key into `buffer`, to store it or to hand it out under a
    /// session; returns the length. The caller erases the buffer.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; [`NetworkKey::ENCODED_LEN`] bytes suffice.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        cbor::encode(&Stored { secret: self.secret.clone() }, buffer)
    }

    /// Decodes what [`NetworkKey::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode<P: Provider>(provider: &P, bytes: &[u8]) -> Result<Self, DecodeError> {
        let Stored { secret } = cbor::decode(bytes)?;
        Ok(Self::from_secret(provider, secret))
    }
}

/// The network keys that a party accepts; the first is the one for new use.
///
/// A key is changed by adding the new one everywhere, and retiring the old one
/// when everyone has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkKeys(Vec<NetworkKey, MAX_NETWORK_KEYS>);

/// Why a network key was not taken. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingError {
    /// There are [`MAX_NETWORK_KEYS`] keys already; one must be retired first.
    Full,
    /// Another key has the same id, as happens once in 2^32 keys.
    IdTaken,
}

impl core::fmt::Display for RingError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Full => write!(f, "there are {MAX_NETWORK_KEYS} network keys already"),
            Self::IdTaken => f.write_str("another network key has the same id"),
        }
    }
}

impl core::error::Error for RingError {}

impl NetworkKeys {
    /// The greatest length of encoded network keys, in bytes.
    pub const MAX_LEN: usize = 3 + MAX_NETWORK_KEYS * NetworkKey::ENCODED_LEN;

    /// No key.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Puts `key` first. A key that is there already only moves.
    ///
    /// # Errors
    /// [`RingError`].
    pub fn add(&mut self, key: NetworkKey) -> Result<(), RingError> {
        match self.0.iter().position(|known| known.id == key.id) {
            Some(index) if self.0.get(index) == Some(&key) => {
                self.0.remove(index);
            }
            Some(_) => return Err(RingError::IdTaken),
            None => {}
        }
        self.0.insert(0, key).map_err(|_| RingError::Full)
    }

    /// No longer accepts the key `id`; `false` if it was not there.
    pub fn retire(&mut self, id: NetworkKeyId) -> bool {
        let before = self.0.len();
        self.0.retain(|key| key.id != id);
        self.0.len() != before
    }

    /// The key for new use.
    #[must_use]
    pub fn preferred(&self) -> Option<&NetworkKey> {
        self.0.first()
    }

    /// The key `id`, if it is accepted.
    #[must_use]
    pub fn find(&self, id: NetworkKeyId) -> Option<&NetworkKey> {
        self.0.iter().find(|key| key.id == id)
    }

    /// Whether there is no room for another key.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// The keys, the one for new use first.
    pub fn iter(&self) -> impl Iterator<Item = &NetworkKey> {
        self.0.iter()
    }

    /// Encodes the keys into `buffer`, for a file that only its owner can read;
    /// returns the length. The caller erases the buffer.
    ///
    /// # Errors
    /// [`BufferTooSmall`]; [`NetworkKeys::MAX_LEN`] bytes always suffice.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        let mut ring = StoredRing(Vec::new());
        for key in &self.0 {
            // There is room for as many.
            let _ = ring.0.push(Stored { secret: key.secret.clone() });
        }
        cbor::encode(&ring, buffer)
    }

    /// Decodes what [`NetworkKeys::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]; [`DecodeError::Malformed`] also if a key is there twice.
    pub fn decode<P: Provider>(provider: &P, bytes: &[u8]) -> Result<Self, DecodeError> {
        let StoredRing(stored) = cbor::decode(bytes)?;
        let mut ring = Self::new();
        for Stored { secret } in stored {
            let key = NetworkKey::from_secret(provider, secret);
            if ring.find(key.id).is_some() {
                return Err(DecodeError::Malformed);
            }
            ring.0.push(key).map_err(|_| DecodeError::Malformed)?;
        }
        Ok(ring)
    }
}

/// An encoded key; its id is not stored, since it follows from the secret.
struct Stored {
    secret: SymmetricKey,
}

struct StoredRing(Vec<Stored, MAX_NETWORK_KEYS>);

impl<C> Encode<C> for Stored {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.array(2)?.u8(VERSION)?.bytes(self.secret.expose())?.ok()
    }
}

impl<'b> Decode<'b> for Stored {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::versioned_array(decoder, 2, VERSION)?;
        cbor::secret(decoder).map(|secret| Self { secret })
    }
}

impl<C> Encode<C> for StoredRing {
    fn encode<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encoder.array(2)?.u8(VERSION)?;
        encoder.array(u64::try_from(self.0.len()).unwrap_or(u64::MAX))?;
        self.0.iter().try_for_each(|key| encoder.encode(key)?.ok())
    }
}

impl<'b> Decode<'b> for StoredRing {
    fn decode(decoder: &mut Decoder<'b>) -> Result<Self, DecodeError> {
        cbor::versioned_array(decoder, 2, VERSION)?;
        let mut keys = Vec::new();
        for _ in 0..decoder.array()? {
            keys.push(decoder.decode()?).map_err(|_| DecodeError::Malformed)?;
        }
        Ok(Self(keys))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::provider;

    fn key(number: u8) -> NetworkKey {
        NetworkKey::from_secret(&provider(1), SymmetricKey::new([number; 32]))
    }

    fn ids(ring: &NetworkKeys) -> std::vec::Vec<NetworkKeyId> {
        ring.iter().map(NetworkKey::id).collect()
    }

    #[test]
    fn keys_for_different_uses_differ() {
        let provider = provider(1);
        let key = key(1);
        assert_ne!(key.psk(&provider), key.advertisement_key(&provider));
        assert_ne!(key.psk(&provider), key.secret);
        assert_ne!(key.id(), self::key(2).id());
    }

    #[test]
    fn a_key_is_changed_by_adding_the_new_and_retiring_the_old() {
        let mut ring = NetworkKeys::new();
        let (old, new) = (key(1), key(2));
        ring.add(old.clone()).unwrap();
        ring.add(new.clone()).unwrap();
        assert_eq!(ring.preferred(), Some(&new));
        assert_eq!(ring.find(old.id()), Some(&old));
        assert!(ring.retire(old.id()));
        assert!(!ring.retire(old.id()));
        assert_eq!(ring.find(old.id()), None);
        assert_eq!(ids(&ring), [new.id()]);
    }

    #[test]
    fn a_full_ring_says_so_and_still_lets_its_keys_move() {
        let mut ring = NetworkKeys::new();
        for number in 1..=4 {
            ring.add(key(number)).unwrap();
        }
        let before = ring.clone();
        assert_eq!(ring.add(key(5)), Err(RingError::Full));
        assert_eq!(ring, before);
        ring.add(key(2)).unwrap();
        assert_eq!(ids(&ring), [key(2).id(), key(4).id(), key(3).id(), key(1).id()]);
    }

    #[test]
    fn another_key_with_the_same_id_is_refused() {
        let mut ring = NetworkKeys::new();
        ring.add(key(1)).unwrap();
        let twin = NetworkKey { id: key(1).id(), secret: SymmetricKey::new([9; 32]) };
        assert_eq!(ring.add(twin), Err(RingError::IdTaken));
        assert_eq!(ring.preferred(), Some(&key(1)));
    }

    #[test]
    fn what_is_decoded_is_what_was_encoded() {
        let provider = provider(1);
        let mut buffer = [0; NetworkKeys::MAX_LEN];
        assert_eq!(key(1).encode(&mut buffer), Ok(NetworkKey::ENCODED_LEN));
        let decoded = NetworkKey::decode(&provider, &buffer[..NetworkKey::ENCODED_LEN]);
        assert_eq!(decoded, Ok(key(1)));

        let mut ring = NetworkKeys::new();
        for number in 1..=4 {
            ring.add(key(number)).unwrap();
        }
        assert_eq!(ring.encode(&mut buffer), Ok(NetworkKeys::MAX_LEN));
        assert_eq!(NetworkKeys::decode(&provider, &buffer), Ok(ring));
        buffer.copy_within(3..39, 39);
        assert_eq!(NetworkKeys::decode(&provider, &buffer), Err(DecodeError::Malformed));
    }
}
