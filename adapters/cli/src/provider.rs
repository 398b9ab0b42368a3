//! The cryptography of this program: RustCrypto over the random numbers of the
//! operating system.

use getrandom::SysRng;
use iot_crypto::crypto::RustCrypto;

/// The provider of everything that this program computes.
pub type OsProvider = RustCrypto<SysRng>;

/// A provider over the random numbers of the operating system.
#[must_use]
pub fn os_provider() -> OsProvider {
    RustCrypto::new(SysRng)
}
