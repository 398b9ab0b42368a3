//! The provider.

use iot_crypto::crypto::{
    EntropyError, Invalid, KeyLog, KeyLogLabel, Nonce, P256PublicKey, P256Secret, Provider,
    RustCrypto, Sha256Digest, SharedSecret, Signature, SymmetricKey, Tag, X25519PublicKey,
    X25519Secret,
};
use rand_core::TryCryptoRng;

use crate::curves::Curves;
use crate::hmac::HmacKey;
use crate::records::RecordKey;

/// A [`Provider`] for hosts, over a random number generator of the caller's: the
/// operating system's ([`os_provider`](crate::os_provider)), or a seeded one in a test.
///
/// The secrets of sessions go to the key log `L`; usually there is none.
#[derive(Clone, Debug)]
pub struct HostCrypto<R, L = ()> {
    /// What the fast libraries don't do.
    portable: RustCrypto<R, L>,
    curves: Option<Curves>,
}

impl<R: TryCryptoRng> HostCrypto<R> {
    /// A provider that draws its randomness from `generator`.
    #[must_use]
    pub fn new(generator: R) -> Self {
        Self { portable: RustCrypto::new(generator), curves: Curves::find() }
    }
}

impl<R: TryCryptoRng, L: KeyLog> HostCrypto<R, L> {
    /// The same provider, which gives the secrets of all sessions away to
    /// `key_log`: only for those who asked for it.
    #[must_use]
    pub fn with_key_log<M: KeyLog>(self, key_log: M) -> HostCrypto<R, M> {
        HostCrypto { portable: self.portable.with_key_log(key_log), curves: self.curves }
    }
}

impl<R: TryCryptoRng, L: KeyLog> Provider for HostCrypto<R, L> {
    type Sha256 = <RustCrypto<R, L> as Provider>::Sha256;
    type HmacKey = HmacKey;
    type AeadKey = RecordKey;

    fn random(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.portable.random(out)
    }

    fn sha256(&self) -> Self::Sha256 {
        self.portable.sha256()
    }

    fn hmac_key(&self, key: &[u8]) -> HmacKey {
        HmacKey::new(key)
    }

    fn hmac(&self, key: &HmacKey, message: &[&[u8]]) -> Sha256Digest {
        key.code(message)
    }

    fn hkdf_sha256(&self, salt: &[u8], input: &[u8], info: &[&[u8]], out: &mut [u8]) {
        self.portable.hkdf_sha256(salt, input, info, out);
    }

    fn x25519_public_key(&self, secret: &X25519Secret) -> X25519PublicKey {
        match self.curves {
            Some(curves) => curves.x25519_public_key(secret),
            None => self.portable.x25519_public_key(secret),
        }
    }

    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        match self.curves {
            Some(curves) => curves.x25519(secret, public),
            None => self.portable.x25519(secret, public),
        }
    }

    fn p256_public_key(&self, secret: &P256Secret) -> Result<P256PublicKey, Invalid> {
        match self.curves {
            Some(curves) => curves.p256_public_key(secret),
            None => self.portable.p256_public_key(secret),
        }
    }

    fn p256_sign(&self, secret: &P256Secret, message: &[&[u8]]) -> Result<Signature, Invalid> {
        match self.curves {
            Some(curves) => curves.p256_sign(secret, &self.sha256_of(message)),
            None => self.portable.p256_sign(secret, message),
        }
    }

    fn p256_verify(
        &self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Invalid> {
        match self.curves {
            Some(curves) => curves.p256_verify(public, message, signature),
            None => self.portable.p256_verify(public, message, signature),
        }
    }

    fn aead_key(&self, key: &SymmetricKey) -> RecordKey {
        RecordKey::new(key)
    }

    fn seal(&self, key: &RecordKey, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
        key.seal(nonce, aad, in_out)
    }

    fn open(
        &self,
        key: &RecordKey,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Invalid> {
        key.open(nonce, aad, in_out, tag)
    }

    fn log_secret(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        self.portable.log_secret(label, client_random, secret);
    }
}
