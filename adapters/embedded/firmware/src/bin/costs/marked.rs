//! A provider that marks where each operation of another begins and ends.

use iot_crypto::crypto::{
    EntropyError, Invalid, Nonce, P256PublicKey, P256Secret, Provider, Sha256, Sha256Digest,
    SharedSecret, Signature, SymmetricKey, Tag, X25519PublicKey, X25519Secret,
};

use crate::marks::{self, operation};

/// The provider `P`, marked.
pub(crate) struct Marked<P>(pub(crate) P);

/// A running hash, marked.
#[derive(Clone)]
pub(crate) struct MarkedSha256<H>(H);

impl<H: Sha256> Sha256 for MarkedSha256<H> {
    fn update(&mut self, bytes: &[u8]) {
        operation(marks::symmetric, || self.0.update(bytes));
    }

    fn finish(self) -> Sha256Digest {
        operation(marks::symmetric, || self.0.finish())
    }
}

impl<P: Provider> Provider for Marked<P> {
    type Sha256 = MarkedSha256<P::Sha256>;
    type HmacKey = P::HmacKey;
    type AeadKey = P::AeadKey;

    fn random(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        operation(marks::random, || self.0.random(out))
    }

    fn sha256(&self) -> Self::Sha256 {
        MarkedSha256(operation(marks::symmetric, || self.0.sha256()))
    }

    fn hmac_key(&self, key: &[u8]) -> Self::HmacKey {
        operation(marks::symmetric, || self.0.hmac_key(key))
    }

    fn hmac(&self, key: &Self::HmacKey, message: &[&[u8]]) -> Sha256Digest {
        operation(marks::symmetric, || self.0.hmac(key, message))
    }

    fn hkdf_sha256(&self, salt: &[u8], input: &[u8], info: &[&[u8]], out: &mut [u8]) {
        operation(marks::symmetric, || self.0.hkdf_sha256(salt, input, info, out));
    }

    fn x25519_public_key(&self, secret: &X25519Secret) -> X25519PublicKey {
        operation(marks::public_key, || self.0.x25519_public_key(secret))
    }

    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        operation(marks::public_key, || self.0.x25519(secret, public))
    }

    fn p256_public_key(&self, secret: &P256Secret) -> Result<P256PublicKey, Invalid> {
        operation(marks::public_key, || self.0.p256_public_key(secret))
    }

    fn p256_sign(&self, secret: &P256Secret, message: &[&[u8]]) -> Result<Signature, Invalid> {
        operation(marks::public_key, || self.0.p256_sign(secret, message))
    }

    fn p256_verify(
        &self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Invalid> {
        operation(marks::public_key, || self.0.p256_verify(public, message, signature))
    }

    fn aead_key(&self, key: &SymmetricKey) -> Self::AeadKey {
        operation(marks::symmetric, || self.0.aead_key(key))
    }

    fn seal(&self, key: &Self::AeadKey, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
        operation(marks::symmetric, || self.0.seal(key, nonce, aad, in_out))
    }

    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Invalid> {
        operation(marks::symmetric, || self.0.open(key, nonce, aad, in_out, tag))
    }
}
