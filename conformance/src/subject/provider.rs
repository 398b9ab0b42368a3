//! A provider whose random bytes are those that a request says.

use std::collections::VecDeque;

use iot_crypto::crypto::RustCrypto;
use rand_core::{TryCryptoRng, TryRng};

/// Gives the bytes that it was made with, in their order, and then none.
#[derive(Clone, Debug)]
pub struct Scripted(VecDeque<u8>);

/// The script has no bytes left.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the random bytes of the request are used up")]
pub struct UsedUp;

/// RustCrypto with `random` as its random bytes.
#[must_use]
pub fn provider(random: &[u8]) -> RustCrypto<Scripted> {
    RustCrypto::new(Scripted(random.iter().copied().collect()))
}

impl TryRng for Scripted {
    type Error = UsedUp;

    fn try_next_u32(&mut self) -> Result<u32, UsedUp> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, UsedUp> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), UsedUp> {
        if out.len() > self.0.len() {
            return Err(UsedUp);
        }
        let drawn = self.0.drain(..out.len()).collect::<Vec<_>>();
        out.copy_from_slice(&drawn);
        Ok(())
    }
}

impl TryCryptoRng for Scripted {}
