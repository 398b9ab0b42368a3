//! Which place belongs to an address.

use core::hash::{Hash, Hasher as _};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

/// The numbers of places, by the addresses that are kept there.
///
/// Addresses come from the network: a secret key of the hash keeps anyone from
/// choosing many that are slow to tell apart.
pub(super) struct Addresses {
    keyed: SipHasher13,
    places: HashTable<u32>,
}

impl Addresses {
    /// None, by the hash with this `key`.
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self { keyed: SipHasher13::new_with_key(key), places: HashTable::new() }
    }

    /// The place of `address`; `address_of` tells what is kept in a place.
    pub(super) fn get<A: Hash + Eq>(
        &self,
        address: &A,
        address_of: impl Fn(u32) -> Option<A>,
    ) -> Option<u32> {
        let is_there = |place: &u32| address_of(*place).as_ref() == Some(address);
        self.places.find(hash(&self.keyed, address), is_there).copied()
    }

    /// Notes that `address` is kept in `place`; gives the place that it had.
    pub(super) fn insert<A: Hash + Eq>(
        &mut self,
        address: &A,
        place: u32,
        address_of: impl Fn(u32) -> Option<A>,
    ) -> Option<u32> {
        let is_there = |place: &u32| address_of(*place).as_ref() == Some(address);
        let hashed = hash(&self.keyed, address);
        if let Some(kept) = self.places.find_mut(hashed, is_there) {
            return Some(core::mem::replace(kept, place));
        }
        let keyed = &self.keyed;
        let again = |place: &u32| address_of(*place).map_or(0, |address| hash(keyed, &address));
        self.places.insert_unique(hashed, place, again);
        None
    }

    /// Forgets that `address` is kept in `place`.
    pub(super) fn remove(&mut self, address: &impl Hash, place: u32) {
        let hashed = hash(&self.keyed, address);
        if let Ok(entry) = self.places.find_entry(hashed, |kept| *kept == place) {
            entry.remove();
        }
    }
}

fn hash(keyed: &SipHasher13, address: &impl Hash) -> u64 {
    let mut hasher = *keyed;
    address.hash(&mut hasher);
    hasher.finish()
}
