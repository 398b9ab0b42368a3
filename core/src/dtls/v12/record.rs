//! The record layer's framing (RFC 6347 section 4.1), and records of epoch 0,
//! which are not protected.

use crate::dtls::alert::Alert;
use crate::dtls::{Datagram, DropReason};
use crate::wire::copy;

/// The version number of DTLS 1.2 on the wire.
pub(crate) const DTLS_1_2: u16 = 0xfefd;
/// The version number of DTLS 1.0, which a `HelloVerifyRequest` and the records
/// of a first flight may carry (RFC 6347 section 4.2.1).
pub(crate) const DTLS_1_0: u16 = 0xfeff;

/// The length of a record's header, in bytes.
pub(crate) const HEADER_LENGTH: usize = 13;
/// The greatest length of a record's content: 2^14 bytes and a tag.
const MAX_FRAGMENT: usize = (1 << 14) + 16;
/// The highest sequence number of an epoch: 2^48 - 1.
pub(crate) const MAX_SEQUENCE: u64 = (1 << 48) - 1;

/// The length of a record with one alert in epoch 0.
pub(crate) const ALERT_LENGTH: usize = HEADER_LENGTH + Alert::LENGTH;

/// What a record carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentType {
    ChangeCipherSpec,
    Alert,
    Handshake,
    ApplicationData,
}

impl ContentType {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::ChangeCipherSpec => 20,
            Self::Alert => 21,
            Self::Handshake => 22,
            Self::ApplicationData => 23,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            20 => Some(Self::ChangeCipherSpec),
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            23 => Some(Self::ApplicationData),
            _ => None,
        }
    }
}

/// A record's header without its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) content_type: ContentType,
    pub(crate) version: u16,
    pub(crate) epoch: u16,
    pub(crate) sequence: u64,
}

impl Header {
    /// The header of a record with `length` bytes of content.
    pub(crate) fn encode(&self, length: usize) -> [u8; HEADER_LENGTH] {
        let [version, minor] = self.version.to_be_bytes();
        let [a, b, c, d, e, f, g, h] = self.full_sequence().to_be_bytes();
        let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        [self.content_type.code(), version, minor, a, b, c, d, e, f, g, h, high, low]
    }

    /// The epoch and the sequence number, as one number of 64 bits.
    pub(crate) const fn full_sequence(&self) -> u64 {
        (self.epoch as u64) << 48 | self.sequence
    }
}

/// A record of a received datagram.
#[derive(Debug)]
pub struct Record<'d> {
    pub(crate) header: Header,
    /// The content, still protected if the epoch is not 0.
    pub(crate) fragment: &'d mut [u8],
}

impl Record<'_> {
    /// The length of the record on the wire, in bytes.
    pub(crate) fn length(&self) -> usize {
        HEADER_LENGTH.saturating_add(self.fragment.len())
    }
}

/// The next record of `datagram`; `None` if it is used up.
///
/// What follows a record whose length can't be trusted goes with it.
pub(crate) fn next_record<'d>(
    datagram: &mut Datagram<'d>,
) -> Option<Result<Record<'d>, DropReason>> {
    if datagram.is_empty() {
        return None;
    }
    let Some((content_type, version, epoch, sequence, length)) = read_header(datagram.rest())
    else {
        datagram.take(usize::MAX);
        return Some(Err(DropReason::Malformed));
    };
    let record = datagram.take(HEADER_LENGTH.saturating_add(length));
    let fragment = record.get_mut(HEADER_LENGTH..).unwrap_or_default();
    let Some(content_type) = ContentType::from_code(content_type) else {
        return Some(Err(DropReason::Unexpected));
    };
    Some(Ok(Record { header: Header { content_type, version, epoch, sequence }, fragment }))
}

/// Type, version, epoch, sequence number, and the length of what follows, if they can
/// be trusted and all of that is there.
fn read_header(bytes: &[u8]) -> Option<(u8, u16, u16, u64, usize)> {
    let (header, content) = bytes.split_first_chunk::<HEADER_LENGTH>()?;
    let [content_type, version, minor, e, f, s0, s1, s2, s3, s4, s5, high, low] = *header;
    let version = u16::from_be_bytes([version, minor]);
    let epoch = u16::from_be_bytes([e, f]);
    let sequence = u64::from_be_bytes([0, 0, s0, s1, s2, s3, s4, s5]);
    let length = usize::from(u16::from_be_bytes([high, low]));
    let version_is_known = version == DTLS_1_2 || (version == DTLS_1_0 && epoch == 0);
    let is_sound = version_is_known && length <= MAX_FRAGMENT && length <= content.len();
    is_sound.then_some((content_type, version, epoch, sequence, length))
}

/// The write state of epoch 0: no protection, only sequence numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlaintextState {
    next: u64,
}

impl PlaintextState {
    /// A state whose first record has the number `next`.
    pub(crate) const fn new(next: u64) -> Self {
        Self { next }
    }

    /// The number of the next record.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Writes one record around the content that is already in its place, behind
    /// room for the header; gives the record's length.
    pub(crate) fn frame(
        &mut self,
        content_type: ContentType,
        version: u16,
        length: usize,
        buffer: &mut [u8],
    ) -> usize {
        let header = Header { content_type, version, epoch: 0, sequence: self.next };
        // The numbers of an epoch can't run out within the deadline of a
        // handshake; were they to, the peer would drop the repetitions.
        self.next = self.next.saturating_add(1).min(MAX_SEQUENCE);
        if let Some(room) = buffer.first_chunk_mut() {
            *room = header.encode(length);
        }
        HEADER_LENGTH.saturating_add(length)
    }

    /// Writes a record with `content`; the caller has made sure of the room.
    pub(crate) fn write(
        &mut self,
        content_type: ContentType,
        version: u16,
        content: &[u8],
        buffer: &mut [u8],
    ) -> usize {
        let end = HEADER_LENGTH.saturating_add(content.len());
        if let Some(room) = buffer.get_mut(HEADER_LENGTH..end) {
            copy(content, room);
        }
        self.frame(content_type, version, content.len(), buffer)
    }

    /// A record with `alert`.
    pub(crate) fn alert(&mut self, alert: Alert) -> [u8; ALERT_LENGTH] {
        let mut record = [0; ALERT_LENGTH];
        self.write(ContentType::Alert, DTLS_1_2, &alert.encode(), &mut record);
        record
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::edits::{edit, edited};
    use crate::testing::items::opaque;
    use crate::testing::written;
    use std::vec::Vec;

    /// Some records, one behind the other.
    fn records() -> impl Strategy<Value = Vec<(Header, Vec<u8>)>> {
        let content_type = (20..24_u8).prop_map(|code| ContentType::from_code(code).unwrap());
        let place = prop_oneof![
            (Just(0_u16), prop::sample::select(std::vec![DTLS_1_0, DTLS_1_2])),
            (any::<u16>(), Just(DTLS_1_2)),
        ];
        let record = (content_type, place, 0..=MAX_SEQUENCE, (0..40_usize).prop_flat_map(opaque));
        let record = record.prop_map(|(content_type, (epoch, version), sequence, content)| {
            (Header { content_type, version, epoch, sequence }, content)
        });
        prop::collection::vec(record, 0..4)
    }

    fn framed(records: &[(Header, Vec<u8>)]) -> Vec<u8> {
        written(|writer| {
            for (header, content) in records {
                writer.bytes(&header.encode(content.len()));
                writer.bytes(content);
            }
        })
    }

    /// The records of `bytes`, up to the first that is not one.
    fn read(bytes: &mut [u8]) -> Vec<(Header, Vec<u8>)> {
        let mut datagram = Datagram::new(bytes);
        let next = || next_record(&mut datagram)?.ok();
        core::iter::from_fn(next).map(|it| (it.header, it.fragment.to_vec())).collect()
    }

    proptest! {
        #[test]
        fn what_is_framed_is_read_back(records in records()) {
            prop_assert_eq!(read(&mut framed(&records)), records);
        }

        #[test]
        fn what_is_accepted_frames_to_the_same_bytes(
            records in records(),
            edits in prop::collection::vec(edit(), 0..3),
        ) {
            let bytes = edited(&framed(&records), &edits);
            let accepted = framed(&read(&mut bytes.clone()));
            prop_assert_eq!(&bytes[..accepted.len()], accepted);
        }

        #[test]
        fn any_bytes_are_used_up_without_a_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut datagram = Datagram::new(&mut bytes);
            while next_record(&mut datagram).is_some() {}
            prop_assert!(datagram.is_empty());
        }
    }

    fn sample() -> Vec<u8> {
        let mut state = PlaintextState::new(7);
        let mut buffer = [0; 64];
        let first = state.write(ContentType::Handshake, DTLS_1_0, b"hello", &mut buffer);
        let second = state.write(ContentType::Alert, DTLS_1_2, &[2, 40], &mut buffer[first..]);
        buffer[..first + second].to_vec()
    }

    #[test]
    fn records_of_a_datagram_come_one_by_one() {
        let mut bytes = sample();
        assert_eq!(bytes[..13], [22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 7, 0, 5]);
        let mut datagram = Datagram::new(&mut bytes);
        let first = next_record(&mut datagram).unwrap().unwrap();
        assert_eq!((first.header.sequence, &first.fragment[..]), (7, &b"hello"[..]));
        let second = next_record(&mut datagram).unwrap().unwrap();
        assert_eq!(second.header.content_type, ContentType::Alert);
        assert_eq!((second.header.sequence, &second.fragment[..]), (8, &[2, 40][..]));
        assert!(next_record(&mut datagram).is_none());
    }

    #[test]
    fn a_record_that_lies_about_its_length_takes_the_rest_with_it() {
        for (at, value) in [(12, 200), (1, 3), (2, 0xfc)] {
            let mut bytes = sample();
            bytes[at] = value;
            let mut datagram = Datagram::new(&mut bytes);
            assert_eq!(next_record(&mut datagram).unwrap().err(), Some(DropReason::Malformed));
            assert!(next_record(&mut datagram).is_none());
        }
    }

    #[test]
    fn a_record_of_an_unknown_type_is_skipped_alone() {
        let mut bytes = sample();
        bytes[0] = 25;
        let mut datagram = Datagram::new(&mut bytes);
        assert_eq!(next_record(&mut datagram).unwrap().err(), Some(DropReason::Unexpected));
        assert!(next_record(&mut datagram).unwrap().is_ok());
    }

    #[test]
    fn only_epoch_0_may_carry_the_older_version() {
        let mut bytes = sample();
        bytes[4] = 1;
        let mut datagram = Datagram::new(&mut bytes);
        assert_eq!(next_record(&mut datagram).unwrap().err(), Some(DropReason::Malformed));
    }

    #[test]
    fn a_record_longer_than_any_may_be_is_malformed() {
        let mut bytes = std::vec![0; HEADER_LENGTH + MAX_FRAGMENT + 1];
        let length = MAX_FRAGMENT + 1;
        PlaintextState::new(0).frame(ContentType::Handshake, DTLS_1_2, length, &mut bytes);
        let mut datagram = Datagram::new(&mut bytes);
        assert_eq!(next_record(&mut datagram).unwrap().err(), Some(DropReason::Malformed));
    }
}
