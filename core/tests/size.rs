//! The device's whole state is in its type, and small.

#![allow(missing_docs)]

use core::net::SocketAddr;

use chacha20::ChaCha20Rng;
use iot_crypto::crypto::RustCrypto;
use iot_crypto::device::{Device, DeviceTrust};
use iot_crypto::party::Party;

type Provider = RustCrypto<ChaCha20Rng>;

#[test]
fn the_state_of_a_device_for_its_session_fits_in_4_kib() {
    let whole = size_of::<Device<Provider, SocketAddr>>();
    // Who the device is and whom it trusts is there without any session.
    let party = size_of::<Party<Provider, DeviceTrust>>();
    let generator = size_of::<ChaCha20Rng>();
    println!("session: {} bytes, party: {} bytes", whole - party, party - generator);
    assert!(whole - party <= 4096, "{} bytes", whole - party);
    assert!(party - generator <= 2304, "{} bytes", party - generator);
}
