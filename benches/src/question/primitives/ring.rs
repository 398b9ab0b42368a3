//! ring.

use iot_crypto::crypto::SymmetricKey;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use ring::{digest, hkdf, hmac};

use super::library::{Ability, Library, able, opening, put, sealing};
use super::operation::{Inputs, Key, Point};
use super::version;

/// ring.
pub(super) struct Ring;

fn aead_key(key: &SymmetricKey) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key.expose()).ok().map(LessSafeKey::new)
}

fn hmac_key(key: &SymmetricKey) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.expose())
}

impl Library for Ring {
    fn name(&self) -> String {
        version::named("ring")
    }

    fn seal(&self, key: Key, length: usize, inputs: &Inputs) -> Ability {
        let (secret, ready) = (inputs.key.clone(), aead_key(&inputs.key));
        let seal = |key: &LessSafeKey, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8]| {
            let nonce = Nonce::assume_unique_for_key(*nonce);
            let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), in_out).ok()?;
            tag.as_ref().try_into().ok()
        };
        match key {
            Key::Before => sealing(length, inputs, move |nonce, aad, in_out| {
                seal(ready.as_ref()?, nonce, aad, in_out)
            }),
            Key::EachTime => sealing(length, inputs, move |nonce, aad, in_out| {
                seal(&aead_key(&secret)?, nonce, aad, in_out)
            }),
        }
    }

    fn open(&self, key: Key, sealed: Vec<u8>, inputs: &Inputs) -> Ability {
        let (secret, ready) = (inputs.key.clone(), aead_key(&inputs.key));
        let open = |key: &LessSafeKey, nonce: &[u8; 12], aad: &[u8], in_out: &mut [u8], tag: &_| {
            let (nonce, tag) = (Nonce::assume_unique_for_key(*nonce), Tag::from(*tag));
            let opened = key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, in_out, 0..);
            opened.ok().map(drop)
        };
        match key {
            Key::Before => opening(sealed, inputs, move |nonce, aad, in_out, tag| {
                open(ready.as_ref()?, nonce, aad, in_out, tag)
            }),
            Key::EachTime => opening(sealed, inputs, move |nonce, aad, in_out, tag| {
                open(&aead_key(&secret)?, nonce, aad, in_out, tag)
            }),
        }
    }

    fn x25519_public_key(&self, _: &Inputs) -> Ability {
        Err("it takes no existing private key")
    }

    fn x25519(&self, _: &Inputs) -> Ability {
        Err("it takes no existing private key")
    }

    fn p256_public_key(&self, _: &Inputs) -> Ability {
        Err("it takes no existing private key without its public key")
    }

    fn p256_sign(&self, _: &Inputs) -> Ability {
        Err("it signs with random nonces only")
    }

    fn p256_verify(&self, point: Point, inputs: &Inputs) -> Ability {
        let Inputs { p256_uncompressed, signed, signature, .. } = *inputs;
        match point {
            Point::Compressed => Err("it takes no compressed keys"),
            Point::Uncompressed => able(move |_| {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, p256_uncompressed)
                    .verify(&signed, &signature.0)
                    .ok()?;
                Some(0)
            }),
        }
    }

    fn sha256(&self, length: usize, inputs: &Inputs) -> Ability {
        let message = inputs.content(length);
        able(move |out| put(digest::digest(&digest::SHA256, &message).as_ref(), out))
    }

    fn hmac(&self, key: Key, length: usize, inputs: &Inputs) -> Ability {
        let (secret, message) = (inputs.key.clone(), inputs.content(length));
        let ready = hmac_key(&secret);
        match key {
            Key::Before => able(move |out| put(hmac::sign(&ready, &message).as_ref(), out)),
            Key::EachTime => {
                able(move |out| put(hmac::sign(&hmac_key(&secret), &message).as_ref(), out))
            }
        }
    }

    fn hkdf(&self, inputs: &Inputs) -> Ability {
        let Inputs { salt, input, info, .. } = *inputs;
        able(move |out| {
            let out: &mut [u8; 32] = out.first_chunk_mut()?;
            let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &salt).extract(&input);
            extracted.expand(&[&info], hkdf::HKDF_SHA256).ok()?.fill(out).ok()?;
            Some(out.len())
        })
    }
}
