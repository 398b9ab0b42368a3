//! A structure with what CBOR leaves out: the names of its fields, and how large
//! each may become.
//!
//! A node is read from the core's own encoding, and reading fails on an item too many
//! or too few, so that no rendering of the node can forget a field.

use minicbor::Decoder;
use minicbor::data::Type as CborType;
use minicbor::decode::Error;

/// The type of an item, with the greatest size that the protocol allows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Type {
    /// A whole number of so many bytes, without a sign.
    Unsigned(usize),
    /// A whole number of eight bytes, with a sign.
    Integer,
    /// A floating-point number of eight bytes.
    Float,
    /// True or false.
    Bool,
    /// So many bytes.
    Fixed(usize),
    /// At most so many bytes.
    Bytes(usize),
    /// A text of at most so many bytes.
    Text(usize),
    /// At most so many items of a type.
    List(&'static Type, usize),
    /// Fields, in their order.
    Structure(&'static [Field]),
    /// One of several types, which CBOR tells apart by itself.
    OneOf(&'static [Type]),
}

/// A field of a structure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) of: Type,
    /// Whether it may be absent: left out at the end of its array, or null.
    pub(super) optional: bool,
}

/// An item that was read, with as much of its type as its renderings need.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Unsigned(u64, usize),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Fixed(Vec<u8>),
    Bytes(Vec<u8>, usize),
    Text(String, usize),
    List(Vec<Node>, &'static Type, usize),
    Structure(Vec<(&'static Field, Option<Node>)>),
    OneOf(u8, Box<Node>, &'static [Type]),
}

impl Node {
    /// Reads the whole of `encoding` as a structure of these fields.
    pub(super) fn read(fields: &'static [Field], encoding: &[u8]) -> Result<Self, Error> {
        let mut decoder = Decoder::new(encoding);
        let node = structure(fields, &mut decoder)?;
        if decoder.position() == encoding.len() { Ok(node) } else { Err(Error::message("more")) }
    }
}

fn read(of: &'static Type, decoder: &mut Decoder<'_>) -> Result<Node, Error> {
    Ok(match *of {
        Type::Unsigned(width) => Node::Unsigned(unsigned(width, decoder)?, width),
        Type::Integer => Node::Integer(decoder.i64()?),
        Type::Float => Node::Float(decoder.f64()?),
        Type::Bool => Node::Bool(decoder.bool()?),
        Type::Fixed(length) => Node::Fixed(bytes(decoder, |found| found == length)?),
        Type::Bytes(limit) => Node::Bytes(bytes(decoder, |found| found <= limit)?, limit),
        Type::Text(limit) => match decoder.str()? {
            text if text.len() <= limit => Node::Text(text.to_owned(), limit),
            _ => return Err(Error::message("too long a text")),
        },
        Type::List(of, limit) => {
            let length = array(decoder)?;
            if length > limit {
                return Err(Error::message("too many items"));
            }
            let items = (0..length).map(|_| read(of, decoder)).collect::<Result<_, _>>()?;
            Node::List(items, of, limit)
        }
        Type::Structure(fields) => structure(fields, decoder)?,
        Type::OneOf(types) => {
            let chosen = (0..).zip(types).find_map(|(number, of)| {
                let mut ahead = decoder.clone();
                let node = read(of, &mut ahead).ok()?;
                *decoder = ahead;
                Some(Node::OneOf(number, Box::new(node), types))
            });
            chosen.ok_or_else(|| Error::message("none of the types"))?
        }
    })
}

fn structure(fields: &'static [Field], decoder: &mut Decoder<'_>) -> Result<Node, Error> {
    let mut left = array(decoder)?;
    let mut nodes = Vec::new();
    for field in fields {
        let node = if left == 0 {
            None
        } else if decoder.datatype()? == CborType::Null {
            decoder.null()?;
            None
        } else {
            Some(read(&field.of, decoder)?)
        };
        if node.is_none() && !field.optional {
            return Err(Error::message("a field lacks"));
        }
        left = left.saturating_sub(1);
        nodes.push((field, node));
    }
    if left == 0 { Ok(Node::Structure(nodes)) } else { Err(Error::message("a field more")) }
}

fn array(decoder: &mut Decoder<'_>) -> Result<usize, Error> {
    let length = decoder.array()?.ok_or_else(|| Error::message("an indefinite length"))?;
    usize::try_from(length).map_err(|_| Error::message("too long"))
}

fn unsigned(width: usize, decoder: &mut Decoder<'_>) -> Result<u64, Error> {
    let number = decoder.u64()?;
    let fits = width >= 8 || number >> (8 * width) == 0;
    if fits { Ok(number) } else { Err(Error::message("too large a number")) }
}

fn bytes(decoder: &mut Decoder<'_>, fits: impl Fn(usize) -> bool) -> Result<Vec<u8>, Error> {
    match decoder.bytes()? {
        bytes if fits(bytes.len()) => Ok(bytes.to_vec()),
        _ => Err(Error::message("a byte string of another length")),
    }
}
