//! What may happen to bytes on their way: a few random changes. Shared by the
//! unit tests and the property suites.

use std::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

/// One change of a byte string.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// A byte takes another value.
    Set(Index, u8),
    /// One bit turns.
    Flip(Index, u8),
    /// A byte becomes one more, or one less.
    Nudge(Index, bool),
    /// A byte comes in between.
    Insert(Index, u8),
    /// A byte is missing.
    Remove(Index),
    /// Everything from here on is missing.
    Truncate(Index),
    /// A byte follows.
    Append(u8),
}

impl Edit {
    /// Changes `bytes`; some of them may be left as they were.
    pub(crate) fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        match self {
            Self::Append(byte) => bytes.push(*byte),
            Self::Insert(at, byte) => bytes.insert(at.index(length + 1), *byte),
            _ if length == 0 => {}
            Self::Set(at, byte) => bytes[at.index(length)] = *byte,
            Self::Flip(at, bit) => bytes[at.index(length)] ^= 1 << (bit % 8),
            Self::Nudge(at, up) => {
                let byte = &mut bytes[at.index(length)];
                *byte = if *up { byte.wrapping_add(1) } else { byte.wrapping_sub(1) };
            }
            Self::Remove(at) => {
                bytes.remove(at.index(length));
            }
            Self::Truncate(at) => bytes.truncate(at.index(length)),
        }
    }
}

/// One change, of the kinds that keep the length more often than not.
pub(crate) fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        3 => any::<(Index, u8)>().prop_map(|(at, byte)| Edit::Set(at, byte)),
        3 => any::<(Index, u8)>().prop_map(|(at, bit)| Edit::Flip(at, bit)),
        2 => any::<(Index, bool)>().prop_map(|(at, up)| Edit::Nudge(at, up)),
        1 => any::<(Index, u8)>().prop_map(|(at, byte)| Edit::Insert(at, byte)),
        1 => any::<Index>().prop_map(Edit::Remove),
        1 => any::<Index>().prop_map(Edit::Truncate),
        1 => any::<u8>().prop_map(Edit::Append),
    ]
}

/// `bytes` after all of `edits`.
pub(crate) fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    edits.iter().for_each(|edit| edit.apply(&mut bytes));
    bytes
}
