//! Flash in memory: for tests, for a host that makes the image of a device, and
//! for a device that is provisioned anew at each start.

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// NOR flash in the memory `B`. It keeps the rules of the real thing: it is written in
/// words of `WRITE` bytes and erased in pages of `ERASE` bytes, and a word is written at
/// most once between two erasures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RamFlash<B, const WRITE: usize = 4, const ERASE: usize = 1024> {
    bytes: B,
}

impl<const SIZE: usize, const WRITE: usize, const ERASE: usize> RamFlash<[u8; SIZE], WRITE, ERASE> {
    /// Erased flash of `SIZE` bytes.
    #[must_use]
    pub const fn erased() -> Self {
        Self::new([0xff; SIZE])
    }
}

impl<B, const WRITE: usize, const ERASE: usize> RamFlash<B, WRITE, ERASE> {
    /// Flash with these contents; erased, they are all 0xff.
    #[must_use]
    pub const fn new(bytes: B) -> Self {
        Self { bytes }
    }

    /// The contents: what a programmer writes to a device.
    #[must_use]
    pub const fn bytes(&self) -> &B {
        &self.bytes
    }

    /// The contents, without the flash.
    #[must_use]
    pub fn into_bytes(self) -> B {
        self.bytes
    }
}

impl<B: AsMut<[u8]>, const WRITE: usize, const ERASE: usize> RamFlash<B, WRITE, ERASE> {
    fn part(&mut self, offset: u32, length: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let start = usize::try_from(offset).map_err(|_| NorFlashErrorKind::OutOfBounds)?;
        let end = start.checked_add(length).ok_or(NorFlashErrorKind::OutOfBounds)?;
        self.bytes.as_mut().get_mut(start..end).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl<const SIZE: usize, const WRITE: usize, const ERASE: usize> Default
    for RamFlash<[u8; SIZE], WRITE, ERASE>
{
    fn default() -> Self {
        Self::erased()
    }
}

impl<B, const WRITE: usize, const ERASE: usize> ErrorType for RamFlash<B, WRITE, ERASE> {
    type Error = NorFlashErrorKind;
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, const WRITE: usize, const ERASE: usize> ReadNorFlash
    for RamFlash<B, WRITE, ERASE>
{
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(self.part(offset, bytes.len())?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.as_ref().len()
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, const WRITE: usize, const ERASE: usize> NorFlash
    for RamFlash<B, WRITE, ERASE>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
        self.part(from, length)?.fill(0xff);
        Ok(())
    }

    /// # Errors
    /// [`NorFlashErrorKind::Other`] if a word is not erased; then nothing is
    /// written.
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let part = self.part(offset, bytes.len())?;
        if part.iter().any(|byte| *byte != 0xff) {
            return Err(NorFlashErrorKind::Other);
        }
        part.copy_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_real_thing_refuses_is_refused() {
        let mut flash = RamFlash::<[u8; 2048]>::erased();
        assert_eq!(flash.write(4, &[1, 2, 3, 4]), Ok(()));
        assert_eq!(flash.write(4, &[1, 2, 3, 4]), Err(NorFlashErrorKind::Other));
        assert_eq!(flash.write(2, &[1, 2, 3, 4]), Err(NorFlashErrorKind::NotAligned));
        assert_eq!(flash.write(2048, &[1, 2, 3, 4]), Err(NorFlashErrorKind::OutOfBounds));
        assert_eq!(flash.erase(0, 512), Err(NorFlashErrorKind::NotAligned));
        assert_eq!(flash.erase(0, 1024), Ok(()));
        assert_eq!(flash, RamFlash::erased());
    }
}
