//! Verifies signatures with the arithmetic of this processor, which has words of 32 bits:
//! those in the file `signatures` of the host, in the folder that QEMU was started in.
//!
//! Of each there is a byte that is 1 if it is valid, the public key, the signature, the
//! length of the message in one byte, and the message.

#![no_std]
#![no_main]

use core::convert::Infallible;

use iot_crypto::crypto::{P256PublicKey, Provider as _, RustCrypto, Signature};
use iot_crypto_firmware::say;
use rand_core::{TryCryptoRng, TryRng};
use semihosting::fs::File;
use semihosting::io::Read as _;

/// No random numbers: verification takes none.
struct Nothing;

impl TryRng for Nothing {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Nothing {}

#[cortex_m_rt::entry]
fn main() -> ! {
    let code = match verify_all() {
        Some((all, wrong)) => {
            say!("of ", all, " signatures, ", wrong, " were judged wrongly");
            0
        }
        None => {
            say!("the file of signatures can't be read");
            1
        }
    };
    semihosting::process::exit(code)
}

/// Verifies all that are in the file; gives how many there are, and how many were judged
/// wrongly. `None` if the file is not as it should be.
fn verify_all() -> Option<(u32, u32)> {
    let mut file = File::open(c"signatures").ok()?;
    let provider = RustCrypto::new(Nothing);
    let (mut all, mut wrong) = (0, 0);
    let mut is_valid = [0];
    while file.read(&mut is_valid).ok()? == 1 {
        let (mut key, mut signature, mut length) = ([0; 33], [0; 64], [0]);
        let mut message = [0; u8::MAX as usize];
        file.read_exact(&mut key).ok()?;
        file.read_exact(&mut signature).ok()?;
        file.read_exact(&mut length).ok()?;
        let message = message.get_mut(..usize::from(length[0]))?;
        file.read_exact(message).ok()?;
        let verified = provider.p256_verify(&P256PublicKey(key), &[message], &Signature(signature));
        if verified.is_ok() != (is_valid == [1]) {
            say!("signature ", all, " is judged wrongly");
            wrong += 1;
        }
        all += 1;
    }
    Some((all, wrong))
}
