//! The cryptographic primitives, behind one trait, with RustCrypto as default.
//!
//! The core computes nothing secret by itself: every party is given a value
//! that implements [`Provider`], and all randomness comes from there, so that
//! the same seed and the same inputs give the same bytes.

mod key_log;
mod keys;
mod rust_crypto;

pub use key_log::{KeyLog, KeyLogLabel};
pub use keys::{
    Nonce, P256PublicKey, P256Secret, Secret, Sha256Digest, SharedSecret, Signature, SymmetricKey,
    Tag, X25519PublicKey, X25519Secret,
};
pub use rust_crypto::RustCrypto;

/// The source of randomness gave none. Nothing was changed; the call may be
/// repeated when the source works again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntropyError;

impl core::fmt::Display for EntropyError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the source of random numbers failed")
    }
}

impl core::error::Error for EntropyError {}

/// A key, signature or authentication tag is not valid. Which, and why, is not
/// said: an attacker could learn from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

impl core::fmt::Display for Invalid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the cryptographic check failed")
    }
}

impl core::error::Error for Invalid {}

/// A SHA-256 computation (FIPS 180-4) that is fed piece by piece. A clone
/// continues from the same state, as the handshake transcript needs it.
pub trait Sha256: Clone {
    /// Appends `bytes` to what is hashed.
    fn update(&mut self, bytes: &[u8]);

    /// The digest of all that was appended.
    #[must_use]
    fn finish(self) -> Sha256Digest;
}

/// The primitives that the system is built from.
///
/// An implementation may compute them in software, in an accelerator, or mix
/// the two. Functions on secrets must take constant time, and implementations
/// must leave no copies of secrets behind.
pub trait Provider {
    /// A running SHA-256.
    type Sha256: Sha256;

    /// A key of HMAC-SHA256, made ready once and used for many codes. It must
    /// erase itself when it is dropped.
    type HmacKey;

    /// A ChaCha20-Poly1305 key, made ready once and used for many records. It
    /// must erase itself when it is dropped. Each session keeps two of them: it
    /// should be no larger than the key.
    type AeadKey;

    /// Fills `out` with bytes from a cryptographically secure generator.
    ///
    /// # Errors
    /// [`EntropyError`] if the generator can't give any.
    fn random(&mut self, out: &mut [u8]) -> Result<(), EntropyError>;

    /// Starts a SHA-256.
    fn sha256(&self) -> Self::Sha256;

    /// Makes a key of HMAC-SHA256 (RFC 2104) ready, of any length.
    fn hmac_key(&self, key: &[u8]) -> Self::HmacKey;

    /// HMAC-SHA256 (RFC 2104) over the concatenation of `message`.
    fn hmac(&self, key: &Self::HmacKey, message: &[&[u8]]) -> Sha256Digest;

    /// HKDF-SHA256 (RFC 5869): extracts from `input` with `salt`, then expands
    /// with the concatenation of `info` to the length of `out`, which is at most
    /// 8,160 bytes.
    fn hkdf_sha256(&self, salt: &[u8], input: &[u8], info: &[&[u8]], out: &mut [u8]);

    /// The X25519 public key (RFC 7748) that belongs to `secret`.
    fn x25519_public_key(&self, secret: &X25519Secret) -> X25519PublicKey;

    /// The X25519 shared secret (RFC 7748 section 6.1).
    ///
    /// # Errors
    /// [`Invalid`] if `public` is of small order, so that the secret would be
    /// all zero.
    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid>;

    /// The compressed P-256 public key that belongs to `secret`.
    ///
    /// # Errors
    /// [`Invalid`] if `secret` is zero or not below the order of the curve.
    fn p256_public_key(&self, secret: &P256Secret) -> Result<P256PublicKey, Invalid>;

    /// An ECDSA signature with SHA-256 over the concatenation of `message`, its
    /// `s` in the lower half of its range, so that nobody can turn it into
    /// another valid one. The nonce is that of RFC 6979.
    ///
    /// # Errors
    /// [`Invalid`] if `secret` is zero or not below the order of the curve.
    fn p256_sign(&self, secret: &P256Secret, message: &[&[u8]]) -> Result<Signature, Invalid>;

    /// Verifies what [`Provider::p256_sign`] makes.
    ///
    /// # Errors
    /// [`Invalid`] if the key is not a point of the curve in compressed form, or
    /// the signature does not belong to the key and message, or has its `s` in the
    /// upper half.
    fn p256_verify(
        &self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Invalid>;

    /// Makes a ChaCha20-Poly1305 key ready.
    fn aead_key(&self, key: &SymmetricKey) -> Self::AeadKey;

    /// Encrypts `in_out` in place with ChaCha20-Poly1305 (RFC 8439); returns
    /// the tag. `in_out` must be shorter than 2^32 bytes; it always is, being a
    /// part of a datagram.
    fn seal(&self, key: &Self::AeadKey, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag;

    /// Verifies the tag and decrypts `in_out` in place.
    ///
    /// # Errors
    /// [`Invalid`] if the tag does not fit; what is in `in_out` then is of no use.
    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Invalid>;

    /// Takes note of a secret that protects records, for tools that open captures:
    /// whoever has it reads every message of the session, and can forge them.
    ///
    /// Each side of a handshake calls it once, when it derives its keys. What is
    /// given is what a line of a key log holds (RFC 9850): `secret` is named by
    /// `label`, and its handshake by `client_random`. Unless a provider overrides
    /// it, nothing is noted and nothing computed.
    fn log_secret(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        let _ = (label, client_random, secret);
    }

    /// HMAC-SHA256 with a key that is used only once.
    fn hmac_sha256(&self, key: &[u8], message: &[&[u8]]) -> Sha256Digest {
        self.hmac(&self.hmac_key(key), message)
    }

    /// SHA-256 over the concatenation of `message`.
    fn sha256_of(&self, message: &[&[u8]]) -> Sha256Digest {
        let mut hash = self.sha256();
        for part in message {
            hash.update(part);
        }
        hash.finish()
    }
}
