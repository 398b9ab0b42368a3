use iot_crypto::transmission::{Kind, MAX_LABEL, MAX_VALUE, Value};
use iot_crypto::wire::Writer;
use minicbor::Encoder;

use super::c_structure::{Layout, c_structure};
use super::node::{Node, Type};
use super::*;

/// The node as CBOR, in the one form that the protocol allows.
fn write_cbor(node: &Node, encoder: &mut Encoder<Writer<'_>>) {
    match node {
        Node::Unsigned(number, _) => drop(encoder.u64(*number).unwrap()),
        Node::Integer(number) => drop(encoder.i64(*number).unwrap()),
        Node::Float(number) => drop(encoder.encode(Value::Float(*number)).unwrap()),
        Node::Bool(value) => drop(encoder.bool(*value).unwrap()),
        Node::Fixed(bytes) | Node::Bytes(bytes, _) => drop(encoder.bytes(bytes).unwrap()),
        Node::Text(text, _) => drop(encoder.str(text).unwrap()),
        Node::List(items, ..) => {
            encoder.array(items.len() as u64).unwrap();
            items.iter().for_each(|item| write_cbor(item, encoder));
        }
        Node::Structure(fields) => {
            let last = fields.iter().rposition(|(_, node)| node.is_some()).unwrap();
            encoder.array(last as u64 + 1).unwrap();
            for (_, node) in &fields[..=last] {
                match node {
                    Some(node) => write_cbor(node, encoder),
                    None => drop(encoder.null().unwrap()),
                }
            }
        }
        Node::OneOf(_, node, _) => write_cbor(node, encoder),
    }
}

/// The numbers, texts and other leaves of the node, in their order.
fn leaves<'a>(node: &'a mut Node, found: &mut Vec<&'a mut Node>) {
    match node {
        Node::List(items, ..) => items.iter_mut().for_each(|item| leaves(item, found)),
        Node::Structure(fields) => {
            fields
                .iter_mut()
                .filter_map(|(_, node)| node.as_mut())
                .for_each(|node| leaves(node, found));
        }
        Node::OneOf(_, node, _) => leaves(node, found),
        leaf => found.push(leaf),
    }
}

fn change(leaf: &mut Node) {
    match leaf {
        Node::Unsigned(number, _) => *number ^= 1,
        Node::Integer(number) => *number ^= 1,
        Node::Float(number) => *number += 1.0,
        Node::Bool(value) => *value = !*value,
        Node::Fixed(bytes) | Node::Bytes(bytes, _) => *bytes.last_mut().unwrap() ^= 1,
        Node::Text(text, _) if text.is_empty() => text.push('x'),
        Node::Text(text, _) => drop(text.pop()),
        inner => panic!("no leaf: {inner:?}"),
    }
}

#[test]
fn the_nodes_are_all_that_the_core_encodes() {
    let structures = structures(1);
    for Structure { name, cbor, node } in &structures {
        let mut buffer = [0; 1200];
        let mut encoder = Encoder::new(Writer::new(&mut buffer));
        write_cbor(node, &mut encoder);
        let length = encoder.into_writer().finish().unwrap();
        assert_eq!(buffer[..length], *cbor, "{name}");
    }
    for kind in Kind::ALL {
        let is_of_kind = |structure: &Structure| structure.name.starts_with(&kind.to_string());
        assert!(structures.iter().any(is_of_kind), "{kind} lacks");
    }
}

#[test]
fn every_rendering_has_every_field() {
    for Structure { name, node, .. } in structures(1) {
        let renderings =
            |node: &Node| (json::json(node).to_string(), packed::packed(node), c_structure(node));
        let before = renderings(&node);
        let count = {
            let mut node = node.clone();
            let mut found = Vec::new();
            leaves(&mut node, &mut found);
            found.len()
        };
        assert!(count >= 2, "{name}");
        for number in 0..count {
            let mut changed = node.clone();
            let mut found = Vec::new();
            leaves(&mut changed, &mut found);
            change(found.swap_remove(number));
            let after = renderings(&changed);
            assert_ne!(before.0, after.0, "{name}: leaf {number} lacks in JSON");
            assert_ne!(before.1, after.1, "{name}: leaf {number} lacks in the packed form");
            assert_ne!(before.2, after.2, "{name}: leaf {number} lacks in the C structure");
        }
    }
}

#[test]
fn an_item_too_many_or_too_few_is_not_read() {
    let certificate = &structures(1)[0];
    let fields = schema::CERTIFICATE;
    assert!(Node::read(fields, &certificate.cbor).is_ok());
    assert!(Node::read(&fields[..6], &certificate.cbor).is_err());
    assert!(Node::read(schema::ENDORSEMENT, &certificate.cbor).is_err());
    assert!(Node::read(fields, &[certificate.cbor.as_slice(), &[0]].concat()).is_err());
    let one_more_announced = [&[0x88], &certificate.cbor[1..]].concat();
    assert!(Node::read(fields, &one_more_announced).is_err());
}

/// The structures as Rust lays them out under C's rules.
#[allow(dead_code)]
mod c {
    #[repr(C)]
    pub(super) struct Bytes<const N: usize> {
        length: u8,
        bytes: [u8; N],
    }

    #[repr(C)]
    pub(super) struct LongBytes {
        length: u16,
        bytes: [u8; 256],
    }

    #[repr(C)]
    pub(super) struct Optional<T> {
        is_there: bool,
        value: T,
    }

    #[repr(C)]
    pub(super) struct List<T, const N: usize> {
        length: u8,
        items: [T; N],
    }

    #[repr(C)]
    pub(super) struct Certificate {
        version: u8,
        name: Bytes<32>,
        created: u64,
        expires: u64,
        exchange_key: [u8; 32],
        signing_key: [u8; 33],
        signature: [u8; 64],
    }

    /// A tag and a union.
    #[repr(C, u8)]
    pub(super) enum Label {
        Number(u16),
        Text(Bytes<{ super::MAX_LABEL }>),
    }

    #[repr(C, u8)]
    pub(super) enum Value {
        Bool(bool),
        Integer(i64),
        Float(f64),
        Text(Bytes<{ super::MAX_VALUE }>),
        Bytes(Bytes<{ super::MAX_VALUE }>),
    }

    #[repr(C)]
    pub(super) struct Reading {
        label: Label,
        value: Value,
        unit: Optional<u8>,
        time: Optional<u64>,
    }

    #[repr(C)]
    pub(super) struct DataResponse {
        kind: u8,
        id: u32,
        readings: List<Reading, 8>,
        subject: Optional<[u8; 16]>,
    }

    #[repr(C)]
    pub(super) struct Revocation {
        kind: u8,
        id: u32,
        revocation: LongBytes,
        subject: Optional<[u8; 16]>,
    }
}

#[test]
fn c_structures_have_the_layout_that_a_compiler_gives_them() {
    fn check<T>(fields: &'static [Field]) {
        let layout = Layout { size: size_of::<T>(), alignment: align_of::<T>() };
        assert_eq!(Layout::of(&Type::Structure(fields)), layout);
    }
    check::<c::Certificate>(schema::CERTIFICATE);
    check::<c::Reading>(schema::READING);
    check::<c::DataResponse>(schema::message(Kind::DataResponse));
    check::<c::Revocation>(schema::message(Kind::Revocation));
    for Structure { name, node, .. } in structures(1) {
        let Node::Structure(fields) = &node else { panic!("{name}") };
        let fields: &'static [Field] =
            fields.iter().map(|(field, _)| *field).copied().collect::<Vec<_>>().leak();
        assert_eq!(c_structure(&node).len(), Layout::of(&Type::Structure(fields)).size, "{name}");
    }
}

#[test]
fn the_packed_form_of_an_acknowledgement_is_as_documented() {
    let node = Node::read(schema::message(Kind::Acknowledgement), &[0x83, 7, 9, 0xf5]).unwrap();
    assert_eq!(packed::packed(&node), [7, 0, 0, 0, 9, 1, 0]);
    assert_eq!(json::json(&node).to_string(), r#"{"id":9,"kind":7,"nothing-waiting":true}"#);
}
