//! The requests of a peer, against a naive model of SPEC.md section 10.7: a set of
//! all ids that were seen, and lists of what is being carried out and what is kept.

use std::collections::BTreeSet;
use std::time::Duration;

use iot_crypto::time::Instant;
use iot_crypto::transmission::{
    AnswerError, Body, CommandState, EncodeError, ErrorCode, Kind, Message, MessageId, PATIENCE,
    Responses, Ticket, Value, Verdict, WINDOW,
};
use iot_crypto::wire::BufferTooSmall;
use proptest::prelude::*;
use proptest::sample::Index;

const PLACES: usize = 3;
/// The longest answer to a command that is kept.
const SIZE: usize = 20;

/// Something that happens.
#[derive(Clone, Debug)]
enum Operation {
    /// A request arrives whose id lies so far from the highest one.
    Receive(i64),
    /// A request arrives whose id came before.
    ReceiveAgain(Index),
    /// The application answers a request that it was given, or answered before, into
    /// a buffer of this length.
    Answer(Index, Answer, usize),
    Wait(u64),
    /// The peer begins anew.
    Reset,
}

#[derive(Clone, Debug)]
enum Answer {
    Status(Option<usize>),
    Readings,
    Acknowledgement,
    Error(ErrorCode, usize),
    /// Which is a request.
    Awake,
}

fn operation() -> impl Strategy<Value = Operation> {
    let distance =
        prop_oneof![4 => 1..3_i64, 2 => -4..1_i64, 2 => -70..70_i64, 1 => Just(i64::MAX)];
    let text = prop_oneof![6 => 0..8_usize, 1 => 60..70_usize];
    let code = prop::sample::select(ErrorCode::ALL);
    let answer = prop_oneof![
        4 => prop::option::of(prop_oneof![6 => 0..20_usize, 1 => 60..70_usize])
            .prop_map(Answer::Status),
        2 => Just(Answer::Readings),
        3 => Just(Answer::Acknowledgement),
        2 => (code, text).prop_map(|(code, text)| Answer::Error(code, text)),
        1 => Just(Answer::Awake),
    ];
    let room = prop_oneof![6 => Just(100), 1 => 0..12_usize];
    let wait = prop_oneof![0..1_000_u64, 0..700_000_u64];
    prop_oneof![
        6 => distance.prop_map(Operation::Receive),
        4 => any::<Index>().prop_map(Operation::ReceiveAgain),
        8 => (any::<Index>(), answer, room)
            .prop_map(|(which, answer, room)| Operation::Answer(which, answer, room)),
        2 => wait.prop_map(Operation::Wait),
        1 => Just(Operation::Reset),
    ]
}

/// An honest peer never uses an id for two requests, so that an id tells the kind.
fn kind_of(id: MessageId) -> Kind {
    [Kind::Command, Kind::Alert, Kind::Command, Kind::DataRequest, Kind::Command, Kind::Awake]
        [id.0 as usize % 6]
}

/// What is to be done with a request, as the model says.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    New,
    InProgress,
    Answered(Vec<u8>),
    Acknowledged,
    Refused(ErrorCode),
}

#[derive(Default)]
struct Model {
    generation: u32,
    seen: BTreeSet<MessageId>,
    highest: u32,
    /// Being carried out, and since when.
    open: Vec<(MessageId, Instant)>,
    /// Commands that were answered.
    kept: Vec<(MessageId, Vec<u8>)>,
}

impl Model {
    /// The seven rules, in their order.
    fn receive(&mut self, now: Instant, id: MessageId) -> Expected {
        let kind = kind_of(id);
        if self.highest.saturating_sub(id.0) >= WINDOW {
            return Expected::Refused(ErrorCode::Expired);
        }
        if self.open.iter().any(|(open, _)| *open == id) {
            return Expected::InProgress;
        }
        if let Some((_, answer)) = self.kept.iter().find(|(kept, _)| *kept == id) {
            return Expected::Answered(answer.clone());
        }
        if self.seen.contains(&id) && kind == Kind::Command {
            return Expected::Refused(ErrorCode::AlreadyDone);
        }
        if self.seen.contains(&id) && !kind.is_repeatable() {
            return Expected::Acknowledged;
        }
        if !self.make_room(now) {
            return Expected::Refused(ErrorCode::Busy);
        }
        self.seen.insert(id);
        self.highest = self.highest.max(id.0);
        self.open.push((id, now));
        Expected::New
    }

    fn make_room(&mut self, now: Instant) -> bool {
        if self.open.len() + self.kept.len() < PLACES {
            return true;
        }
        if let Some(oldest) = (0..self.kept.len()).min_by_key(|at| self.kept[*at].0) {
            self.kept.remove(oldest);
            return true;
        }
        let late = |at: &usize| now.since(self.open[*at].1) >= PATIENCE;
        let late = (0..self.open.len()).filter(late).min_by_key(|at| self.open[*at].0);
        let Some(late) = late else { return false };
        let (id, _) = self.open.remove(late);
        if kind_of(id) != Kind::Command {
            self.seen.remove(&id);
        }
        true
    }

    fn answer(
        &mut self,
        generation: u32,
        id: MessageId,
        body: &Body<'_>,
        room: usize,
    ) -> Result<Vec<u8>, AnswerError> {
        let place = self.open.iter().position(|(open, _)| *open == id);
        let place = place.filter(|_| generation == self.generation).ok_or(AnswerError::NotOpen)?;
        let kind = kind_of(id);
        let goes_on = match (body, kind) {
            (Body::CommandStatus { .. }, Kind::Command)
            | (Body::DataResponse { .. }, Kind::DataRequest)
            | (Body::Error { .. }, _) => false,
            (Body::Acknowledgement { .. }, kind) => {
                matches!(kind, Kind::Command | Kind::DataRequest)
            }
            _ => return Err(AnswerError::NotItsAnswer),
        };
        let mut bytes = vec![0; room];
        let message = Message { id, subject: None, body: body.clone() };
        let length = message.encode(&mut bytes).map_err(|error| match error {
            EncodeError::OutOfLimits => AnswerError::OutOfLimits,
            EncodeError::BufferTooSmall(error) => AnswerError::BufferTooSmall(error),
        })?;
        bytes.truncate(length);
        let is_busy = matches!(body, Body::Error { code: ErrorCode::Busy, .. });
        let is_kept = kind == Kind::Command && !goes_on && !is_busy;
        if is_kept && length > SIZE {
            return Err(AnswerError::TooLarge { needed: length });
        }
        if !goes_on {
            self.open.remove(place);
        }
        if is_kept {
            self.kept.push((id, bytes.clone()));
        } else if matches!(body, Body::Error { .. }) {
            self.seen.remove(&id);
        }
        Ok(bytes)
    }

    fn reset(&mut self) {
        *self = Self { generation: self.generation + 1, ..Self::default() };
    }
}

impl Answer {
    fn with_body<R>(&self, then: impl FnOnce(Body<'_>) -> R) -> R {
        let text = "x".repeat(70);
        then(match self {
            Self::Status(length) => Body::CommandStatus {
                state: CommandState::Done,
                result: length.map(|length| Value::Text(&text[..length])),
            },
            Self::Readings => Body::DataResponse { readings: heapless::Vec::new() },
            Self::Acknowledgement => Body::Acknowledgement { nothing_waiting: true },
            Self::Error(code, length) => Body::Error { code: *code, text: &text[..*length] },
            Self::Awake => Body::Awake,
        })
    }
}

proptest! {
    #[test]
    fn requests_are_treated_as_the_specification_says(
        operations in prop::collection::vec(operation(), 0..120),
    ) {
        let mut responses = Responses::<PLACES, SIZE>::new();
        let mut model = Model::default();
        let mut now = Instant::from_millis(5_000);
        let mut tickets: Vec<(u32, Ticket)> = Vec::new();
        let mut ids = vec![MessageId(1)];
        for operation in operations {
            let received = match &operation {
                Operation::Receive(distance) => {
                    let highest = i64::from(model.highest);
                    let id = highest.saturating_add(*distance).clamp(1, u32::MAX.into());
                    Some(MessageId(id as u32))
                }
                Operation::ReceiveAgain(which) => Some(*which.get(&ids)),
                Operation::Wait(milliseconds) => {
                    now = now + Duration::from_millis(*milliseconds);
                    None
                }
                Operation::Reset => {
                    responses.reset();
                    model.reset();
                    ids = vec![MessageId(1)];
                    None
                }
                Operation::Answer(which, answer, room) if !tickets.is_empty() => {
                    // Most of the time, one of the latest.
                    let latest = tickets.len().saturating_sub(4);
                    let (generation, ticket) = *which.get(&tickets[latest..]);
                    let mut buffer = vec![0; *room];
                    let expected = answer.with_body(|body| {
                        model.answer(generation, ticket.id(), &body, *room)
                    });
                    let result = answer.with_body(|body| {
                        responses.answer(ticket, None, body, &mut buffer)
                    });
                    prop_assert_eq!(result, expected.as_ref().map(Vec::len).map_err(|error| *error));
                    match expected {
                        Ok(bytes) => prop_assert_eq!(&buffer[..bytes.len()], bytes),
                        Err(AnswerError::BufferTooSmall(BufferTooSmall { needed })) => {
                            prop_assert!(needed > *room);
                        }
                        Err(_) => {}
                    }
                    None
                }
                Operation::Answer(..) => None,
            };
            let Some(id) = received else { continue };
            ids.push(id);
            let expected = model.receive(now, id);
            let verdict = match responses.receive(now, id, kind_of(id)) {
                Verdict::New(ticket) => {
                    prop_assert_eq!(ticket.id(), id);
                    tickets.push((model.generation, ticket));
                    Expected::New
                }
                Verdict::InProgress => Expected::InProgress,
                Verdict::Answered(answer) => Expected::Answered(answer.to_vec()),
                Verdict::Acknowledged => Expected::Acknowledged,
                Verdict::Refused(code) => Expected::Refused(code),
            };
            prop_assert_eq!(verdict, expected, "request {} at {:?}", id, now);
        }
    }
}
