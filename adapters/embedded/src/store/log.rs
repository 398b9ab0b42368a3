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

mod banks;
mod format;
#[cfg(test)]
mod tests;
mod words;

use embedded_storage::nor_flash::NorFlash;

use super::StoreError;
use banks::Contents;
use format::{Bank, COMMIT, HEADER, MAX_WORD, Record, record_length};
use words::flash_error;

pub(super) use format::Key;
pub use format::{HEADER_CHECK, HEADER_VERSION};

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
}
