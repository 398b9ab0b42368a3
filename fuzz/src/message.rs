//! Messages of the transmission protocol as an insider makes them up: any kind,
//! well-formed, and within or out of their limits.

use heapless::Vec;
use iot_crypto::identity::PartyId;
use iot_crypto::time::UnixTime;
use iot_crypto::transmission::{
    Body, CommandState, ErrorCode, Hidden, Kind, Label, MAX_ITEMS, Message, MessageId,
    PresenceState, Reading, Severity, Unit, Value,
};

use crate::input::Input;

/// A message with any id, about anyone.
pub(crate) fn message<'a>(input: &mut Input<'a>) -> Message<'a> {
    let id = MessageId(u32::from(input.u8()));
    let subject = match input.below(3) {
        0 => None,
        1 => Some(PartyId([input.u8(); 16])),
        _ => input.bytes().try_into().ok().map(PartyId),
    };
    Message { id, subject, body: body(input) }
}

/// What a message says.
pub(crate) fn body<'a>(input: &mut Input<'a>) -> Body<'a> {
    match input.pick(Kind::ALL) {
        Kind::DataRequest => {
            Body::DataRequest { labels: list(input, label), nothing_waiting: input.bool() }
        }
        Kind::DataResponse => Body::DataResponse { readings: list(input, reading) },
        Kind::Command => Body::Command {
            label: label(input),
            argument: value(input),
            nothing_waiting: input.bool(),
            lifetime: input.bool().then(|| u32::from(input.u16())),
        },
        Kind::CommandStatus => Body::CommandStatus {
            state: input.pick(CommandState::ALL),
            result: input.bool().then(|| value(input)),
        },
        Kind::Alert => Body::Alert {
            severity: input.pick(Severity::ALL),
            reading: reading(input),
            text: text(input),
        },
        Kind::Error => Body::Error { code: input.pick(ErrorCode::ALL), text: text(input) },
        Kind::Acknowledgement => Body::Acknowledgement { nothing_waiting: input.bool() },
        Kind::Awake => Body::Awake,
        Kind::NetworkKey => Body::NetworkKey { key: Hidden(input.bytes()) },
        Kind::Revocation => Body::Revocation { revocation: input.bytes() },
        Kind::Presence => Body::Presence { state: presence(input), name: text(input) },
        Kind::Report => Body::Report { readings: list(input, reading) },
        Kind::Renegotiation => Body::Renegotiation,
    }
}

fn presence(input: &mut Input<'_>) -> PresenceState {
    match input.below(3) {
        0 => PresenceState::Connected,
        1 => PresenceState::Disconnected,
        _ => PresenceState::Refused(input.u8()),
    }
}

fn list<'a, T>(
    input: &mut Input<'a>,
    mut item: impl FnMut(&mut Input<'a>) -> T,
) -> Vec<T, MAX_ITEMS> {
    (0..input.below(MAX_ITEMS + 1)).map(|_| item(input)).collect()
}

/// What is measured.
pub(crate) fn label<'a>(input: &mut Input<'a>) -> Label<'a> {
    if input.bool() { Label::Number(input.u16()) } else { Label::Text(text(input)) }
}

/// A reading of anything.
pub(crate) fn reading<'a>(input: &mut Input<'a>) -> Reading<'a> {
    let flags = input.u8();
    Reading {
        label: label(input),
        value: value(input),
        unit: (flags & 1 != 0).then(|| Unit(input.u8())),
        time: (flags & 2 != 0).then(|| UnixTime::from_secs(input.u64())),
    }
}

/// A value of any type.
pub(crate) fn value<'a>(input: &mut Input<'a>) -> Value<'a> {
    match input.below(5) {
        0 => Value::Bool(input.bool()),
        1 => Value::Integer(input.u64() as i64),
        2 => Value::Float(f64::from_bits(input.u64())),
        3 => Value::Text(text(input)),
        _ => Value::Bytes(input.bytes()),
    }
}

/// The start of what comes, as far as it is UTF-8.
pub(crate) fn text<'a>(input: &mut Input<'a>) -> &'a str {
    let bytes = input.bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}
