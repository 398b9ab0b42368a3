//! What can be wrong with every structure.

use serde_json::json;

use super::cbor::Item;
use crate::hex::hex;
use crate::vectors::Vector;

/// A vector of bytes that decode to `fields`.
pub(super) fn decodes(name: &str, kind: &str, item: &Item, fields: serde_json::Value) -> Vector {
    let request = json!({ "op": "decode", "type": kind, "bytes": hex(&item.encode()) });
    Vector::accepted(name, request, fields).schema(true)
}

/// A vector of bytes that are malformed; `schema` tells whether the CDDL, too,
/// sees it.
pub(super) fn malformed(
    name: &str,
    because: &str,
    kind: &str,
    bytes: &[u8],
    schema: bool,
) -> Vector {
    let request = json!({ "op": "decode", "type": kind, "bytes": hex(bytes) });
    let name = format!("{kind}: {name}");
    Vector::refused(name, because, request, "malformed").schema(!schema)
}

/// The faults that an array of items can have whatever it means. `version` is
/// the index of its version, if it has one.
pub(super) fn broken(kind: &str, whole: &Item, version: Option<usize>) -> Vec<Vector> {
    let items = whole.items();
    let bytes = whole.encode();
    let count = items.len();
    let vector =
        |name: &str, because: &str, bytes: &[u8], seen| malformed(name, because, kind, bytes, seen);
    let content: Vec<u8> = items.iter().flat_map(Item::encode).collect();
    let small = u8::try_from(count).expect("a short array");
    let with_head = |head: &[u8], tail: &[u8]| [head, &content, tail].concat();
    let mut more = items.to_vec();
    more.push(Item::Null);
    let mut vectors = vec![
        vector("empty", "there is nothing", &[], true),
        vector("cut off", "the last byte is missing", &bytes[..bytes.len() - 1], true),
        Vector {
            // A validator of CDDL looks at the first item only.
            schema: None,
            ..vector("followed by a byte", "the input goes on", &[&bytes[..], &[0]].concat(), false)
        },
        vector(
            "indefinite length",
            "the array has no definite length (RFC 8949 section 4.2.1)",
            &with_head(&[0x9f], &[0xff]),
            false,
        ),
        vector(
            "long head",
            "the head of the array is not the shortest (RFC 8949 section 4.2.1)",
            &with_head(&[0x98, small], &[]),
            false,
        ),
        vector(
            "one item less",
            "the array is too short",
            &Item::Array(items[..count - 1].to_vec()).encode(),
            true,
        ),
        vector("one item more", "the array is too long", &Item::Array(more).encode(), true),
        vector(
            "map",
            "it is a map instead of an array",
            &[&[0xa0 | (small / 2)], &bytes[1..]].concat(),
            true,
        ),
    ];
    if let Some(index) = version {
        let other = whole.with(index, 2);
        let request = json!({ "op": "decode", "type": kind, "bytes": hex(&other.encode()) });
        let name = format!("{kind}: version 2");
        let because = "the version is not known";
        vectors.push(Vector::refused(name, because, request, "unknown version").schema(false));
        let mut longer = other.items().to_vec();
        longer.push(Item::Null);
        let bytes = Item::Array(longer).encode();
        let request = json!({ "op": "decode", "type": kind, "bytes": hex(&bytes) });
        let name = format!("{kind}: version 2 with one item more");
        let because = "the version is looked at before the length";
        vectors.push(Vector::refused(name, because, request, "unknown version").schema(false));
    }
    for (index, item) in items.iter().enumerate() {
        if let Item::Bytes(bytes) = item {
            let short = whole.with(index, &bytes[..bytes.len() - 1]).encode();
            let long = whole.with(index, [&bytes[..], &[0]].concat()).encode();
            vectors.push(vector(
                &format!("item {index} too short"),
                &format!("item {index}, counted from 0, has {} bytes", bytes.len() - 1),
                &short,
                true,
            ));
            vectors.push(vector(
                &format!("item {index} too long"),
                &format!("item {index}, counted from 0, has {} bytes", bytes.len() + 1),
                &long,
                true,
            ));
        }
        if matches!(item, Item::Uint(_) | Item::Bool(_)) {
            vectors.push(vector(
                &format!("item {index} in a byte string"),
                &format!("item {index}, counted from 0, is a byte string"),
                &whole.with(index, item.encode()).encode(),
                true,
            ));
        }
        if !matches!(item, Item::Null) {
            vectors.push(vector(
                &format!("item {index} of another type"),
                &format!("item {index}, counted from 0, is null"),
                &whole.with(index, Item::Null).encode(),
                true,
            ));
        }
    }
    vectors
}
