//! The primitives of SPEC.md section 1, which the Wycheproof vectors check.

use iot_crypto::crypto::{P256Secret, Provider as _, X25519PublicKey, X25519Secret};

use crate::subject::provider;

/// A secret or random number that follows from `label`.
pub(super) fn secret(label: &str) -> [u8; 32] {
    sha256(&[b"IoT-Crypto reference vectors: ", label.as_bytes()].concat())
}

/// The start of [`secret`].
pub(super) fn random<const N: usize>(label: &str) -> [u8; N] {
    start(&secret(label))
}

/// The first `N` bytes.
pub(super) fn start<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("long enough")
}

pub(super) fn sha256(message: &[u8]) -> [u8; 32] {
    provider(&[]).sha256_of(&[message])
}

pub(super) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    provider(&[]).hmac_sha256(key, &[message])
}

pub(super) fn hkdf<const N: usize>(salt: &[u8], input: &[u8], info: &str) -> [u8; N] {
    let mut out = [0; N];
    provider(&[]).hkdf_sha256(salt, input, &[info.as_bytes()], &mut out);
    out
}

pub(super) fn x25519_public(secret: &[u8; 32]) -> [u8; 32] {
    provider(&[]).x25519_public_key(&X25519Secret::new(*secret)).0
}

pub(super) fn x25519(secret: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
    let shared = provider(&[]).x25519(&X25519Secret::new(*secret), &X25519PublicKey(*public));
    *shared.expect("not of small order").expose()
}

pub(super) fn p256_public(secret: &[u8; 32]) -> [u8; 33] {
    provider(&[]).p256_public_key(&P256Secret::new(*secret)).expect("a scalar").0
}

pub(super) fn sign(secret: &[u8; 32], message: &[u8]) -> [u8; 64] {
    provider(&[]).p256_sign(&P256Secret::new(*secret), &[message]).expect("a scalar").0
}

/// The same signature with its `s` in the upper half: n − s.
pub(super) fn other_half(signature: &[u8; 64]) -> [u8; 64] {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut other = *signature;
    let mut borrow = 0;
    for index in (0..32).rev() {
        let difference = i16::from(ORDER[index]) - i16::from(signature[32 + index]) - borrow;
        borrow = i16::from(difference < 0);
        other[32 + index] = difference.rem_euclid(256) as u8;
    }
    other
}
