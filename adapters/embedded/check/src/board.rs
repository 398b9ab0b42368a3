//! The files in which the parts of the board are that QEMU does not model: its flash and
//! its entropy.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The size of the flash, in bytes: as much as the chip has beside its program.
pub const FLASH_SIZE: usize = 16 * 1024;

/// A source that the board may have its entropy from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The generator of this machine.
    Working,
    /// One that is stuck: it gives nothing but zeros.
    Stuck,
    /// None.
    Missing,
}

/// A board, whether it runs or not. Its files are removed when it is dropped.
#[derive(Debug)]
pub struct Board {
    folder: TempDir,
}

impl Board {
    /// A new board: its flash is erased, its entropy works.
    ///
    /// # Errors
    /// If the files can't be made.
    pub fn new() -> io::Result<Self> {
        let board = Self { folder: tempfile::Builder::new().prefix("board").tempdir()? };
        board.set_flash(&[])?;
        board.set_entropy(Source::Working)?;
        Ok(board)
    }

    /// The folder that QEMU is started in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes `image` to the start of the flash, and erases the rest.
    ///
    /// # Errors
    /// If the file can't be written, or `image` is longer than the flash.
    pub fn set_flash(&self, image: &[u8]) -> io::Result<()> {
        let mut cells = vec![0xFF; FLASH_SIZE];
        let start = cells.get_mut(..image.len());
        let start = start.ok_or_else(|| io::Error::other("the image is longer than the flash"))?;
        start.copy_from_slice(image);
        std::fs::write(self.flash_file(), cells)
    }

    /// What is in the flash.
    ///
    /// # Errors
    /// If the file can't be read.
    pub fn flash(&self) -> io::Result<Vec<u8>> {
        std::fs::read(self.flash_file())
    }

    fn flash_file(&self) -> PathBuf {
        self.folder().join("flash")
    }

    /// Replaces the source of entropy, also while the board runs.
    ///
    /// # Errors
    /// If it can't be replaced.
    pub fn set_entropy(&self, source: Source) -> io::Result<()> {
        let (link, next) = (self.folder().join("entropy"), self.folder().join("entropy.next"));
        let device = match source {
            Source::Working => "/dev/urandom",
            Source::Stuck => "/dev/zero",
            Source::Missing => "/nonexistent",
        };
        symlink(device, &next)?;
        std::fs::rename(next, link)
    }
}
