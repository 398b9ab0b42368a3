//! What goes from the gateway to its cloud, and the cloud's requests.
//!
//! Readings, alerts and the presence of devices wait in a queue until the cloud
//! has acknowledged them. The queue is bounded; when it is full, the oldest
//! readings give way, and alerts are not taken (so that the devices keep them).

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::identity::{Name, PartyId};
use crate::time::{Deadline, Instant, Reason};
use crate::transmission::{
    Body, Kind, Message, MessageId, OwnedReading, PresenceState, Refused, Requests, Responses,
    Severity, Ticket, Verdict,
};
use crate::uplink::ANSWER_TIME;

/// The length of a request to the cloud: the longest report with a subject.
const REQUEST_SIZE: usize = 832;

/// The cloud's requests that are kept at a time, with their answers.
const RESPONSES: usize = 64;

/// The length of an answer that is kept: the longest command status with a
/// subject.
const RESPONSE_SIZE: usize = 96;

/// The items that wait in the queue.
const MAX_QUEUE: usize = 4096;

/// The items of one device that wait in the queue, so that one that floods its
/// gateway doesn't take the room of the others.
const MAX_QUEUE_OF_DEVICE: usize = 64;

/// The answers that wait to be sent. One more is dropped: its request will come
/// again.
const MAX_ANSWERS: usize = 256;

/// One thing to tell the cloud about a device.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) device: PartyId,
    pub(super) news: News,
}

/// What there is to tell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum News {
    Readings(Vec<OwnedReading>),
    Alert { severity: Severity, reading: OwnedReading, text: String },
    Presence(PresenceState, Name),
}

impl News {
    /// The message that tells it.
    fn body(&self) -> Body<'_> {
        match self {
            Self::Readings(readings) => {
                Body::Report { readings: readings.iter().map(OwnedReading::borrow).collect() }
            }
            Self::Alert { severity, reading, text } => {
                Body::Alert { severity: *severity, reading: reading.borrow(), text }
            }
            Self::Presence(state, name) => Body::Presence { state: *state, name: name.as_str() },
        }
    }
}

/// The exchange with the cloud.
pub(super) struct Upstream {
    requests: Box<Requests<16, REQUEST_SIZE>>,
    responses: Box<Responses<RESPONSES, RESPONSE_SIZE>>,
    queue: VecDeque<Item>,
    answers: VecDeque<Vec<u8>>,
    /// The cloud's requests that were handed on, by the request to the device.
    forwarded: BTreeMap<(PartyId, MessageId), Ticket>,
    /// The cloud whose ids these are.
    cloud: Option<(PartyId, u32)>,
}

impl Upstream {
    pub(super) fn new() -> Self {
        Self {
            requests: Box::new(Requests::new()),
            responses: Box::new(Responses::new()),
            queue: VecDeque::new(),
            answers: VecDeque::new(),
            forwarded: BTreeMap::new(),
            cloud: None,
        }
    }

    /// A session with the cloud stands; whether it is one that knows nothing yet.
    pub(super) fn connect(&mut self, now: Instant, cloud: PartyId, incarnation: u32) -> bool {
        self.requests.set_peer_listening(now, true);
        let is_new = self.cloud != Some((cloud, incarnation));
        if is_new {
            // SPEC.md section 10.7: its ids begin anew, and it has forgotten ours.
            self.cloud = Some((cloud, incarnation));
            self.responses.reset();
            self.forwarded.clear();
            self.requests.handle_peer_restart(now);
        } else {
            self.requests.restart(now);
        }
        is_new
    }

    /// There is no session any more.
    pub(super) fn disconnect(&mut self, now: Instant) {
        self.requests.set_peer_listening(now, false);
        self.answers.clear();
    }

    /// Puts an item in the queue; `false` if there is no room for it.
    pub(super) fn push(&mut self, item: Item) -> bool {
        let device = item.device;
        if matches!(item.news, News::Presence(..)) {
            // Only how a device stands now is of interest.
            self.remove(|known| known.device == device && matches!(known.news, News::Presence(..)));
        } else if self.queue.iter().filter(|known| known.device == device).count()
            >= MAX_QUEUE_OF_DEVICE
            && !self.remove_readings(|known| known.device == device)
        {
            return false;
        }
        if self.queue.len() >= MAX_QUEUE && !self.remove_readings(|_| true) {
            return false;
        }
        self.queue.push_back(item);
        true
    }

    /// Sends as much of the queue as may be unanswered at a time.
    pub(super) fn refill(&mut self, now: Instant) {
        while let Some(Item { device, news }) = self.queue.front() {
            if self.requests.send(now, news.body(), Some(*device), None) == Err(Refused::Full) {
                break;
            }
            self.queue.pop_front();
        }
    }

    /// Asks whether the cloud is still there. If there is no room for another
    /// request, the ones that are unanswered ask the same.
    pub(super) fn ask(&mut self, now: Instant) {
        let _ = self.requests.send(now, Body::Awake, None, Some(now + ANSWER_TIME));
    }

    /// Takes an answer of the cloud's.
    pub(super) fn handle_answer(&mut self, now: Instant, answer: &Message<'_>) {
        self.requests.handle_answer(now, answer);
        self.refill(now);
    }

    /// Takes a request of the cloud's; a ticket if it was not seen before.
    pub(super) fn handle_request(
        &mut self,
        now: Instant,
        id: MessageId,
        kind: Kind,
    ) -> Option<Ticket> {
        match self.responses.receive(now, id, kind) {
            Verdict::New(ticket) => return Some(ticket),
            Verdict::Answered(answer) => {
                let answer = answer.to_vec();
                self.push_answer(answer);
            }
            Verdict::InProgress | Verdict::Acknowledged => {
                self.push_message(id, Body::Acknowledgement { nothing_waiting: true });
            }
            Verdict::Refused(code) => self.push_message(id, Body::Error { code, text: "" }),
        }
        None
    }

    /// Remembers that a request of the cloud's was handed on to a device. There
    /// are never more than open requests.
    pub(super) fn forward(&mut self, ticket: Ticket, device: PartyId, request: MessageId) {
        self.forwarded.insert((device, request), ticket);
    }

    /// Whether `request` was handed on for the cloud.
    pub(super) fn is_forwarded(&self, device: PartyId, request: MessageId) -> bool {
        self.forwarded.contains_key(&(device, request))
    }

    /// Answers the request of the cloud's that `request` was handed on for, if it
    /// was.
    pub(super) fn answer_forwarded(&mut self, device: PartyId, request: MessageId, body: Body<'_>) {
        if let Some(ticket) = self.forwarded.remove(&(device, request)) {
            self.answer(ticket, Some(device), body);
        }
    }

    /// Answers a request of the cloud's.
    pub(super) fn answer(&mut self, ticket: Ticket, subject: Option<PartyId>, body: Body<'_>) {
        let mut message = alloc::vec![0; REQUEST_SIZE];
        if let Ok(length) = self.responses.answer(ticket, subject, body, &mut message) {
            message.truncate(length);
            self.push_answer(message);
        }
    }

    /// Answers a request of the cloud's that did not even get a ticket.
    pub(super) fn push_message(&mut self, id: MessageId, body: Body<'_>) {
        let mut message = alloc::vec![0; REQUEST_SIZE];
        if let Ok(length) = (Message { id, subject: None, body }).encode(&mut message) {
            message.truncate(length);
            self.push_answer(message);
        }
    }

    /// Gives up what has expired: only questions whether the cloud is there.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.requests.handle_timeout(now);
        while self.requests.poll_event().is_some() {}
    }

    /// The next message to send; `None` if there is none.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        let mut message = alloc::vec![0; REQUEST_SIZE];
        let length = self.requests.poll_transmit(now, &mut message).ok()??;
        message.truncate(length);
        Some(message)
    }

    pub(super) fn poll_timeout(&self) -> Option<Deadline> {
        if !self.answers.is_empty() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        self.requests.poll_timeout()
    }

    fn push_answer(&mut self, message: Vec<u8>) {
        if self.answers.len() < MAX_ANSWERS {
            self.answers.push_back(message);
        }
    }

    /// Removes the oldest readings among the items that are `eligible`.
    fn remove_readings(&mut self, eligible: impl Fn(&Item) -> bool) -> bool {
        self.remove(|item| matches!(item.news, News::Readings(_)) && eligible(item))
    }

    fn remove(&mut self, unwanted: impl Fn(&Item) -> bool) -> bool {
        match self.queue.iter().position(unwanted) {
            Some(index) => self.queue.remove(index).is_some(),
            None => false,
        }
    }
}
