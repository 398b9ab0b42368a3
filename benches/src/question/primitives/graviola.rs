//! graviola.

use graviola::Error;
use graviola::aead::ChaCha20Poly1305;
use graviola::hashing::hmac::Hmac;
use graviola::hashing::{Hash as _, Sha256};
use graviola::key_agreement::{p256, x25519};
use graviola::signing::ecdsa::{P256, VerifyingKey};
use iot_crypto::crypto::Tag;

use super::library::{Ability, Library, able, opening, put, sealing};
use super::operation::{Inputs, Key, Point, compressed};
use super::version;

/// graviola, on a processor that it knows.
pub(super) struct Graviola(());

impl Graviola {
    /// `None` if the processor lacks what it needs.
    pub(super) fn find() -> Option<Self> {
        graviola::util::is_cpu_supported().then_some(Self(()))
    }
}

impl Library for Graviola {
    fn name(&self) -> String {
        version::named("graviola")
    }

    fn seal(&self, key: Key, length: usize, inputs: &Inputs) -> Ability {
        let bytes = *inputs.key.expose();
        let ready = ChaCha20Poly1305::new(bytes);
        let seal = |key: &ChaCha20Poly1305, nonce: &_, aad: &[u8], in_out: &mut [u8]| {
            let mut tag = Tag::default();
            key.encrypt(nonce, aad, in_out, &mut tag);
            Some(tag)
        };
        match key {
            Key::Before => {
                sealing(length, inputs, move |nonce, aad, in_out| seal(&ready, nonce, aad, in_out))
            }
            Key::EachTime => sealing(length, inputs, move |nonce, aad, in_out| {
                seal(&ChaCha20Poly1305::new(bytes), nonce, aad, in_out)
            }),
        }
    }

    fn open(&self, key: Key, sealed: Vec<u8>, inputs: &Inputs) -> Ability {
        let bytes = *inputs.key.expose();
        let ready = ChaCha20Poly1305::new(bytes);
        match key {
            Key::Before => opening(sealed, inputs, move |nonce, aad, in_out, tag| {
                ready.decrypt(nonce, aad, in_out, tag).ok()
            }),
            Key::EachTime => opening(sealed, inputs, move |nonce, aad, in_out, tag| {
                ChaCha20Poly1305::new(bytes).decrypt(nonce, aad, in_out, tag).ok()
            }),
        }
    }

    fn x25519_public_key(&self, inputs: &Inputs) -> Ability {
        let secret = inputs.x25519_secret.clone();
        able(move |out| {
            let secret = x25519::StaticPrivateKey::from_array(secret.expose());
            put(&secret.public_key().as_bytes(), out)
        })
    }

    fn x25519(&self, inputs: &Inputs) -> Ability {
        let (secret, public) = (inputs.x25519_secret.clone(), inputs.x25519_public);
        able(move |out| {
            let secret = x25519::StaticPrivateKey::from_array(secret.expose());
            let public = x25519::PublicKey::try_from_slice(&public.0).ok()?;
            put(&secret.diffie_hellman(&public).ok()?.0, out)
        })
    }

    fn p256_public_key(&self, inputs: &Inputs) -> Ability {
        let secret = inputs.p256_secret.clone();
        able(move |out| {
            let secret = p256::StaticPrivateKey::from_bytes(secret.expose()).ok()?;
            put(&compressed(&secret.public_key_uncompressed()), out)
        })
    }

    fn p256_sign(&self, _: &Inputs) -> Ability {
        Err("it mixes random bytes into its nonces")
    }

    fn p256_verify(&self, point: Point, inputs: &Inputs) -> Ability {
        let Inputs { p256_uncompressed, signed, signature, .. } = *inputs;
        match point {
            Point::Compressed => Err("it takes no compressed keys"),
            Point::Uncompressed => able(move |_| {
                let verified: Result<(), Error> =
                    VerifyingKey::<P256>::from_x962_uncompressed(&p256_uncompressed)
                        .and_then(|key| key.verify::<Sha256>(&[&signed], &signature.0));
                verified.ok()?;
                Some(0)
            }),
        }
    }

    fn sha256(&self, length: usize, inputs: &Inputs) -> Ability {
        let message = inputs.content(length);
        able(move |out| put(Sha256::hash(&message).as_ref(), out))
    }

    fn hmac(&self, key: Key, length: usize, inputs: &Inputs) -> Ability {
        let (secret, message) = (inputs.key.clone(), inputs.content(length));
        let ready = Hmac::<Sha256>::new(secret.expose());
        let code = move |mut key: Hmac<Sha256>, out: &mut [u8]| {
            key.update(&message);
            put(key.finish().as_ref(), out)
        };
        match key {
            Key::Before => able(move |out| code(ready.clone(), out)),
            Key::EachTime => able(move |out| code(Hmac::new(secret.expose()), out)),
        }
    }

    fn hkdf(&self, _: &Inputs) -> Ability {
        Err("it has none")
    }
}
