//! The AEAD alone, on as many bytes as a record has, with a key that was made ready
//! before: what a record can't be made for less than.

use core::hint::black_box;

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};

use crate::{PAYLOAD, Step, marks};

/// As much additional data as a record of DTLS 1.2 has (RFC 5246 section 6.2.3.3).
const ADDITIONAL_DATA: [u8; 13] = [0; 13];

/// Seals the payload and opens it again.
pub(crate) fn measure() -> Result<(), Step> {
    let aead = ChaCha20Poly1305::new(black_box(&[7; 32].into()));
    let (nonce, additional_data) = (black_box([1; 12].into()), black_box(ADDITIONAL_DATA));
    let mut content = black_box(PAYLOAD);
    let tag = marks::count(marks::raw_seal, || {
        aead.encrypt_inout_detached(&nonce, &additional_data, content.as_mut_slice().into())
    });
    let tag = tag.map_err(|_| Step("raw seal"))?;
    let opened = marks::count(marks::raw_open, || {
        aead.decrypt_inout_detached(&nonce, &additional_data, content.as_mut_slice().into(), &tag)
    });
    match opened {
        Ok(()) if content == PAYLOAD => Ok(()),
        _ => Err(Step("raw open")),
    }
}
