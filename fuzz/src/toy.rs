//! A provider that is fast and has no secrets: for fuzzing only.
//!
//! The state machines are to be exercised, not the cryptography, and whoever
//! attacks them is to get past every signature and tag. So everything here comes
//! from a hash of 64 bits: each primitive keeps the one property that the protocols
//! build on (the same inputs give the same outputs, others give others, X25519
//! commutes, a tag fits only what was sealed), and none is hard to forge for who
//! wants to.

mod hash;

use std::cell::Cell;
use std::rc::Rc;

use iot_crypto::crypto::{
    EntropyError, Invalid, Nonce, P256PublicKey, P256Secret, Provider, Sha256Digest, SharedSecret,
    Signature, SymmetricKey, Tag, X25519PublicKey, X25519Secret,
};

pub(crate) use hash::{Hash, hash, mix};

/// What the last record that a provider sealed was sealed with: enough to seal
/// others in its owner's name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tap {
    pub(crate) key: u64,
    pub(crate) nonce: Nonce,
    /// Epoch and sequence number, the start of the additional data.
    pub(crate) sequence: [u8; 8],
}

/// The provider. A clone draws from the same randomness.
#[derive(Clone, Debug)]
pub(crate) struct Toy {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    random: Cell<u64>,
    is_dry: Cell<bool>,
    tap: Cell<Option<Tap>>,
}

impl Toy {
    /// A provider whose randomness follows from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let random = Cell::new(mix(seed));
        Self { shared: Rc::new(Shared { random, is_dry: Cell::new(false), tap: Cell::new(None) }) }
    }

    /// Goes on with the randomness of `other`.
    pub(crate) fn follow(&self, other: &Self) {
        self.shared.random.set(other.shared.random.get());
    }

    /// Whether the source of randomness fails from now on.
    pub(crate) fn set_dry(&self, is_dry: bool) {
        self.shared.is_dry.set(is_dry);
    }

    /// What the last record was sealed with.
    pub(crate) fn tap(&self) -> Option<Tap> {
        self.shared.tap.get()
    }
}

impl Provider for Toy {
    type Sha256 = Hash;
    type HmacKey = Hash;
    type AeadKey = u64;

    fn random(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        if self.shared.is_dry.get() {
            return Err(EntropyError);
        }
        let seed = mix(self.shared.random.get());
        self.shared.random.set(seed);
        expand(seed, out);
        Ok(())
    }

    fn sha256(&self) -> Hash {
        Hash::new()
    }

    fn hmac_key(&self, key: &[u8]) -> Hash {
        let mut hash = Hash::new();
        hash.append(&[1]);
        hash.append(key);
        hash.append(&(key.len() as u64).to_le_bytes());
        hash
    }

    fn hmac(&self, key: &Hash, message: &[&[u8]]) -> Sha256Digest {
        let mut hash = *key;
        message.iter().for_each(|part| hash.append(part));
        digest(hash.value())
    }

    fn hkdf_sha256(&self, salt: &[u8], input: &[u8], info: &[&[u8]], out: &mut [u8]) {
        let mut hash = Hash::new();
        hash.append(&[2]);
        for part in [salt, input] {
            hash.append(part);
            hash.append(&(part.len() as u64).to_le_bytes());
        }
        info.iter().for_each(|part| hash.append(part));
        expand(hash.value(), out);
    }

    /// Shows the secret: the other side of an exchange needs only that.
    fn x25519_public_key(&self, secret: &X25519Secret) -> X25519PublicKey {
        X25519PublicKey(secret.expose().map(|byte| byte ^ 0x55))
    }

    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        if public.0 == [0; 32] {
            return Err(Invalid);
        }
        let own = hash(&[secret.expose()]);
        let other = hash(&[&public.0.map(|byte| byte ^ 0x55)]);
        Ok(SharedSecret::new(digest(mix(own) ^ mix(other))))
    }

    /// Shows the secret, from which everybody can make and check signatures.
    fn p256_public_key(&self, secret: &P256Secret) -> Result<P256PublicKey, Invalid> {
        let mut public = [2; 33];
        public[1..].copy_from_slice(secret.expose());
        check_p256(&P256PublicKey(public))
    }

    fn p256_sign(&self, secret: &P256Secret, message: &[&[u8]]) -> Result<Signature, Invalid> {
        Ok(sign(&self.p256_public_key(secret)?, message))
    }

    fn p256_verify(
        &self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Invalid> {
        if sign(&check_p256(public)?, message) == *signature { Ok(()) } else { Err(Invalid) }
    }

    fn aead_key(&self, key: &SymmetricKey) -> u64 {
        hash(&[key.expose()])
    }

    fn seal(&self, key: &u64, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
        let sequence = aad.first_chunk().copied().unwrap_or_default();
        self.shared.tap.set(Some(Tap { key: *key, nonce: *nonce, sequence }));
        seal(*key, nonce, aad, in_out)
    }

    fn open(
        &self,
        key: &u64,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Invalid> {
        if tag_of(*key, nonce, aad, in_out) != *tag {
            return Err(Invalid);
        }
        encrypt(*key, nonce, in_out);
        Ok(())
    }
}

/// Encrypts `in_out` in place; returns the tag.
pub(crate) fn seal(key: u64, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
    encrypt(key, nonce, in_out);
    tag_of(key, nonce, aad, in_out)
}

fn encrypt(key: u64, nonce: &Nonce, in_out: &mut [u8]) {
    let mut state = hash(&[&key.to_le_bytes(), nonce]);
    for chunk in in_out.chunks_mut(8) {
        state = mix(state);
        chunk.iter_mut().zip(state.to_le_bytes()).for_each(|(byte, key)| *byte ^= key);
    }
}

fn tag_of(key: u64, nonce: &Nonce, aad: &[u8], ciphertext: &[u8]) -> Tag {
    let lengths = (aad.len() as u64) << 32 | ciphertext.len() as u64;
    let value = hash(&[&key.to_le_bytes(), nonce, aad, &lengths.to_le_bytes(), ciphertext]);
    let mut tag = [0; 16];
    expand(value, &mut tag);
    tag
}

/// As with the true curve, not every encoding is that of a key.
fn check_p256(public: &P256PublicKey) -> Result<P256PublicKey, Invalid> {
    let [2 | 3, x @ ..] = &public.0 else { return Err(Invalid) };
    if *x == [0; 32] { Err(Invalid) } else { Ok(*public) }
}

fn sign(public: &P256PublicKey, message: &[&[u8]]) -> Signature {
    let mut hash = Hash::new();
    hash.append(&public.0);
    message.iter().for_each(|part| hash.append(part));
    let mut signature = [0; 64];
    expand(hash.value(), &mut signature);
    Signature(signature)
}

fn digest(seed: u64) -> Sha256Digest {
    let mut digest = [0; 32];
    expand(seed, &mut digest);
    digest
}

fn expand(mut seed: u64, out: &mut [u8]) {
    for chunk in out.chunks_mut(8) {
        seed = mix(seed);
        chunk.copy_from_slice(&seed.to_le_bytes()[..chunk.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_does_not_depend_on_how_it_is_fed() {
        let toy = Toy::new(0);
        let whole = toy.sha256_of(&[b"a message of more than eight bytes"]);
        assert_eq!(toy.sha256_of(&[b"a mess", b"age of more than", b" eight bytes"]), whole);
        assert_ne!(toy.sha256_of(&[b"a message of more than eight byte"]), whole);
        assert_ne!(toy.sha256_of(&[b"a message of more than eight bytes\0"]), whole);
    }

    #[test]
    fn the_primitives_keep_the_properties_that_the_protocols_build_on() {
        let toy = Toy::new(0);
        let (one, other) = (X25519Secret::new([1; 32]), X25519Secret::new([2; 32]));
        let (one_key, other_key) = (toy.x25519_public_key(&one), toy.x25519_public_key(&other));
        assert_eq!(toy.x25519(&one, &other_key), toy.x25519(&other, &one_key));
        assert_ne!(toy.x25519(&one, &other_key), toy.x25519(&one, &one_key));

        let public = toy.p256_public_key(&one).unwrap();
        let signature = toy.p256_sign(&one, &[b"message"]).unwrap();
        assert!(toy.p256_verify(&public, &[b"mess", b"age"], &signature).is_ok());
        assert!(toy.p256_verify(&public, &[b"massage"], &signature).is_err());
        assert!(toy.p256_public_key(&P256Secret::new([0; 32])).is_err());

        let key = toy.aead_key(&SymmetricKey::new([3; 32]));
        let mut bytes = *b"payload";
        let tag = toy.seal(&key, &[1; 12], b"header", &mut bytes);
        assert!(toy.open(&key, &[1; 12], b"reader", &mut bytes, &tag).is_err());
        assert!(toy.open(&key, &[2; 12], b"header", &mut bytes, &tag).is_err());
        assert_ne!(&bytes, b"payload");
        assert!(toy.open(&key, &[1; 12], b"header", &mut bytes, &tag).is_ok());
        assert_eq!(&bytes, b"payload");
    }
}
