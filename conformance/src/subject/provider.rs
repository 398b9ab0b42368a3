//! A provider whose random bytes are those that a request says; and which of the two
//! providers computes with them.

use std::collections::VecDeque;
use std::sync::OnceLock;

use clap::ValueEnum;
use iot_crypto::crypto::{
    EntropyError, Invalid, Nonce, P256PublicKey, P256Secret, Provider, RustCrypto, Sha256Digest,
    SharedSecret, Signature, SymmetricKey, Tag, X25519PublicKey, X25519Secret,
};
use iot_crypto_host::HostCrypto;
use rand_core::{TryCryptoRng, TryRng};

/// Gives the bytes that it was made with, in their order, and then none.
#[derive(Clone, Debug)]
pub struct Scripted(VecDeque<u8>);

/// The script has no bytes left.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the random bytes of the request are used up")]
pub struct UsedUp;

/// A provider of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The core's own, which is that of microcontrollers.
    #[default]
    RustCrypto,
    /// The one for hosts.
    Host,
}

static KIND: OnceLock<Kind> = OnceLock::new();

/// Has the subject compute with `kind`: to be said once, before anything is asked of it.
pub fn choose(kind: Kind) {
    let chosen = *KIND.get_or_init(|| kind);
    debug_assert_eq!(chosen, kind, "it was chosen before");
}

/// The subject's provider, with `random` as its random bytes.
#[must_use]
pub fn provider(random: &[u8]) -> SubjectProvider {
    provider_of(KIND.get().copied().unwrap_or_default(), random)
}

/// The provider of that kind, likewise.
#[must_use]
pub fn provider_of(kind: Kind, random: &[u8]) -> SubjectProvider {
    let scripted = Scripted(random.iter().copied().collect());
    match kind {
        Kind::RustCrypto => Either::One(RustCrypto::new(scripted)),
        Kind::Host => Either::Other(HostCrypto::new(scripted)),
    }
}

/// One of our providers.
pub type SubjectProvider = Either<RustCrypto<Scripted>, HostCrypto<Scripted>>;

/// One provider or another, or what belongs to it.
#[derive(Clone, Debug)]
pub enum Either<A, B> {
    /// The one.
    One(A),
    /// The other.
    Other(B),
}

impl<A, B> Either<A, B> {
    /// Does the same with either.
    fn map<R>(&self, one: impl FnOnce(&A) -> R, other: impl FnOnce(&B) -> R) -> R {
        match self {
            Self::One(it) => one(it),
            Self::Other(it) => other(it),
        }
    }
}

/// Calls the same of either.
macro_rules! either {
    ($self:ident, $it:ident => $call:expr) => {
        match $self {
            Self::One($it) => $call,
            Self::Other($it) => $call,
        }
    };
}

impl<A: Provider, B: Provider<Sha256 = A::Sha256>> Provider for Either<A, B> {
    type Sha256 = A::Sha256;
    type HmacKey = Either<A::HmacKey, B::HmacKey>;
    type AeadKey = Either<A::AeadKey, B::AeadKey>;

    fn random(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        either!(self, it => it.random(out))
    }

    fn sha256(&self) -> Self::Sha256 {
        either!(self, it => it.sha256())
    }

    fn hmac_key(&self, key: &[u8]) -> Self::HmacKey {
        self.map(|it| Either::One(it.hmac_key(key)), |it| Either::Other(it.hmac_key(key)))
    }

    fn hmac(&self, key: &Self::HmacKey, message: &[&[u8]]) -> Sha256Digest {
        match (self, key) {
            (Self::One(it), Either::One(key)) => it.hmac(key, message),
            (Self::Other(it), Either::Other(key)) => it.hmac(key, message),
            _ => unreachable!("a key is used with the provider that it is from"),
        }
    }

    fn hkdf_sha256(&self, salt: &[u8], input: &[u8], info: &[&[u8]], out: &mut [u8]) {
        either!(self, it => it.hkdf_sha256(salt, input, info, out));
    }

    fn x25519_public_key(&self, secret: &X25519Secret) -> X25519PublicKey {
        either!(self, it => it.x25519_public_key(secret))
    }

    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        either!(self, it => it.x25519(secret, public))
    }

    fn p256_public_key(&self, secret: &P256Secret) -> Result<P256PublicKey, Invalid> {
        either!(self, it => it.p256_public_key(secret))
    }

    fn p256_sign(&self, secret: &P256Secret, message: &[&[u8]]) -> Result<Signature, Invalid> {
        either!(self, it => it.p256_sign(secret, message))
    }

    fn p256_verify(
        &self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Invalid> {
        either!(self, it => it.p256_verify(public, message, signature))
    }

    fn aead_key(&self, key: &SymmetricKey) -> Self::AeadKey {
        self.map(|it| Either::One(it.aead_key(key)), |it| Either::Other(it.aead_key(key)))
    }

    fn seal(&self, key: &Self::AeadKey, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
        match (self, key) {
            (Self::One(it), Either::One(key)) => it.seal(key, nonce, aad, in_out),
            (Self::Other(it), Either::Other(key)) => it.seal(key, nonce, aad, in_out),
            _ => unreachable!("a key is used with the provider that it is from"),
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
        match (self, key) {
            (Self::One(it), Either::One(key)) => it.open(key, nonce, aad, in_out, tag),
            (Self::Other(it), Either::Other(key)) => it.open(key, nonce, aad, in_out, tag),
            _ => unreachable!("a key is used with the provider that it is from"),
        }
    }
}

impl TryRng for Scripted {
    type Error = UsedUp;

    fn try_next_u32(&mut self) -> Result<u32, UsedUp> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, UsedUp> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), UsedUp> {
        if out.len() > self.0.len() {
            return Err(UsedUp);
        }
        let drawn = self.0.drain(..out.len()).collect::<Vec<_>>();
        out.copy_from_slice(&drawn);
        Ok(())
    }
}

impl TryCryptoRng for Scripted {}
