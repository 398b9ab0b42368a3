//! The default provider: RustCrypto's and dalek's implementations, in software.

mod verification;

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use hmac::Mac as _;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use rand_core::TryCryptoRng;
use sha2::Digest as _;
use zeroize::Zeroize as _;

use super::{
    EntropyError, Invalid, KeyLog, KeyLogLabel, Nonce, P256PublicKey, P256Secret, Provider, Sha256,
    Sha256Digest, SharedSecret, Signature, SymmetricKey, Tag, X25519PublicKey, X25519Secret,
};

/// A [`Provider`] in portable software, over a random number generator of the
/// caller's: the operating system's on a host, a hardware generator's on a
/// microcontroller, a seeded one in a test.
///
/// The secrets of sessions go to the key log `L`; usually there is none.
#[derive(Clone, Debug)]
pub struct RustCrypto<R, L = ()> {
    generator: R,
    key_log: L,
}

impl<R: TryCryptoRng> RustCrypto<R> {
    /// A provider that draws its randomness from `generator`.
    #[must_use]
    pub const fn new(generator: R) -> Self {
        Self { generator, key_log: () }
    }
}

impl<R: TryCryptoRng, L: KeyLog> RustCrypto<R, L> {
    /// The same provider, which gives the secrets of all sessions away to
    /// `key_log`: only for those who asked for it.
    #[must_use]
    pub fn with_key_log<M: KeyLog>(self, key_log: M) -> RustCrypto<R, M> {
        RustCrypto { generator: self.generator, key_log }
    }
}

impl Sha256 for sha2::Sha256 {
    fn update(&mut self, bytes: &[u8]) {
        sha2::Digest::update(self, bytes);
    }

    fn finish(self) -> Sha256Digest {
        self.finalize().into()
    }
}

fn hash(message: &[&[u8]]) -> Sha256Digest {
    let mut hash = sha2::Sha256::new();
    for part in message {
        sha2::Digest::update(&mut hash, part);
    }
    hash.finalize().into()
}

fn secret_key(secret: &P256Secret) -> Result<p256::SecretKey, Invalid> {
    p256::SecretKey::from_slice(secret.expose()).map_err(|_| Invalid)
}

impl<R: TryCryptoRng, L: KeyLog> Provider for RustCrypto<R, L> {
    type Sha256 = sha2::Sha256;
    type HmacKey = hmac::Hmac<sha2::Sha256>;
    type AeadKey = ChaCha20Poly1305;

    fn random(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.generator.try_fill_bytes(out).map_err(|_| EntropyError)
    }

    fn sha256(&self) -> Self::Sha256 {
        sha2::Sha256::new()
    }

    fn hmac_key(&self, key: &[u8]) -> Self::HmacKey {
        hmac::Hmac::new_from_slice(key).unwrap_or_else(|_| {
            debug_assert!(false, "HMAC takes keys of every length");
            hmac::Hmac::new(&hmac::digest::Key::<Self::HmacKey>::default())
        })
    }

    fn hmac(&self, key: &Self::HmacKey, message: &[&[u8]]) -> Sha256Digest {
        let mut mac = key.clone();
        for part in message {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    fn hkdf_sha256(&self, salt: &[u8], input: &[u8], info: &[&[u8]], out: &mut [u8]) {
        let hkdf = hkdf::Hkdf::<sha2::Sha256>::new(Some(salt), input);
        let expanded = hkdf.expand_multi_info(info, out);
        debug_assert!(expanded.is_ok(), "HKDF gives at most 8,160 bytes");
    }

    fn x25519_public_key(&self, secret: &X25519Secret) -> X25519PublicKey {
        // By the ladder of the key exchange, not on the Edwards curve as
        // `PublicKey::from` does: firmware then has one of them. Neither has a table.
        let secret = x25519_dalek::StaticSecret::from(*secret.expose());
        let base = x25519_dalek::PublicKey::from(x25519_dalek::X25519_BASEPOINT_BYTES);
        X25519PublicKey(secret.diffie_hellman(&base).to_bytes())
    }

    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        let secret = x25519_dalek::StaticSecret::from(*secret.expose());
        let shared = secret.diffie_hellman(&x25519_dalek::PublicKey::from(public.0));
        if shared.was_contributory() {
            Ok(SharedSecret::new(shared.to_bytes()))
        } else {
            Err(Invalid)
        }
    }

    fn p256_public_key(&self, secret: &P256Secret) -> Result<P256PublicKey, Invalid> {
        let point = secret_key(secret)?.public_key().to_sec1_point(true);
        point.as_bytes().try_into().map(P256PublicKey).map_err(|_| Invalid)
    }

    fn p256_sign(&self, secret: &P256Secret, message: &[&[u8]]) -> Result<Signature, Invalid> {
        // Not p256's SigningKey: making one computes the public key, which takes
        // as long as the signature itself.
        let mut scalar = secret_key(secret)?.to_nonzero_scalar();
        let (signature, _) =
            ecdsa::hazmat::sign_prehashed_rfc6979::<_, sha2::Sha256>(&scalar, &hash(message), &[]);
        scalar.zeroize();
        Ok(Signature(signature.normalize_s().to_bytes().into()))
    }

    fn p256_verify(
        &self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Invalid> {
        verification::verify(public, &hash(message), signature)
    }

    fn aead_key(&self, key: &SymmetricKey) -> Self::AeadKey {
        ChaCha20Poly1305::new(key.expose().into())
    }

    fn seal(&self, key: &Self::AeadKey, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
        // Only 256 GiB of plaintext would make this fail; no tag fits then.
        key.encrypt_inout_detached(nonce.into(), aad, in_out.into()).map_or([0; 16], Into::into)
    }

    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Invalid> {
        key.decrypt_inout_detached(nonce.into(), aad, in_out.into(), tag.into())
            .map_err(|_| Invalid)
    }

    fn log_secret(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        self.key_log.log_secret(label, client_random, secret);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::provider;

    #[test]
    fn a_public_key_has_one_encoding() {
        let provider = &mut provider(1);
        let mut secret = P256Secret::default();
        for _ in 0..4 {
            provider.random(secret.expose_mut()).unwrap();
            let public = provider.p256_public_key(&secret).unwrap();
            let signature = provider.p256_sign(&secret, &[b"message"]).unwrap();
            assert_eq!(provider.p256_verify(&public, &[b"message"], &signature), Ok(()));
            // Another encoding would give the holder of the key another id.
            for tag in (0..=u8::MAX).filter(|tag| *tag != public.0[0]) {
                let mut other = public;
                other.0[0] = tag;
                let verified = provider.p256_verify(&other, &[b"message"], &signature);
                assert_eq!(verified, Err(Invalid), "{tag}");
            }
        }
    }
}
