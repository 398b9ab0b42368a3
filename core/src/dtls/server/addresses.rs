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
    /// The place that was found last: datagrams come in runs.
    recent: Option<u32>,
}

impl Addresses {
    /// None, by the hash with this `key`.
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self { keyed: SipHasher13::new_with_key(key), places: HashTable::new(), recent: None }
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

    /// As [`Addresses::get`], which is not asked if it was the same address as last time.
    #[inline]
    pub(super) fn get_again<A: Hash + Eq>(
        &mut self,
        address: &A,
        address_of: impl Fn(u32) -> Option<A>,
    ) -> Option<u32> {
        if let Some(recent) = self.recent
            && address_of(recent).as_ref() == Some(address)
        {
            return Some(recent);
        }
        self.recent = self.get(address, address_of);
        self.recent
    }

    /// Notes that `address` is kept in `place`; gives the place that it had.
    pub(super) fn insert<A: Hash + Eq>(
        &mut self,
        address: &A,
        place: u32,
        address_of: impl Fn(u32) -> Option<A>,
    ) -> Option<u32> {
        self.recent = None;
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
        self.recent = None;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As the table does it, but what is kept in a place stays there after it was
        /// removed, as a session does whose farewell waits.
        #[test]
        fn it_agrees_with_a_map_however_often_the_same_is_asked(
            steps in prop::collection::vec((0..3_u8, 0..4_u8), 0..60),
        ) {
            let mut addresses = Addresses::new(&[7; 16]);
            let mut map = BTreeMap::new();
            let mut kept = Vec::new();
            for (step, address) in steps {
                match step {
                    0 => {
                        let place = kept.len() as u32;
                        kept.push(address);
                        let replaced = addresses.insert(&address, place, |it| kept.get(it as usize).copied());
                        prop_assert_eq!(replaced, map.insert(address, place));
                    }
                    1 => if let Some(place) = map.remove(&address) {
                        addresses.remove(&address, place);
                    },
                    _ => {}
                }
                for _ in 0..2 {
                    let found = addresses.get_again(&address, |it| kept.get(it as usize).copied());
                    prop_assert_eq!(found, map.get(&address).copied());
                    prop_assert_eq!(addresses.get(&address, |it| kept.get(it as usize).copied()), found);
                }
            }
        }
    }
}
