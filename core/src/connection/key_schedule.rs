//! From the two messages and the shared secrets to the session key (SPEC.md
//! section 9.4).

use core::convert::Infallible;

use minicbor::Encode;

use crate::crypto::{Provider, Secret, Sha256, Sha256Digest, SharedSecret, SymmetricKey};
use crate::wire::cbor;

/// The label of the responder's signature.
pub(super) const SIGNATURE_LABEL: &[u8] = b"IoT-Crypto negotiation";
const KEY_LABEL: &[u8] = b"IoT-Crypto session key";
const ID_LABEL: &[u8] = b"IoT-Crypto session key id";

/// What a session key is called on the wire: the PSK identity of the DTLS
/// session of the transmission service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKeyId(pub [u8; 8]);

impl core::fmt::Display for SessionKeyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl core::fmt::Debug for SessionKeyId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SessionKeyId({self})")
    }
}

/// The key that two parties negotiated: the pre-shared key of the DTLS session
/// of the transmission service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey {
    id: SessionKeyId,
    secret: SymmetricKey,
}

impl SessionKey {
    /// What the key is called on the wire.
    #[must_use]
    pub fn id(&self) -> SessionKeyId {
        self.id
    }

    /// The key itself.
    #[must_use]
    pub fn secret(&self) -> &SymmetricKey {
        &self.secret
    }
}

/// The SHA-256 of both messages, each behind its length in four bytes: what the
/// responder signs, if `response` is M2 without its signature; the salt of the
/// key derivation, if it is the whole of M2.
#[inline(never)] // The hash is not there while the signature over it is verified.
pub(super) fn transcript<P: Provider>(
    provider: &P,
    request: &impl Encode<()>,
    response: &impl Encode<()>,
) -> Sha256Digest {
    let mut hash = provider.sha256();
    append(&mut hash, request);
    append(&mut hash, response);
    hash.finish()
}

/// The SHA-256 of one encoding.
pub(super) fn digest<P: Provider>(provider: &P, message: &impl Encode<()>) -> Sha256Digest {
    let mut hash = provider.sha256();
    hash_encoding(&mut hash, message);
    hash.finish()
}

fn append<H: Sha256>(hash: &mut H, message: &impl Encode<()>) {
    let length = u32::try_from(cbor::encoded_len(message)).unwrap_or(u32::MAX);
    hash.update(&length.to_be_bytes());
    hash_encoding(hash, message);
}

fn hash_encoding<H: Sha256>(hash: &mut H, message: &impl Encode<()>) {
    cbor::encode_into(message, &mut Hashing(hash));
}

/// Hashes what is written to it.
struct Hashing<'a, H>(&'a mut H);

impl<H: Sha256> minicbor::encode::Write for Hashing<'_, H> {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.update(bytes);
        Ok(())
    }
}

/// The session key: from the exchange between the responder's ephemeral key and
/// the initiator's long-term key, and from the one between both ephemeral keys,
/// if there are two.
pub(super) fn session_key<P: Provider>(
    provider: &P,
    transcript: &Sha256Digest,
    long_term: &SharedSecret,
    ephemeral: Option<&SharedSecret>,
) -> SessionKey {
    let mut both = Secret::<64>::default();
    let input = match ephemeral {
        None => long_term.expose().as_slice(),
        Some(ephemeral) => {
            let (first, second) = both.expose_mut().split_at_mut(32);
            first.copy_from_slice(long_term.expose());
            second.copy_from_slice(ephemeral.expose());
            both.expose().as_slice()
        }
    };
    let mut secret = SymmetricKey::default();
    let mut id = SessionKeyId([0; 8]);
    provider.hkdf_sha256(transcript, input, &[KEY_LABEL], secret.expose_mut());
    provider.hkdf_sha256(transcript, input, &[ID_LABEL], &mut id.0);
    SessionKey { id, secret }
}
