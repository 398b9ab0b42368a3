//! HMAC-SHA256 (RFC 2104) on RustCrypto's compression function.
//!
//! Most codes that a handshake needs are over a block or two. A hash that can be fed in
//! every way takes half as long again for them.

use iot_crypto::crypto::{Secret, Sha256Digest};
use sha2::Digest as _;
use sha2::block_api::compress256;
use zeroize::optimization_barrier;

const BLOCK: usize = 64;
/// Where the length of the message begins in the last block.
const LENGTH_AT: usize = BLOCK - 8;
/// The initial hash value of SHA-256 (FIPS 180-4 section 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

type State = [u32; 8];

/// A block of what is hashed, which may be secret.
type Block = Secret<BLOCK>;

/// A key of HMAC-SHA256: the inner and the outer hash, once they have taken it in.
pub struct HmacKey {
    inner: State,
    outer: State,
}

impl HmacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut block = Block::default();
        if let Some(room) = block.expose_mut().get_mut(..key.len()) {
            room.copy_from_slice(key);
        } else if let Some(room) = block.expose_mut().first_chunk_mut() {
            *room = sha2::Sha256::digest(key).into();
        }
        let after = |pad| {
            let padded = Block::new(block.expose().map(|byte| byte ^ pad));
            let mut state = INITIAL;
            compress256(&mut state, core::slice::from_ref(padded.expose()));
            state
        };
        Self { inner: after(0x36), outer: after(0x5c) }
    }

    /// The code of the concatenation of `message`.
    pub(crate) fn code(&self, message: &[&[u8]]) -> Sha256Digest {
        let inner = Secret::new(finish(self.inner, message));
        finish(self.outer, &[inner.expose()])
    }
}

/// The hash of the block that led to `state`, and of `message` behind it.
fn finish(mut state: State, message: &[&[u8]]) -> Sha256Digest {
    let mut secret = Block::default();
    let block = secret.expose_mut();
    let mut filled = 0;
    let mut length = BLOCK;
    for part in message {
        length = length.wrapping_add(part.len());
        let mut rest = *part;
        while !rest.is_empty() {
            let room = block.get_mut(filled..).unwrap_or_default();
            let (taken, behind) = rest.split_at(rest.len().min(room.len()));
            for (to, from) in room.iter_mut().zip(taken) {
                *to = *from;
            }
            filled += taken.len();
            rest = behind;
            if filled == BLOCK {
                compress256(&mut state, core::slice::from_ref(block));
                filled = 0;
            }
        }
    }
    // FIPS 180-4 section 5.1.1: a bit, zeros, and the length in bits.
    let mut ends = [0x80].into_iter().chain(core::iter::repeat(0));
    block.iter_mut().skip(filled).zip(&mut ends).for_each(|(to, end)| *to = end);
    if filled >= LENGTH_AT {
        compress256(&mut state, core::slice::from_ref(block));
        block.fill(0);
    }
    let bits = (length as u64).wrapping_mul(8);
    block.iter_mut().skip(LENGTH_AT).zip(bits.to_be_bytes()).for_each(|(to, byte)| *to = byte);
    compress256(&mut state, core::slice::from_ref(block));
    let mut digest = Sha256Digest::default();
    for (to, word) in digest.chunks_exact_mut(4).zip(state) {
        to.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

impl Drop for HmacKey {
    fn drop(&mut self) {
        (self.inner, self.outer) = (State::default(), State::default());
        optimization_barrier(self);
    }
}

impl zeroize::ZeroizeOnDrop for HmacKey {}

impl core::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HmacKey(…)")
    }
}
