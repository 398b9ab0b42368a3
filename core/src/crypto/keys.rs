//! Keys and other fixed-length values as types of their own.

use subtle::ConstantTimeEq as _;

/// A SHA-256 digest or HMAC-SHA256.
pub type Sha256Digest = [u8; 32];

/// A ChaCha20-Poly1305 nonce.
pub type Nonce = [u8; 12];

/// A ChaCha20-Poly1305 authentication tag.
pub type Tag = [u8; 16];

/// An X25519 private key.
pub type X25519Secret = Secret<32>;

/// A P-256 private key: the scalar, big-endian.
pub type P256Secret = Secret<32>;

/// The result of an X25519 exchange; to be used only as input to a key
/// derivation.
pub type SharedSecret = Secret<32>;

/// A symmetric key of 256 bits.
pub type SymmetricKey = Secret<32>;

/// `N` secret bytes: erased when dropped, compared in constant time, and never
/// shown by `Debug`.
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes `bytes` over. The caller's copy, if there is one, is the caller's
    /// to erase.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The secret bytes.
    #[must_use]
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The secret bytes, to be filled in place.
    #[must_use]
    pub const fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> Default for Secret<N> {
    /// All zero, to be filled in place.
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        // In words, where `zeroize` would write byte by byte.
        self.0 = [0; N];
        zeroize::optimization_barrier(&self.0);
    }
}

impl<const N: usize> zeroize::ZeroizeOnDrop for Secret<N> {}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> core::fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An X25519 public key: the u-coordinate, little-endian (RFC 7748).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct X25519PublicKey(pub [u8; 32]);

/// A P-256 public key in compressed form (SEC 1 section 2.3.3): 02 or 03, then
/// the x-coordinate. Whether it is a point of the curve shows when it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct P256PublicKey(pub [u8; 33]);

/// An ECDSA signature on P-256: `r` and `s`, 32 bytes each, big-endian
/// (IEEE P1363).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_itself() {
        assert_eq!(std::format!("{:?}", Secret::new([7; 4])), "Secret(…)");
    }
}
