//! Encoded messages that are kept.

use zeroize::Zeroizing;

use super::{EncodeError, Message};

/// An encoded message of at most `SIZE` bytes. It is zeroized when dropped,
/// since it may hold a network key.
#[derive(Clone)]
pub(super) struct Stored<const SIZE: usize> {
    bytes: Zeroizing<[u8; SIZE]>,
    length: u16,
}

impl<const SIZE: usize> Stored<SIZE> {
    /// Encodes `message`.
    pub(super) fn encode(message: &Message<'_>) -> Result<Self, EncodeError> {
        let mut bytes = Zeroizing::new([0; SIZE]);
        let length = message.encode(bytes.as_mut_slice())?;
        Ok(Self { bytes, length: u16::try_from(length).unwrap_or(u16::MAX) })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&[])
    }
}
