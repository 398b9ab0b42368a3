//! What a device computes, with marks around it between which instructions can be counted:
//! the negotiation of a key, the handshake of a session, a record that is sealed and one
//! that is opened. The gateway, which is not counted, is in the same memory.
//!
//! Nothing here depends on the world outside, neither time nor chance, so that every run
//! executes the same instructions. A device must not be made like this: whoever knows this
//! program knows its keys.

#![no_std]
#![no_main]

mod marked;
mod marks;
mod negotiation;
mod raw;
mod session;

use iot_crypto::crypto::{RustCrypto, Secret};
use iot_crypto_embedded::entropy::{
    EntropySource, Generator, Parameters, Personalization, SourceError,
};
use iot_crypto_firmware::say;

use marked::Marked;

/// What a record carries: a reading.
const PAYLOAD: [u8; 32] = [0x5A; 32];

/// The provider of the gateway, and that of the device.
type Gateway = RustCrypto<Generator<Sequence>>;
type Device = Marked<Gateway>;

/// The step that was not taken.
struct Step(&'static str);

/// Bytes that look like noise and are always the same.
struct Sequence(u64);

impl EntropySource for Sequence {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SourceError> {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let [high, ..] = self.0.to_be_bytes();
            *byte = high;
        }
        Ok(())
    }
}

/// A provider as a device has one, but for its source.
fn provider(number: u64) -> Result<Gateway, Step> {
    let personalization = Personalization::new(&Secret::new([9; 32]), number);
    let generator = Generator::new(Sequence(number), Parameters::default(), &personalization);
    Ok(RustCrypto::new(generator.map_err(|_| Step("generator"))?))
}

fn measure() -> Result<(), Step> {
    marks::count(marks::nothing, || {});
    let (mut device, mut gateway) = (Marked(provider(1)?), provider(2)?);
    let key = negotiation::measure(&mut device, &mut gateway)?;
    session::measure(&mut device, &mut gateway, &key)?;
    raw::measure()
}

#[cortex_m_rt::entry]
fn main() -> ! {
    match measure() {
        Ok(()) => {
            say!("measured");
            semihosting::process::exit(0)
        }
        Err(Step(step)) => {
            say!("not taken: ", step);
            semihosting::process::exit(1)
        }
    }
}
