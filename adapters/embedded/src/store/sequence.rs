//! Numbers that are never given twice, however power is lost.

use core::num::NonZeroU32;

use embedded_storage::nor_flash::NorFlash;

use super::{Item, Store, StoreError};
use crate::entropy::Personalization;

/// Numbers that are reserved on the flash ahead of their use, a block at a time:
/// what was given out is never given again, and what was reserved and not given
/// when power was lost is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceNumbers {
    next: u64,
    end: u64,
    block: NonZeroU32,
}

impl SequenceNumbers {
    /// Numbers that are reserved `block` at a time, when the first one is needed.
    #[must_use]
    pub const fn new(block: NonZeroU32) -> Self {
        Self { next: 0, end: 0, block }
    }

    /// The next number. Numbers of one store only grow.
    ///
    /// # Errors
    /// [`StoreError`]; then no number was given.
    pub fn take<F: NorFlash>(&mut self, store: &mut Store<F>) -> Result<u64, StoreError> {
        if self.next == self.end {
            let first = store.number(Item::SequenceNumber)?;
            let end = first.saturating_add(u64::from(self.block.get()));
            // They would repeat at the end of all numbers.
            if end == u64::MAX {
                return Err(StoreError::Invalid(Item::SequenceNumber));
            }
            store.save(Item::SequenceNumber, 0, &end.to_le_bytes())?;
            (self.next, self.end) = (first, end);
        }
        let number = self.next;
        self.next = number.saturating_add(1);
        Ok(number)
    }
}

impl<F: NorFlash> Store<F> {
    /// What sets this start of the device apart from all others, for its generator of
    /// random numbers: a secret, and a sequence number that is used up by it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn personalization(&mut self) -> Result<Personalization, StoreError> {
        let number = SequenceNumbers::new(NonZeroU32::MIN).take(self)?;
        Ok(Personalization::new(&self.seed()?, number))
    }
}
