//! What goes from the gateway to its cloud, and the cloud's requests.
//!
//! Readings, alerts and the presence of devices wait in a queue until the cloud
//! has acknowledged them. The queue of readings and alerts is bounded; when it is
//! full, the oldest readings give way, and alerts are not taken (so that the
//! devices keep them). Of each device, only the last presence waits; it is told
//! first.

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use crate::identity::{Name, PartyId};
use crate::time::{Deadline, Instant, Reason};
use crate::transmission::{
    Answered, Body, Kind, Message, MessageId, OwnedReading, PresenceState, Refused, Requests,
    Responses, Severity, Ticket, Verdict,
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

/// The devices whose presence waits to be told. When there are as many, another
/// is not told of.
const MAX_PRESENCE: usize = 1 << 17;

/// While the presence of as many waits to be told, nothing is told of those that
/// were refused: anyone in the network can make up any number of them.
const MAX_REFUSED: usize = 256;

/// The answers that wait to be sent. One more is dropped: its request will come
/// again.
const MAX_ANSWERS: usize = 256;

/// A thing to tell the cloud about a device.
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
        }
    }
}

/// The exchange with the cloud.
pub(super) struct Upstream {
    requests: Box<Requests<16, REQUEST_SIZE>>,
    responses: Box<Responses<RESPONSES, RESPONSE_SIZE>>,
    presence: BTreeMap<PartyId, (PresenceState, Name)>,
    /// The devices whose presence is being told: of each one thing at a time, so
    /// that the last one told is the last one heard.
    telling: BTreeMap<MessageId, PartyId>,
    queue: VecDeque<Item>,
    answers: VecDeque<Vec<u8>>,
    /// The cloud's requests that were handed on, by the request to the device.
    forwarded: BTreeMap<(PartyId, MessageId), Ticket>,
}

impl Upstream {
    /// For sessions that carry payloads of at most `max_payload` bytes.
    pub(super) fn new(max_payload: usize) -> Self {
        Self {
            requests: Box::new(Requests::with_limit(max_payload)),
            responses: Box::new(Responses::new()),
            presence: BTreeMap::new(),
            telling: BTreeMap::new(),
            queue: VecDeque::new(),
            answers: VecDeque::new(),
            forwarded: BTreeMap::new(),
        }
    }

    /// A session with the cloud stands.
    pub(super) fn connect(&mut self, now: Instant, new_incarnation: bool) {
        if new_incarnation {
            // SPEC.md section 10.7: its ids begin anew, and it has forgotten ours.
            self.responses.reset();
            self.forwarded.clear();
            self.answers.clear();
        }
        self.requests.handle_session(now, new_incarnation);
    }

    /// There is no session any more.
    pub(super) fn disconnect(&mut self, now: Instant) {
        self.requests.set_peer_listening(now, false);
        self.answers.clear();
    }

    /// Puts an item in the queue; `false` if there is no room for it.
    pub(super) fn push(&mut self, item: Item) -> bool {
        let device = item.device;
        if self.queue.iter().filter(|known| known.device == device).count() >= MAX_QUEUE_OF_DEVICE
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

    /// Notes how a device stands, in place of how it stood before.
    pub(super) fn note_presence(&mut self, device: PartyId, state: PresenceState, name: Name) {
        let limit = match state {
            PresenceState::Refused(_) => MAX_REFUSED,
            PresenceState::Connected | PresenceState::Disconnected => MAX_PRESENCE,
        };
        if self.presence.len() < limit || self.presence.contains_key(&device) {
            self.presence.insert(device, (state, name));
        }
    }

    /// Sends as much of what waits as may be unanswered at a time.
    pub(super) fn refill(&mut self, now: Instant) {
        self.tell_presence(now);
        while let Some(Item { device, news }) = self.queue.pop_front() {
            match (self.requests.send(now, news.body(), Some(device), None), news) {
                (Err(Refused::Full), news) => return self.queue.push_front(Item { device, news }),
                (Err(Refused::TooLarge { .. }), News::Readings(mut first)) if first.len() > 1 => {
                    let rest = first.split_off(first.len() / 2);
                    self.queue.push_front(Item { device, news: News::Readings(rest) });
                    self.queue.push_front(Item { device, news: News::Readings(first) });
                }
                _ => {}
            }
        }
    }

    fn tell_presence(&mut self, now: Instant) {
        while let Some((&device, (state, name))) = self
            .presence
            .iter()
            .find(|(device, _)| !self.telling.values().any(|telling| telling == *device))
        {
            let body = Body::Presence { state: *state, name: name.as_str() };
            match self.requests.send(now, body, Some(device), None) {
                Ok(request) => {
                    self.telling.insert(request, device);
                }
                Err(Refused::Full) => return,
                Err(_) => {}
            }
            self.presence.remove(&device);
        }
    }

    /// Asks whether the cloud is still there. If there is no room for another
    /// request, the ones that are unanswered ask the same, now.
    pub(super) fn ask(&mut self, now: Instant) {
        if self.requests.send(now, Body::Awake, None, Some(now + ANSWER_TIME)).is_err() {
            self.requests.restart(now);
        }
    }

    /// Takes an answer of the cloud's; the kind of the request that it ends.
    pub(super) fn handle_answer(&mut self, now: Instant, answer: &Message<'_>) -> Option<Kind> {
        match self.requests.handle_answer(now, answer)? {
            Answered::Final(kind) => {
                self.telling.remove(&answer.id);
                self.refill(now);
                Some(kind)
            }
            Answered::Deferred(_) => None,
        }
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
            Verdict::Refused(code) => self.push_message(id, Body::error(code)),
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
        let is_unwanted = |item: &Item| matches!(item.news, News::Readings(_)) && eligible(item);
        match self.queue.iter().position(is_unwanted) {
            Some(index) => self.queue.remove(index).is_some(),
            None => false,
        }
    }
}
