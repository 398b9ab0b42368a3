//! The log: a small map on NOR flash that survives the loss of power at any
//! moment.
//!
//! The region has two halves, the *banks*. One of them is valid:
//!
//! ```text
//! header │ record │ record │ … │ commit │ record │ record │ erased …
//! ```
//!
//! A record is the value of a key; the last one of a key counts. New ones are
//! appended. When there is no room for one more, the other bank is erased, what
//! still counts is copied there, and a commit record ends the copy. Only from
//! then on does the other bank count, by its greater sequence number; until then
//! the old one is untouched. So a bank that counts is never erased, and what
//! power was lost over, a word or a whole page, may hold anything: `embedded-storage`
//! promises nothing else.
//!
//! A record that was cut off fails its check. Nothing is appended behind it, since
//! its length is not known: the next record begins a new bank.

use crc::{CRC_32_ISCSI, Crc, NoTable};
use embedded_storage::nor_flash::{NorFlash, NorFlashError};

use zeroize::Zeroizing;

use super::StoreError;

/// The version of this format.
const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"IoTCrypt";
/// Where in the header of a half the version of the format is: two bytes, little-endian.
pub const HEADER_VERSION: usize = MAGIC.len();
/// Where in the header of a half its check is: the CRC-32C of what is before it, in four
/// bytes, little-endian.
pub const HEADER_CHECK: usize = HEADER_VERSION + 2 + 4;
/// A bank's header fills the largest word that is supported.
const HEADER: u32 = 32;
const MAX_WORD: usize = 32;
/// The length of a record without its value.
const RECORD: usize = 8;

const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISCSI);

/// What a value is found by: what kind of thing it is, and which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) kind: u8,
    pub(super) slot: u8,
}

/// The record behind which a bank counts.
const COMMIT: Key = Key { kind: 0, slot: 0 };

/// What a half of the region holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    Erased,
    Valid {
        sequence: u32,
        end: u32,
        is_clean: bool,
    },
    /// The copy to it was cut off.
    Unfinished,
    OtherVersion(u16),
    Foreign,
}

/// A record's place in its bank.
#[derive(Clone, Copy)]
struct Record {
    key: Key,
    at: u32,
    length: u16,
    crc: u32,
}

#[derive(Clone, Copy)]
struct Bank {
    /// Its first address.
    start: u32,
    sequence: u32,
    /// How much of it is written.
    end: u32,
}

pub(super) struct Log<F> {
    flash: F,
    start: u32,
    /// The length of a bank.
    length: u32,
    bank: Bank,
    /// Whether what follows the last record is erased.
    is_clean: bool,
}

impl<F: NorFlash> Log<F> {
    /// The length of a word: what is read and written at once.
    const WORD: usize = if F::WRITE_SIZE > F::READ_SIZE { F::WRITE_SIZE } else { F::READ_SIZE };

    fn unopened(flash: F, start: u32, end: u32) -> Result<Self, StoreError> {
        let length = end.checked_sub(start).ok_or(StoreError::Region)? / 2;
        let capacity = u32::try_from(flash.capacity()).unwrap_or(u32::MAX);
        let page = u32::try_from(F::ERASE_SIZE).map_err(|_| StoreError::Region)?;
        let fits_words = Self::WORD <= MAX_WORD && MAX_WORD.is_multiple_of(Self::WORD);
        if !start.is_multiple_of(page)
            || !length.is_multiple_of(page)
            || length <= HEADER
            || end > capacity
            || !fits_words
        {
            return Err(StoreError::Region);
        }
        let bank = Bank { start, sequence: 0, end: HEADER };
        Ok(Self { flash, start, length, bank, is_clean: false })
    }

    /// Opens the log in `start..end`.
    pub(super) fn open(flash: F, start: u32, end: u32) -> Result<Self, StoreError> {
        let mut log = Self::unopened(flash, start, end)?;
        let found = log.examine_banks()?;
        for (index, contents) in (0..).zip(found) {
            match contents {
                Contents::OtherVersion(version) => return Err(StoreError::Version(version)),
                Contents::Valid { sequence, end, is_clean } if sequence > log.bank.sequence => {
                    log.bank = Bank { start: log.bank_start(index), sequence, end };
                    log.is_clean = is_clean;
                }
                _ => {}
            }
        }
        if log.bank.sequence > 0 {
            Ok(log)
        } else if found.contains(&Contents::Unfinished) {
            Err(StoreError::Unfinished)
        } else if found.contains(&Contents::Foreign) {
            Err(StoreError::Foreign)
        } else {
            Err(StoreError::Blank)
        }
    }

    /// Begins a log in a region that is erased, or in which this was cut off. It
    /// counts when it is committed.
    pub(super) fn begin(flash: F, start: u32, end: u32) -> Result<Self, StoreError> {
        let mut log = Self::unopened(flash, start, end)?;
        for contents in log.examine_banks()? {
            match contents {
                Contents::Erased | Contents::Unfinished => {}
                Contents::Valid { .. } => return Err(StoreError::Provisioned),
                Contents::OtherVersion(version) => return Err(StoreError::Version(version)),
                Contents::Foreign => return Err(StoreError::Foreign),
            }
        }
        log.bank = log.write_header(log.bank.start, 1)?;
        Ok(log)
    }

    /// Appends a record to a log that is not committed.
    pub(super) fn append_uncommitted(&mut self, key: Key, value: &[u8]) -> Result<(), StoreError> {
        let needed = self.bank.end.saturating_add(record_length::<F>(value.len()));
        self.check_room(needed.saturating_add(record_length::<F>(0)))?;
        self.bank = self.write_record(self.bank, key, value)?;
        Ok(())
    }

    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        self.bank = self.write_record(self.bank, COMMIT, &[])?;
        self.is_clean = true;
        Ok(())
    }

    /// Erases the whole region.
    pub(super) fn erase(mut flash: F, start: u32, end: u32) -> Result<F, StoreError> {
        flash.erase(start, end).map_err(flash_error)?;
        Ok(flash)
    }

    pub(super) fn into_flash(self) -> F {
        self.flash
    }

    /// Reads the value of `key` into `buffer`; gives its length.
    pub(super) fn get(&mut self, key: Key, buffer: &mut [u8]) -> Result<Option<usize>, StoreError> {
        let Some(record) = self.find(key)? else { return Ok(None) };
        let length = usize::from(record.length);
        let value = buffer.get_mut(..length).ok_or(StoreError::Damaged)?;
        let mut places = value.iter_mut();
        self.read_value(self.bank, record, |chunk| {
            for (byte, place) in chunk.iter().zip(&mut places) {
                *place = *byte;
            }
        })?;
        Ok(Some(length))
    }

    /// Whether `key` has a value.
    pub(super) fn contains(&mut self, key: Key) -> Result<bool, StoreError> {
        Ok(self.find(key)?.is_some())
    }

    /// Sets the value of `key`. An empty value is none. What is there already is
    /// not written again.
    pub(super) fn put(&mut self, key: Key, value: &[u8]) -> Result<(), StoreError> {
        if self.holds(key, value)? {
            return Ok(());
        }
        let end = self.bank.end.saturating_add(record_length::<F>(value.len()));
        if !self.is_clean || end > self.length {
            return self.compact(key, value);
        }
        // Until it is known what of it is on the flash.
        self.is_clean = false;
        self.bank = self.write_record(self.bank, key, value)?;
        self.is_clean = true;
        Ok(())
    }

    fn holds(&mut self, key: Key, value: &[u8]) -> Result<bool, StoreError> {
        let Some(record) = self.find(key)? else { return Ok(value.is_empty()) };
        if usize::from(record.length) != value.len() {
            return Ok(false);
        }
        let (mut bytes, mut is_same) = (value.iter(), true);
        self.read_value(self.bank, record, |chunk| {
            is_same &= chunk.iter().eq(bytes.by_ref().take(chunk.len()));
        })?;
        Ok(is_same)
    }

    /// Copies what counts to the other bank, with a new value for `key`.
    fn compact(&mut self, key: Key, value: &[u8]) -> Result<(), StoreError> {
        let mut needed = HEADER.saturating_add(record_length::<F>(0));
        let mut at = HEADER;
        while let Some(record) = self.next_record(at)? {
            if self.is_copied(record, key)? {
                needed = needed.saturating_add(record_length::<F>(usize::from(record.length)));
            }
            at = record.end::<F>();
        }
        if !value.is_empty() {
            needed = needed.saturating_add(record_length::<F>(value.len()));
        }
        self.check_room(needed)?;

        let other = self.bank_start(u32::from(self.bank.start == self.start));
        let mut new = self.write_header(other, self.bank.sequence.saturating_add(1))?;
        let mut at = HEADER;
        while let Some(record) = self.next_record(at)? {
            if self.is_copied(record, key)? {
                new = self.copy_record(record, new)?;
            }
            at = record.end::<F>();
        }
        if !value.is_empty() {
            new = self.write_record(new, key, value)?;
        }
        self.bank = self.write_record(new, COMMIT, &[])?;
        self.is_clean = true;
        Ok(())
    }

    /// Whether a record still counts when `replaced` has a new value.
    fn is_copied(&mut self, record: Record, replaced: Key) -> Result<bool, StoreError> {
        if record.key == COMMIT || record.key == replaced || record.length == 0 {
            return Ok(false);
        }
        let last = self.find(record.key)?;
        Ok(last.is_some_and(|last| last.at == record.at))
    }

    fn check_room(&self, needed: u32) -> Result<(), StoreError> {
        if needed > self.length {
            return Err(StoreError::Full { needed: needed.saturating_mul(2) });
        }
        Ok(())
    }

    fn bank_start(&self, index: u32) -> u32 {
        self.start.saturating_add(self.length.saturating_mul(index))
    }

    fn find(&mut self, key: Key) -> Result<Option<Record>, StoreError> {
        let (mut found, mut at) = (None, HEADER);
        while let Some(record) = self.next_record(at)? {
            if record.key == key {
                found = Some(record).filter(|record| record.length > 0);
            }
            at = record.end::<F>();
        }
        Ok(found)
    }

    /// The record at `at` in the bank that counts, if there is one.
    fn next_record(&mut self, at: u32) -> Result<Option<Record>, StoreError> {
        if at >= self.bank.end {
            return Ok(None);
        }
        self.read_head(self.bank.start, at)
    }

    /// The head of the record at `at`, if it is not erased and its value ends in
    /// the bank.
    fn read_head(&mut self, bank: u32, at: u32) -> Result<Option<Record>, StoreError> {
        let mut head = [0; MAX_WORD];
        let length = RECORD.next_multiple_of(Self::WORD);
        let head = head.get_mut(..length).ok_or(StoreError::Region)?;
        if at.saturating_add(to_u32(length)) > self.length {
            return Ok(None);
        }
        self.read(bank.saturating_add(at), head)?;
        let Some(&[kind, slot, l0, l1, c0, c1, c2, c3]) = head.first_chunk::<RECORD>() else {
            return Ok(None);
        };
        let record = Record {
            key: Key { kind, slot },
            at,
            length: u16::from_le_bytes([l0, l1]),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        };
        Ok((kind != 0xff && record.end::<F>() <= self.length).then_some(record))
    }

    /// Gives the value of a record to `take`, piece by piece.
    fn read_value(
        &mut self,
        bank: Bank,
        record: Record,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        let crc = CRC;
        let mut digest = crc.digest();
        digest.update(&prefix(bank.sequence, record.key, record.length));
        let (mut chunk, mut done) = (Zeroizing::new([0; MAX_WORD]), 0);
        while done < usize::from(record.length) {
            let value = self.read_part(bank, record, done, &mut chunk)?;
            digest.update(value);
            take(value);
            done = done.saturating_add(value.len());
        }
        if digest.finalize() == record.crc { Ok(()) } else { Err(StoreError::Damaged) }
    }

    /// The next bytes of a record's value, after the first `done`.
    fn read_part<'c>(
        &mut self,
        bank: Bank,
        record: Record,
        done: usize,
        chunk: &'c mut [u8; MAX_WORD],
    ) -> Result<&'c [u8], StoreError> {
        // Whole words are read, and the first ones begin with the head.
        let from = RECORD.saturating_add(done);
        let skipped = from % MAX_WORD;
        let at = bank.start.saturating_add(record.at).saturating_add(to_u32(from - skipped));
        self.read(at, chunk)?;
        let left = usize::from(record.length).saturating_sub(done);
        let value = chunk.get(skipped..).unwrap_or_default();
        Ok(value.get(..left).unwrap_or(value))
    }

    /// Erases a bank and begins it.
    fn write_header(&mut self, start: u32, sequence: u32) -> Result<Bank, StoreError> {
        self.flash.erase(start, start.saturating_add(self.length)).map_err(flash_error)?;
        let mut header = [0xff; MAX_WORD];
        let mut bytes = header.iter_mut();
        let fields = MAGIC.into_iter().chain(VERSION.to_le_bytes()).chain(sequence.to_le_bytes());
        for (place, byte) in bytes.by_ref().zip(fields) {
            *place = byte;
        }
        let check = header_check(&header).to_le_bytes();
        if let Some(place) = header.get_mut(HEADER_CHECK..HEADER_CHECK + 4) {
            place.copy_from_slice(&check);
        }
        self.flash.write(start, &header).map_err(flash_error)?;
        Ok(Bank { start, sequence, end: HEADER })
    }

    /// Writes a record at the end of a bank; gives the bank with it.
    fn write_record(&mut self, bank: Bank, key: Key, value: &[u8]) -> Result<Bank, StoreError> {
        let length = u16::try_from(value.len())
            .map_err(|_| StoreError::Full { needed: to_u32(value.len()) })?;
        let crc = CRC;
        let mut digest = crc.digest();
        digest.update(&prefix(bank.sequence, key, length));
        digest.update(value);
        let mut words = Words::<F>::new(bank);
        words.push(&mut self.flash, &head(key, length, digest.finalize()))?;
        words.push(&mut self.flash, value)?;
        words.finish(&mut self.flash)
    }

    /// Copies a record of the bank that counts to the end of `new`.
    fn copy_record(&mut self, record: Record, new: Bank) -> Result<Bank, StoreError> {
        let Record { key, length, .. } = record;
        // Its check covers the sequence number of its bank.
        let crc = CRC;
        let mut digest = crc.digest();
        digest.update(&prefix(new.sequence, key, length));
        self.read_value(self.bank, record, |value| digest.update(value))?;
        let mut words = Words::<F>::new(new);
        words.push(&mut self.flash, &head(key, length, digest.finalize()))?;
        let (mut chunk, mut done) = (Zeroizing::new([0; MAX_WORD]), 0);
        while done < usize::from(length) {
            let value = self.read_part(self.bank, record, done, &mut chunk)?;
            words.push(&mut self.flash, value)?;
            done = done.saturating_add(value.len());
        }
        words.finish(&mut self.flash)
    }

    fn examine_banks(&mut self) -> Result<[Contents; 2], StoreError> {
        Ok([self.examine(self.bank_start(0))?, self.examine(self.bank_start(1))?])
    }

    fn examine(&mut self, start: u32) -> Result<Contents, StoreError> {
        let mut header = [0; MAX_WORD];
        self.read(start, &mut header)?;
        let Some(sequence) = sequence_of(&header) else {
            let is_erased = self.is_erased(start, 0)?;
            return Ok(if is_erased { Contents::Erased } else { Contents::Foreign });
        };
        let sequence = match sequence {
            Ok(sequence) => sequence,
            Err(version) => return Ok(Contents::OtherVersion(version)),
        };
        let bank = Bank { start, sequence, end: HEADER };
        let (mut at, mut is_committed) = (HEADER, false);
        while let Some(record) = self.read_head(start, at)? {
            match self.read_value(bank, record, |_| {}) {
                Ok(()) => {}
                Err(StoreError::Damaged) => break,
                Err(error) => return Err(error),
            }
            is_committed |= record.key == COMMIT;
            at = record.end::<F>();
        }
        if !is_committed {
            return Ok(Contents::Unfinished);
        }
        Ok(Contents::Valid { sequence, end: at, is_clean: self.is_erased(start, at)? })
    }

    /// Whether a bank is erased from `at` on.
    fn is_erased(&mut self, start: u32, at: u32) -> Result<bool, StoreError> {
        let mut word = [0; MAX_WORD];
        let word = word.get_mut(..Self::WORD).ok_or(StoreError::Region)?;
        let mut at = at;
        while at < self.length {
            self.read(start.saturating_add(at), word)?;
            if word.iter().any(|byte| *byte != 0xff) {
                return Ok(false);
            }
            at = at.saturating_add(to_u32(Self::WORD));
        }
        Ok(true)
    }

    /// Reads as much of `buffer` as lies in the flash.
    fn read(&mut self, at: u32, buffer: &mut [u8]) -> Result<(), StoreError> {
        let end = self.start.saturating_add(self.length.saturating_mul(2));
        let room = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(room);
        let part = buffer.get_mut(..length).unwrap_or_default();
        self.flash.read(at, part).map_err(flash_error)
    }
}

impl Record {
    /// Where the next one begins.
    fn end<F: NorFlash>(&self) -> u32 {
        self.at.saturating_add(record_length::<F>(usize::from(self.length)))
    }
}

/// Bytes on their way to the end of a bank, in whole words.
struct Words<F> {
    bank: Bank,
    pending: Zeroizing<[u8; MAX_WORD]>,
    count: usize,
    flash: core::marker::PhantomData<F>,
}

impl<F: NorFlash> Words<F> {
    fn new(bank: Bank) -> Self {
        Self {
            bank,
            pending: Zeroizing::new([0xff; MAX_WORD]),
            count: 0,
            flash: core::marker::PhantomData,
        }
    }

    fn push(&mut self, flash: &mut F, bytes: &[u8]) -> Result<(), StoreError> {
        for byte in bytes {
            if let Some(place) = self.pending.get_mut(self.count) {
                *place = *byte;
                self.count = self.count.saturating_add(1);
            }
            if self.count == MAX_WORD {
                self.write(flash)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, flash: &mut F) -> Result<(), StoreError> {
        let length = self.count.next_multiple_of(Log::<F>::WORD);
        let words = self.pending.get(..length).unwrap_or_default();
        let at = self.bank.start.saturating_add(self.bank.end);
        flash.write(at, words).map_err(flash_error)?;
        self.bank.end = self.bank.end.saturating_add(to_u32(length));
        self.pending.fill(0xff);
        self.count = 0;
        Ok(())
    }

    fn finish(mut self, flash: &mut F) -> Result<Bank, StoreError> {
        if self.count > 0 {
            self.write(flash)?;
        }
        Ok(self.bank)
    }
}

/// The length of a record with a value of `length` bytes, in whole words.
fn record_length<F: NorFlash>(length: usize) -> u32 {
    to_u32(RECORD.saturating_add(length).next_multiple_of(Log::<F>::WORD))
}

fn head(key: Key, length: u16, crc: u32) -> [u8; RECORD] {
    let ([l0, l1], [c0, c1, c2, c3]) = (length.to_le_bytes(), crc.to_le_bytes());
    [key.kind, key.slot, l0, l1, c0, c1, c2, c3]
}

/// What a record's check covers besides its value. With the sequence number, no
/// record of an earlier life of its bank is taken for one of this.
fn prefix(sequence: u32, key: Key, length: u16) -> [u8; 8] {
    head(key, length, sequence)
}

fn header_check(header: &[u8; MAX_WORD]) -> u32 {
    CRC.checksum(header.get(..HEADER_CHECK).unwrap_or_default())
}

/// The sequence number in a header; the version if it is another one; `None` if it
/// is no header.
fn sequence_of(header: &[u8; MAX_WORD]) -> Option<Result<u32, u16>> {
    let (magic, fields) = header.split_first_chunk::<8>()?;
    let &[v0, v1, s0, s1, s2, s3, c0, c1, c2, c3] = fields.first_chunk::<10>()?;
    if *magic != MAGIC || u32::from_le_bytes([c0, c1, c2, c3]) != header_check(header) {
        return None;
    }
    let version = u16::from_le_bytes([v0, v1]);
    Some(if version == VERSION { Ok(u32::from_le_bytes([s0, s1, s2, s3])) } else { Err(version) })
}

fn to_u32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn flash_error(error: impl NorFlashError) -> StoreError {
    StoreError::Flash(error.kind())
}

#[cfg(test)]
mod tests;
