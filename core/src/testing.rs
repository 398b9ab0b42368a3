//! What the unit tests share.

pub(crate) mod edits;
pub(crate) mod items;

use std::vec::Vec;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::crypto::RustCrypto;
use crate::wire::{Writer, cbor};

/// The provider of the tests: its randomness is the same in every run.
pub(crate) type TestProvider = RustCrypto<ChaCha20Rng>;

/// A provider whose randomness follows from `seed`.
pub(crate) fn provider(seed: u8) -> TestProvider {
    RustCrypto::new(ChaCha20Rng::from_seed([seed; 32]))
}

/// Decodes a CBOR item, and encodes what came of it.
pub(crate) fn reencode<'b, T>(bytes: &'b [u8]) -> Option<Vec<u8>>
where
    T: cbor::Decode<'b> + minicbor::Encode<()>,
{
    let value = cbor::decode::<T>(bytes).ok()?;
    let mut again = std::vec![0; cbor::encoded_len(&value)];
    cbor::encode(&value, &mut again).unwrap();
    Some(again)
}

/// What `write` writes.
pub(crate) fn written(write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut buffer = std::vec![0; 1 << 15];
    let mut writer = Writer::new(&mut buffer);
    write(&mut writer);
    let length = writer.finish().unwrap();
    buffer.truncate(length);
    buffer
}
