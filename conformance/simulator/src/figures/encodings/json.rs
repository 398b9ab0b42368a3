//! JSON (RFC 8259) as one would write it by hand, and rather too short than too long:
//! an object with the names of the fields, without spaces; byte strings in base64url
//! without padding (RFC 4648 section 5); the numbers of registries as numbers; one of
//! several types as it is; absent fields left out.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::node::Node;

/// The node as JSON.
pub(super) fn json(node: &Node) -> Value {
    match node {
        Node::Unsigned(number, _) => (*number).into(),
        Node::Integer(number) => (*number).into(),
        Node::Float(number) => (*number).into(),
        Node::Bool(value) => (*value).into(),
        Node::Fixed(bytes) | Node::Bytes(bytes, _) => BASE64URL_NOPAD.encode(bytes).into(),
        Node::Text(text, _) => text.as_str().into(),
        Node::List(items, ..) => items.iter().map(json).collect(),
        Node::Structure(fields) => {
            let present = fields.iter().filter_map(|(field, node)| Some((field, node.as_ref()?)));
            let members = present.map(|(field, node)| (field.name.to_owned(), json(node)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Node::OneOf(_, node, _) => json(node),
    }
}
