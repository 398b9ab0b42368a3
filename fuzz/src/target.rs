//! The targets: a function each.

mod cloud;
mod connection;
mod device;
mod dtls_client;
mod dtls_pair;
mod dtls_server;
mod dtls_single_server;
mod files;
mod gateway;
mod identity;
mod transmission;
mod trust;

pub use cloud::cloud;
pub use connection::connection;
pub use device::device;
pub use dtls_client::dtls_client;
pub use dtls_pair::dtls_pair;
pub use dtls_server::dtls_server;
pub use dtls_single_server::dtls_single_server;
pub use files::files;
pub use gateway::gateway;
pub use identity::identity;
pub use transmission::transmission;
pub use trust::trust;

use iot_crypto::wire::{BufferTooSmall, DecodeError, cbor};

/// Decodes `bytes`. What is accepted is at most `max` bytes long, encodes to the
/// same bytes, and only as a whole; then `check` looks at it.
fn round_trip<'b, T: minicbor::Encode<()>>(
    bytes: &'b [u8],
    decode: impl Fn(&'b [u8]) -> Result<T, DecodeError>,
    max: usize,
    check: impl FnOnce(&T),
) {
    let Ok(value) = decode(bytes) else { return };
    assert!(bytes.len() <= max, "accepted {} bytes of at most {max}", bytes.len());
    assert_encodes(bytes, |buffer| cbor::encode(&value, buffer));
    for length in [0, bytes.len() / 2, bytes.len() - 1] {
        assert!(decode(&bytes[..length]).is_err(), "accepted {length} of {} bytes", bytes.len());
    }
    check(&value);
}

/// `encode` writes `bytes`, and needs just as much room.
fn assert_encodes(bytes: &[u8], encode: impl Fn(&mut [u8]) -> Result<usize, BufferTooSmall>) {
    let mut buffer = vec![0; bytes.len()];
    assert_eq!(encode(&mut buffer), Ok(bytes.len()), "for {bytes:02x?}");
    assert_eq!(buffer, bytes, "what was accepted encodes otherwise");
    let error = BufferTooSmall { needed: bytes.len() };
    assert_eq!(encode(&mut buffer[..bytes.len() - 1]), Err(error));
}
