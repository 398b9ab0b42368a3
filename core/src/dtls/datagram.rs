//! A received datagram on its way through the records that it carries.

/// A received datagram. Its records are taken from the front, one by one, and
/// decrypted in place.
#[derive(Debug)]
pub struct Datagram<'d> {
    rest: &'d mut [u8],
}

impl<'d> Datagram<'d> {
    /// The datagram `bytes`.
    #[must_use]
    pub const fn new(bytes: &'d mut [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all records were taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left, to be looked at.
    pub(crate) fn rest(&self) -> &[u8] {
        self.rest
    }

    /// Takes `length` bytes from the front; all that is left if it is less.
    pub(crate) fn take(&mut self, length: usize) -> &'d mut [u8] {
        let rest = core::mem::take(&mut self.rest);
        let (taken, rest) = rest.split_at_mut(length.min(rest.len()));
        self.rest = rest;
        taken
    }
}
