//! A raw source of random bytes.
//!
//! The chip has no random number generator. In its stead is a file of the host, `entropy`
//! in the folder that QEMU was started in, which usually leads to the host's own
//! generator. It is read anew each time, so that it can be replaced by one that fails,
//! and by one that works again. What comes from it is raw: a health test belongs before
//! it.

use semihosting::fs::File;
use semihosting::io::Read as _;

/// The source gave no bytes: the host has no file `entropy`, or it has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoEntropy;

impl core::fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the source of entropy gave none")
    }
}

impl core::error::Error for NoEntropy {}

/// The source. Not to be copied, as a piece of hardware would not be.
pub struct Entropy(());

impl Entropy {
    pub(crate) const fn new() -> Self {
        Self(())
    }

    /// Fills `bytes` with what the source gives, raw.
    ///
    /// # Errors
    /// [`NoEntropy`]; what is in `bytes` then is of no use. The call may be repeated.
    pub fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        let mut file = File::open(c"entropy").map_err(|_| NoEntropy)?;
        file.read_exact(bytes).map_err(|_| NoEntropy)
    }
}
