//! One message of every kind, as the roles send them, and the longest.

use heapless::Vec as Few;
use iot_crypto::connection::NetworkKey;
use iot_crypto::crypto::Secret;
use iot_crypto::identity::PartyId;
use iot_crypto::time::UnixTime;
use iot_crypto::transmission::{
    Body, CommandState, ErrorCode, Hidden, Kind, Label, MAX_ITEMS, MAX_LABEL, MAX_VALUE, Message,
    MessageId, PresenceState, Reading, Severity, Unit, Value,
};
use iot_crypto::wire::cbor;

use super::cast::{Cast, NOW};
use crate::random::provider;

/// An encoded message, and what it is called in the tables.
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

const TEMPERATURE: Reading<'static> = Reading::new(Label::Number(1), Value::Float(21.5));
const HUMIDITY: Reading<'static> = Reading::new(Label::Number(2), Value::Float(40.25));
const BATTERY: Reading<'static> = Reading::new(Label::Number(6), Value::Integer(87));
const SWITCH: Label<'static> = Label::Number(10);
const REMARK: &str = "It gets hot.";

/// What all of these messages are called.
pub(super) const ID: MessageId = MessageId(7);

/// Messages between a device and its gateway: one of each kind.
pub(super) fn of_a_device(cast: &Cast) -> Vec<Sample> {
    let mut key = Secret::<{ NetworkKey::ENCODED_LEN }>::default();
    cast.network_key.encode(key.expose_mut()).expect("it has room");
    let revocation = cast
        .company
        .revoke(&provider(0), cast.device.id(), NOW)
        .expect("the key of an identity signs");
    let mut buffer = [0; 256];
    let length = cbor::encode(&revocation, &mut buffer).expect("it has room");
    let readings = list(&[TEMPERATURE, HUMIDITY, BATTERY]);
    [
        (", for everything", Body::DataRequest { labels: list(&[]), nothing_waiting: true }),
        (", 3 readings", Body::DataResponse { readings }),
        (
            ", switch true",
            Body::Command {
                label: SWITCH,
                argument: Value::Bool(true),
                nothing_waiting: true,
                lifetime: None,
            },
        ),
        (
            ", done, now true",
            Body::CommandStatus { state: CommandState::Done, result: Some(Value::Bool(true)) },
        ),
        (
            ", 12 letters",
            Body::Alert { severity: Severity::Warning, reading: TEMPERATURE, text: REMARK },
        ),
        (", no remark", Body::error(ErrorCode::Busy)),
        ("", Body::Acknowledgement { nothing_waiting: true }),
        ("", Body::Awake),
        ("", Body::NetworkKey { key: Hidden(key.expose()) }),
        ("", Body::Revocation { revocation: &buffer[..length] }),
        ("", Body::Renegotiation),
    ]
    .map(|(remark, body)| sample(remark, None, body))
    .into()
}

/// The messages that go between a gateway and its cloud only.
pub(super) fn of_a_gateway(cast: &Cast) -> Vec<Sample> {
    let name = cast.device.certificate().name().as_str();
    let readings = list(&[TEMPERATURE, HUMIDITY, BATTERY]);
    [
        (", 12-byte name", Body::Presence { state: PresenceState::Connected, name }),
        (", 3 readings", Body::Report { readings }),
    ]
    .map(|(remark, body)| sample(remark, Some(cast.device.id()), body))
    .into()
}

/// The longest message between a device and its gateway: eight readings, each with
/// the longest label, text and number that there are.
pub(super) fn longest() -> Sample {
    let (label, text) = ("l".repeat(MAX_LABEL), "t".repeat(MAX_VALUE));
    let reading = Reading {
        label: Label::Text(&label),
        value: Value::Text(&text),
        unit: Some(Unit(u8::MAX)),
        time: Some(UnixTime::from_secs(u64::MAX)),
    };
    sample(", the longest", None, Body::DataResponse { readings: list(&[reading; MAX_ITEMS]) })
}

fn sample(remark: &str, subject: Option<PartyId>, body: Body<'_>) -> Sample {
    let kind = body.kind();
    let mut buffer = [0; 1200];
    let length =
        Message { id: ID, subject, body }.encode(&mut buffer).expect("it is within its limits");
    Sample { name: format!("{kind}{remark}"), kind, bytes: buffer[..length].to_vec() }
}

fn list<T: Clone, const N: usize>(items: &[T]) -> Few<T, N> {
    Few::from_slice(items).expect("so many have room")
}
