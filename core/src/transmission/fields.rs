//! The elements of a CBOR array, read one by one: no more and no fewer than its
//! head says.

use minicbor::data::Type;

use crate::wire::DecodeError;
use crate::wire::cbor::{Decode, Decoder};

/// An array that is being read.
pub(super) struct Fields<'d, 'b> {
    decoder: &'d mut Decoder<'b>,
    left: u64,
}

impl<'d, 'b> Fields<'d, 'b> {
    /// Enters the array that comes next.
    pub(super) fn open(decoder: &'d mut Decoder<'b>) -> Result<Self, DecodeError> {
        let left = decoder.array()?;
        Ok(Self { decoder, left })
    }

    /// The decoder, to take the next element from.
    pub(super) fn element(&mut self) -> Result<&mut Decoder<'b>, DecodeError> {
        self.left = self.left.checked_sub(1).ok_or(DecodeError::Malformed)?;
        Ok(self.decoder)
    }

    /// The next element.
    pub(super) fn next<T: Decode<'b>>(&mut self) -> Result<T, DecodeError> {
        self.element()?.decode()
    }

    /// An element that may be null, or left out at the end of the array.
    pub(super) fn optional<T: Decode<'b>>(&mut self) -> Result<Option<T>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        // minicbor's own way to read a null can skip anything, which is a lot of code.
        let decoder = self.element()?;
        if decoder.datatype()? == Type::Null {
            return decoder.null().map(|()| None);
        }
        decoder.decode().map(Some)
    }

    /// The number of elements that are left.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Leaves the array, which must be at its end.
    pub(super) fn finish(self) -> Result<(), DecodeError> {
        if self.left == 0 { Ok(()) } else { Err(DecodeError::Malformed) }
    }
}
