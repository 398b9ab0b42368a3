//! The messages that are measured.

use heapless::Vec;
use iot_crypto::transmission::{
    Body, CommandState, Label, MAX_ITEMS, Message, MessageId, Reading, Severity, Value,
};

/// A message, and what it is.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) name: &'static str,
    /// The one label that was asked for, if the message answers to that.
    pub(super) asked: Option<Label<'static>>,
    pub(super) message: Message<'static>,
}

/// A number as the ids of a session soon are: three bytes in CBOR.
pub(super) const ID: MessageId = MessageId(1000);
pub(super) const TEMPERATURE: Label<'static> = Label::Number(1);
const SWITCH: Label<'static> = Label::Number(10);

/// Eight readings of a room: whole numbers, floats that half a precision keeps, and one
/// that needs all eight bytes.
const ROOM: [Reading<'static>; MAX_ITEMS] = [
    Reading::new(TEMPERATURE, Value::Float(21.5)),
    Reading::new(Label::Number(2), Value::Float(40.25)),
    Reading::new(Label::Number(3), Value::Integer(101_325)),
    Reading::new(Label::Number(4), Value::Float(12.5)),
    Reading::new(Label::Number(5), Value::Integer(48_640)),
    Reading::new(Label::Number(6), Value::Integer(87)),
    Reading::new(Label::Number(9), Value::Integer(86_400)),
    Reading::new(Label::Number(12), Value::Float(3.3)),
];

/// A poll, eight readings at once, a command, and an alert, each with its answer.
pub(super) fn samples() -> [Sample; 7] {
    let request = Body::DataRequest { labels: Vec::from([TEMPERATURE]), nothing_waiting: true };
    let [temperature, ..] = ROOM;
    let one = Body::DataResponse { readings: Vec::from_iter([temperature]) };
    let eight = Body::DataResponse { readings: Vec::from(ROOM) };
    let command = Body::Command {
        label: SWITCH,
        argument: Value::Bool(true),
        nothing_waiting: true,
        lifetime: None,
    };
    let status = Body::CommandStatus { state: CommandState::Done, result: None };
    let hot = Reading::new(TEMPERATURE, Value::Float(61.5));
    let alert = Body::Alert { severity: Severity::Warning, reading: hot, text: "It gets hot." };
    let acknowledgement = Body::Acknowledgement { nothing_waiting: true };
    [
        sample("data request, one label", None, request),
        sample("data response, one reading", Some(TEMPERATURE), one),
        sample("data response, eight readings", None, eight),
        sample("command, switch true", None, command),
        sample("command status, done", None, status),
        sample("alert, one reading and 12 letters", None, alert),
        sample("acknowledgement of an alert", None, acknowledgement),
    ]
}

fn sample(name: &'static str, asked: Option<Label<'static>>, body: Body<'static>) -> Sample {
    Sample { name, asked, message: Message { id: ID, subject: None, body } }
}
