//! The files in which the parts of the board are that QEMU does not model: its flash and
//! its entropy.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use iot_crypto_embedded::store::USUAL_LEN;
use tempfile::TempDir;

use crate::network::HOST;

/// The size of the flash, in bytes: as much as the chip has beside its program.
pub const FLASH_SIZE: usize = 16 * 1024;

/// The length of the store, in bytes. Behind it is the address of the gateway.
pub const STORE: usize = USUAL_LEN as usize;

/// A source that the board may have its entropy from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The generator of this machine.
    Working,
    /// One that gives the same bytes whenever it is asked, after each start too, which
    /// no test of its health notices.
    Repeating,
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
        std::fs::write(board.folder().join("noise"), Vec::from_iter(0..=u8::MAX))?;
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

    /// Provisions the board with the store in `image`, and tells it that its gateway is on
    /// this machine with this port of the negotiation service; or nothing, so that it waits
    /// for an advertisement.
    ///
    /// # Errors
    /// As with [`Board::set_flash`].
    pub fn set_store(&self, image: &[u8], gateway: Option<u16>) -> io::Result<()> {
        let mut cells = image.to_vec();
        cells.resize(STORE, 0xFF);
        if let Some(port) = gateway {
            cells.extend(HOST.octets());
            cells.extend(port.to_be_bytes());
        }
        self.set_flash(&cells)
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
            Source::Repeating => "noise",
            Source::Stuck => "/dev/zero",
            Source::Missing => "/nonexistent",
        };
        symlink(device, &next)?;
        std::fs::rename(next, link)
    }
}
