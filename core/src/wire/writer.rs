//! A writer of TLS structures (RFC 5246 section 4) into a borrowed slice.

use super::{BufferTooSmall, copy};

/// Writes big-endian integers and length-prefixed vectors into a slice.
///
/// Writing past the end does not fail at once: the writer goes on counting, so
/// that [`Writer::finish`] can say how large the buffer should have been.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `buffer`.
    #[must_use]
    pub const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// The number of bytes written, counting those that found no room.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(room) = self.buffer.get_mut(self.length..end) {
            copy(bytes, room);
        }
        self.length = end;
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Appends a `uint16`.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends the low 24 bits of `value`, a `uint24`.
    pub fn u24(&mut self, value: u32) {
        let [_, a, b, c] = value.to_be_bytes();
        self.bytes(&[a, b, c]);
    }

    /// Appends the low 48 bits of `value`, a `uint48`.
    pub fn u48(&mut self, value: u64) {
        let [_, _, a, b, c, d, e, f] = value.to_be_bytes();
        self.bytes(&[a, b, c, d, e, f]);
    }

    /// Appends a vector with one byte of length, whose content `content` writes.
    ///
    /// The content must not be longer than 255 bytes; the length is the caller's
    /// to keep, since all of them are bounded by their formats.
    pub fn vector8(&mut self, content: impl FnOnce(&mut Self)) {
        let at = self.length;
        self.u8(0);
        content(self);
        let length = self.length.saturating_sub(at.saturating_add(1));
        debug_assert!(length <= usize::from(u8::MAX));
        self.patch(at, &[u8::try_from(length).unwrap_or(u8::MAX)]);
    }

    /// Appends a vector with two bytes of length, whose content `content` writes.
    ///
    /// The content must not be longer than 65,535 bytes.
    pub fn vector16(&mut self, content: impl FnOnce(&mut Self)) {
        let at = self.length;
        self.u16(0);
        content(self);
        let length = self.length.saturating_sub(at.saturating_add(2));
        debug_assert!(length <= usize::from(u16::MAX));
        self.patch(at, &u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    }

    /// The number of bytes written.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if some found no room; the buffer's content is then
    /// undefined.
    pub const fn finish(self) -> Result<usize, BufferTooSmall> {
        if self.length <= self.buffer.len() {
            Ok(self.length)
        } else {
            Err(BufferTooSmall { needed: self.length })
        }
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(room) = self.buffer.get_mut(at..at.saturating_add(bytes.len())) {
            copy(bytes, room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(writer: &mut Writer<'_>) {
        writer.u8(1);
        writer.u16(2);
        writer.u24(3);
        writer.u48(4);
        writer.vector8(|writer| writer.bytes(&[9]));
        writer.vector16(|writer| writer.bytes(&[7, 8]));
    }

    #[test]
    fn what_is_written_is_what_the_reader_reads() {
        let mut buffer = [0; 18];
        let mut writer = Writer::new(&mut buffer);
        sample(&mut writer);
        assert_eq!(writer.finish(), Ok(18));
        assert_eq!(buffer, [1, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 4, 1, 9, 0, 2, 7, 8]);
    }

    #[test]
    fn a_buffer_that_is_too_small_is_told_the_length_that_suffices() {
        for length in 0..18 {
            let mut buffer = [0; 18];
            let mut writer = Writer::new(&mut buffer[..length]);
            sample(&mut writer);
            assert_eq!(writer.finish(), Err(BufferTooSmall { needed: 18 }));
        }
    }
}
