//! Readers and writers for the two encodings on the wire: TLS structures
//! ([`Reader`], [`Writer`]) and deterministic CBOR ([`cbor`]); and the
//! [`Reassembly`] of a message from its fragments.

pub mod cbor;
mod reader;
mod reassembly;
mod writer;

pub use reader::Reader;
pub use reassembly::{FragmentError, Reassembly};
pub use writer::Writer;

/// Copies `bytes` to the start of `room`, as many as have room there. Unlike
/// `copy_from_slice` it never panics, whatever the lengths are.
pub(crate) fn copy(bytes: &[u8], room: &mut [u8]) {
    let length = bytes.len().min(room.len());
    if let (Some(bytes), Some(room)) = (bytes.get(..length), room.get_mut(..length)) {
        room.copy_from_slice(bytes);
    }
}

/// Why bytes could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The input ended in the middle of an item.
    Truncated,
    /// Bytes are left over behind the last item.
    Trailing,
    /// The CBOR is not in the one deterministic form (RFC 8949 section 4.2.1).
    NotDeterministic,
    /// An item has another type, length or value than the format allows.
    Malformed,
    /// The structure carries a version that this implementation does not know.
    UnknownVersion,
    /// A text, list or message is longer than its limit.
    TooLong,
}

impl core::fmt::Display for DecodeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Truncated => "the input ends in the middle of an item",
            Self::Trailing => "bytes are left over behind the last item",
            Self::NotDeterministic => "the CBOR is not in its deterministic form",
            Self::Malformed => "an item has a type, length or value that the format does not allow",
            Self::UnknownVersion => "the structure has a version that is not known here",
            Self::TooLong => "an item is longer than its limit",
        })
    }
}

impl core::error::Error for DecodeError {}

/// The caller's output buffer is too small; nothing was written or lost, and
/// the same call with a buffer of `needed` bytes succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferTooSmall {
    /// The length that suffices, in bytes.
    pub needed: usize,
}

impl core::fmt::Display for BufferTooSmall {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the output buffer is too small: {} bytes are needed", self.needed)
    }
}

impl core::error::Error for BufferTooSmall {}
