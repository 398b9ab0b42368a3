//! ChaCha20-Poly1305 by ring.

use iot_crypto::crypto::{Invalid, Nonce, SymmetricKey, Tag};
use ring::aead::{self, Aad, CHACHA20_POLY1305, LessSafeKey, UnboundKey};

/// A ChaCha20-Poly1305 key: the 32 bytes alone. ring's own form of it takes seventeen
/// times as much memory and is made anew for each record, which costs a few
/// nanoseconds.
pub struct RecordKey(SymmetricKey);

impl RecordKey {
    pub(crate) fn new(key: &SymmetricKey) -> Self {
        Self(key.clone())
    }

    #[inline]
    pub(crate) fn seal(&self, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
        if let Ok(key) = UnboundKey::new(&CHACHA20_POLY1305, self.0.expose())
            && let Ok(tag) = LessSafeKey::new(key).seal_in_place_separate_tag(
                aead::Nonce::assume_unique_for_key(*nonce),
                Aad::from(aad),
                in_out,
            )
            && let Ok(tag) = Tag::try_from(tag.as_ref())
        {
            return tag;
        }
        // Only 256 GiB of plaintext would lead here: nothing of it gets out.
        in_out.fill(0);
        Tag::default()
    }

    #[inline]
    pub(crate) fn open(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Invalid> {
        let Ok(key) = UnboundKey::new(&CHACHA20_POLY1305, self.0.expose()) else {
            return Err(Invalid);
        };
        let opened = LessSafeKey::new(key).open_in_place_separate_tag(
            aead::Nonce::assume_unique_for_key(*nonce),
            Aad::from(aad),
            aead::Tag::from(*tag),
            in_out,
            0..,
        );
        opened.map(drop).map_err(|_| Invalid)
    }
}

impl core::fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RecordKey(…)")
    }
}
