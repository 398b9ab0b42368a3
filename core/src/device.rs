//! The device: constrained, with one peer, its gateway.
//!
//! It finds a gateway, negotiates a key, and then answers data requests and
//! commands and sends alerts. All that it needs is in its type: it runs without
//! `alloc`. Its loop, in any environment:
//!
//! ```
//! use iot_crypto::crypto::Provider;
//! use iot_crypto::device::{Device, DeviceEvent};
//! use iot_crypto::endpoint::{Address, Destination, Endpoint as _, LocalPort};
//! use iot_crypto::identity::Trust;
//! use iot_crypto::time::{Deadline, Instant};
//! use iot_crypto::transmission::{CommandState, Label, Reading, Value};
//! use iot_crypto::wire::BufferTooSmall;
//!
//! const TEMPERATURE: Label<'static> = Label::Number(1);
//!
//! /// One turn of the loop. `wait` sleeps until a datagram comes in, or until the
//! /// deadline has come.
//! fn turn<'a, P: Provider, A: Address, T: Trust>(
//!     device: &mut Device<P, A, T>,
//!     now: impl Fn() -> Instant,
//!     mut send: impl FnMut(LocalPort, Destination<A>, &[u8]),
//!     celsius: impl Fn() -> f64,
//!     wait: impl FnOnce(Option<Deadline>) -> Option<(LocalPort, A, &'a mut [u8])>,
//! ) -> Result<(), BufferTooSmall> {
//!     let mut buffer = [0; 1200];
//!     while let Some(sent) = device.poll_transmit(now(), &mut buffer)? {
//!         send(sent.from, sent.to, buffer.get(..sent.length).unwrap_or_default());
//!     }
//!     while let Some(event) = device.poll_event() {
//!         match event {
//!             DeviceEvent::DataRequest { request, .. } => {
//!                 let reading = Reading::new(TEMPERATURE, Value::Float(celsius()));
//!                 let _ = device.respond(request, &[reading]);
//!             }
//!             DeviceEvent::Command { request, .. } => {
//!                 let _ = device.report(request, CommandState::Done, None);
//!             }
//!             _ => {}
//!         }
//!     }
//!     match wait(device.poll_timeout()) {
//!         Some((port, from, datagram)) => device.handle_datagram(now(), port, from, datagram),
//!         None => device.handle_timeout(now()),
//!     }
//!     Ok(())
//! }
//! ```

mod event;
mod exchange;
#[cfg(test)]
mod tests;

use heapless::{Deque, Vec};

use crate::connection::{NetworkKey, NetworkKeyId};
use crate::crypto::Provider;
use crate::dropped::Dropped;
use crate::dtls::{Datagram, RECORD_OVERHEAD, SendError};
use crate::endpoint::{Address, Endpoint, LocalPort, Transmit};
use crate::identity::{Name, PartyId, Role, Trust, TrustStore};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason, UnixTime};
use crate::transmission::{
    AnswerError, Body, CommandState, ErrorCode, Message, MessageId, Reading, Refused, Requests,
    Responses, Severity, Ticket, Value,
};
use crate::uplink::{ANSWER_TIME, Settings, Uplink, UplinkEvent};
use crate::wire::BufferTooSmall;

use event::Notice;
pub use event::{DeviceEvent, Labels};

/// Whom a device trusts: a few companies, and a few revocations.
pub type DeviceTrust = TrustStore<3, 1, 8>;

/// The requests of the gateway that wait for [`Device::poll_event`]. One more is
/// not taken; the gateway repeats it.
const INBOX: usize = 2;

/// The length of a request that is kept: a data request with eight textual
/// labels, or a command with the longest argument.
const REQUEST: usize = 144;

/// The answers that wait to be sent.
const OUTBOX: usize = 2;

/// The length of an answer, in bytes: [`Device::respond`] refuses readings that
/// take more, or more than fits in a datagram.
pub const MAX_ANSWER: usize = 176;

/// The alerts, and questions whether the gateway is there, that may be unanswered
/// at a time.
const REQUESTS: usize = 3;

/// The length of an alert: with the longest remark about a number, or with the
/// longest text as its value and a short remark.
const REQUEST_SIZE: usize = 128;

/// The commands whose status is kept, in case they come again, and the length of
/// a status with the longest text.
const RESPONSES: usize = 3;
const RESPONSE_SIZE: usize = 80;

/// The length of a datagram with such a request.
const MAX_REQUEST_DATAGRAM: usize = REQUEST_SIZE + RECORD_OVERHEAD;

/// What an awake message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// Whether the gateway is still there.
    Liveness,
    /// What is waiting for a device that woke.
    Waiting,
}

/// A request of the gateway, until the application takes it.
struct Waiting {
    ticket: Ticket,
    message: Vec<u8, REQUEST, u8>,
}

/// A device.
pub struct Device<P: Provider, A: Address, T: Trust = DeviceTrust> {
    party: Party<P, T>,
    uplink: Uplink<P, A>,
    requests: Requests<REQUESTS, REQUEST_SIZE>,
    responses: Responses<RESPONSES, RESPONSE_SIZE>,
    /// The awake message that is not answered yet.
    question: Option<(MessageId, Question)>,
    inbox: Deque<Waiting, INBOX>,
    /// Whether the application was given the first of the inbox.
    given: bool,
    outbox: Deque<Vec<u8, MAX_ANSWER, u8>, OUTBOX>,
    notices: Deque<Notice, 5>,
}

impl<P: Provider, A: Address, T: Trust> Device<P, A, T> {
    /// A device that starts to look for its gateway at `now`.
    #[inline(never)] // Its parts are on the stack while it is put together, and no longer.
    pub fn new(party: Party<P, T>, settings: Settings<A>, now: Instant) -> Self {
        let max_payload = settings.dtls.datagram_limit().saturating_sub(RECORD_OVERHEAD);
        let incarnation = party.incarnation;
        Self {
            party,
            uplink: Uplink::new(settings, Role::Device, Role::Gateway, incarnation, now),
            requests: Requests::with_limit(max_payload),
            responses: Responses::new(),
            question: None,
            inbox: Deque::new(),
            given: false,
            outbox: Deque::new(),
            notices: Deque::new(),
        }
    }

    /// What the device is, whom it trusts, and what it knows.
    pub const fn party(&self) -> &Party<P, T> {
        &self.party
    }

    /// The gateway, while a session with it stands.
    pub fn gateway(&self) -> Option<PartyId> {
        self.uplink.peer().map(|standing| standing.party())
    }

    /// The gateway's name, while a session with it stands.
    pub fn gateway_name(&self) -> Option<&Name> {
        self.uplink.peer_name()
    }

    /// What was dropped.
    pub fn dropped(&self) -> Dropped {
        self.uplink.dropped()
    }

    /// Sets the wall time. A device without a clock never calls it.
    pub fn set_time(&mut self, now: Instant, time: UnixTime) -> bool {
        self.party.clock.set(now, time)
    }

    /// Prefers a network key from now on; older ones are still accepted.
    pub fn add_network_key(&mut self, key: NetworkKey) {
        self.party.take_network_key(key);
    }

    /// Accepts a network key no longer; `false` if it was not accepted.
    pub fn retire_network_key(&mut self, id: NetworkKeyId) -> bool {
        self.party.network.retire(id)
    }

    /// Changes whom the device trusts. If that no longer covers its gateway, the
    /// session ends at once.
    pub fn change_trust<R>(&mut self, now: Instant, change: impl FnOnce(&mut T, &P) -> R) -> R {
        let result = change(&mut self.party.trust, &self.party.provider);
        self.uplink.check_trust(&mut self.party, now);
        result
    }

    /// Raises an alert. It is kept, and repeated in this session and the next
    /// ones, until the gateway acknowledges it ([`DeviceEvent::AlertDelivered`]).
    ///
    /// # Errors
    /// [`Refused`]; then the alert is not kept. [`Refused::Full`] means that as
    /// many are waiting as there is room for.
    pub fn alert(
        &mut self,
        now: Instant,
        severity: Severity,
        reading: Reading<'_>,
        text: &str,
    ) -> Result<MessageId, Refused> {
        self.requests.send(now, Body::Alert { severity, reading, text }, None, None)
    }

    /// Asks the gateway what is waiting: for a sleepy device that woke. It is
    /// given the requests that are, and then [`DeviceEvent::MaySleep`].
    ///
    /// # Errors
    /// [`Refused`].
    pub fn wake(&mut self, now: Instant) -> Result<MessageId, Refused> {
        // One that is being asked already, for whatever reason, is asked again: there may
        // be no room for another.
        let id = match self.question {
            Some((id, _)) if self.requests.keep(id) => {
                self.requests.restart(now);
                id
            }
            _ => self.requests.send(now, Body::Awake, None, None)?,
        };
        self.question = Some((id, Question::Waiting));
        Ok(id)
    }

    /// Answers a data request, with one reading for each label.
    ///
    /// # Errors
    /// [`AnswerError`]; the request stays open, so that it can be answered
    /// otherwise.
    pub fn respond(
        &mut self,
        request: Ticket,
        readings: &[Reading<'_>],
    ) -> Result<(), AnswerError> {
        let readings = Vec::from_slice(readings).map_err(|_| AnswerError::OutOfLimits)?;
        self.answer(request, Body::DataResponse { readings })
    }

    /// Answers a command.
    ///
    /// # Errors
    /// [`AnswerError`], as with [`Device::respond`].
    pub fn report(
        &mut self,
        request: Ticket,
        state: CommandState,
        result: Option<Value<'_>>,
    ) -> Result<(), AnswerError> {
        self.answer(request, Body::CommandStatus { state, result })
    }

    /// Answers any request that it is not carried out.
    ///
    /// # Errors
    /// [`AnswerError`], as with [`Device::respond`].
    pub fn reject(
        &mut self,
        request: Ticket,
        code: ErrorCode,
        text: &str,
    ) -> Result<(), AnswerError> {
        self.answer(request, Body::Error { code, text })
    }

    /// Ends the session, with a close_notify, and looks for no other.
    pub fn close(&mut self, now: Instant) {
        self.uplink.close(&mut self.party, now);
        self.follow(now);
    }

    /// The next event. A request in it borrows from the device until the next
    /// call.
    pub fn poll_event(&mut self) -> Option<DeviceEvent<'_>> {
        if let Some(notice) = self.notices.pop_front() {
            return Some(notice.event());
        }
        self.forget_given();
        let Waiting { ticket, message } = self.inbox.front()?;
        self.given = true;
        let request = *ticket;
        match Message::decode(message).ok()?.body {
            Body::DataRequest { labels, .. } => {
                Some(DeviceEvent::DataRequest { request, labels: Labels::new(&labels) })
            }
            Body::Command { label, argument, .. } => {
                Some(DeviceEvent::Command { request, label, argument })
            }
            _ => None,
        }
    }

    fn notify(&mut self, notice: Notice) {
        if self.notices.is_full() {
            self.notices.pop_front();
        }
        let _ = self.notices.push_back(notice);
    }

    /// Does what the uplink's events ask for.
    fn follow(&mut self, now: Instant) {
        while let Some(event) = self.uplink.poll_event() {
            match event {
                UplinkEvent::Negotiated { peer } => self.notify(Notice::Negotiated(peer)),
                UplinkEvent::Connected { peer: gateway, replaced, new_incarnation } => {
                    self.greet(now, new_incarnation);
                    self.notify(Notice::Connected { gateway, replaced });
                }
                UplinkEvent::Disconnected { peer: gateway, reason } => {
                    self.requests.set_peer_listening(now, false);
                    self.outbox.clear();
                    self.notify(Notice::Disconnected { gateway, reason });
                }
                UplinkEvent::PeerMayBeGone => self.ask(now),
                UplinkEvent::Failed(failure) => self.notify(Notice::Failed(failure)),
            }
        }
    }

    /// Goes on with what was unanswered, in a new session.
    fn greet(&mut self, now: Instant, new_incarnation: bool) {
        if new_incarnation {
            // SPEC.md section 10.7: its ids begin anew, and it has forgotten ours.
            self.responses.reset();
            self.forget_given();
            self.inbox.clear();
            self.outbox.clear();
        }
        self.requests.handle_session(now, new_incarnation);
    }

    /// Asks whether the gateway is still there. If there is no room for another
    /// request, the ones that are unanswered ask the same, now.
    fn ask(&mut self, now: Instant) {
        if self.question.is_none() {
            let expires = Some(now + ANSWER_TIME);
            match self.requests.send(now, Body::Awake, None, expires) {
                Ok(id) => self.question = Some((id, Question::Liveness)),
                Err(_) => self.requests.restart(now),
            }
        }
    }
}

impl<P: Provider, A: Address, T: Trust> Endpoint for Device<P, A, T> {
    type Address = A;

    fn handle_datagram(&mut self, now: Instant, port: LocalPort, from: A, datagram: &mut [u8]) {
        if port == LocalPort::Discovery {
            self.uplink.handle_advertisement(&mut self.party, now, from, datagram);
        } else {
            let mut datagram = Datagram::new(datagram);
            while let Some(payload) =
                self.uplink.handle_record(&mut self.party, now, port, from, &mut datagram)
            {
                self.receive(now, payload);
            }
        }
        self.follow(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.uplink.handle_timeout(&mut self.party, now);
        self.requests.handle_timeout(now);
        while let Some(given_up) = self.requests.poll_event() {
            self.question = self.question.filter(|(id, _)| *id != given_up.id);
        }
        self.follow(now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        if let Some(sent) = self.uplink.poll_transmit(&mut self.party, now, buffer)? {
            return Ok(Some(sent));
        }
        while let Some(message) = self.outbox.front() {
            match self.uplink.send(&mut self.party, now, message, buffer) {
                Err(SendError::BufferTooSmall(error)) => return Err(error),
                sent => {
                    self.outbox.pop_front();
                    if let Ok(sent) = sent {
                        return Ok(Some(sent));
                    }
                }
            }
        }
        if self.requests.poll_timeout().is_none_or(|deadline| deadline.at > now) {
            return Ok(None);
        }
        // Before a request is noted as sent.
        let needed = MAX_REQUEST_DATAGRAM.min(self.uplink.max_datagram());
        if buffer.len() < needed {
            return Err(BufferTooSmall { needed });
        }
        let mut message = [0; REQUEST_SIZE];
        while let Some(length) = self.requests.poll_transmit(now, &mut message)? {
            let message = message.get(..length).unwrap_or_default();
            if let Ok(sent) = self.uplink.send(&mut self.party, now, message, buffer) {
                self.uplink.note_request(now);
                return Ok(Some(sent));
            }
        }
        Ok(None)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if !self.outbox.is_empty()
            || !self.notices.is_empty()
            || self.inbox.len() > usize::from(self.given)
        {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        Deadline::earlier(self.uplink.poll_timeout(&self.party), self.requests.poll_timeout())
    }
}
