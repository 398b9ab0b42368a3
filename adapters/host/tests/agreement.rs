//! The provider for hosts computes what the core's own does, on whatever input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use chacha20::ChaCha20Rng;
use iot_crypto::crypto::{
    Invalid, P256PublicKey, P256Secret, Provider as _, RustCrypto, Secret, Signature,
    X25519PublicKey,
};
use iot_crypto_host::HostCrypto;
use proptest::prelude::*;
use rand_core::SeedableRng as _;

fn generator() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([1; 32])
}

fn host() -> HostCrypto<ChaCha20Rng> {
    HostCrypto::new(generator())
}

fn portable() -> RustCrypto<ChaCha20Rng> {
    RustCrypto::new(generator())
}

/// A message in parts.
fn message() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..150), 0..4)
}

fn parts(message: &[Vec<u8>]) -> Vec<&[u8]> {
    message.iter().map(Vec::as_slice).collect()
}

/// Scalars: most are keys; zero, the order and what is above are not.
fn scalar() -> impl Strategy<Value = [u8; 32]> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let near = |last: u8| {
        let mut scalar = ORDER;
        scalar[31] = last;
        scalar
    };
    let small = (0_u8..3).prop_map(|last| {
        let mut scalar = [0; 32];
        scalar[31] = last;
        scalar
    });
    prop_oneof![
        8 => any::<[u8; 32]>(),
        1 => small,
        1 => (0x4f_u8..0x54).prop_map(near),
        1 => Just([0xff; 32]),
    ]
}

proptest! {
    #[test]
    fn signatures_and_public_keys_are_the_same_bytes(secret in scalar(), message in message()) {
        let secret = P256Secret::new(secret);
        let public = host().p256_public_key(&secret);
        prop_assert_eq!(public, portable().p256_public_key(&secret));
        let signature = host().p256_sign(&secret, &parts(&message));
        prop_assert_eq!(signature, portable().p256_sign(&secret, &parts(&message)));
        if let (Ok(public), Ok(signature)) = (public, signature) {
            prop_assert_eq!(host().p256_verify(&public, &parts(&message), &signature), Ok(()));
        }
    }

    #[test]
    fn whatever_is_changed_is_judged_alike(
        secret in any::<[u8; 32]>(),
        message in message(),
        key_change in (0_usize..33, any::<u8>()),
        signature_change in (0_usize..64, any::<u8>()),
        changes_key in any::<bool>(),
    ) {
        let secret = P256Secret::new(secret);
        let Ok(mut public) = portable().p256_public_key(&secret) else { return Ok(()) };
        let mut signature = portable().p256_sign(&secret, &parts(&message)).unwrap();
        match changes_key {
            true => public.0[key_change.0] = key_change.1,
            false => signature.0[signature_change.0] = signature_change.1,
        }
        let message = parts(&message);
        prop_assert_eq!(
            host().p256_verify(&public, &message, &signature),
            portable().p256_verify(&public, &message, &signature)
        );
    }

    #[test]
    fn anything_is_judged_alike(key in any::<[u8; 32]>(), tag in 0_u8..8, signature in any::<[u8; 32]>()) {
        let mut public = [tag; 33];
        public[1..].copy_from_slice(&key);
        let public = P256PublicKey(public);
        let signature = Signature([signature, signature].concat().try_into().unwrap());
        prop_assert_eq!(
            host().p256_verify(&public, &[b"message"], &signature),
            portable().p256_verify(&public, &[b"message"], &signature)
        );
    }

    #[test]
    fn an_exchange_gives_the_same_secret(secret in any::<[u8; 32]>(), public in any::<[u8; 32]>()) {
        let secret = Secret::new(secret);
        prop_assert_eq!(host().x25519_public_key(&secret), portable().x25519_public_key(&secret));
        let public = X25519PublicKey(public);
        prop_assert_eq!(host().x25519(&secret, &public), portable().x25519(&secret, &public));
    }

    #[test]
    fn codes_are_the_same_bytes(
        key in prop::collection::vec(any::<u8>(), 0..140),
        message in message(),
    ) {
        let ready = host().hmac_key(&key);
        prop_assert_eq!(
            host().hmac(&ready, &parts(&message)),
            portable().hmac_sha256(&key, &parts(&message))
        );
        // A key that is ready is not used up.
        prop_assert_eq!(host().hmac(&ready, &[]), portable().hmac_sha256(&key, &[]));
    }

    #[test]
    fn records_are_the_same_bytes_and_open(
        key in any::<[u8; 32]>(),
        nonce in any::<[u8; 12]>(),
        aad in prop::collection::vec(any::<u8>(), 0..40),
        content in prop::collection::vec(any::<u8>(), 0..1500),
        bit in any::<prop::sample::Index>(),
    ) {
        let key = Secret::new(key);
        let (host, portable) = (host(), portable());
        let (fast, slow) = (host.aead_key(&key), portable.aead_key(&key));
        let (mut one, mut other) = (content.clone(), content.clone());
        let tag = host.seal(&fast, &nonce, &aad, &mut one);
        prop_assert_eq!(tag, portable.seal(&slow, &nonce, &aad, &mut other));
        prop_assert_eq!(&one, &other);
        let mut changed = [&one[..], &tag].concat();
        let bit = bit.index(changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        let (sealed, false_tag) = changed.split_at_mut(content.len());
        let false_tag = (*false_tag).try_into().unwrap();
        prop_assert_eq!(host.open(&fast, &nonce, &aad, sealed, &false_tag), Err(Invalid));
        prop_assert_eq!(host.open(&fast, &nonce, &aad, &mut one, &tag), Ok(()));
        prop_assert_eq!(one, content);
    }
}

#[test]
fn the_processor_of_this_machine_is_known() {
    // Not a property of the code: but where it fails, nothing above was tried.
    if std::env::var_os("CI").is_some() && cfg!(target_arch = "x86_64") {
        assert!(std::format!("{:?}", host()).contains("Some"));
    }
}
