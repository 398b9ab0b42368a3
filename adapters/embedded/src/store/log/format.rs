//! How a bank is laid out: its header, and its records.

use crc::{CRC_32_ISCSI, Crc, NoTable};
use embedded_storage::nor_flash::NorFlash;

use super::Log;

/// The version of this format.
const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"IoTCrypt";
/// Where in the header of a half the version of the format is: two bytes, little-endian.
pub const HEADER_VERSION: usize = MAGIC.len();
/// Where in the header of a half its check is: the CRC-32C of what is before it, in four
/// bytes, little-endian.
pub const HEADER_CHECK: usize = HEADER_VERSION + 2 + 4;
/// A bank's header fills the largest word that is supported.
pub(super) const HEADER: u32 = 32;
pub(super) const MAX_WORD: usize = 32;
/// The length of a record without its value.
pub(super) const RECORD: usize = 8;

pub(super) const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISCSI);

/// What a value is found by: what kind of thing it is, and which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Key {
    pub(in crate::store) kind: u8,
    pub(in crate::store) slot: u8,
}

/// The record behind which a bank counts.
pub(super) const COMMIT: Key = Key { kind: 0, slot: 0 };

/// A record's place in its bank.
#[derive(Clone, Copy)]
pub(super) struct Record {
    pub(super) key: Key,
    pub(super) at: u32,
    pub(super) length: u16,
    pub(super) crc: u32,
}

impl Record {
    /// Where the next one begins.
    pub(super) fn end<F: NorFlash>(&self) -> u32 {
        self.at.saturating_add(record_length::<F>(usize::from(self.length)))
    }
}

/// A half of the region.
#[derive(Clone, Copy)]
pub(super) struct Bank {
    /// Its first address.
    pub(super) start: u32,
    pub(super) sequence: u32,
    /// How much of it is written.
    pub(super) end: u32,
}

/// The length of a record with a value of `length` bytes, in whole words.
pub(super) fn record_length<F: NorFlash>(length: usize) -> u32 {
    to_u32(RECORD.saturating_add(length).next_multiple_of(Log::<F>::WORD))
}

pub(super) fn head(key: Key, length: u16, crc: u32) -> [u8; RECORD] {
    let ([l0, l1], [c0, c1, c2, c3]) = (length.to_le_bytes(), crc.to_le_bytes());
    [key.kind, key.slot, l0, l1, c0, c1, c2, c3]
}

/// What a record's check covers besides its value. With the sequence number, no
/// record of an earlier life of its bank is taken for one of this.
pub(super) fn prefix(sequence: u32, key: Key, length: u16) -> [u8; 8] {
    head(key, length, sequence)
}

/// The header of the bank with this sequence number.
pub(super) fn header(sequence: u32) -> [u8; MAX_WORD] {
    let mut header = [0xff; MAX_WORD];
    let fields = MAGIC.into_iter().chain(VERSION.to_le_bytes()).chain(sequence.to_le_bytes());
    for (place, byte) in header.iter_mut().zip(fields) {
        *place = byte;
    }
    let check = header_check(&header).to_le_bytes();
    if let Some(place) = header.get_mut(HEADER_CHECK..HEADER_CHECK + 4) {
        place.copy_from_slice(&check);
    }
    header
}

pub(super) fn header_check(header: &[u8; MAX_WORD]) -> u32 {
    CRC.checksum(header.get(..HEADER_CHECK).unwrap_or_default())
}

/// The sequence number in a header; the version if it is another one; `None` if it
/// is no header.
pub(super) fn sequence_of(header: &[u8; MAX_WORD]) -> Option<Result<u32, u16>> {
    let (magic, fields) = header.split_first_chunk::<8>()?;
    let &[v0, v1, s0, s1, s2, s3, c0, c1, c2, c3] = fields.first_chunk::<10>()?;
    if *magic != MAGIC || u32::from_le_bytes([c0, c1, c2, c3]) != header_check(header) {
        return None;
    }
    let version = u16::from_le_bytes([v0, v1]);
    Some(if version == VERSION { Ok(u32::from_le_bytes([s0, s1, s2, s3])) } else { Err(version) })
}

pub(super) fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
