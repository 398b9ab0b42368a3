//! Messages of the transmission protocol, as JSON.

use iot_crypto::transmission::{
    Body, Label, Message, PresenceState, Reading, Rejected, Value as Scalar,
};
use serde_json::{Map, Value, json};

use super::Failure;
use crate::hex::hex;

/// Decodes a message and tells its fields.
pub(super) fn decode(bytes: &[u8]) -> Result<Value, Failure> {
    match Message::decode(bytes) {
        Ok(message) => Ok(message_fields(&message)),
        Err(Rejected::Dropped(_)) => Err(Failure::refused("drop")),
        Err(Rejected::Answerable { id, code }) => Err(Failure::refused_with(
            "answer",
            "with",
            json!({ "kind": "error", "id": id.0, "code": code.number() }),
        )),
    }
}

fn message_fields(message: &Message<'_>) -> Value {
    let mut fields = body_fields(&message.body);
    fields.insert("kind".to_owned(), message.body.kind().to_string().into());
    fields.insert("id".to_owned(), message.id.0.into());
    if let Some(subject) = message.subject {
        fields.insert("subject".to_owned(), subject.to_string().into());
    }
    Value::Object(fields)
}

fn body_fields(body: &Body<'_>) -> Map<String, Value> {
    let fields: Vec<(&str, Value)> = match body {
        Body::DataRequest { labels, nothing_waiting } => vec![
            ("labels", labels.iter().map(label).collect()),
            ("nothing-waiting", (*nothing_waiting).into()),
        ],
        Body::DataResponse { readings } | Body::Report { readings } => {
            vec![("readings", readings.iter().map(reading).collect())]
        }
        Body::Command { label: of, argument, nothing_waiting, lifetime } => {
            let mut fields = vec![
                ("label", label(of)),
                ("argument", scalar(argument)),
                ("nothing-waiting", (*nothing_waiting).into()),
            ];
            fields.extend(lifetime.map(|lifetime| ("lifetime", lifetime.into())));
            fields
        }
        Body::CommandStatus { state, result } => {
            let mut fields = vec![("state", state.number().into())];
            fields.extend(result.map(|result| ("result", scalar(&result))));
            fields
        }
        Body::Alert { severity, reading: of, text } => vec![
            ("severity", severity.number().into()),
            ("reading", reading(of)),
            ("text", (*text).into()),
        ],
        Body::Error { code, text } => {
            vec![("code", code.number().into()), ("text", (*text).into())]
        }
        Body::Acknowledgement { nothing_waiting } => {
            vec![("nothing-waiting", (*nothing_waiting).into())]
        }
        Body::Awake | Body::Renegotiation => vec![],
        Body::NetworkKey { key } => vec![("network-key", hex(key.0).into())],
        Body::Revocation { revocation } => vec![("revocation", hex(revocation).into())],
        Body::Presence { state, name } => {
            let state = match state {
                PresenceState::Connected => json!(1),
                PresenceState::Disconnected => json!(2),
                PresenceState::Refused(code) => json!([3, code]),
            };
            vec![("state", state), ("name", (*name).into())]
        }
    };
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn label(label: &Label<'_>) -> Value {
    match label {
        Label::Number(number) => (*number).into(),
        Label::Text(text) => (*text).into(),
    }
}

/// A value under the name of its type. JSON has neither infinities nor NaN, so
/// that a float is given as the bytes of its double precision.
fn scalar(value: &Scalar<'_>) -> Value {
    match value {
        Scalar::Bool(value) => json!({ "bool": value }),
        Scalar::Integer(value) => json!({ "integer": value }),
        Scalar::Float(value) if value.is_nan() => json!({ "float": "nan" }),
        Scalar::Float(value) => json!({ "float": hex(&value.to_be_bytes()) }),
        Scalar::Text(text) => json!({ "text": text }),
        Scalar::Bytes(bytes) => json!({ "bytes": hex(bytes) }),
    }
}

fn reading(reading: &Reading<'_>) -> Value {
    let mut fields = json!({ "label": label(&reading.label), "value": scalar(&reading.value) });
    if let Value::Object(fields) = &mut fields {
        fields.extend(reading.unit.map(|unit| ("unit".to_owned(), unit.0.into())));
        fields.extend(reading.time.map(|time| ("time".to_owned(), time.as_secs().into())));
    }
    fields
}
