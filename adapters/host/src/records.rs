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

    fn ready(&self) -> Result<LessSafeKey, Invalid> {
        UnboundKey::new(&CHACHA20_POLY1305, self.0.expose())
            .map(LessSafeKey::new)
            .map_err(|_| Invalid)
    }

    pub(crate) fn seal(&self, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
        let sealed = self.ready().and_then(|key| {
            key.seal_in_place_separate_tag(unique(nonce), Aad::from(aad), in_out)
                .map_err(|_| Invalid)
        });
        match sealed.map(|tag| Tag::try_from(tag.as_ref())) {
            Ok(Ok(tag)) => tag,
            // Only 256 GiB of plaintext would make this fail: nothing of it gets out.
            _ => {
                in_out.fill(0);
                Tag::default()
            }
        }
    }

    pub(crate) fn open(
        &self,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Invalid> {
        let tag = aead::Tag::from(*tag);
        self.ready()?
            .open_in_place_separate_tag(unique(nonce), Aad::from(aad), tag, in_out, 0..)
            .map(drop)
            .map_err(|_| Invalid)
    }
}

fn unique(nonce: &Nonce) -> aead::Nonce {
    aead::Nonce::assume_unique_for_key(*nonce)
}

impl core::fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RecordKey(…)")
    }
}
