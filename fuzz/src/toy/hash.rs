//! The hash that everything comes from: fast, of 64 bits, and not cryptographic.

use iot_crypto::crypto::{Sha256, Sha256Digest};

/// The finisher of SplitMix64: every bit of the output depends on all of the
/// input's.
pub(crate) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The hash of the concatenation of `parts`.
pub(crate) fn hash(parts: &[&[u8]]) -> u64 {
    let mut hash = Hash::new();
    parts.iter().for_each(|part| hash.append(part));
    hash.value()
}

/// A running hash, in the place of SHA-256.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash {
    state: u64,
    /// The last bytes, of which there are not eight yet.
    word: u64,
    length: u64,
}

impl Hash {
    pub(crate) const fn new() -> Self {
        Self { state: 0x243f_6a88_85a3_08d3, word: 0, length: 0 }
    }

    // Word by word: each comparison costs a call when a fuzzer looks on.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        let filled = (self.length % 8) as usize;
        self.length += bytes.len() as u64;
        let (head, bytes) = bytes.split_at(bytes.len().min((8 - filled) % 8));
        self.word |= word(head) << (8 * (filled % 8));
        if filled + head.len() == 8 {
            self.absorb(self.word);
            self.word = 0;
        }
        let (words, tail) = bytes.as_chunks::<8>();
        for word in words {
            self.absorb(u64::from_le_bytes(*word));
        }
        if !tail.is_empty() {
            self.word = word(tail);
        }
    }

    pub(crate) fn value(mut self) -> u64 {
        self.absorb(self.word);
        self.absorb(self.length);
        mix(self.state)
    }

    const fn absorb(&mut self, word: u64) {
        let state = (self.state ^ word).wrapping_mul(0x9fb2_1c65_1e98_df25);
        self.state = state ^ state.rotate_left(23) ^ (state >> 35);
    }
}

/// At most eight bytes as a number.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

impl Sha256 for Hash {
    fn update(&mut self, bytes: &[u8]) {
        self.append(bytes);
    }

    fn finish(self) -> Sha256Digest {
        super::digest(self.value())
    }
}
