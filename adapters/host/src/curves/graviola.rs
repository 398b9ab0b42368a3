//! X25519 and P-256 by graviola.

use graviola::key_agreement::{p256 as fast, x25519};
use graviola::signing::ecdsa;
use iot_crypto::crypto::{
    Invalid, P256PublicKey, P256Secret, Sha256Digest, SharedSecret, Signature, X25519PublicKey,
    X25519Secret,
};
use p256::elliptic_curve::Curve as _;
use p256::elliptic_curve::ops::{Invert, Reduce};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{FieldBytes, NistP256, NonZeroScalar, Scalar, U256};
use zeroize::Zeroizing;

/// graviola, on a processor that it knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curves(());

impl Curves {
    /// `None` if the processor lacks what graviola needs, which would panic then.
    pub(crate) fn find() -> Option<Self> {
        graviola::util::is_cpu_supported().then_some(Self(()))
    }

    pub(crate) fn x25519_public_key(self, secret: &X25519Secret) -> X25519PublicKey {
        let secret = x25519::StaticPrivateKey::from_array(secret.expose());
        X25519PublicKey(secret.public_key().as_bytes())
    }

    pub(crate) fn x25519(
        self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        let secret = x25519::StaticPrivateKey::from_array(secret.expose());
        let public = x25519::PublicKey::try_from_slice(&public.0).map_err(|_| Invalid)?;
        let shared = secret.diffie_hellman(&public).map_err(|_| Invalid)?;
        Ok(SharedSecret::new(shared.0))
    }

    pub(crate) fn p256_public_key(self, secret: &P256Secret) -> Result<P256PublicKey, Invalid> {
        let (x, y) = multiple_of_generator(secret)?;
        let mut compressed = [0; 33];
        let [tag, rest @ ..] = &mut compressed;
        *tag = 2 + (y[31] & 1);
        rest.copy_from_slice(&x);
        Ok(P256PublicKey(compressed))
    }

    /// ECDSA (FIPS 186-5 section 6.4.1) with the nonce of RFC 6979: graviola computes
    /// the point, which is most of the work, and RustCrypto the rest, in constant time.
    pub(crate) fn p256_sign(
        self,
        secret: &P256Secret,
        digest: &Sha256Digest,
    ) -> Result<Signature, Invalid> {
        let private = Zeroizing::new(scalar(secret)?);
        let hashed = reduced(digest);
        let order = NistP256::ORDER;
        let mut nonces =
            rfc6979::KGenerator::<sha2::Sha256, U256>::new(secret.expose(), digest, &[], &order);
        loop {
            let mut nonce = P256Secret::default();
            nonces.fill_next_k(nonce.expose_mut());
            let (x, _) = multiple_of_generator(&nonce)?;
            let r = reduced(&x);
            let nonce = Zeroizing::new(scalar(&nonce)?);
            let inverse = Zeroizing::new(Invert::invert(&*nonce));
            let s = **inverse * (hashed + r * **private);
            // Neither is zero, but with a probability that no one will live to see.
            if let Ok(signature) = p256::ecdsa::Signature::from_scalars(r, s) {
                return Ok(Signature(signature.normalize_s().to_bytes().into()));
            }
        }
    }

    pub(crate) fn p256_verify(
        self,
        public: &P256PublicKey,
        message: &[&[u8]],
        signature: &Signature,
    ) -> Result<(), Invalid> {
        // RustCrypto would also take a point in the "compact" form, tag 05.
        let [0x02 | 0x03, ..] = public.0 else { return Err(Invalid) };
        let point = p256::PublicKey::from_sec1_bytes(&public.0).map_err(|_| Invalid)?;
        let point = point.to_sec1_point(false);
        let parsed = p256::ecdsa::Signature::from_slice(&signature.0).map_err(|_| Invalid)?;
        if parsed.normalize_s() != parsed {
            return Err(Invalid);
        }
        ecdsa::VerifyingKey::<ecdsa::P256>::from_x962_uncompressed(point.as_bytes())
            .and_then(|key| key.verify::<graviola::hashing::Sha256>(message, &signature.0))
            .map_err(|_| Invalid)
    }
}

/// A number modulo the order, as ECDSA takes digests and coordinates.
fn reduced(number: &[u8; 32]) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(&(*number).into())
}

fn scalar(secret: &P256Secret) -> Result<NonZeroScalar, Invalid> {
    NonZeroScalar::from_repr((*secret.expose()).into()).into_option().ok_or(Invalid)
}

/// Both coordinates, big-endian.
fn multiple_of_generator(secret: &P256Secret) -> Result<([u8; 32], [u8; 32]), Invalid> {
    let secret = fast::StaticPrivateKey::from_bytes(secret.expose()).map_err(|_| Invalid)?;
    let [_, coordinates @ ..] = secret.public_key_uncompressed();
    let (x, y) = coordinates.split_at(32);
    Ok((x.try_into().map_err(|_| Invalid)?, y.try_into().map_err(|_| Invalid)?))
}
