//! The requests of a party, against a naive model of SPEC.md sections 10.5, 10.6 and
//! 10.8: a list of them, each with the time at which it is due.

use std::time::Duration;

use iot_crypto::time::Instant;
use iot_crypto::transmission::{
    Answered, Body, Cause, CommandState, ErrorCode, GivenUp, Kind, Label, Message, MessageId,
    Reading, Refused, Requests, Severity, Value, WINDOW,
};
use iot_crypto::wire::BufferTooSmall;
use proptest::prelude::*;
use proptest::sample::Index;

const PLACES: usize = 4;
const SIZE: usize = 40;
/// The sessions carry a little less than a place holds.
const LIMIT: usize = 36;
/// The intervals between copies, in seconds; then always the last one.
const INTERVALS: [u64; 6] = [2, 4, 8, 16, 32, 60];

#[derive(Clone, Debug)]
enum Operation {
    /// A request with a text of this length and a deadline in so many milliseconds.
    Send(Kind, usize, Option<u64>),
    Answer(Index, Answer),
    /// Time passes until the deadline, or for so many milliseconds.
    Sleep,
    Wait(u64),
    Listening(bool),
    /// The session is replaced, or stands with a peer that begins anew or not.
    Restart,
    Session(bool),
    Cancel(Index),
    /// So many requests are made and cancelled at once, which takes their ids.
    Burn(u32),
    /// A buffer of this length is offered.
    Small(usize),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Status,
    Readings,
    Acknowledgement,
    Error(ErrorCode),
}

fn operation() -> impl Strategy<Value = Operation> {
    let kind = prop_oneof![
        8 => prop::sample::select(vec![Kind::Command, Kind::DataRequest, Kind::Alert, Kind::Awake]),
        1 => Just(Kind::Acknowledgement),
    ];
    let text = prop_oneof![8 => 0..12_usize, 1 => 0..70_usize];
    let deadline = prop::option::of(prop_oneof![0..3_000_u64, 0..200_000_u64]);
    let code = prop_oneof![Just(ErrorCode::Busy), prop::sample::select(ErrorCode::ALL)];
    let answer = prop_oneof![
        Just(Answer::Status),
        Just(Answer::Readings),
        Just(Answer::Acknowledgement),
        code.prop_map(Answer::Error),
    ];
    prop_oneof![
        8 => (kind, text, deadline).prop_map(|(kind, text, deadline)| {
            Operation::Send(kind, text, deadline)
        }),
        5 => (any::<Index>(), answer).prop_map(|(which, answer)| Operation::Answer(which, answer)),
        8 => Just(Operation::Sleep),
        2 => (0..100_000_u64).prop_map(Operation::Wait),
        2 => prop::bool::weighted(0.7).prop_map(Operation::Listening),
        1 => Just(Operation::Restart),
        1 => any::<bool>().prop_map(Operation::Session),
        2 => any::<Index>().prop_map(Operation::Cancel),
        1 => (1..80_u32).prop_map(Operation::Burn),
        3 => (0..40_usize).prop_map(Operation::Small),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Progress {
    /// Sent so many times since it was due at once.
    Waits {
        due: Instant,
        sent: usize,
    },
    /// The peer is at work on it.
    Deferred {
        due: Instant,
    },
    GivenUp {
        at: Instant,
        cause: Cause,
    },
}

struct Pending {
    id: MessageId,
    kind: Kind,
    text: usize,
    expires: Option<Instant>,
    was_sent: bool,
    progress: Progress,
}

struct Model {
    last: u32,
    listening: bool,
    pending: Vec<Pending>,
}

fn with_body<R>(kind: Kind, text: usize, flag: bool, then: impl FnOnce(Body<'_>) -> R) -> R {
    let text = "t".repeat(text);
    let label = Label::Number(10);
    then(match kind {
        Kind::Command => Body::Command {
            label,
            argument: Value::Text(&text),
            nothing_waiting: flag,
            lifetime: None,
        },
        Kind::DataRequest => {
            Body::DataRequest { labels: heapless::Vec::new(), nothing_waiting: flag }
        }
        Kind::Alert => Body::Alert {
            severity: Severity::Warning,
            reading: Reading::new(label, Value::Integer(1)),
            text: &text,
        },
        Kind::Awake => Body::Awake,
        _ => Body::Acknowledgement { nothing_waiting: flag },
    })
}

/// The message of a request, encoded.
fn encoded(id: MessageId, kind: Kind, text: usize, flag: bool) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 200];
    let length = with_body(kind, text, flag, |body| {
        Message { id, subject: None, body }.encode(&mut bytes).ok()
    })?;
    bytes.truncate(length);
    Some(bytes)
}

impl Pending {
    fn is_live(&self) -> bool {
        !matches!(self.progress, Progress::GivenUp { .. })
    }

    fn waits(&self) -> bool {
        matches!(self.progress, Progress::Waits { .. })
    }

    fn due(&self) -> Option<Instant> {
        match self.progress {
            Progress::Waits { due, .. } | Progress::Deferred { due } => Some(due),
            Progress::GivenUp { .. } => None,
        }
    }
}

impl Model {
    fn send(
        &mut self,
        now: Instant,
        kind: Kind,
        text: usize,
        expires: Option<Instant>,
    ) -> Result<MessageId, Refused> {
        if !kind.is_request() {
            return Err(Refused::NotARequest);
        }
        let id = MessageId(self.last + 1);
        let oldest = self.pending.iter().map(|pending| pending.id.0).min();
        let is_too_far = oldest.is_some_and(|oldest| id.0 - oldest >= WINDOW);
        if is_too_far || self.pending.len() == PLACES {
            return Err(Refused::Full);
        }
        let bytes = encoded(id, kind, text, true).ok_or(Refused::OutOfLimits)?;
        if bytes.len() > LIMIT {
            return Err(Refused::TooLarge { needed: bytes.len() });
        }
        self.last = id.0;
        let progress = Progress::Waits { due: now, sent: 0 };
        self.pending.push(Pending { id, kind, text, expires, was_sent: false, progress });
        Ok(id)
    }

    fn answer(&mut self, now: Instant, id: MessageId, answer: Answer) -> Option<Answered> {
        let at = self.pending.iter().position(|pending| pending.id == id && pending.is_live())?;
        let kind = self.pending[at].kind;
        let due = now + Duration::from_secs(60);
        let is_long = matches!(kind, Kind::Command | Kind::DataRequest);
        let deferred = match (answer, kind) {
            (Answer::Status, Kind::Command) | (Answer::Readings, Kind::DataRequest) => None,
            (Answer::Status | Answer::Readings, _) => return None,
            (Answer::Acknowledgement, _) if is_long => Some(Progress::Deferred { due }),
            (Answer::Error(ErrorCode::Busy), _) => {
                Some(Progress::Waits { due, sent: INTERVALS.len() })
            }
            (Answer::Acknowledgement | Answer::Error(_), _) => None,
        };
        match deferred {
            None => {
                self.pending.remove(at);
                Some(Answered::Final(kind))
            }
            Some(progress) => {
                self.pending[at].progress = progress;
                Some(Answered::Deferred(kind))
            }
        }
    }

    fn restart(&mut self, now: Instant) {
        for pending in self.pending.iter_mut().filter(|pending| pending.is_live()) {
            pending.progress = Progress::Waits { due: now, sent: 0 };
        }
    }

    fn listen(&mut self, now: Instant, listening: bool) {
        if listening && !self.listening {
            self.restart(now);
        }
        self.listening = listening;
    }

    fn session(&mut self, now: Instant, new_incarnation: bool) {
        self.restart(now);
        for pending in &mut self.pending {
            if new_incarnation
                && pending.kind == Kind::Command
                && pending.was_sent
                && pending.is_live()
            {
                pending.progress = Progress::GivenUp { at: now, cause: Cause::PeerRestarted };
            }
        }
        self.listening = true;
    }

    fn timeout(&mut self, now: Instant) {
        for pending in self.pending.iter_mut().filter(|pending| pending.is_live()) {
            if let Some(at) = pending.expires.filter(|at| *at <= now) {
                pending.progress = Progress::GivenUp { at, cause: Cause::Expired };
            }
        }
    }

    fn given_up(&mut self) -> Vec<GivenUp> {
        let mut events = Vec::new();
        self.pending.retain(|pending| {
            let Progress::GivenUp { cause, .. } = pending.progress else { return true };
            let Pending { id, kind, was_sent, .. } = *pending;
            events.push(GivenUp { id, kind, cause, was_sent });
            false
        });
        events
    }

    /// The next copy to be sent: the one that has been due for the longest.
    fn transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        if !self.listening {
            return None;
        }
        let waiting = self.pending.iter().filter(|pending| pending.waits()).count();
        let due = self.pending.iter_mut().filter(|pending| pending.due() <= Some(now));
        let next = due.filter(|pending| pending.is_live());
        let next = next.min_by_key(|pending| (pending.due(), pending.id))?;
        let others = waiting - usize::from(next.waits());
        next.was_sent = true;
        next.progress = match next.progress {
            Progress::Waits { sent, .. } => {
                let interval = INTERVALS[sent.min(INTERVALS.len() - 1)];
                Progress::Waits { due: now + Duration::from_secs(interval), sent: sent + 1 }
            }
            _ => Progress::Deferred { due: now + Duration::from_secs(60) },
        };
        encoded(next.id, next.kind, next.text, others == 0)
    }

    fn deadline(&self) -> Option<Instant> {
        let of_one = |pending: &Pending| match pending.progress {
            Progress::GivenUp { at, .. } => Some(at),
            _ => [pending.due().filter(|_| self.listening), pending.expires]
                .into_iter()
                .flatten()
                .min(),
        };
        self.pending.iter().filter_map(of_one).min()
    }
}

proptest! {
    #[test]
    fn requests_are_sent_and_given_up_as_the_specification_says(
        operations in prop::collection::vec(operation(), 0..150),
    ) {
        let mut requests = Requests::<PLACES, SIZE>::with_limit(LIMIT);
        let mut model = Model { last: 0, listening: false, pending: Vec::new() };
        let mut now = Instant::from_millis(1_000);
        for operation in operations {
            // One of the last ids, or one that was never used.
            let id_of = |which: &Index| {
                MessageId((model.last + 1).saturating_sub(which.index(6) as u32).max(1))
            };
            match &operation {
                Operation::Send(kind, text, after) => {
                    let expires = after.map(|after| now + Duration::from_millis(after));
                    let result = with_body(*kind, *text, true, |body| {
                        requests.send(now, body, None, expires)
                    });
                    prop_assert_eq!(result, model.send(now, *kind, *text, expires));
                }
                Operation::Answer(which, answer) => {
                    let id = id_of(which);
                    let body = match answer {
                        Answer::Status => {
                            Body::CommandStatus { state: CommandState::Done, result: None }
                        }
                        Answer::Readings => Body::DataResponse { readings: heapless::Vec::new() },
                        Answer::Acknowledgement => Body::Acknowledgement { nothing_waiting: true },
                        Answer::Error(code) => Body::error(*code),
                    };
                    let message = Message { id, subject: None, body };
                    let answered = requests.handle_answer(now, &message);
                    prop_assert_eq!(answered, model.answer(now, id, *answer));
                }
                Operation::Sleep => now = now.max(model.deadline().unwrap_or(now)),
                Operation::Wait(milliseconds) => {
                    let end = now + Duration::from_millis(*milliseconds);
                    now = model.deadline().filter(|at| *at <= end).unwrap_or(end).max(now);
                }
                Operation::Listening(listening) => {
                    requests.set_peer_listening(now, *listening);
                    model.listen(now, *listening);
                }
                Operation::Restart => {
                    requests.restart(now);
                    model.restart(now);
                }
                Operation::Session(new_incarnation) => {
                    requests.handle_session(now, *new_incarnation);
                    model.session(now, *new_incarnation);
                }
                Operation::Cancel(which) => {
                    let id = id_of(which);
                    let before = model.pending.len();
                    model.pending.retain(|pending| pending.id != id);
                    prop_assert_eq!(requests.cancel(id), model.pending.len() < before);
                }
                Operation::Burn(count) => {
                    for _ in 0..*count {
                        let result = requests.send(now, Body::Awake, None, None);
                        prop_assert_eq!(result, model.send(now, Kind::Awake, 0, None));
                        if let Ok(id) = result {
                            prop_assert!(requests.cancel(id) && model.pending.pop().is_some());
                        }
                    }
                }
                Operation::Small(_) => {}
            }
            requests.handle_timeout(now);
            model.timeout(now);
            let mut events: Vec<_> = std::iter::from_fn(|| requests.poll_event()).collect();
            events.sort_by_key(|event| event.id);
            prop_assert_eq!(events, model.given_up());
            loop {
                if let Operation::Small(length) = operation {
                    // Whatever is too small for what comes next changes nothing.
                    let mut small = vec![0; length.min(3)];
                    let polled = requests.poll_transmit(now, &mut small);
                    let is_due = model.listening && model.deadline().is_some_and(|at| at <= now);
                    prop_assert_eq!(polled.is_err(), is_due);
                    if let Err(BufferTooSmall { needed }) = polled {
                        prop_assert!(needed > small.len() && needed <= LIMIT);
                    }
                }
                let mut buffer = [0; SIZE];
                let sent = requests.poll_transmit(now, &mut buffer).unwrap();
                let expected = model.transmit(now);
                prop_assert_eq!(sent.map(|length| buffer[..length].to_vec()), expected.clone());
                if expected.is_none() {
                    break;
                }
            }
            prop_assert_eq!(requests.poll_timeout().map(|deadline| deadline.at), model.deadline());
            prop_assert_eq!(requests.is_empty(), model.pending.is_empty());
            let waits = model.pending.iter().any(Pending::waits);
            prop_assert_eq!(requests.nothing_waiting(), !waits);
        }
    }
}
