//! A raw source of random bytes.
//!
//! The chip has no random number generator. In its stead is a file of the host, `entropy`
//! in the folder that QEMU was started in, which usually leads to the host's own
//! generator. It is read anew each time, so that it can be replaced by one that fails,
//! and by one that works again. What comes from it is raw: a health test belongs before
//! it.

use iot_crypto_embedded::entropy::{EntropySource, SourceError};
use semihosting::fs::File;
use semihosting::io::Read as _;

/// The source. It can be shared, and is not to be copied, as a piece of hardware would
/// not be.
pub struct Entropy(());

impl Entropy {
    pub(crate) const fn new() -> Self {
        Self(())
    }
}

impl EntropySource for &Entropy {
    /// Gives no bytes if the host has no file `entropy`, or it has come to its end.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SourceError> {
        let mut file = File::open(c"entropy").map_err(|_| SourceError)?;
        file.read_exact(bytes).map_err(|_| SourceError)
    }
}
