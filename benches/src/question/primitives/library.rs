//! What is asked of a library.

use iot_crypto::crypto::{Nonce, Tag};

use super::operation::{Inputs, Key, Operation, Point};

/// An operation with all that it needs: computes it once more, and writes what comes of
/// it at the start of the buffer, which is long enough; gives its length. `None` if the
/// library refuses.
pub(super) type Run = Box<dyn FnMut(&mut [u8]) -> Option<usize>>;

/// An operation; or why the library can't do it for a provider.
pub(super) type Ability = Result<Run, &'static str>;

/// `run`, as an ability.
pub(super) fn able(run: impl FnMut(&mut [u8]) -> Option<usize> + 'static) -> Ability {
    Ok(Box::new(run))
}

/// A library, and how it computes what a provider needs. Keys come as their bytes.
pub(super) trait Library {
    /// What it is called, with its version.
    fn name(&self) -> String;

    /// Whether it is one of our providers.
    fn is_ours(&self) -> bool {
        false
    }

    /// [`Operation::Seal`]: gives the ciphertext and the tag.
    fn seal(&self, key: Key, length: usize, inputs: &Inputs) -> Ability;

    /// [`Operation::Open`] of what [`seal`](Self::seal) gives: gives the plaintext.
    fn open(&self, key: Key, sealed: Vec<u8>, inputs: &Inputs) -> Ability;

    /// [`Operation::X25519PublicKey`].
    fn x25519_public_key(&self, inputs: &Inputs) -> Ability;

    /// [`Operation::X25519`].
    fn x25519(&self, inputs: &Inputs) -> Ability;

    /// [`Operation::P256PublicKey`]: gives it compressed.
    fn p256_public_key(&self, inputs: &Inputs) -> Ability;

    /// [`Operation::P256Sign`].
    fn p256_sign(&self, inputs: &Inputs) -> Ability;

    /// [`Operation::P256Verify`]: gives nothing, or refuses.
    fn p256_verify(&self, point: Point, inputs: &Inputs) -> Ability;

    /// [`Operation::Sha256`].
    fn sha256(&self, length: usize, inputs: &Inputs) -> Ability;

    /// [`Operation::Hmac`].
    fn hmac(&self, key: Key, length: usize, inputs: &Inputs) -> Ability;

    /// [`Operation::Hkdf`], to 32 bytes.
    fn hkdf(&self, inputs: &Inputs) -> Ability;
}

/// `operation` by `library`; for an opening, of what was `sealed`.
pub(super) fn prepare(
    library: &dyn Library,
    operation: Operation,
    sealed: &[u8],
    inputs: &Inputs,
) -> Ability {
    match operation {
        Operation::Seal(key, length) => library.seal(key, length, inputs),
        Operation::Open(key, _) => library.open(key, sealed.to_vec(), inputs),
        Operation::X25519PublicKey => library.x25519_public_key(inputs),
        Operation::X25519 => library.x25519(inputs),
        Operation::P256PublicKey => library.p256_public_key(inputs),
        Operation::P256Sign => library.p256_sign(inputs),
        Operation::P256Verify(point) => library.p256_verify(point, inputs),
        Operation::Sha256(length) => library.sha256(length, inputs),
        Operation::Hmac(key, length) => library.hmac(key, length, inputs),
        Operation::Hkdf => library.hkdf(inputs),
    }
}

/// Seals records: with `cipher`, which is given nonce, additional data and plaintext, and
/// encrypts in place.
pub(super) fn sealing(
    length: usize,
    inputs: &Inputs,
    mut cipher: impl FnMut(&Nonce, &[u8], &mut [u8]) -> Option<Tag> + 'static,
) -> Ability {
    let Inputs { nonce, aad, .. } = *inputs;
    let payload = inputs.content(length);
    able(move |out| {
        let (content, rest) = out.split_at_mut_checked(payload.len())?;
        content.copy_from_slice(&payload);
        *rest.first_chunk_mut()? = cipher(&nonce, &aad, content)?;
        Some(payload.len() + size_of::<Tag>())
    })
}

/// Opens `sealed`: with `cipher`, which decrypts in place if the tag fits.
pub(super) fn opening(
    sealed: Vec<u8>,
    inputs: &Inputs,
    mut cipher: impl FnMut(&Nonce, &[u8], &mut [u8], &Tag) -> Option<()> + 'static,
) -> Ability {
    let Inputs { nonce, aad, .. } = *inputs;
    able(move |out| {
        let (payload, tag) = sealed.split_last_chunk()?;
        let content = out.get_mut(..payload.len())?;
        content.copy_from_slice(payload);
        cipher(&nonce, &aad, content, tag)?;
        Some(payload.len())
    })
}

/// Writes `result` at the start of `out`; gives its length.
pub(super) fn put(result: &[u8], out: &mut [u8]) -> Option<usize> {
    out.get_mut(..result.len())?.copy_from_slice(result);
    Some(result.len())
}
