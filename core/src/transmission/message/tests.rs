//! Every message survives its encoding, nothing else is accepted, and none is
//! longer than it was.

use std::string::String;
use std::vec;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;
use crate::testing::edits::{edit, edited};
use crate::testing::items::{integer, opaque};
use crate::time::UnixTime;
use crate::transmission::{MAX_LABEL, MAX_VALUE, Unit};
use crate::wire::DecodeError;

const TEMPERATURE: Label<'_> = Label::Number(1);
const SWITCH: Label<'_> = Label::Number(10);
const SUBJECT: Option<PartyId> = Some(PartyId([7; 16]));

fn warm() -> Reading<'static> {
    Reading::new(TEMPERATURE, Value::Float(21.5))
}

fn list<T: Clone + core::fmt::Debug>(items: &[T]) -> Vec<T, MAX_ITEMS> {
    Vec::from_slice(items).unwrap()
}

fn encoded(message: &Message<'_>) -> vec::Vec<u8> {
    let mut buffer = [0; 1_200];
    let length = message.encode(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

/// Every message as a device and its gateway send it, and its bytes.
fn typical() -> [(Body<'static>, &'static [u8]); 14] {
    [
        (
            Body::DataRequest { labels: list(&[TEMPERATURE]), nothing_waiting: true },
            &[0x84, 1, 5, 0x81, 1, 0xf5],
        ),
        (
            Body::DataResponse { readings: list(&[warm()]) },
            &[0x83, 2, 5, 0x81, 0x82, 1, 0xf9, 0x4d, 0x60],
        ),
        (
            Body::Command {
                label: SWITCH,
                argument: Value::Bool(true),
                nothing_waiting: true,
                lifetime: None,
            },
            &[0x85, 3, 5, 10, 0xf5, 0xf5],
        ),
        (
            Body::Command {
                label: SWITCH,
                argument: Value::Bool(true),
                nothing_waiting: false,
                lifetime: Some(60),
            },
            &[0x86, 3, 5, 10, 0xf5, 0xf4, 0x18, 60],
        ),
        (Body::CommandStatus { state: CommandState::Done, result: None }, &[0x83, 4, 5, 1]),
        (
            Body::Alert { severity: Severity::Warning, reading: warm(), text: "warm" },
            &[0x85, 5, 5, 2, 0x82, 1, 0xf9, 0x4d, 0x60, 0x64, b'w', b'a', b'r', b'm'],
        ),
        (Body::Error { code: ErrorCode::Busy, text: "" }, &[0x84, 6, 5, 7, 0x60]),
        (Body::Acknowledgement { nothing_waiting: true }, &[0x83, 7, 5, 0xf5]),
        (Body::Awake, &[0x82, 8, 5]),
        (Body::NetworkKey { key: Hidden(&[9, 9]) }, &[0x83, 9, 5, 0x42, 9, 9]),
        (Body::Revocation { revocation: &[1] }, &[0x83, 10, 5, 0x41, 1]),
        (
            Body::Presence { state: PresenceState::Refused(4), name: "hall" },
            &[0x84, 11, 5, 0x82, 3, 4, 0x64, b'h', b'a', b'l', b'l'],
        ),
        (
            Body::Report { readings: Vec::from_array([warm()]) },
            &[0x83, 12, 5, 0x81, 0x82, 1, 0xf9, 0x4d, 0x60],
        ),
        (Body::Renegotiation, &[0x82, 13, 5]),
    ]
}

#[test]
fn every_message_has_these_bytes() {
    for (body, bytes) in typical() {
        let message = Message { id: MessageId(5), subject: None, body };
        assert_eq!(encoded(&message), bytes, "{message:?}");
        assert_eq!(Message::decode(bytes), Ok(message));
    }
}

#[test]
fn a_subject_costs_17_bytes_and_one_more_behind_an_absent_field() {
    for (body, bytes) in typical() {
        let absent = matches!(
            body,
            Body::Command { lifetime: None, .. } | Body::CommandStatus { result: None, .. }
        );
        let message = Message { id: MessageId(5), subject: SUBJECT, body };
        let with_subject = encoded(&message);
        assert_eq!(with_subject.len(), bytes.len() + 17 + usize::from(absent));
        assert_eq!(Message::decode(&with_subject), Ok(message));
    }
}

#[test]
fn a_subject_is_not_taken_for_a_result() {
    let result = Some(Value::Bytes(&[7; 16]));
    let body = Body::CommandStatus { state: CommandState::Done, result };
    let message = Message { id: MessageId(1), subject: None, body };
    assert_eq!(Message::decode(&encoded(&message)), Ok(message));
}

#[test]
fn the_longest_messages_fit_into_a_record() {
    let text = "t".repeat(MAX_VALUE);
    let label = "l".repeat(MAX_LABEL);
    let reading = Reading {
        label: Label::Text(&label),
        value: Value::Text(&text),
        unit: Some(Unit(255)),
        time: Some(UnixTime::from_secs(u64::MAX)),
    };
    let longest =
        |body| encoded(&Message { id: MessageId(u32::MAX), subject: SUBJECT, body }).len();
    assert_eq!(longest(Body::DataResponse { readings: list(&[reading; 8]) }), 785);
    assert_eq!(longest(Body::NetworkKey { key: Hidden(&[0; MAX_OBJECT]) }), 283);
    let alert = Body::Alert { severity: Severity::Critical, reading, text: &text };
    assert_eq!(longest(alert), 186);
    let command = Body::Command {
        label: Label::Text(&label),
        argument: Value::Text(&text),
        nothing_waiting: true,
        lifetime: Some(u32::MAX),
    };
    assert_eq!(longest(command), 113);
    assert_eq!(
        longest(Body::CommandStatus {
            state: CommandState::Done,
            result: Some(Value::Text(&text))
        }),
        91
    );
}

#[test]
fn what_is_out_of_its_limits_is_neither_encoded_nor_accepted() {
    let long = "x".repeat(MAX_OBJECT + 1);
    let (label, value) = (Label::Text("seventeen bytes !"), Value::Text(&long[..MAX_VALUE + 1]));
    let command =
        |label, argument| Body::Command { label, argument, nothing_waiting: true, lifetime: None };
    let bodies = vec![
        Body::DataRequest { labels: list(&[label]), nothing_waiting: true },
        Body::DataRequest { labels: list(&[Label::Text("")]), nothing_waiting: true },
        Body::DataResponse { readings: list(&[Reading::new(label, Value::Bool(true))]) },
        Body::DataResponse { readings: list(&[Reading::new(SWITCH, value)]) },
        command(label, Value::Bool(true)),
        command(SWITCH, value),
        command(SWITCH, Value::Bytes(&[0; MAX_VALUE + 1])),
        Body::CommandStatus { state: CommandState::Done, result: Some(value) },
        Body::Alert {
            severity: Severity::Critical,
            reading: Reading::new(SWITCH, value),
            text: "",
        },
        Body::Alert { severity: Severity::Critical, reading: warm(), text: &long[..MAX_TEXT + 1] },
        Body::Error { code: ErrorCode::Internal, text: &long[..MAX_TEXT + 1] },
        Body::NetworkKey { key: Hidden(long.as_bytes()) },
        Body::Revocation { revocation: long.as_bytes() },
        Body::Presence { state: PresenceState::Connected, name: &long[..MAX_NAME + 1] },
    ];
    let mut buffer = [0; 1_200];
    for body in bodies {
        let message = Message { id: MessageId(1), subject: None, body };
        assert_eq!(message.encode(&mut buffer), Err(EncodeError::OutOfLimits), "{message:?}");
        let length = crate::wire::cbor::encode(&message, &mut buffer).unwrap();
        assert!(Message::decode(&buffer[..length]).is_err(), "{message:?}");
    }
    let message = Message { id: MessageId(0), subject: None, body: Body::Awake };
    assert_eq!(message.encode(&mut buffer), Err(EncodeError::OutOfLimits));
    assert_eq!(Message::decode(&[0x82, 8, 0]), Err(Rejected::Dropped(DecodeError::Malformed)));
}

#[test]
fn a_request_that_can_not_be_decoded_can_be_answered_and_an_answer_not() {
    let answerable =
        |code| Err(Rejected::Answerable { id: MessageId(5), code }) as Result<Message<'_>, _>;
    let malformed = [
        &[0x83, 1, 5, 0x81][..],                              // truncated
        &[0x83, 1, 5, 0x80],                                  // an element lacks
        &[0x85, 1, 5, 0x80, 0xf5, 0xf5],                      // an element too many
        &[0x84, 1, 5, 0x80, 0xf5, 0],                         // a byte too many
        &[0x84, 1, 5, 0x81, 0xf6, 0xf5],                      // a label of another type
        &[0x84, 1, 5, 0x98, 1, 1, 0xf5],                      // not deterministic
        &[0x84, 1, 5, 0x9f, 1, 0xff, 0xf5],                   // of indefinite length
        &[0x84, 11, 5, 4, 0x60],                              // a number without a meaning
        &[0x84, 11, 5, 0x82, 1, 4, 0x60],                     // a reason for what has none
        &[0x84, 1, 5, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0xf5], // too many items
        &[0x83, 8, 5, 0x41, 7],                               // a subject that is too short
    ];
    for bytes in malformed {
        assert_eq!(Message::decode(bytes), answerable(ErrorCode::Malformed), "{bytes:x?}");
    }
    for unknown in [&[0x82, 14, 5][..], &[0x83, 15, 5, 0xf5], &[0x82, 0x18, 24, 5]] {
        assert_eq!(Message::decode(unknown), answerable(ErrorCode::UnknownKind));
    }
    let dropped: [&[u8]; 7] = [
        &[],
        &[0x81, 1],
        &[0x82, 0x19, 1, 0, 5],
        &[0x82, 16, 5],
        &[0x82, 23, 5],
        &[0x82, 2, 5],
        &[0x83, 7, 5, 0],
    ];
    for bytes in dropped {
        assert!(matches!(Message::decode(bytes), Err(Rejected::Dropped(_))), "{bytes:x?}");
    }
}

#[test]
fn a_network_key_is_not_shown() {
    let body = Body::NetworkKey { key: Hidden(&[0xab; 4]) };
    let shown = std::format!("{body:?}");
    assert!(!shown.contains("171") && !shown.contains("ab"), "{shown}");
}

/// What a generated message borrows from.
#[derive(Clone, Debug)]
struct Parts {
    kind: Kind,
    id: u32,
    subject: Option<PartyId>,
    labels: vec::Vec<Result<u16, String>>,
    values: vec::Vec<OwnedValue>,
    units: vec::Vec<(Option<u8>, Option<u64>)>,
    flag: bool,
    lifetime: Option<u32>,
    number: u8,
    text: String,
    name: String,
    bytes: vec::Vec<u8>,
}

#[derive(Clone, Debug)]
enum OwnedValue {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Bytes(vec::Vec<u8>),
}

impl OwnedValue {
    fn get(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(text) => Value::Text(text),
            Self::Bytes(bytes) => Value::Bytes(bytes),
        }
    }
}

fn value() -> impl Strategy<Value = OwnedValue> {
    prop_oneof![
        any::<bool>().prop_map(OwnedValue::Bool),
        any::<i64>().prop_map(OwnedValue::Integer),
        integer(1 << 63)
            .prop_map(|from_zero| OwnedValue::Integer((from_zero as i64).wrapping_neg())),
        any::<f64>().prop_map(OwnedValue::Float),
        any::<f32>().prop_map(|single| OwnedValue::Float(single.into())),
        (-2_048_i16..2_048).prop_map(|half| OwnedValue::Float(f64::from(half) / 16.0)),
        text(MAX_VALUE).prop_map(OwnedValue::Text),
        (0..=MAX_VALUE).prop_flat_map(opaque).prop_map(OwnedValue::Bytes),
    ]
}

/// A text of up to `limit` bytes, and often of as many.
fn text(limit: usize) -> impl Strategy<Value = String> {
    let cut = move |mut text: String| {
        text.truncate(text.floor_char_boundary(limit));
        text
    };
    prop_oneof!["[a-z0-9# ]{0,80}", "[aµ€🐝]{0,40}", "\\PC{0,20}"].prop_map(cut)
}

fn parts() -> impl Strategy<Value = Parts> {
    let textual = text(MAX_LABEL).prop_map(|text| if text.is_empty() { "x".into() } else { text });
    let label = prop_oneof![any::<u16>().prop_map(Ok), textual.prop_map(Err)];
    let lists = (
        prop::collection::vec(label, 8),
        prop::collection::vec(value(), 8),
        prop::collection::vec(any::<(Option<u8>, Option<u64>)>(), 8),
        0..=MAX_ITEMS,
    );
    let rest = (
        any::<bool>(),
        any::<Option<u32>>(),
        any::<u8>(),
        (text(MAX_TEXT), text(MAX_NAME)),
        (0..=MAX_OBJECT).prop_flat_map(opaque),
    );
    let head = (
        prop::sample::select(Kind::ALL),
        integer(u32::MAX.into()).prop_map(|id| (id as u32).max(1)),
        prop::option::of(any::<[u8; 16]>().prop_map(PartyId)),
    );
    (head, lists, rest).prop_map(
        |(
            (kind, id, subject),
            (labels, values, units, items),
            (flag, lifetime, number, (text, name), bytes),
        )| {
            Parts {
                kind,
                id,
                subject,
                labels,
                values,
                units: units[..items].to_vec(),
                flag,
                lifetime,
                number,
                text,
                name,
                bytes,
            }
        },
    )
}

impl Parts {
    fn label(&self, index: usize) -> Label<'_> {
        match &self.labels[index] {
            Ok(number) => Label::Number(*number),
            Err(text) => Label::Text(text),
        }
    }

    fn reading(&self, index: usize) -> Reading<'_> {
        let (unit, time) = self.units.get(index).copied().unwrap_or_default();
        Reading {
            label: self.label(index),
            value: self.values[index].get(),
            unit: unit.map(Unit),
            time: time.map(UnixTime::from_secs),
        }
    }

    fn of<T: Copy>(&self, all: &[T]) -> T {
        all[usize::from(self.number) % all.len()]
    }

    fn message(&self) -> Message<'_> {
        let items = 0..self.units.len();
        let value = self.values[0].get();
        let body = match self.kind {
            Kind::DataRequest => Body::DataRequest {
                labels: items.map(|item| self.label(item)).collect(),
                nothing_waiting: self.flag,
            },
            Kind::DataResponse => {
                Body::DataResponse { readings: items.map(|item| self.reading(item)).collect() }
            }
            Kind::Command => Body::Command {
                label: self.label(0),
                argument: value,
                nothing_waiting: self.flag,
                lifetime: self.lifetime,
            },
            Kind::CommandStatus => Body::CommandStatus {
                state: self.of(CommandState::ALL),
                result: Some(value).filter(|_| self.flag),
            },
            Kind::Alert => Body::Alert {
                severity: self.of(Severity::ALL),
                reading: self.reading(0),
                text: &self.text,
            },
            Kind::Error => Body::Error { code: self.of(ErrorCode::ALL), text: &self.text },
            Kind::Acknowledgement => Body::Acknowledgement { nothing_waiting: self.flag },
            Kind::Awake => Body::Awake,
            Kind::NetworkKey => Body::NetworkKey { key: Hidden(&self.bytes) },
            Kind::Revocation => Body::Revocation { revocation: &self.bytes },
            Kind::Presence => Body::Presence {
                state: self.of(&[
                    PresenceState::Connected,
                    PresenceState::Disconnected,
                    PresenceState::Refused(self.number),
                ]),
                name: &self.name,
            },
            Kind::Report => {
                Body::Report { readings: items.map(|item| self.reading(item)).collect() }
            }
            Kind::Renegotiation => Body::Renegotiation,
        };
        Message { id: MessageId(self.id), subject: self.subject, body }
    }
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_to_the_same(parts in parts()) {
        let message = parts.message();
        let bytes = encoded(&message);
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
    }

    #[test]
    fn what_is_accepted_encodes_to_the_same_bytes(
        parts in parts(),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let bytes = edited(&encoded(&parts.message()), &edits);
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(encoded(&message), &bytes[..]);
        }
    }

    /// Whatever is refused as a request names the id that it is to be answered
    /// under, and what is dropped is an answer, or can't be told apart from one.
    #[test]
    fn what_is_refused_is_answered_if_it_is_a_request(
        parts in parts(),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let bytes = edited(&encoded(&parts.message()), &edits);
        match Message::decode(&bytes) {
            Ok(_) => {}
            Err(Rejected::Answerable { id, .. }) => {
                prop_assert!(id.0 != 0);
                prop_assert!(Kind::from_number(bytes[1]).is_none_or(Kind::is_request));
            }
            Err(Rejected::Dropped(_)) => {
                let kind = bytes.get(1).copied().and_then(Kind::from_number);
                let is_whole = bytes.len() >= 7 && (0x82..0x98).contains(&bytes[0]);
                let has_id = bytes.get(2).is_some_and(|head| (1..24).contains(head));
                prop_assert!(!is_whole || !has_id || kind.is_none_or(|kind| !kind.is_request()));
            }
        }
    }

    #[test]
    fn any_bytes_are_decoded_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(encoded(&message), &bytes[..]);
        }
    }
}

/// Or else it would say nothing that what is accepted encodes to the same bytes.
#[test]
fn a_fair_share_of_what_was_changed_is_accepted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let changed = (parts(), edit());
    let mut accepted = [0; Kind::ALL.len()];
    for _ in 0..2_000 {
        let (parts, edit) = changed.new_tree(&mut runner).unwrap().current();
        let before = encoded(&parts.message());
        let after = edited(&before, &[edit]);
        if before != after && Message::decode(&after).is_ok() {
            accepted[usize::from(parts.kind.number()) - 1] += 1;
        }
    }
    assert!(accepted.iter().all(|count| *count >= 10), "{accepted:?}");
}
