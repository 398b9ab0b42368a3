//! Raw binary as a C compiler lays a structure out in memory: every field has the room
//! that it may ever need, and begins at a multiple of its alignment.
//!
//! | what | how |
//! |---|---|
//! | number, truth value | `uint8_t` to `uint64_t`, `int64_t`, `double`, `bool` |
//! | byte string of fixed length | an array |
//! | other byte string, text | a structure: the length, and an array as long as its limit |
//! | list | a structure: `uint8_t` for how many, and an array as long as its limit |
//! | one of several types | a structure: `uint8_t` for which, and a union |
//! | field that may be absent | a structure: `bool` for whether it is there, and the value |
//!
//! The alignment of a number is its size, as on AArch64, x86-64 and Arm's 32-bit EABI;
//! that of a structure or union is the greatest of its members, and its size is a
//! multiple of it.

use super::node::{Field, Node, Type};
use super::packed::length_width;

/// The node as bytes, little-endian; what is not used is zero.
pub(super) fn c_structure(node: &Node) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(node, &mut bytes);
    bytes
}

/// Size and alignment, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) size: usize,
    pub(super) alignment: usize,
}

impl Layout {
    const fn number(size: usize) -> Self {
        Self { size, alignment: size }
    }

    const fn array(self, count: usize) -> Self {
        Self { size: self.size * count, ..self }
    }

    /// A structure of these members.
    fn structure(members: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self { size: 0, alignment: 1 };
        for member in members {
            whole.size = whole.size.next_multiple_of(member.alignment) + member.size;
            whole.alignment = whole.alignment.max(member.alignment);
        }
        Self { size: whole.size.next_multiple_of(whole.alignment), ..whole }
    }

    fn union(members: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self { size: 0, alignment: 1 };
        for member in members {
            whole.size = whole.size.max(member.size);
            whole.alignment = whole.alignment.max(member.alignment);
        }
        Self { size: whole.size.next_multiple_of(whole.alignment), ..whole }
    }

    pub(super) fn of(of: &Type) -> Self {
        let byte = Self::number(1);
        match of {
            Type::Unsigned(width) => Self::number(*width),
            Type::Integer | Type::Float => Self::number(8),
            Type::Bool => byte,
            Type::Fixed(length) => byte.array(*length),
            Type::Bytes(limit) | Type::Text(limit) => {
                Self::structure([Self::number(length_width(*limit)), byte.array(*limit)])
            }
            Type::List(of, limit) => Self::structure([byte, Self::of(of).array(*limit)]),
            Type::Structure(fields) => Self::structure(fields.iter().map(Self::of_field)),
            Type::OneOf(types) => Self::structure([byte, Self::union(types.iter().map(Self::of))]),
        }
    }

    fn of_field(field: &Field) -> Self {
        let value = Self::of(&field.of);
        if field.optional { Self::structure([Self::number(1), value]) } else { value }
    }
}

/// Appends the node to what is in `out`, which ends where the node may begin.
fn write(node: &Node, out: &mut Vec<u8>) {
    match node {
        Node::Unsigned(number, width) => out.extend(&number.to_le_bytes()[..*width]),
        Node::Integer(number) => out.extend(number.to_le_bytes()),
        Node::Float(number) => out.extend(number.to_le_bytes()),
        Node::Bool(value) => out.push(u8::from(*value)),
        Node::Fixed(bytes) => out.extend(bytes),
        Node::Bytes(bytes, limit) => write_behind_length(bytes, *limit, out),
        Node::Text(text, limit) => write_behind_length(text.as_bytes(), *limit, out),
        Node::List(items, of, limit) => {
            let item = Layout::of(of);
            out.push(u8::try_from(items.len()).expect("lists are short"));
            pad(out, item.alignment);
            items.iter().for_each(|node| write(node, out));
            skip(out, item.array(limit - items.len()).size);
            pad(out, item.alignment);
        }
        Node::Structure(fields) => {
            let whole = Layout::structure(fields.iter().map(|(field, _)| Layout::of_field(field)));
            for (field, node) in fields {
                write_field(field, node.as_ref(), out);
            }
            pad(out, whole.alignment);
        }
        Node::OneOf(number, node, types) => {
            let union = Layout::union(types.iter().map(Layout::of));
            out.push(*number);
            pad(out, union.alignment);
            let end = out.len() + union.size;
            write(node, out);
            out.resize(end, 0);
        }
    }
}

fn write_field(field: &Field, node: Option<&Node>, out: &mut Vec<u8>) {
    let value = Layout::of(&field.of);
    pad(out, value.alignment);
    if field.optional {
        out.push(u8::from(node.is_some()));
        pad(out, value.alignment);
    }
    match node {
        Some(node) => write(node, out),
        None => skip(out, value.size),
    }
}

fn write_behind_length(bytes: &[u8], limit: usize, out: &mut Vec<u8>) {
    let width = length_width(limit);
    out.extend(&(bytes.len() as u64).to_le_bytes()[..width]);
    out.extend(bytes);
    skip(out, limit - bytes.len());
    pad(out, width);
}

/// Leaves `length` bytes unused.
fn skip(out: &mut Vec<u8>, length: usize) {
    out.resize(out.len() + length, 0);
}

fn pad(out: &mut Vec<u8>, alignment: usize) {
    out.resize(out.len().next_multiple_of(alignment), 0);
}
