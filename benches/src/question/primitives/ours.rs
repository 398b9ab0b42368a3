//! Our providers.

use iot_crypto::crypto::{P256PublicKey, Provider};

use super::library::{Ability, Library, able, opening, put, sealing};
use super::operation::{Inputs, Key, Point};

/// What `provider` makes, called `name`.
pub(super) struct Ours<F> {
    pub(super) name: &'static str,
    pub(super) provider: F,
}

impl<P: Provider + 'static, F: Fn() -> P> Library for Ours<F> {
    fn name(&self) -> String {
        format!("IoT-Crypto ({})", self.name)
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn seal(&self, key: Key, length: usize, inputs: &Inputs) -> Ability {
        let (provider, secret) = ((self.provider)(), inputs.key.clone());
        let ready = provider.aead_key(&secret);
        match key {
            Key::Before => sealing(length, inputs, move |nonce, aad, in_out| {
                Some(provider.seal(&ready, nonce, aad, in_out))
            }),
            Key::EachTime => sealing(length, inputs, move |nonce, aad, in_out| {
                Some(provider.seal(&provider.aead_key(&secret), nonce, aad, in_out))
            }),
        }
    }

    fn open(&self, key: Key, sealed: Vec<u8>, inputs: &Inputs) -> Ability {
        let (provider, secret) = ((self.provider)(), inputs.key.clone());
        let ready = provider.aead_key(&secret);
        match key {
            Key::Before => opening(sealed, inputs, move |nonce, aad, in_out, tag| {
                provider.open(&ready, nonce, aad, in_out, tag).ok()
            }),
            Key::EachTime => opening(sealed, inputs, move |nonce, aad, in_out, tag| {
                provider.open(&provider.aead_key(&secret), nonce, aad, in_out, tag).ok()
            }),
        }
    }

    fn x25519_public_key(&self, inputs: &Inputs) -> Ability {
        let (provider, secret) = ((self.provider)(), inputs.x25519_secret.clone());
        able(move |out| put(&provider.x25519_public_key(&secret).0, out))
    }

    fn x25519(&self, inputs: &Inputs) -> Ability {
        let (provider, secret) = ((self.provider)(), inputs.x25519_secret.clone());
        let public = inputs.x25519_public;
        able(move |out| put(provider.x25519(&secret, &public).ok()?.expose(), out))
    }

    fn p256_public_key(&self, inputs: &Inputs) -> Ability {
        let (provider, secret) = ((self.provider)(), inputs.p256_secret.clone());
        able(move |out| {
            let P256PublicKey(public) = provider.p256_public_key(&secret).ok()?;
            put(&public, out)
        })
    }

    fn p256_sign(&self, inputs: &Inputs) -> Ability {
        let (provider, secret) = ((self.provider)(), inputs.p256_secret.clone());
        let message = inputs.signed;
        able(move |out| put(&provider.p256_sign(&secret, &[&message]).ok()?.0, out))
    }

    fn p256_verify(&self, point: Point, inputs: &Inputs) -> Ability {
        let (provider, public) = ((self.provider)(), inputs.p256_public);
        let Inputs { signed, signature, .. } = *inputs;
        match point {
            Point::Compressed => able(move |_| {
                provider.p256_verify(&public, &[&signed], &signature).ok()?;
                Some(0)
            }),
            Point::Uncompressed => Err("a provider is given compressed keys alone"),
        }
    }

    fn sha256(&self, length: usize, inputs: &Inputs) -> Ability {
        let (provider, message) = ((self.provider)(), inputs.content(length));
        able(move |out| put(&provider.sha256_of(&[&message]), out))
    }

    fn hmac(&self, key: Key, length: usize, inputs: &Inputs) -> Ability {
        let (provider, secret) = ((self.provider)(), inputs.key.clone());
        let (ready, message) = (provider.hmac_key(secret.expose()), inputs.content(length));
        match key {
            Key::Before => able(move |out| put(&provider.hmac(&ready, &[&message]), out)),
            Key::EachTime => {
                able(move |out| put(&provider.hmac_sha256(secret.expose(), &[&message]), out))
            }
        }
    }

    fn hkdf(&self, inputs: &Inputs) -> Ability {
        let provider = (self.provider)();
        let Inputs { salt, input, info, .. } = *inputs;
        able(move |out| {
            let out: &mut [u8; 32] = out.first_chunk_mut()?;
            provider.hkdf_sha256(&salt, &input, &[&info], out);
            Some(out.len())
        })
    }
}
