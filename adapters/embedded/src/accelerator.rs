//! A provider that leaves to a chip's accelerator what the chip has.
//!
//! Such a provider is a matter of implementing [`Accelerator`] for the primitives
//! that there are: each method has a default that says that there is none, and then
//! the software provider computes it. `examples/accelerator.rs` replaces one.

use iot_crypto::crypto::{
    EntropyError, Invalid, KeyLogLabel, Nonce, P256PublicKey, P256Secret, Provider, Sha256Digest,
    SharedSecret, Signature, SymmetricKey, Tag, X25519PublicKey, X25519Secret,
};

/// What a chip computes. `None` leaves it to the software: always, as by default, or
/// while the hardware is not ready.
///
/// Each method does what the method of [`Provider`] with its name does, and the
/// same is asked of it. There is none for a SHA-256 or HMAC that is fed piece by
/// piece: the handshake goes on from copies of a running hash, which few
/// accelerators can give.
#[expect(unused_variables, reason = "the defaults use nothing")]
pub trait Accelerator {
    /// Whether the chip has ChaCha20-Poly1305. Keys are then kept as they are, for
    /// [`Accelerator::seal`] and [`Accelerator::open`].
    const HAS_AEAD: bool = false;

    /// SHA-256 over the concatenation of `message`.
    fn sha256_of(&self, message: &[&[u8]]) -> Option<Sha256Digest> {
        None
    }

    /// The X25519 public key of `secret`.
    fn x25519_public_key(&self, secret: &X25519Secret) -> Option<X25519PublicKey> {
        None
    }

    /// The X25519 shared secret.
    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Option<Result<SharedSecret, Invalid>> {
        None
    }

    /// The compressed P-256 public key of `secret`.
    fn p256_public_key(&self, secret: &P256Secret) -> Option<Result<P256PublicKey, Invalid>> {
        None
    }

    /// An ECDSA signature, its `s` in the lower half, its nonce that of RFC 6979.
    fn p256_sign(
        &self,
        secret: &P256Secret,
        message: &[&[u8]],
    ) -> Option<Result<Signature, Invalid>> {
        None
    }

    /// Verifies an ECDSA signature; one whose `s` is in the upper half, or a key that
    /// does not begin with 02 or 03, is not valid.
    fn p256_verify(
        &self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Option<Result<(), Invalid>> {
        None
    }

    /// Encrypts in place with ChaCha20-Poly1305; only if [`Accelerator::HAS_AEAD`],
    /// and then `None`, with `in_out` as it was, leaves one record to the software.
    fn seal(
        &self,
        key: &SymmetricKey,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
    ) -> Option<Tag> {
        None
    }

    /// Verifies the tag and decrypts in place, likewise.
    fn open(
        &self,
        key: &SymmetricKey,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Option<Result<(), Invalid>> {
        None
    }
}

/// The provider that asks the accelerator `H` first, and then the software `P`.
#[derive(Clone, Debug)]
pub struct Accelerated<P, H> {
    software: P,
    hardware: H,
}

impl<P: Provider, H: Accelerator> Accelerated<P, H> {
    /// The provider `software`, with what `hardware` has in place of its own.
    #[must_use]
    pub const fn new(software: P, hardware: H) -> Self {
        Self { software, hardware }
    }

    /// The accelerator.
    #[must_use]
    pub const fn hardware(&self) -> &H {
        &self.hardware
    }
}

/// A ChaCha20-Poly1305 key of an [`Accelerated`] provider; erased when dropped.
#[expect(missing_debug_implementations, reason = "it is secret")]
pub enum AeadKey<K> {
    /// Made ready by the software.
    Software(K),
    /// As the hardware takes it.
    Hardware(SymmetricKey),
}

impl<P: Provider, H: Accelerator> Provider for Accelerated<P, H> {
    type Sha256 = P::Sha256;
    type HmacKey = P::HmacKey;
    type AeadKey = AeadKey<P::AeadKey>;

    fn random(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        self.software.random(out)
    }

    fn sha256(&self) -> P::Sha256 {
        self.software.sha256()
    }

    fn sha256_of(&self, message: &[&[u8]]) -> Sha256Digest {
        let hash = self.hardware.sha256_of(message);
        hash.unwrap_or_else(|| self.software.sha256_of(message))
    }

    fn hmac_key(&self, key: &[u8]) -> P::HmacKey {
        self.software.hmac_key(key)
    }

    fn hmac(&self, key: &P::HmacKey, message: &[&[u8]]) -> Sha256Digest {
        self.software.hmac(key, message)
    }

    fn hmac_sha256(&self, key: &[u8], message: &[&[u8]]) -> Sha256Digest {
        self.software.hmac_sha256(key, message)
    }

    fn hkdf_sha256(&self, salt: &[u8], input: &[u8], info: &[&[u8]], out: &mut [u8]) {
        self.software.hkdf_sha256(salt, input, info, out);
    }

    fn x25519_public_key(&self, secret: &X25519Secret) -> X25519PublicKey {
        let public = self.hardware.x25519_public_key(secret);
        public.unwrap_or_else(|| self.software.x25519_public_key(secret))
    }

    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        let shared = self.hardware.x25519(secret, public);
        shared.unwrap_or_else(|| self.software.x25519(secret, public))
    }

    fn p256_public_key(&self, secret: &P256Secret) -> Result<P256PublicKey, Invalid> {
        let public = self.hardware.p256_public_key(secret);
        public.unwrap_or_else(|| self.software.p256_public_key(secret))
    }

    fn p256_sign(&self, secret: &P256Secret, message: &[&[u8]]) -> Result<Signature, Invalid> {
        let signature = self.hardware.p256_sign(secret, message);
        signature.unwrap_or_else(|| self.software.p256_sign(secret, message))
    }

    fn p256_verify(
        &self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Invalid> {
        let verified = self.hardware.p256_verify(public, message, signature);
        verified.unwrap_or_else(|| self.software.p256_verify(public, message, signature))
    }

    fn aead_key(&self, key: &SymmetricKey) -> Self::AeadKey {
        if H::HAS_AEAD {
            AeadKey::Hardware(key.clone())
        } else {
            AeadKey::Software(self.software.aead_key(key))
        }
    }

    fn seal(&self, key: &Self::AeadKey, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
        match key {
            AeadKey::Software(key) => self.software.seal(key, nonce, aad, in_out),
            AeadKey::Hardware(key) => {
                self.hardware.seal(key, nonce, aad, in_out).unwrap_or_else(|| {
                    let key = self.software.aead_key(key);
                    self.software.seal(&key, nonce, aad, in_out)
                })
            }
        }
    }

    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Invalid> {
        match key {
            AeadKey::Software(key) => self.software.open(key, nonce, aad, in_out, tag),
            AeadKey::Hardware(key) => {
                self.hardware.open(key, nonce, aad, in_out, tag).unwrap_or_else(|| {
                    let key = self.software.aead_key(key);
                    self.software.open(&key, nonce, aad, in_out, tag)
                })
            }
        }
    }

    fn log_secret(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) {
        self.software.log_secret(label, client_random, secret);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use chacha20::ChaCha20Rng;
    use iot_crypto::crypto::RustCrypto;
    use rand_core::SeedableRng as _;

    use super::*;

    fn software() -> RustCrypto<ChaCha20Rng> {
        RustCrypto::new(ChaCha20Rng::from_seed([1; 32]))
    }

    /// A chip with ChaCha20-Poly1305, that is busy every other time.
    #[derive(Default)]
    struct Chip {
        asked: Cell<u32>,
        done: Cell<u32>,
    }

    impl Chip {
        fn is_busy(&self) -> bool {
            self.asked.set(self.asked.get() + 1);
            let is_busy = self.asked.get().is_multiple_of(2);
            self.done.set(self.done.get() + u32::from(!is_busy));
            is_busy
        }
    }

    impl Accelerator for Chip {
        const HAS_AEAD: bool = true;

        fn seal(
            &self,
            key: &SymmetricKey,
            nonce: &Nonce,
            aad: &[u8],
            in_out: &mut [u8],
        ) -> Option<Tag> {
            let key = software().aead_key(key);
            (!self.is_busy()).then(|| software().seal(&key, nonce, aad, in_out))
        }

        fn open(
            &self,
            key: &SymmetricKey,
            nonce: &Nonce,
            aad: &[u8],
            in_out: &mut [u8],
            tag: &Tag,
        ) -> Option<Result<(), Invalid>> {
            let key = software().aead_key(key);
            (!self.is_busy()).then(|| software().open(&key, nonce, aad, in_out, tag))
        }
    }

    #[test]
    fn records_are_the_same_whoever_seals_them() {
        let provider = Accelerated::new(software(), Chip::default());
        let secret = SymmetricKey::new([7; 32]);
        let key = provider.aead_key(&secret);
        let (nonce, aad, plaintext) = ([3; 12], b"header", *b"what is sealed");
        for _ in 0..4 {
            let mut sealed = plaintext;
            let tag = provider.seal(&key, &nonce, aad, &mut sealed);
            let mut expected = plaintext;
            let by_software = software().aead_key(&secret);
            assert_eq!(tag, software().seal(&by_software, &nonce, aad, &mut expected));
            assert_eq!(sealed, expected);
            // The chip and the software, in turn: an odd number of calls each time.
            let mut opened = sealed;
            assert_eq!(provider.open(&key, &nonce, aad, &mut opened, &tag), Ok(()));
            assert_eq!(opened, plaintext);
            let mut forged = sealed;
            assert_eq!(provider.open(&key, &nonce, b"other", &mut forged, &tag), Err(Invalid));
        }
        let chip = provider.hardware();
        assert_eq!((chip.asked.get(), chip.done.get()), (12, 6));
    }
}
