//! Places for many values of one size, each found by its number.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// How many places are made at a time: growing never moves what is there, and
/// takes no more than is needed.
const CHUNK: usize = 64;

/// Values in numbered places. A place that is free is used again, the last one
/// that became free first.
pub(super) struct Slab<T> {
    chunks: Vec<Box<[Place<T>]>>,
    first_free: Option<u32>,
    taken: usize,
}

enum Place<T> {
    Free { next: Option<u32> },
    Taken(T),
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self { chunks: Vec::new(), first_free: None, taken: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.taken
    }

    /// The place that [`Slab::insert`] will use next; `None` if its number would
    /// be `limit` or more.
    pub(super) fn next(&self, limit: u32) -> Option<u32> {
        let next = self.first_free.or_else(|| u32::try_from(self.places()).ok())?;
        (next < limit).then_some(next)
    }

    fn places(&self) -> usize {
        self.chunks.len().saturating_mul(CHUNK)
    }

    /// Puts `value` into the place that [`Slab::next`] has told.
    pub(super) fn insert(&mut self, value: T) {
        if self.first_free.is_none() {
            self.grow();
        }
        let Some(place) = self.first_free.and_then(|index| self.place(index)) else { return };
        if let Place::Free { next } = core::mem::replace(place, Place::Taken(value)) {
            self.first_free = next;
            self.taken = self.taken.saturating_add(1);
        }
    }

    fn grow(&mut self) {
        let (start, end) = (self.places(), self.places().saturating_add(CHUNK));
        let following = (start.saturating_add(1)..end).map(|index| u32::try_from(index).ok());
        let places = following.chain(core::iter::once(None)).map(|next| Place::Free { next });
        self.chunks.push(places.collect());
        self.first_free = u32::try_from(start).ok();
    }

    fn place(&mut self, index: u32) -> Option<&mut Place<T>> {
        let index = index as usize;
        self.chunks.get_mut(index / CHUNK)?.get_mut(index % CHUNK)
    }

    pub(super) fn get(&self, index: u32) -> Option<&T> {
        let index = index as usize;
        match self.chunks.get(index / CHUNK)?.get(index % CHUNK)? {
            Place::Taken(value) => Some(value),
            Place::Free { .. } => None,
        }
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        match self.place(index)? {
            Place::Taken(value) => Some(value),
            Place::Free { .. } => None,
        }
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let free = Place::Free { next: self.first_free };
        let place = self.place(index)?;
        match core::mem::replace(place, free) {
            Place::Taken(value) => {
                self.first_free = Some(index);
                self.taken = self.taken.saturating_sub(1);
                Some(value)
            }
            before => {
                *place = before;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn it_agrees_with_a_map(steps in prop::collection::vec((any::<bool>(), 0_u32..200), 0..400)) {
            let (mut slab, mut map) = (Slab::new(), BTreeMap::new());
            for (inserts, index) in steps {
                if inserts {
                    let place = slab.next(1000).unwrap();
                    prop_assert_eq!(map.insert(place, index), None, "a place is free");
                    slab.insert(index);
                } else {
                    prop_assert_eq!(slab.remove(index), map.remove(&index));
                }
                prop_assert_eq!(slab.len(), map.len());
                for index in 0..200 {
                    prop_assert_eq!(slab.get(index), map.get(&index));
                }
            }
        }
    }

    #[test]
    fn there_are_no_more_places_than_the_limit() {
        let mut slab = Slab::new();
        while slab.next(70).is_some() {
            slab.insert(());
        }
        assert_eq!(slab.len(), 70);
        slab.remove(3);
        assert_eq!(slab.next(70), Some(3));
    }
}
