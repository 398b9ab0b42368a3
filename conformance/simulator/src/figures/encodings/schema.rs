//! The structures of `conformance/iot-crypto.cddl`, with its names, in its order.

use iot_crypto::identity::{MAX_ENDORSEMENTS, Name};
use iot_crypto::transmission::{
    Kind, MAX_ITEMS, MAX_LABEL, MAX_NAME, MAX_OBJECT, MAX_TEXT, MAX_VALUE,
};

use super::node::{Field, Type};

const fn field(name: &'static str, of: Type) -> Field {
    Field { name, of, optional: false }
}

const fn optional(name: &'static str, of: Type) -> Field {
    Field { name, of, optional: true }
}

const U8: Type = Type::Unsigned(1);
const U16: Type = Type::Unsigned(2);
const U32: Type = Type::Unsigned(4);
const TIME: Type = Type::Unsigned(8);
const ID: Type = Type::Fixed(16);
const X25519: Type = Type::Fixed(32);
const P256: Type = Type::Fixed(33);
const SIGNATURE: Type = Type::Fixed(64);

pub(super) const CERTIFICATE: &[Field] = &[
    field("version", U8),
    field("name", Type::Text(Name::MAX_LEN)),
    field("created", TIME),
    field("expires", TIME),
    field("exchange-key", X25519),
    field("signing-key", P256),
    field("signature", SIGNATURE),
];

pub(super) const ENDORSEMENT: &[Field] = &[
    field("version", U8),
    field("issuer", ID),
    field("created", TIME),
    field("expires", TIME),
    field("roles", U8),
    field("rights", U8),
    field("signature", SIGNATURE),
];

pub(super) const CREDENTIAL: &[Field] = &[
    field("certificate", Type::Structure(CERTIFICATE)),
    field("endorsements", Type::List(&Type::Structure(ENDORSEMENT), MAX_ENDORSEMENTS)),
];

pub(super) const ADVERTISEMENT: &[Field] = &[
    field("version", U8),
    field("network-key", Type::Fixed(4)),
    field("gateway", ID),
    field("negotiation-port", U16),
    field("transmission-port", U16),
    field("versions", U32),
    field("time", TIME),
    field("sequence", U32),
    field("incarnation", U32),
    field("mac", Type::Fixed(16)),
];

/// M1.
pub(super) const REQUEST: &[Field] = &[
    field("kind", U8),
    field("version", U8),
    field("role", U8),
    field("sleepy", Type::Bool),
    field("incarnation", U32),
    field("freshness", Type::OneOf(&[X25519, Type::Fixed(16)])),
    field("credential", Type::Structure(CREDENTIAL)),
];

/// M2.
pub(super) const RESPONSE: &[Field] = &[
    field("kind", U8),
    field("version", U8),
    field("incarnation", U32),
    field("time", TIME),
    field("transmission-port", U16),
    field("ephemeral-key", X25519),
    field("credential", Type::Structure(CREDENTIAL)),
    field("signature", SIGNATURE),
];

const LABEL: Type = Type::OneOf(&[U16, Type::Text(MAX_LABEL)]);
const VALUE: Type = Type::OneOf(&[
    Type::Bool,
    Type::Integer,
    Type::Float,
    Type::Text(MAX_VALUE),
    Type::Bytes(MAX_VALUE),
]);
pub(super) const READING: &[Field] =
    &[field("label", LABEL), field("value", VALUE), optional("unit", U8), optional("time", TIME)];
const READINGS: Type = Type::List(&Type::Structure(READING), MAX_ITEMS);
const REMARK: Type = Type::Text(MAX_TEXT);
const PRESENCE: Type =
    Type::OneOf(&[U8, Type::Structure(&[field("state", U8), field("code", U8)])]);

/// The fields of a message of that kind: between the first two and the last, which
/// all have, those of its own.
pub(super) const fn message(kind: Kind) -> &'static [Field] {
    /// A message with these fields of its own.
    macro_rules! message {
        ($($own:expr),*) => {
            const { &[field("kind", U8), field("id", U32), $($own,)* optional("subject", ID)] }
        };
    }
    match kind {
        Kind::DataRequest => message![
            field("labels", Type::List(&LABEL, MAX_ITEMS)),
            field("nothing-waiting", Type::Bool)
        ],
        Kind::DataResponse | Kind::Report => message![field("readings", READINGS)],
        Kind::Command => message![
            field("label", LABEL),
            field("argument", VALUE),
            field("nothing-waiting", Type::Bool),
            optional("lifetime", U32)
        ],
        Kind::CommandStatus => message![field("state", U8), optional("result", VALUE)],
        Kind::Alert => message![
            field("severity", U8),
            field("reading", Type::Structure(READING)),
            field("text", REMARK)
        ],
        Kind::Error => message![field("code", U8), field("text", REMARK)],
        Kind::Acknowledgement => message![field("nothing-waiting", Type::Bool)],
        Kind::Awake | Kind::Renegotiation => message![],
        Kind::NetworkKey => message![field("network-key", Type::Bytes(MAX_OBJECT))],
        Kind::Revocation => message![field("revocation", Type::Bytes(MAX_OBJECT))],
        Kind::Presence => message![field("state", PRESENCE), field("name", Type::Text(MAX_NAME))],
    }
}
