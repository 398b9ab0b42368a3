//! An encoder of deterministic CBOR (RFC 8949 section 4.2.1) that shares nothing
//! with the core's.

/// An item of CBOR.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Uint(u64),
    /// −1 − n.
    Negative(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    Bool(bool),
    Null,
    /// An encoding as it is, right or wrong.
    Raw(Vec<u8>),
}

impl Item {
    pub(super) fn encode(&self) -> Vec<u8> {
        let headed = |major, content: &[u8]| [head(major, content.len() as u64), content.to_vec()];
        match self {
            Self::Uint(value) => head(0, *value),
            Self::Negative(value) => head(1, *value),
            Self::Bytes(bytes) => headed(2, bytes).concat(),
            Self::Text(text) => headed(3, text.as_bytes()).concat(),
            Self::Array(items) => {
                let items: Vec<u8> = items.iter().flat_map(Self::encode).collect();
                [head(4, self.items().len() as u64), items].concat()
            }
            Self::Bool(value) => vec![0xf4 + u8::from(*value)],
            Self::Null => vec![0xf6],
            Self::Raw(bytes) => bytes.clone(),
        }
    }

    /// The items of an array; none of anything else.
    pub(super) fn items(&self) -> &[Self] {
        if let Self::Array(items) = self { items } else { &[] }
    }

    /// The array with another item at `index`.
    pub(super) fn with(&self, index: usize, item: impl Into<Self>) -> Self {
        let mut items = self.items().to_vec();
        items[index] = item.into();
        Self::Array(items)
    }
}

fn head(major: u8, value: u64) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let (information, length) = match value {
        0..=23 => (bytes[7], 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    [&[major << 5 | information], &bytes[8 - length..]].concat()
}

pub(super) fn array<const N: usize>(items: [Item; N]) -> Item {
    Item::Array(items.to_vec())
}

impl From<u64> for Item {
    fn from(value: u64) -> Self {
        Self::Uint(value)
    }
}

impl From<bool> for Item {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&[u8]> for Item {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Item {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<const N: usize> From<[u8; N]> for Item {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}
