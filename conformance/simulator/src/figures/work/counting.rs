//! A provider that counts what it is asked for, and how long that takes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use iot_crypto::crypto::{
    EntropyError, Invalid, Nonce, P256PublicKey, P256Secret, Provider, Sha256, Sha256Digest,
    SharedSecret, Signature, SymmetricKey, Tag, X25519PublicKey, X25519Secret,
};

/// What a provider is asked for. Signatures are told apart by what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    VerifyCertificate,
    VerifyEndorsement,
    VerifyNegotiation,
    /// The core has no other signatures in a first contact.
    VerifyOther,
    Sign,
    X25519,
    X25519PublicKey,
    P256PublicKey,
    Hkdf,
    HmacKey,
    Hmac,
    Sha256,
    AeadKey,
    Seal,
    Open,
    Random,
}

/// How often, and how long altogether.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) calls: u64,
    pub(super) time: Duration,
}

/// What a provider was asked for so far.
pub(super) type Ledger = BTreeMap<Operation, Tally>;

/// A provider that keeps a ledger, which whoever made it shares.
pub(super) struct Counting<P> {
    inner: P,
    ledger: Rc<RefCell<Ledger>>,
}

/// A SHA-256 whose time is noted when it ends; a clone counts by itself.
#[derive(Clone)]
pub(super) struct CountingSha256<H> {
    inner: H,
    time: Duration,
    ledger: Rc<RefCell<Ledger>>,
}

impl Operation {
    /// By the label that every signature of the protocol begins with (SPEC.md
    /// sections 3.1, 4.1 and 9.3).
    fn of_verification(message: &[&[u8]]) -> Self {
        match message.first() {
            Some(&b"IoT-Crypto certificate") => Self::VerifyCertificate,
            Some(&b"IoT-Crypto endorsement") => Self::VerifyEndorsement,
            Some(&b"IoT-Crypto negotiation") => Self::VerifyNegotiation,
            _ => Self::VerifyOther,
        }
    }

    /// Whether it is a part of the verification of a peer's certificate.
    pub(super) const fn verifies_the_peer(self) -> bool {
        matches!(self, Self::VerifyCertificate | Self::VerifyEndorsement)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VerifyCertificate => "P-256 verify: the peer's certificate",
            Self::VerifyEndorsement => "P-256 verify: its endorsement",
            Self::VerifyNegotiation => "P-256 verify: the negotiation",
            Self::VerifyOther => "P-256 verify: something else",
            Self::Sign => "P-256 sign: the negotiation",
            Self::X25519 => "X25519 shared secret",
            Self::X25519PublicKey => "X25519 public key",
            Self::P256PublicKey => "P-256 public key",
            Self::Hkdf => "HKDF-SHA256",
            Self::HmacKey => "HMAC-SHA256 key",
            Self::Hmac => "HMAC-SHA256",
            Self::Sha256 => "SHA-256",
            Self::AeadKey => "ChaCha20-Poly1305 key",
            Self::Seal => "ChaCha20-Poly1305 seal",
            Self::Open => "ChaCha20-Poly1305 open",
            Self::Random => "random numbers",
        })
    }
}

impl<P> Counting<P> {
    /// Wraps `inner`; gives the ledger, too.
    pub(super) fn new(inner: P) -> (Self, Rc<RefCell<Ledger>>) {
        let ledger = Rc::<RefCell<Ledger>>::default();
        (Self { inner, ledger: Rc::clone(&ledger) }, ledger)
    }

    fn count<R>(&self, operation: Operation, compute: impl FnOnce(&P) -> R) -> R {
        let begin = Instant::now();
        let result = compute(&self.inner);
        note(&self.ledger, operation, begin.elapsed());
        result
    }
}

fn note(ledger: &RefCell<Ledger>, operation: Operation, time: Duration) {
    let mut ledger = ledger.borrow_mut();
    let tally = ledger.entry(operation).or_default();
    tally.calls += 1;
    tally.time += time;
}

impl<H: Sha256> Sha256 for CountingSha256<H> {
    fn update(&mut self, bytes: &[u8]) {
        let begin = Instant::now();
        self.inner.update(bytes);
        self.time += begin.elapsed();
    }

    fn finish(self) -> Sha256Digest {
        let begin = Instant::now();
        let digest = self.inner.finish();
        note(&self.ledger, Operation::Sha256, self.time + begin.elapsed());
        digest
    }
}

impl<P: Provider> Provider for Counting<P> {
    type Sha256 = CountingSha256<P::Sha256>;
    type HmacKey = P::HmacKey;
    type AeadKey = P::AeadKey;

    fn random(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        let begin = Instant::now();
        let result = self.inner.random(out);
        note(&self.ledger, Operation::Random, begin.elapsed());
        result
    }

    fn sha256(&self) -> Self::Sha256 {
        let (inner, ledger) = (self.inner.sha256(), Rc::clone(&self.ledger));
        CountingSha256 { inner, time: Duration::ZERO, ledger }
    }

    fn hmac_key(&self, key: &[u8]) -> Self::HmacKey {
        self.count(Operation::HmacKey, |inner| inner.hmac_key(key))
    }

    fn hmac(&self, key: &Self::HmacKey, message: &[&[u8]]) -> Sha256Digest {
        self.count(Operation::Hmac, |inner| inner.hmac(key, message))
    }

    fn hkdf_sha256(&self, salt: &[u8], input: &[u8], info: &[&[u8]], out: &mut [u8]) {
        self.count(Operation::Hkdf, |inner| inner.hkdf_sha256(salt, input, info, out));
    }

    fn x25519_public_key(&self, secret: &X25519Secret) -> X25519PublicKey {
        self.count(Operation::X25519PublicKey, |inner| inner.x25519_public_key(secret))
    }

    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        self.count(Operation::X25519, |inner| inner.x25519(secret, public))
    }

    fn p256_public_key(&self, secret: &P256Secret) -> Result<P256PublicKey, Invalid> {
        self.count(Operation::P256PublicKey, |inner| inner.p256_public_key(secret))
    }

    fn p256_sign(&self, secret: &P256Secret, message: &[&[u8]]) -> Result<Signature, Invalid> {
        self.count(Operation::Sign, |inner| inner.p256_sign(secret, message))
    }

    fn p256_verify(
        &self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Invalid> {
        self.count(Operation::of_verification(message), |inner| {
            inner.p256_verify(public, message, signature)
        })
    }

    fn aead_key(&self, key: &SymmetricKey) -> Self::AeadKey {
        self.count(Operation::AeadKey, |inner| inner.aead_key(key))
    }

    fn seal(&self, key: &Self::AeadKey, nonce: &Nonce, aad: &[u8], in_out: &mut [u8]) -> Tag {
        self.count(Operation::Seal, |inner| inner.seal(key, nonce, aad, in_out))
    }

    fn open(
        &self,
        key: &Self::AeadKey,
        nonce: &Nonce,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &Tag,
    ) -> Result<(), Invalid> {
        self.count(Operation::Open, |inner| inner.open(key, nonce, aad, in_out, tag))
    }
}
