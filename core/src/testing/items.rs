//! CBOR written by hand, after RFC 8949 and the CDDL of SPEC.md alone, so that
//! encoders and decoders are not only compared with each other. Shared by the
//! unit tests and the property suites.

use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use super::edits::{Edit, edit, edited};

/// A data item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Number(u64),
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Item>),
    Bool(bool),
    Null,
}

/// How one head is written instead of in its shortest form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LongHead {
    /// Which item's, in the order in which the items begin.
    item: usize,
    /// Two to this power is the number of bytes of its argument, or 4 for an
    /// indefinite length.
    form: u8,
}

impl Item {
    /// The item in the deterministic form.
    pub(crate) fn encode(&self) -> Vec<u8> {
        self.encode_with(None)
    }

    fn encode_with(&self, long: Option<LongHead>) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut 0, long, &mut bytes);
        bytes
    }

    fn write(&self, count: &mut usize, long: Option<LongHead>, bytes: &mut Vec<u8>) {
        let form = long.filter(|long| long.item == *count).map(|long| long.form);
        *count += 1;
        let major = |major: u8, argument: usize, bytes: &mut Vec<u8>| {
            write_head(major, argument as u64, form, bytes);
        };
        match self {
            Self::Number(number) => write_head(0, *number, form, bytes),
            Self::Bytes(content) => {
                major(2, content.len(), bytes);
                bytes.extend(content);
            }
            Self::Text(text) => {
                major(3, text.len(), bytes);
                bytes.extend(text.as_bytes());
            }
            Self::List(items) => {
                major(4, items.len(), bytes);
                items.iter().for_each(|item| item.write(count, long, bytes));
                if form == Some(4) {
                    bytes.push(0xff);
                }
            }
            Self::Bool(value) => bytes.push(if *value { 0xf5 } else { 0xf4 }),
            Self::Null => bytes.push(0xf6),
        }
    }

    /// The number of items, this one and all within it.
    fn count(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            _ => 1,
        }
    }

    /// The item that begins as number `index`, counted from 0.
    fn find(&mut self, index: usize) -> Option<&mut Self> {
        if index == 0 {
            return Some(self);
        }
        let Self::List(items) = self else { return None };
        let mut before = 1;
        for item in items {
            let count = item.count();
            if index < before + count {
                return item.find(index - before);
            }
            before += count;
        }
        None
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }
}

fn write_head(major: u8, argument: u64, form: Option<u8>, bytes: &mut Vec<u8>) {
    let shortest = match argument {
        0..24 => None,
        24..0x100 => Some(0),
        0x100..0x1_0000 => Some(1),
        0x1_0000..0x1_0000_0000 => Some(2),
        _ => Some(3),
    };
    let major = major << 5;
    match form.or(shortest).max(shortest) {
        None => bytes.push(major | argument as u8),
        Some(form @ 0..=3) => {
            bytes.push(major | (24 + form));
            bytes.extend(&argument.to_be_bytes()[8 - (1 << form)..]);
        }
        Some(_) => bytes.push(major | 31),
    }
}

/// One change of an encoding: of its bytes, or of its structure.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Edits(Vec<Edit>),
    /// An item becomes another.
    Replace(Index, Item),
    /// A list loses one of its items, or has it twice.
    Resize(Index, Index, bool),
    /// A head is longer than it need be, or of indefinite length.
    Lengthen(Index, u8),
}

impl Change {
    /// The encoding of `item` with this change.
    pub(crate) fn apply(&self, item: &Item) -> Vec<u8> {
        let mut item = item.clone();
        let count = item.count();
        match self {
            Self::Edits(edits) => return edited(&item.encode(), edits),
            Self::Replace(at, new) => {
                if let Some(old) = item.find(at.index(count)) {
                    *old = new.clone();
                }
            }
            Self::Resize(at, which, twice) => {
                if let Some(Item::List(items)) = item.find(at.index(count))
                    && !items.is_empty()
                {
                    let which = which.index(items.len());
                    if *twice {
                        items.insert(which, items[which].clone());
                    } else {
                        items.remove(which);
                    }
                }
            }
            Self::Lengthen(at, form) => {
                let long = LongHead { item: at.index(count), form: form % 5 };
                return item.encode_with(Some(long));
            }
        }
        item.encode()
    }
}

/// Any change, most of them small.
pub(crate) fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => prop::collection::vec(edit(), 1..4).prop_map(Change::Edits),
        2 => (any::<Index>(), any_item()).prop_map(|(at, item)| Change::Replace(at, item)),
        1 => any::<(Index, Index, bool)>().prop_map(|(at, which, twice)| {
            Change::Resize(at, which, twice)
        }),
        1 => any::<(Index, u8)>().prop_map(|(at, form)| Change::Lengthen(at, form)),
    ]
}

fn any_item() -> impl Strategy<Value = Item> {
    prop_oneof![
        4 => number(u64::MAX),
        2 => (0..80_usize).prop_flat_map(bytes),
        1 => "\\PC{0,20}".prop_map(Item::Text),
        1 => Just(Item::List(Vec::new())),
        1 => any::<bool>().prop_map(Item::Bool),
        1 => Just(Item::Null),
    ]
}

/// A number up to `greatest`, of every length in which numbers are written.
pub(crate) fn number(greatest: u64) -> BoxedStrategy<Item> {
    integer(greatest).prop_map(Item::Number).boxed()
}

/// The same as a plain number.
pub(crate) fn integer(greatest: u64) -> BoxedStrategy<u64> {
    let up_to = move |end: u64| 0..=greatest.min(end);
    prop_oneof![
        up_to(24),
        up_to(u64::from(u8::MAX) + 1),
        up_to(u64::from(u16::MAX) + 1),
        up_to(u64::from(u32::MAX) + 1),
        0..=greatest,
        greatest.saturating_sub(1)..=greatest,
    ]
    .boxed()
}

/// A byte string of this length.
pub(crate) fn bytes(length: usize) -> BoxedStrategy<Item> {
    opaque(length).prop_map(Item::Bytes).boxed()
}

/// Bytes that have no meaning: keys, signatures and the like.
pub(crate) fn opaque(length: usize) -> BoxedStrategy<Vec<u8>> {
    let expand = move |seed: u64| {
        let mut state = seed | 1;
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..length).map(next).collect()
    };
    any::<u64>().prop_map(expand).boxed()
}

/// The name of a party: 1 to 32 bytes without control characters.
pub(crate) fn name() -> BoxedStrategy<String> {
    prop_oneof!["[a-z0-9 -]{1,32}", "[a-z]{32}", "[µß€水🐝]{1,8}"].boxed()
}

/// Two dates, the first before the second.
fn dates() -> BoxedStrategy<(Item, Item)> {
    (integer(u64::MAX - 1), integer(u64::MAX - 1))
        .prop_map(|(one, other)| {
            let (from, to) = (one.min(other), one.max(other) + 1);
            (Item::Number(from), Item::Number(to))
        })
        .boxed()
}

/// A certificate (SPEC.md section 3.1).
pub(crate) fn certificate() -> BoxedStrategy<Item> {
    (name(), dates(), bytes(32), bytes(33), bytes(64))
        .prop_map(|(name, (created, expires), exchange, signing, signature)| {
            let name = Item::Text(name);
            let version = Item::Number(1);
            Item::List(std::vec![version, name, created, expires, exchange, signing, signature])
        })
        .boxed()
}

/// An endorsement (SPEC.md section 4.1).
pub(crate) fn endorsement() -> BoxedStrategy<Item> {
    (bytes(16), dates(), number(7), number(31), bytes(64))
        .prop_map(|(issuer, (created, expires), roles, rights, signature)| {
            let version = Item::Number(1);
            Item::List(std::vec![version, issuer, created, expires, roles, rights, signature])
        })
        .boxed()
}

/// A credential (SPEC.md section 4.2).
pub(crate) fn credential() -> BoxedStrategy<Item> {
    (certificate(), prop::collection::vec(endorsement(), 0..=4))
        .prop_map(|(certificate, all)| Item::List(std::vec![certificate, Item::List(all)]))
        .boxed()
}

/// The properties of a decoder of CBOR: all that the specification allows, as
/// `$items` generates it, is accepted; whatever is accepted encodes to the same
/// bytes; and nothing panics. `$reencode` decodes, and encodes again.
macro_rules! codec_properties {
    ($name:ident, $items:expr, $reencode:expr) => {
        mod $name {
            use super::*;

            proptest! {
                #[test]
                fn what_is_specified_is_accepted(item in $items) {
                    let bytes = item.encode();
                    prop_assert_eq!($reencode(&bytes[..]), Some(bytes));
                }

                #[test]
                fn what_is_accepted_encodes_to_the_same_bytes(
                    item in $items,
                    change in $crate::testing::items::change(),
                ) {
                    let bytes = change.apply(&item);
                    if let Some(again) = $reencode(&bytes[..]) {
                        prop_assert_eq!(again, bytes);
                    }
                }

                #[test]
                fn any_bytes_are_decoded_without_a_panic(
                    bytes in prop::collection::vec(any::<u8>(), 0..200),
                ) {
                    if let Some(again) = $reencode(&bytes[..]) {
                        prop_assert_eq!(again, bytes);
                    }
                }
            }

            /// Or else the second property would say nothing.
            #[test]
            fn a_fair_share_of_what_was_changed_is_accepted() {
                let accepts = |bytes: &[u8]| $reencode(bytes).is_some();
                $crate::testing::items::assert_fair_share(&$items, accepts);
            }
        }
    };
}
pub(crate) use codec_properties;

/// Asserts that a decoder accepts not too few, and not all, changed encodings.
pub(crate) fn assert_fair_share(
    items: &impl Strategy<Value = Item>,
    accepts: impl Fn(&[u8]) -> bool,
) {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let changed = (items, change()).prop_map(|(item, change)| (item.encode(), change.apply(&item)));
    let (mut accepted, mut refused) = (0, 0);
    while accepted + refused < 200 {
        let tree = changed.new_tree(&mut runner).expect("no strategy here rejects");
        let (before, after) = proptest::strategy::ValueTree::current(&tree);
        match accepts(&after) {
            true if before != after => accepted += 1,
            true => {}
            false => refused += 1,
        }
    }
    assert!(accepted >= 20 && refused >= 20, "{accepted} accepted, {refused} refused");
}
