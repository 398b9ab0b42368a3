//! How bytes get to the flash, which takes whole words.

use core::marker::PhantomData;

use embedded_storage::nor_flash::{NorFlash, NorFlashError};
use zeroize::Zeroizing;

use super::Log;
use super::format::{Bank, MAX_WORD, to_u32};
use crate::store::StoreError;

/// Bytes on their way to the end of a bank, in whole words.
pub(super) struct Words<F> {
    bank: Bank,
    pending: Zeroizing<[u8; MAX_WORD]>,
    count: usize,
    flash: PhantomData<F>,
}

impl<F: NorFlash> Words<F> {
    pub(super) fn new(bank: Bank) -> Self {
        Self { bank, pending: Zeroizing::new([0xff; MAX_WORD]), count: 0, flash: PhantomData }
    }

    pub(super) fn push(&mut self, flash: &mut F, bytes: &[u8]) -> Result<(), StoreError> {
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

    pub(super) fn finish(mut self, flash: &mut F) -> Result<Bank, StoreError> {
        if self.count > 0 {
            self.write(flash)?;
        }
        Ok(self.bank)
    }
}

pub(super) fn flash_error(error: impl NorFlashError) -> StoreError {
    StoreError::Flash(error.kind())
}
