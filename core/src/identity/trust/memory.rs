//! Which signatures were found valid, so that none is verified twice.

#[cfg(feature = "alloc")]
use alloc::{boxed::Box, collections::BTreeSet};

use super::Trust;
use crate::crypto::{Provider, Sha256Digest};
use crate::identity::{Credential, Refusal, Role, VerifiedCertificate};
use crate::time::UnixTime;

/// How many credentials a party remembers that doesn't say otherwise: those of a
/// device's gateway, and of the ones that it may move to.
const FEW: usize = 3;

/// Remembers of which credentials the signatures were found valid: the one of the
/// certificate, and the one of the endorsement that was relied on.
///
/// What is kept is a hash over all that is signed, the keys, and the signatures.
/// Whether a signature is valid depends on nothing else, so that nothing that is kept
/// can become wrong; everything else (dates, lists, revocations, roles) is decided
/// anew each time. Only what leads to trust is kept: nobody fills this whom no party
/// on the list has endorsed.
#[derive(Clone, Debug, Default)]
pub struct SignatureMemory {
    few: [Option<Sha256Digest>; FEW],
    /// Which of them came first: the next one takes its place.
    first: u8,
    #[cfg(feature = "alloc")]
    many: Option<Box<Generations>>,
}

impl SignatureMemory {
    /// An empty memory for three credentials; when a fourth comes, the first one is
    /// forgotten.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            few: [None; FEW],
            first: 0,
            #[cfg(feature = "alloc")]
            many: None,
        }
    }

    /// Has room for at least so many credentials from now on, and at most twice as
    /// many; of each, some 50 bytes are taken from the heap. Those that were not used
    /// for longest are forgotten.
    #[cfg(feature = "alloc")]
    pub fn reserve(&mut self, credentials: usize) {
        if credentials > FEW {
            let generations = self.many.get_or_insert_default();
            generations.size = generations.size.max(credentials);
        }
    }

    pub(super) fn has(&mut self, digest: &Sha256Digest) -> bool {
        #[cfg(feature = "alloc")]
        if let Some(many) = &mut self.many {
            return many.has(digest);
        }
        self.few.contains(&Some(*digest))
    }

    pub(super) fn keep(&mut self, digest: Sha256Digest) {
        #[cfg(feature = "alloc")]
        if let Some(many) = &mut self.many {
            return many.keep(digest);
        }
        if let Some(place) = self.few.get_mut(usize::from(self.first)) {
            *place = Some(digest);
        }
        self.first = if usize::from(self.first) + 1 < FEW { self.first + 1 } else { 0 };
    }
}

/// Many credentials: those that were used since the last change of generations, and
/// those of the generation before. A tree and no hash table: nobody can make it slow
/// by choosing what is in it.
#[cfg(feature = "alloc")]
#[derive(Clone, Debug, Default)]
struct Generations {
    size: usize,
    young: BTreeSet<Sha256Digest>,
    old: BTreeSet<Sha256Digest>,
}

#[cfg(feature = "alloc")]
impl Generations {
    fn has(&mut self, digest: &Sha256Digest) -> bool {
        if self.young.contains(digest) {
            return true;
        }
        let is_old = self.old.remove(digest);
        if is_old {
            self.keep(*digest);
        }
        is_old
    }

    fn keep(&mut self, digest: Sha256Digest) {
        if self.young.len() >= self.size {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(digest);
    }
}

/// Whom a verifier trusts, and what it remembers, if anything.
#[derive(Debug)]
pub struct Verifier<'a, T> {
    trust: &'a T,
    memory: Option<&'a mut SignatureMemory>,
}

impl<'a, T: Trust> Verifier<'a, T> {
    /// One that verifies no signature again that is in `memory`.
    pub const fn with_memory(trust: &'a T, memory: &'a mut SignatureMemory) -> Self {
        Self { trust, memory: Some(memory) }
    }

    /// [`TrustStore::verify`](super::TrustStore::verify); of the same credential, the
    /// signatures are verified once.
    ///
    /// # Errors
    /// As there.
    pub fn verify<P: Provider>(
        &mut self,
        provider: &P,
        credential: &Credential,
        role: Role,
        now: UnixTime,
    ) -> Result<VerifiedCertificate, Refusal> {
        self.trust.verify(provider, credential, role, now, self.memory.as_deref_mut())
    }
}

/// One that remembers nothing.
impl<'a, T> From<&'a T> for Verifier<'a, T> {
    fn from(trust: &'a T) -> Self {
        Self { trust, memory: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Sha256Digest {
        [number; 32]
    }

    #[test]
    fn a_small_memory_forgets_what_came_first() {
        let mut memory = SignatureMemory::new();
        for number in 0..5 {
            assert!(!memory.has(&digest(number)));
            memory.keep(digest(number));
        }
        assert!((0..2).all(|number| !memory.has(&digest(number))));
        assert!((2..5).all(|number| memory.has(&digest(number))));
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn a_large_memory_keeps_what_is_used_and_has_its_limit() {
        let mut memory = SignatureMemory::new();
        memory.reserve(10);
        for number in 0..=255 {
            memory.keep(digest(number));
            assert!(memory.has(&digest(0)), "used all the time, forgotten at {number}");
            assert!(memory.has(&digest(number.saturating_sub(3))), "at {number}");
        }
        let many = memory.many.unwrap();
        assert!(many.young.len() <= 10 && many.old.len() <= 10);
    }
}
