//! In the place of graviola, on architectures that it does not know.

use iot_crypto::crypto::{
    Invalid, P256PublicKey, P256Secret, Sha256Digest, SharedSecret, Signature, X25519PublicKey,
    X25519Secret,
};

/// There are none.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Curves {}

impl Curves {
    pub(crate) fn find() -> Option<Self> {
        None
    }

    pub(crate) fn x25519_public_key(self, _: &X25519Secret) -> X25519PublicKey {
        match self {}
    }

    pub(crate) fn x25519(
        self,
        _: &X25519Secret,
        _: &X25519PublicKey,
    ) -> Result<SharedSecret, Invalid> {
        match self {}
    }

    pub(crate) fn p256_public_key(self, _: &P256Secret) -> Result<P256PublicKey, Invalid> {
        match self {}
    }

    pub(crate) fn p256_sign(self, _: &P256Secret, _: &Sha256Digest) -> Result<Signature, Invalid> {
        match self {}
    }

    pub(crate) fn p256_verify(
        self,
        _: &P256PublicKey,
        _: &[&[u8]],
        _: &Signature,
    ) -> Result<(), Invalid> {
        match self {}
    }
}
