//! Handshake messages and their fragments (RFC 6347 section 4.2.2), and the
//! small messages of the PSK key exchange (RFC 4279 section 2).

use crate::dtls::{DropReason, PskIdentity};
use crate::wire::{DecodeError, Reader, Writer};

/// The length of a handshake message's header, in bytes.
pub(crate) const HEADER_LENGTH: usize = 12;
/// The length of `verify_data` in a `Finished` (RFC 5246 section 7.4.9).
pub(crate) const VERIFY_DATA_LENGTH: usize = 12;

/// The type of a handshake message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandshakeType(pub(crate) u8);

impl HandshakeType {
    pub(crate) const HELLO_REQUEST: Self = Self(0);
    pub(crate) const CLIENT_HELLO: Self = Self(1);
    pub(crate) const SERVER_HELLO: Self = Self(2);
    pub(crate) const HELLO_VERIFY_REQUEST: Self = Self(3);
    pub(crate) const SERVER_KEY_EXCHANGE: Self = Self(12);
    pub(crate) const SERVER_HELLO_DONE: Self = Self(14);
    pub(crate) const CLIENT_KEY_EXCHANGE: Self = Self(16);
    pub(crate) const FINISHED: Self = Self(20);
}

/// The header of a whole message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageHeader {
    pub(crate) kind: HandshakeType,
    pub(crate) sequence: u16,
    /// The length of the body, in bytes; less than 2^24.
    pub(crate) length: u32,
}

impl MessageHeader {
    /// Writes the header of the fragment of `length` bytes at `offset`.
    pub(crate) fn write_fragment(&self, writer: &mut Writer<'_>, offset: usize, length: usize) {
        let u24 = |length| u32::try_from(length).unwrap_or(u32::MAX);
        writer.u8(self.kind.0);
        writer.u24(self.length);
        writer.u16(self.sequence);
        writer.u24(u24(offset));
        writer.u24(u24(length));
    }

    /// The header as that of one fragment that is the whole message: the form in
    /// which it counts in the transcript (RFC 6347 section 4.2.6).
    pub(crate) fn encode(&self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        self.write_fragment(&mut Writer::new(&mut bytes), 0, self.length as usize);
        bytes
    }
}

/// A fragment of a handshake message, or all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment<'a> {
    pub(crate) header: MessageHeader,
    pub(crate) offset: usize,
    pub(crate) body: &'a [u8],
}

impl<'a> Fragment<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let kind = HandshakeType(reader.u8()?);
        let length = reader.u24()?;
        let sequence = reader.u16()?;
        let offset = reader.u24()? as usize;
        let fragment_length = reader.u24()? as usize;
        let body = reader.take(fragment_length)?;
        if offset.saturating_add(fragment_length) > length as usize {
            return Err(DecodeError::Malformed);
        }
        Ok(Self { header: MessageHeader { kind, sequence, length }, offset, body })
    }

    /// Whether this is all of the message.
    pub(crate) fn is_whole(&self) -> bool {
        self.body.len() == self.header.length as usize
    }
}

/// The fragments in a record, at least one.
///
/// All of them are checked before the first is given, so that a record is
/// dropped as a whole or not at all.
pub(crate) fn fragments(content: &[u8]) -> Result<impl Iterator<Item = Fragment<'_>>, DropReason> {
    let mut reader = Reader::new(content);
    let mut check = reader.clone();
    loop {
        Fragment::read(&mut check).map_err(|_| DropReason::Malformed)?;
        if check.is_empty() {
            return Ok(core::iter::from_fn(move || Fragment::read(&mut reader).ok()));
        }
    }
}

/// Reads a `ServerKeyExchange`: an identity hint, which says nothing to us.
pub(crate) fn read_server_key_exchange(body: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader::new(body);
    reader.vector16()?;
    reader.finish()
}

/// Reads a `ServerHelloDone`, which is empty.
pub(crate) fn read_server_hello_done(body: &[u8]) -> Result<(), DecodeError> {
    Reader::new(body).finish()
}

/// The greatest length of a `ClientKeyExchange`'s body, in bytes.
pub(crate) const MAX_CLIENT_KEY_EXCHANGE: usize = 2 + PskIdentity::MAX_LENGTH;

/// Writes a `ClientKeyExchange`.
pub(crate) fn write_client_key_exchange(writer: &mut Writer<'_>, identity: &PskIdentity) {
    writer.vector16(|writer| writer.bytes(identity.as_bytes()));
}

/// Reads a `ClientKeyExchange`.
pub(crate) fn read_client_key_exchange(body: &[u8]) -> Result<PskIdentity, DecodeError> {
    let mut reader = Reader::new(body);
    let identity = reader.vector16()?;
    reader.finish()?;
    PskIdentity::new(identity).ok_or(DecodeError::TooLong)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::edits::{edit, edited};
    use crate::testing::items::opaque;
    use crate::testing::written;
    use std::vec::Vec;

    const MAX_LENGTH: u32 = (1 << 24) - 1;

    /// A fragment that lies within its message.
    fn fragment() -> impl Strategy<Value = (MessageHeader, usize, Vec<u8>)> {
        let body = (0..40_usize).prop_flat_map(opaque);
        let room = prop_oneof![Just(0), 0..300_u32, Just(MAX_LENGTH - 40)];
        (any::<(u8, u16)>(), body, room, any::<prop::sample::Index>()).prop_map(
            |((kind, sequence), body, room, offset)| {
                let offset = offset.index(room as usize + 1);
                let length = body.len() as u32 + room;
                (MessageHeader { kind: HandshakeType(kind), sequence, length }, offset, body)
            },
        )
    }

    fn framed<'a>(
        fragments: impl IntoIterator<Item = (MessageHeader, usize, &'a [u8])>,
    ) -> Vec<u8> {
        written(|writer| {
            for (header, offset, body) in fragments {
                header.write_fragment(writer, offset, body.len());
                writer.bytes(body);
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_accepted_of_fragments_encodes_to_the_same_bytes(
            all in prop::collection::vec(fragment(), 1..4),
            edits in prop::collection::vec(edit(), 0..3),
        ) {
            let bytes = framed(all.iter().map(|(header, offset, body)| (*header, *offset, &body[..])));
            let read: Vec<_> = fragments(&bytes).unwrap().collect();
            prop_assert_eq!(read.len(), all.len());
            for (read, (header, offset, body)) in read.iter().zip(&all) {
                prop_assert_eq!((read.header, read.offset, read.body), (*header, *offset, &body[..]));
            }
            let changed = edited(&bytes, &edits);
            if let Ok(read) = fragments(&changed) {
                let within = |it: &Fragment<'_>| {
                    assert!(it.offset + it.body.len() <= it.header.length as usize);
                };
                let again = framed(read.inspect(within).map(|it| (it.header, it.offset, it.body)));
                prop_assert_eq!(&again, &changed);
            }
        }

        #[test]
        fn what_is_accepted_of_a_key_exchange_encodes_to_the_same_bytes(
            identity in (0..=PskIdentity::MAX_LENGTH).prop_flat_map(opaque),
            edits in prop::collection::vec(edit(), 0..3),
        ) {
            let identity = PskIdentity::new(&identity).unwrap();
            let bytes = written(|writer| write_client_key_exchange(writer, &identity));
            prop_assert_eq!(read_client_key_exchange(&bytes), Ok(identity));
            let changed = edited(&bytes, &edits);
            if let Ok(read) = read_client_key_exchange(&changed) {
                prop_assert_eq!(written(|writer| write_client_key_exchange(writer, &read)), changed);
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = fragments(&bytes).map(Iterator::count);
            let _ = read_client_key_exchange(&bytes);
            prop_assert_eq!(read_server_hello_done(&bytes).is_ok(), bytes.is_empty());
            let hint = read_server_key_exchange(&bytes).is_ok();
            let is_vector = bytes.len() >= 2
                && usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) == bytes.len() - 2;
            prop_assert_eq!(hint, is_vector);
        }
    }

    const TWO: [u8; 27] = [
        14, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, // ServerHelloDone, number 3
        16, 0, 0, 9, 0, 4, 0, 0, 2, 0, 0, 3, 7, 8, 9, // bytes 2 to 4 of a ClientKeyExchange
    ];

    #[test]
    fn the_fragments_of_a_record_come_in_order() {
        let all: Vec<_> = fragments(&TWO).unwrap().collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].header.kind, HandshakeType::SERVER_HELLO_DONE);
        assert!(all[0].is_whole());
        assert_eq!((all[1].header.sequence, all[1].header.length), (4, 9));
        assert_eq!((all[1].offset, all[1].body), (2, &[7, 8, 9][..]));
        assert!(!all[1].is_whole());
    }

    #[test]
    fn a_record_with_a_broken_fragment_gives_none() {
        for length in 0..TWO.len() {
            let whole = length == 12;
            assert_eq!(fragments(&TWO[..length]).is_ok(), whole, "{length}");
        }
        let mut past_its_end = TWO;
        past_its_end[15] = 4;
        assert!(fragments(&past_its_end).is_err());
    }

    #[test]
    fn a_client_key_exchange_carries_an_identity_of_at_most_128_bytes() {
        let identity = PskIdentity::new(b"sensor").unwrap();
        let mut body = [0; 8];
        write_client_key_exchange(&mut Writer::new(&mut body), &identity);
        assert_eq!(body, *b"\0\x06sensor");
        assert_eq!(read_client_key_exchange(&body), Ok(identity));
        assert_eq!(read_client_key_exchange(b"\0\x01ab"), Err(DecodeError::Trailing));
        let mut long = [0; 131];
        long[1] = 129;
        assert_eq!(read_client_key_exchange(&long), Err(DecodeError::TooLong));
    }
}
