//! Raw binary, as short as fields of fixed width allow: a structure without padding,
//! of which only the part that is used is stored.
//!
//! | what | how |
//! |---|---|
//! | number | in its full width, big-endian |
//! | truth value | one byte |
//! | byte string of fixed length | as it is |
//! | other byte string, text | behind its length: one byte, or two if its limit is above 255 |
//! | list | behind the number of its items, one byte |
//! | one of several types | behind a byte that says which |
//! | field that may be absent | behind a byte that says whether it is there |

use super::node::Node;

/// The node as bytes.
pub(super) fn packed(node: &Node) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(node, &mut bytes);
    bytes
}

fn write(node: &Node, out: &mut Vec<u8>) {
    match node {
        Node::Unsigned(number, width) => out.extend(&number.to_be_bytes()[8 - width..]),
        Node::Integer(number) => out.extend(number.to_be_bytes()),
        Node::Float(number) => out.extend(number.to_be_bytes()),
        Node::Bool(value) => out.push(u8::from(*value)),
        Node::Fixed(bytes) => out.extend(bytes),
        Node::Bytes(bytes, limit) => write_behind_length(bytes, *limit, out),
        Node::Text(text, limit) => write_behind_length(text.as_bytes(), *limit, out),
        Node::List(items, ..) => {
            out.push(u8::try_from(items.len()).expect("lists are short"));
            items.iter().for_each(|item| write(item, out));
        }
        Node::Structure(fields) => {
            for (field, node) in fields {
                if field.optional {
                    out.push(u8::from(node.is_some()));
                }
                node.iter().for_each(|node| write(node, out));
            }
        }
        Node::OneOf(number, node, _) => {
            out.push(*number);
            write(node, out);
        }
    }
}

fn write_behind_length(bytes: &[u8], limit: usize, out: &mut Vec<u8>) {
    let length = (bytes.len() as u64).to_be_bytes();
    out.extend(&length[8 - length_width(limit)..]);
    out.extend(bytes);
}

/// How many bytes the length of a byte string takes that may have `limit` bytes.
pub(super) fn length_width(limit: usize) -> usize {
    if limit > usize::from(u8::MAX) { 2 } else { 1 }
}
