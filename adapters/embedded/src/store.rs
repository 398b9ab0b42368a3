//! What a device keeps over a restart, on flash: who it is, whom it trusts, the
//! keys of its network, the last time that it knew, and sequence numbers that it
//! will not use again.
//!
//! A [`Store`] lies in a region of NOR flash behind the blocking traits of
//! [`embedded_storage`], in two halves of at least one page each. Each value is
//! kept by itself: power may be lost at any moment, in the middle of a word or of
//! a page that is being erased, and each value is then the old one or the new
//! one. A value that has not changed is not written again.
//!
//! # How a device gets its identity
//!
//! A device is *provisioned* once: [`Store::provision`] writes everything
//! that it needs to begin with, and the store counts only when all of it is
//! there. It runs on the device, or on a host over [`RamFlash`](crate::flash::RamFlash),
//! whose bytes are the image that a programmer writes to the device's flash:
//!
//! ```
//! use iot_crypto_embedded::flash::RamFlash;
//! use iot_crypto_embedded::store::{Provisioning, Store, StoreError};
//! # use iot_crypto::connection::NetworkKeys;
//! # use iot_crypto::crypto::Provider;
//! # use iot_crypto::identity::{Authority, Certificate, Endorsements, PrivateIdentity};
//! # fn image<P: Provider>(provider: &mut P, identity: &PrivateIdentity, endorsements: &Endorsements, company: &Certificate, network: &NetworkKeys) -> Result<[u8; 8192], StoreError> {
//! let device = Provisioning {
//!     identity,
//!     endorsements,
//!     trusted: &[(company, Authority::Full)],
//!     held: &[],
//!     network,
//! };
//! let flash = RamFlash::<[u8; 8192]>::erased();
//! let store = Store::provision(flash, 0..8192, provider, &device)?;
//! let image = *store.into_flash().bytes();
//! # Ok(image)
//! # }
//! ```
//!
//! # What it can't do
//!
//! * Values that were replaced stay readable on the flash until their half is
//!   erased, as NOR flash has no other way: a network key that was retired, say.
//!   Private keys lie on the flash as they are. Whoever can read the flash has
//!   them: enable the read-out protection of the chip.
//! * The store notices what goes wrong, not what somebody writes on purpose.

mod items;
mod log;
mod provision;
mod sequence;

use core::ops::Range;

use embedded_storage::nor_flash::{NorFlash, NorFlashErrorKind};

use log::Log;

pub use log::{HEADER_CHECK, HEADER_VERSION};
pub use provision::Provisioning;
pub use sequence::SequenceNumbers;

/// The length of the region that holds all that a device with the usual tables
/// may come to keep, in bytes; less is enough for fewer revocations.
pub const USUAL_LEN: u32 = 8192;

/// Why the store could not be opened, read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StoreError {
    /// The flash refused to be read, written or erased. What was to be saved is
    /// saved or not; everything else is there. The next call tries again.
    Flash(NorFlashErrorKind),
    /// The region doesn't begin and end on pages of the flash, has not two halves
    /// of whole pages, or lies outside; or the words of the flash are too long.
    Region,
    /// The region is erased.
    Blank,
    /// Provisioning was cut off.
    Unfinished,
    /// The region was written by a program with this version of the format.
    Version(u16),
    /// The region holds something else.
    Foreign,
    /// The region is provisioned already.
    Provisioned,
    /// There is not enough room.
    Full {
        /// The length of a region that has, in bytes, to be rounded up to twice
        /// whole pages.
        needed: u32,
    },
    /// What is stored does not pass its check: the flash has lost it.
    Damaged,
    /// What is stored is intact, but can't be used.
    Invalid(Item),
    /// There were no random numbers.
    Entropy,
}

impl core::fmt::Display for StoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let text = match self {
            Self::Flash(kind) => {
                return write!(f, "the flash failed: {kind}; it is tried again at the next call");
            }
            Self::Region => {
                "the region is no even number of whole pages of the flash; correct its bounds"
            }
            Self::Blank => "the flash is blank; provision the device",
            Self::Unfinished => "provisioning was cut off; provision the device again",
            Self::Version(version) => {
                return write!(
                    f,
                    "the flash was written by another program (version {version} of the format); \
                     install that one, or erase the store and provision the device again"
                );
            }
            Self::Foreign => {
                "the flash holds something else than a store; correct the bounds of the region, \
                 or erase it and provision the device"
            }
            Self::Provisioned => "the device is provisioned; erase the store first",
            Self::Full { needed } => {
                return write!(f, "the store is full; give it a region of {needed} bytes or more");
            }
            Self::Damaged => {
                "the flash has lost what was stored; erase the store and provision the device \
                 again, or replace it"
            }
            Self::Invalid(item) => {
                return write!(
                    f,
                    "the stored {item} can't be used; erase the store and provision the device again"
                );
            }
            Self::Entropy => "there are no random numbers; check their source",
        };
        f.write_str(text)
    }
}

impl core::error::Error for StoreError {}

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Item {
    /// The private identity.
    Identity,
    /// An endorsement of it.
    Endorsement,
    /// A party that is trusted.
    TrustedParty,
    /// An endorsement of another that is held.
    HeldEndorsement,
    /// A revocation.
    Revocation,
    /// The network keys.
    NetworkKeys,
    /// The last time that was known.
    Time,
    /// The sequence numbers that are used.
    SequenceNumber,
    /// The secret for the generator of random numbers.
    Seed,
}

impl core::fmt::Display for Item {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Endorsement => "endorsement",
            Self::TrustedParty => "trusted party",
            Self::HeldEndorsement => "held endorsement",
            Self::Revocation => "revocation",
            Self::NetworkKeys => "network keys",
            Self::Time => "time",
            Self::SequenceNumber => "sequence number",
            Self::Seed => "seed",
        })
    }
}

/// The store of a device that was provisioned.
pub struct Store<F> {
    log: Log<F>,
}

impl<F: NorFlash> Store<F> {
    /// Opens the store in the region `region` of `flash`, which must begin and end
    /// on pages and consist of two halves of whole pages. Nothing is written.
    ///
    /// # Errors
    /// [`StoreError`]: each of [`StoreError::Blank`], [`StoreError::Unfinished`],
    /// [`StoreError::Version`] and [`StoreError::Foreign`] says what the region
    /// holds instead of a store.
    pub fn open(flash: F, region: Range<u32>) -> Result<Self, StoreError> {
        Ok(Self { log: Log::open(flash, region.start, region.end)? })
    }

    /// Erases the region, whatever it holds; gives the flash back, to be provisioned.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub fn erase(flash: F, region: Range<u32>) -> Result<F, StoreError> {
        Log::erase(flash, region.start, region.end)
    }

    /// Gives the flash back.
    #[must_use]
    pub fn into_flash(self) -> F {
        self.log.into_flash()
    }
}
