//! A reader of TLS structures (RFC 5246 section 4) over a borrowed slice.

use super::DecodeError;

/// Reads big-endian integers and length-prefixed vectors from a slice.
///
/// Every method takes bytes from the front or fails and takes none;
/// [`Reader::finish`] refuses what is left over, so that a structure that is
/// read to its end was exactly as long as it said.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over all of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The number of bytes that are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// All that is left.
    pub fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// The next `N` bytes as an array.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// The next byte.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if none is left.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next two bytes, a `uint16`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next three bytes, a `uint24`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn u24(&mut self) -> Result<u32, DecodeError> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// The next six bytes, a `uint48`.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if fewer are left.
    pub fn u48(&mut self) -> Result<u64, DecodeError> {
        self.array::<6>().map(|[a, b, c, d, e, f]| u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// A vector `opaque v<0..2^8-1>`: one byte of length, then its content.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the content is shorter than its length says.
    pub fn vector8(&mut self) -> Result<&'a [u8], DecodeError> {
        let mut ahead = self.clone();
        let length = ahead.u8()?;
        let content = ahead.take(usize::from(length))?;
        *self = ahead;
        Ok(content)
    }

    /// A vector `opaque v<0..2^16-1>`: two bytes of length, then its content.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the content is shorter than its length says.
    pub fn vector16(&mut self) -> Result<&'a [u8], DecodeError> {
        let mut ahead = self.clone();
        let length = ahead.u16()?;
        let content = ahead.take(usize::from(length))?;
        *self = ahead;
        Ok(content)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] if bytes are left over.
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_vectors_are_read_in_order() {
        let mut reader = Reader::new(&[1, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 4, 1, 9, 0, 2, 7, 8]);
        assert_eq!(reader.u8(), Ok(1));
        assert_eq!(reader.u16(), Ok(2));
        assert_eq!(reader.u24(), Ok(3));
        assert_eq!(reader.u48(), Ok(4));
        assert_eq!(reader.vector8(), Ok(&[9][..]));
        assert_eq!(reader.vector16(), Ok(&[7, 8][..]));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn missing_bytes_take_nothing_and_left_over_ones_are_refused() {
        let mut reader = Reader::new(&[3, 1, 2]);
        assert_eq!(reader.vector8(), Err(DecodeError::Truncated));
        assert_eq!(reader.u48(), Err(DecodeError::Truncated));
        assert_eq!(reader.remaining(), 3);
        assert_eq!(reader.finish(), Err(DecodeError::Trailing));
    }
}
