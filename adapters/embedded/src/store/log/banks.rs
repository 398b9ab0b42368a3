//! What is read of a bank, and written to it.

use embedded_storage::nor_flash::NorFlash;
use zeroize::Zeroizing;

use super::Log;
use super::format::{
    Bank, COMMIT, CRC, HEADER, Key, MAX_WORD, RECORD, Record, head, header, prefix, sequence_of,
    to_u32,
};
use super::words::{Words, flash_error};
use crate::store::StoreError;

/// What a half of the region holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
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

impl<F: NorFlash> Log<F> {
    /// The record at `at` in the bank that counts, if there is one.
    pub(super) fn next_record(&mut self, at: u32) -> Result<Option<Record>, StoreError> {
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
    pub(super) fn read_value(
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
    pub(super) fn write_header(&mut self, start: u32, sequence: u32) -> Result<Bank, StoreError> {
        self.flash.erase(start, start.saturating_add(self.length)).map_err(flash_error)?;
        self.flash.write(start, &header(sequence)).map_err(flash_error)?;
        Ok(Bank { start, sequence, end: HEADER })
    }

    /// Writes a record at the end of a bank; gives the bank with it.
    pub(super) fn write_record(
        &mut self,
        bank: Bank,
        key: Key,
        value: &[u8],
    ) -> Result<Bank, StoreError> {
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
    pub(super) fn copy_record(&mut self, record: Record, new: Bank) -> Result<Bank, StoreError> {
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

    pub(super) fn examine_banks(&mut self) -> Result<[Contents; 2], StoreError> {
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
