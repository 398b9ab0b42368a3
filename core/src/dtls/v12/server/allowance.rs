//! How much is sent to whom (RFC 6347 section 4.2.1, on amplification).

/// How many bytes may be sent to an address: as many as one likes if a cookie has
/// proved it, or else three times what came from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance(usize);

impl Allowance {
    /// For an address that is proved.
    #[cfg(feature = "alloc")]
    pub(crate) const PROVED: Self = Self(usize::MAX);
    /// For one that is not.
    pub(crate) const UNPROVED: Self = Self(0);

    pub(super) fn received(&mut self, length: usize) {
        self.0 = self.0.saturating_add(length.saturating_mul(3));
    }

    pub(super) fn allows(self, length: usize) -> bool {
        length <= self.0
    }

    pub(super) fn sent(&mut self, length: usize) {
        self.0 = self.0.saturating_sub(length);
    }
}
