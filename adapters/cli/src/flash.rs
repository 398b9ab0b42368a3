//! The flash of a microcontroller, in memory.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};
use zeroize::Zeroizing;

/// NOR flash that is written in words of `WORD` bytes. What is in it is private.
pub(crate) struct Flash<const WORD: usize>(Zeroizing<Vec<u8>>);

impl<const WORD: usize> Flash<WORD> {
    /// Erased flash.
    pub(crate) fn erased(length: u32) -> Self {
        Self(Zeroizing::new(vec![0xff; usize::try_from(length).unwrap_or_default()]))
    }

    /// What is in it.
    pub(crate) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    fn part(&mut self, offset: u32, length: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let start = usize::try_from(offset).map_err(|_| NorFlashErrorKind::OutOfBounds)?;
        let part = self.0.get_mut(start..start.saturating_add(length));
        part.ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl<const WORD: usize> ErrorType for Flash<WORD> {
    type Error = NorFlashErrorKind;
}

impl<const WORD: usize> ReadNorFlash for Flash<WORD> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(self.part(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl<const WORD: usize> NorFlash for Flash<WORD> {
    const WRITE_SIZE: usize = WORD;
    /// The pages of the microcontroller are not known here: whoever says how long the
    /// region is knows them.
    const ERASE_SIZE: usize = 32;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        self.part(from, length)?.fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        self.part(offset, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }
}
