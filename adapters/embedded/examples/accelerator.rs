//! A provider that uses a chip's accelerator, with one primitive replaced: the chip
//! of this example has an engine for X25519, and nothing else.
//!
//! Run it with `cargo run -p iot-crypto-embedded --example accelerator`.

use std::cell::Cell;

use iot_crypto::crypto::{
    Invalid, Provider as _, RustCrypto, SharedSecret, X25519PublicKey, X25519Secret,
};
use iot_crypto_embedded::accelerator::{Accelerated, Accelerator};

/// The engine. A driver of a real one writes the operands to its registers, starts
/// it, waits, and reads the result; here, another implementation stands for it.
#[derive(Default)]
struct Engine {
    operations: Cell<u32>,
}

impl Engine {
    fn multiply(&self, scalar: &X25519Secret, point: [u8; 32]) -> [u8; 32] {
        self.operations.set(self.operations.get() + 1);
        x25519_dalek::x25519(*scalar.expose(), point)
    }
}

/// All that has to be written: what the chip has.
impl Accelerator for Engine {
    fn x25519_public_key(&self, secret: &X25519Secret) -> Option<X25519PublicKey> {
        Some(X25519PublicKey(self.multiply(secret, x25519_dalek::X25519_BASEPOINT_BYTES)))
    }

    fn x25519(
        &self,
        secret: &X25519Secret,
        public: &X25519PublicKey,
    ) -> Option<Result<SharedSecret, Invalid>> {
        let shared = SharedSecret::new(self.multiply(secret, public.0));
        // A point of small order gives zero, whatever the secret is.
        Some(if shared == SharedSecret::default() { Err(Invalid) } else { Ok(shared) })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let software = RustCrypto::new(getrandom::SysRng);
    let mut provider = Accelerated::new(software, Engine::default());

    // It is a provider like any other.
    let mut secret = X25519Secret::default();
    provider.random(secret.expose_mut())?;
    let public = provider.x25519_public_key(&secret);
    let shared = provider.x25519(&secret, &public)?;

    let software = RustCrypto::new(getrandom::SysRng);
    assert_eq!(software.x25519_public_key(&secret), public);
    assert_eq!(software.x25519(&secret, &public)?, shared);
    println!("{} operations by the chip", provider.hardware().operations.get());
    Ok(())
}
