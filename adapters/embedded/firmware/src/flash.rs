//! A flash that outlasts a loss of power.
//!
//! QEMU has no model of the chip's flash controller. In its stead is a file of the host,
//! `flash` in the folder that QEMU was started in, reached by semihosting; it behaves as
//! the chip's own flash does (data sheet, 7.2): erased to ones a page of 1 KiB at a time,
//! written in words, and a write can only clear bits. Whoever ends QEMU, ends the power.

use core::mem::size_of;

use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
    check_erase, check_read, check_write,
};
use semihosting::fs::File;
use semihosting::io::{Read as _, Seek as _, SeekFrom, Write as _};

/// The size of a page, the least that can be erased, in bytes.
pub const PAGE: usize = 1024;

/// The size of a word, the least that can be written, in bytes.
pub const WORD: usize = size_of::<u32>();

/// The flash.
pub struct Flash {
    /// None if the host has no such file.
    file: Option<File>,
    capacity: usize,
}

impl Flash {
    /// Opens the file. If there is none, the flash has no room at all.
    pub(crate) fn open() -> Self {
        let file = File::options().read(true).write(true).open(c"flash").ok();
        let length = file.as_ref().and_then(|file| file.metadata().ok()).map_or(0, |it| it.len());
        let capacity = usize::try_from(length).unwrap_or(0) / PAGE * PAGE;
        Self { file, capacity }
    }

    fn at(&mut self, offset: usize) -> Result<&mut File, FlashError> {
        let file = self.file.as_mut().ok_or(FlashError::Host)?;
        let offset = u64::try_from(offset).map_err(|_| FlashError::Host)?;
        file.seek(SeekFrom::Start(offset)).map_err(|_| FlashError::Host)?;
        Ok(file)
    }

    fn read_at(&mut self, offset: usize, bytes: &mut [u8]) -> Result<(), FlashError> {
        self.at(offset)?.read_exact(bytes).map_err(|_| FlashError::Host)
    }

    fn write_at(&mut self, offset: usize, bytes: &[u8]) -> Result<(), FlashError> {
        self.at(offset)?.write_all(bytes).map_err(|_| FlashError::Host)
    }
}

/// What can go wrong with the flash; then nothing was changed, or power was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashError {
    /// The caller asks for what is outside of the flash, or not whole words or pages.
    Request(NorFlashErrorKind),
    /// The host has no file `flash`, or can't read or write it.
    Host,
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Request(kind) => *kind,
            Self::Host => NorFlashErrorKind::Other,
        }
    }
}

impl From<NorFlashErrorKind> for FlashError {
    fn from(kind: NorFlashErrorKind) -> Self {
        Self::Request(kind)
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len())?;
        self.read_at(offset as usize, bytes)
    }

    fn capacity(&self) -> usize {
        self.capacity
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = PAGE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to)?;
        for word in (from as usize..to as usize).step_by(WORD) {
            self.write_at(word, &[0xFF; WORD])?;
        }
        Ok(())
    }

    /// Writes word by word, so that a loss of power can come between any two.
    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len())?;
        let (words, _) = bytes.as_chunks::<WORD>();
        for (place, word) in (offset as usize..).step_by(WORD).zip(words) {
            let mut cells = [0; WORD];
            self.read_at(place, &mut cells)?;
            let left = u32::from_le_bytes(cells) & u32::from_le_bytes(*word);
            self.write_at(place, &left.to_le_bytes())?;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Flash {}
