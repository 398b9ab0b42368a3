//! CBOR (RFC 8949) by minicbor, held to its deterministic form (section 4.2.1).
//!
//! The encoders of this crate write nothing but the deterministic form, so a
//! decoder can enforce it without a second set of rules: [`decode`] encodes
//! again what it decoded, and refuses input that differs in a single byte. What
//! is accepted therefore encodes to the same bytes, and a signature over an
//! encoding is a signature over its meaning.

mod decoder;

use core::convert::Infallible;

use minicbor::encode::Write;
use minicbor::{Encode, Encoder};

use super::{BufferTooSmall, DecodeError};
use crate::crypto::Secret;

pub use decoder::{Decode, Decoder};

/// Decodes the whole of `bytes` as one item in deterministic form.
///
/// # Errors
/// [`DecodeError::Truncated`], [`DecodeError::Trailing`],
/// [`DecodeError::UnknownVersion`], [`DecodeError::Malformed`], or
/// [`DecodeError::NotDeterministic`].
pub fn decode<'b, T>(bytes: &'b [u8]) -> Result<T, DecodeError>
where
    T: Decode<'b> + Encode<()>,
{
    let mut decoder = Decoder::new(bytes);
    let value = T::decode(&mut decoder)?;
    if decoder.position() != bytes.len() {
        return Err(DecodeError::Trailing);
    }
    let mut comparison = Comparison { rest: Some(bytes) };
    encode_into(&value, &mut comparison);
    match comparison.rest {
        Some([]) => Ok(value),
        _ => Err(DecodeError::NotDeterministic),
    }
}

/// Encodes `value` into `sink`. Sinks don't fail, and are all of one type, so that the
/// code that encodes is there once.
pub(crate) fn encode_into<T: Encode<()>>(value: &T, sink: &mut dyn Write<Error = Infallible>) {
    // An encoding fails only where its sink does.
    let _ = value.encode(&mut Encoder::new(sink), &mut ());
}

/// Encodes `value` at the start of `buffer`; returns the length.
///
/// # Errors
/// [`BufferTooSmall`], with the length that suffices.
pub fn encode<T: Encode<()>>(value: &T, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
    let mut writer = super::Writer::new(buffer);
    // The writer counts on past its end.
    encode_into(value, &mut writer);
    writer.finish()
}

/// The length of `value`'s encoding, in bytes.
#[must_use]
pub fn encoded_len<T: Encode<()>>(value: &T) -> usize {
    match encode(value, &mut []) {
        Ok(length) => length,
        Err(BufferTooSmall { needed }) => needed,
    }
}

/// Reads the head of an array of exactly `length` items.
pub(crate) fn array(decoder: &mut Decoder<'_>, length: u64) -> Result<(), DecodeError> {
    if decoder.array()? == length { Ok(()) } else { Err(DecodeError::Malformed) }
}

/// Reads the head of an array of `length` items and the first of them, which
/// must be `version`.
pub(crate) fn versioned_array(
    decoder: &mut Decoder<'_>,
    length: u64,
    version: u8,
) -> Result<(), DecodeError> {
    let found = decoder.array()?;
    // The version comes first, since another version may have another length.
    if decoder.unsigned::<u8>()? != version {
        return Err(DecodeError::UnknownVersion);
    }
    if found == length { Ok(()) } else { Err(DecodeError::Malformed) }
}

/// Reads a byte string of exactly `N` bytes.
pub(crate) fn bytes<const N: usize>(decoder: &mut Decoder<'_>) -> Result<[u8; N], DecodeError> {
    decoder.bytes()?.try_into().map_err(|_| DecodeError::Malformed)
}

/// Reads a secret of exactly 32 bytes, in place, so that no copy of it is left
/// behind.
pub(crate) fn secret(decoder: &mut Decoder<'_>) -> Result<Secret<32>, DecodeError> {
    let bytes = decoder.bytes()?;
    let mut secret = Secret::default();
    if bytes.len() != secret.expose().len() {
        return Err(DecodeError::Malformed);
    }
    secret.expose_mut().copy_from_slice(bytes);
    Ok(secret)
}

/// An encoding of at most `N` bytes, held by value.
pub(crate) struct Encoded<const N: usize> {
    buffer: [u8; N],
    length: usize,
}

impl<const N: usize> Encoded<N> {
    /// The encoding of `value`, whose type has none that is longer than `N`.
    pub(crate) fn of<T: Encode<()>>(value: &T) -> Self {
        let mut buffer = [0; N];
        let encoded = encode(value, &mut buffer);
        debug_assert!(encoded.is_ok(), "N is the longest encoding of the type");
        Self { buffer, length: encoded.unwrap_or(0) }
    }

    /// The bytes of the encoding.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }
}

impl Write for super::Writer<'_> {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.bytes(bytes);
        Ok(())
    }
}

/// A sink that expects certain bytes.
struct Comparison<'a> {
    /// What is still to come; `None` if something else came.
    rest: Option<&'a [u8]>,
}

impl Write for Comparison<'_> {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.rest = self.rest.and_then(|rest| rest.strip_prefix(bytes));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shortest_form_is_accepted() {
        assert_eq!(decode::<u32>(&[0x18, 24]), Ok(24));
        assert_eq!(decode::<u32>(&[0x18, 23]), Err(DecodeError::NotDeterministic));
        assert_eq!(decode::<u32>(&[0x19, 0, 24]), Err(DecodeError::NotDeterministic));
    }

    #[test]
    fn missing_trailing_and_wrong_bytes_are_told_apart() {
        assert_eq!(decode::<u32>(&[0x18]), Err(DecodeError::Truncated));
        assert_eq!(decode::<u32>(&[0x17, 0]), Err(DecodeError::Trailing));
        assert_eq!(decode::<u32>(&[0x61, b'a']), Err(DecodeError::Malformed));
    }

    #[test]
    fn a_buffer_that_is_too_small_is_told_the_length_that_suffices() {
        assert_eq!(encode(&1_000_u32, &mut [0; 2]), Err(BufferTooSmall { needed: 3 }));
        assert_eq!(encode(&1_000_u32, &mut [0; 3]), Ok(3));
        assert_eq!(encoded_len(&1_000_u32), 3);
    }
}
