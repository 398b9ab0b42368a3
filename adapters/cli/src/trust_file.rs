//! The trust file: whom a party trusts, as TOML.
//!
//! ```toml
//! [[party]]            # whose endorsements count
//! certificate = "iot-crypto:certificate:…"
//! authority = "full"   # or "endorse"
//!
//! [[endorsement]]      # held here, need not be shown
//! subject = "iot-crypto:certificate:…"
//! endorsement = "iot-crypto:endorsement:…"
//!
//! [[revocation]]
//! revocation = "iot-crypto:revocation:…"
//! ```
//!
//! It is rewritten as a whole, comments kept, so that a program that watches it
//! never sees half of it.

mod contents;
mod edit;

use std::path::Path;

use iot_crypto::identity::TrustStore;

pub use contents::{Contents, Held, Party};
pub use edit::TrustFile;

use crate::document::Document;
use crate::error::Error;
use iot_crypto_host::OsProvider;

/// The greatest number of trusted parties.
pub const MAX_PARTIES: usize = 64;
/// The greatest number of endorsements that are held.
pub const MAX_ENDORSEMENTS: usize = 256;
/// The greatest number of revocations.
pub const MAX_REVOCATIONS: usize = 1024;

/// The trust store of this program; less than 200 KB.
pub type Store = TrustStore<MAX_PARTIES, MAX_ENDORSEMENTS, MAX_REVOCATIONS>;

/// Reads a trust file and checks every signature in it.
///
/// # Errors
/// [`Error::File`], [`Error::Mistakes`].
pub fn load(provider: &OsProvider, path: &Path) -> Result<Box<Store>, Error> {
    let document = Document::read(path)?;
    Contents::check(provider, &document)?.store(provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_as_small_as_it_says() {
        assert!(size_of::<Store>() < 200_000, "{}", size_of::<Store>());
    }
}
