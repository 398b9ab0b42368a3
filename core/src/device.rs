//! The device: constrained, with one peer, its gateway.
//!
//! It finds a gateway, negotiates a key, and then answers data requests and
//! commands and sends alerts. All that it needs is in its type: it runs without
//! `alloc`. Its loop, in any environment:
//!
//! ```
//! # use iot_crypto::device::{Device, DeviceEvent};
//! # use iot_crypto::endpoint::Endpoint;
//! # use iot_crypto::crypto::Provider;
//! # use iot_crypto::identity::Trust;
//! # use iot_crypto::transmission::{CommandState, Label, Reading, Value};
//! # use iot_crypto::time::Instant;
//! # use core::net::SocketAddr;
//! # fn now() -> Instant { Instant::ZERO }
//! # fn celsius() -> f64 { 21.5 }
//! # fn send(_: &[u8]) {}
//! # fn wait<P, T>(_: &Device<P, SocketAddr, T>) -> Option<(SocketAddr, &'static mut [u8])>
//! # where P: Provider, T: Trust { None }
//! # fn turn<P: Provider, T: Trust>(device: &mut Device<P, SocketAddr, T>, buffer: &mut [u8])
//! # -> Result<(), iot_crypto::wire::BufferTooSmall> {
//! # use iot_crypto::endpoint::LocalPort;
//! // 1. Send what is ready.
//! while let Some(sent) = device.poll_transmit(now(), buffer)? {
//!     send(&buffer[..sent.length]);
//! }
//! // 2. Serve what happened.
//! while let Some(event) = device.poll_event() {
//!     match event {
//!         DeviceEvent::DataRequest { request, .. } => {
//!             let reading = Reading::new(Label::parse("temperature"), Value::Float(celsius()));
//!             let _ = device.respond(request, &[reading]);
//!         }
//!         DeviceEvent::Command { request, .. } => {
//!             let _ = device.report(request, CommandState::Done, None);
//!         }
//!         _ => {}
//!     }
//! }
//! // 3. Sleep until a datagram comes in or the deadline has come.
//! match wait(device) {
//!     Some((from, bytes)) => {
//!         device.handle_datagram(now(), LocalPort::FirstClient, from, bytes);
//!     }
//!     None => device.handle_timeout(now()),
//! }
//! # Ok(())
//! # }
//! ```

use core::time::Duration;

use heapless::{Deque, Vec};

use crate::connection::{NetworkKey, NetworkKeyId};
use crate::crypto::Provider;
use crate::dtls::{Datagram, RECORD_OVERHEAD, SendError};
use crate::endpoint::{Address, Endpoint, LocalPort, Transmit};
use crate::identity::{Name, PartyId, Revocation, Rights, Role, Trust, TrustStore};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason};
use crate::transmission::{
    AnswerError, Answered, Body, CommandState, ErrorCode, Kind, Label, MAX_ITEMS, Message,
    MessageId, Reading, Refused, Rejected, Requests, Responses, Severity, Tally, Ticket, Value,
    Verdict,
};
use crate::uplink::{Disconnection, Failure, Settings, Uplink, UplinkEvent};
use crate::wire::BufferTooSmall;

/// Whom a device trusts: a few companies, and a few revocations.
pub type DeviceTrust = TrustStore<3, 1, 4>;

/// The requests of the gateway that wait for [`Device::poll_event`]. One more is
/// not taken; the gateway repeats it.
const INBOX: usize = 2;

/// The length of a request that is kept: a data request with eight textual
/// labels, or a command with the longest argument.
const REQUEST: usize = 160;

/// The answers that wait to be sent.
const OUTBOX: usize = 2;

/// The length of an answer, in bytes: [`Device::respond`] refuses readings that
/// take more.
pub const MAX_ANSWER: usize = 256;

/// The length of a request of the device: the longest alert.
const REQUEST_SIZE: usize = 176;

/// The length of a datagram with such a request.
const MAX_REQUEST_DATAGRAM: usize = REQUEST_SIZE + RECORD_OVERHEAD;

/// The silence of the gateway after which a device that does not sleep asks
/// whether it is still there.
const LIVENESS: Duration = Duration::from_secs(60);

/// How long the gateway may take to answer that, repetitions included.
const LIVENESS_TIMEOUT: Duration = Duration::from_secs(20);

/// What happened to a device.
#[derive(Clone, Debug, PartialEq)]
pub enum DeviceEvent<'a> {
    /// A gateway was verified, and a session key negotiated with it.
    Negotiated {
        /// The gateway.
        gateway: PartyId,
    },
    /// A session with a gateway stands.
    Connected {
        /// The gateway.
        gateway: PartyId,
        /// Whether it replaced a session with the same or another gateway.
        replaced: bool,
    },
    /// The session ended. The device looks for a new one by itself.
    Disconnected {
        /// The gateway.
        gateway: PartyId,
        /// Why.
        reason: Disconnection,
    },
    /// An attempt to get a session failed. The next one follows by itself.
    Failed(Failure),
    /// The gateway asks for readings; to be answered by [`Device::respond`].
    DataRequest {
        /// What to answer to.
        request: Ticket,
        /// What is asked for; nothing asks for everything that there is.
        labels: Vec<Label<'a>, MAX_ITEMS>,
    },
    /// The gateway commands; to be answered by [`Device::report`]. It arrives
    /// once, however often it was sent.
    Command {
        /// What to answer to.
        request: Ticket,
        /// What is to be changed.
        label: Label<'a>,
        /// To what.
        argument: Value<'a>,
    },
    /// An alert has arrived, and the gateway has taken charge of it.
    AlertDelivered(MessageId),
    /// The gateway does not want this alert.
    AlertRefused(MessageId, ErrorCode),
    /// The gateway handed out a network key, which is preferred from now on. A
    /// device with a store saves [`Party::network`].
    NetworkKeyReceived(NetworkKeyId),
    /// Somebody was revoked. A device with a store saves [`Party::trust`].
    Revoked(PartyId),
    /// Nothing is waiting for the device at the gateway: a sleepy device may
    /// sleep until its deadline or its next alert.
    MaySleep,
}

/// A request of the gateway, until the application takes it.
struct Waiting {
    ticket: Ticket,
    message: Vec<u8, REQUEST>,
}

/// What is to be told, without anything that is borrowed.
#[derive(Clone, Copy)]
enum Notice {
    Negotiated(PartyId),
    Connected { gateway: PartyId, replaced: bool },
    Disconnected { gateway: PartyId, reason: Disconnection },
    Failed(Failure),
    AlertDelivered(MessageId),
    AlertRefused(MessageId, ErrorCode),
    NetworkKeyReceived(NetworkKeyId),
    Revoked(PartyId),
    MaySleep,
}

/// A device.
pub struct Device<P: Provider, A: Address, T: Trust = DeviceTrust> {
    party: Party<P, T>,
    uplink: Uplink<P, A>,
    requests: Requests<4, REQUEST_SIZE>,
    responses: Responses<4, 96>,
    gateway_incarnation: Option<(PartyId, u32)>,
    heard: Instant,
    /// The question whether the gateway is still there, while it is open.
    probe: Option<MessageId>,
    inbox: Deque<Waiting, INBOX>,
    /// The request that the application was given last.
    current: Option<Waiting>,
    outbox: Deque<Vec<u8, MAX_ANSWER>, OUTBOX>,
    notices: Deque<Notice, 8>,
    sleepy: bool,
}

impl<P: Provider, A: Address, T: Trust> Device<P, A, T> {
    /// A device that starts to look for its gateway at `now`.
    pub fn new(party: Party<P, T>, settings: Settings<A>, now: Instant) -> Self {
        let sleepy = settings.sleepy;
        Self {
            party,
            uplink: Uplink::new(settings, Role::Device, Role::Gateway, now),
            requests: Requests::new(),
            responses: Responses::new(),
            gateway_incarnation: None,
            heard: now,
            probe: None,
            inbox: Deque::new(),
            current: None,
            outbox: Deque::new(),
            notices: Deque::new(),
            sleepy,
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

    /// What was sent to gateways.
    pub const fn sent(&self) -> &Tally {
        self.uplink.sent()
    }

    /// Sets the wall time. A device without a clock never calls it.
    pub fn set_time(&mut self, now: Instant, time: crate::time::UnixTime) -> bool {
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
        self.requests.send(now, Body::Awake, None, Some(now + LIVENESS_TIMEOUT))
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
        self.current = self.inbox.pop_front();
        let Waiting { ticket, message } = self.current.as_ref()?;
        let request = *ticket;
        match Message::decode(message).ok()?.body {
            Body::DataRequest { labels, .. } => Some(DeviceEvent::DataRequest { request, labels }),
            Body::Command { label, argument, .. } => {
                Some(DeviceEvent::Command { request, label, argument })
            }
            _ => None,
        }
    }

    fn answer(&mut self, request: Ticket, body: Body<'_>) -> Result<(), AnswerError> {
        let mut message = Vec::from_array([0; MAX_ANSWER]);
        let length = self.responses.answer(request, None, body, &mut message)?;
        message.truncate(length);
        self.push_answer(message);
        Ok(())
    }

    /// Puts an answer in the queue. The oldest gives way: its request will come
    /// again.
    fn push_answer(&mut self, message: Vec<u8, MAX_ANSWER>) {
        if self.outbox.is_full() {
            self.outbox.pop_front();
        }
        let _ = self.outbox.push_back(message);
    }

    fn push_message(&mut self, id: MessageId, body: Body<'_>) {
        let mut message = Vec::from_array([0; MAX_ANSWER]);
        if let Ok(length) = (Message { id, subject: None, body }).encode(&mut message) {
            message.truncate(length);
            self.push_answer(message);
        }
    }

    fn notify(&mut self, notice: Notice) {
        if self.notices.is_full() {
            self.notices.pop_front();
        }
        let _ = self.notices.push_back(notice);
    }

    /// Takes a payload of the live session.
    fn receive(&mut self, now: Instant, payload: &[u8]) {
        self.heard = now;
        match Message::decode(payload) {
            Err(Rejected::Dropped(_)) => {}
            Err(Rejected::Answerable { id, code }) => {
                self.push_message(id, Body::Error { code, text: "" });
            }
            Ok(message) if message.body.kind().is_request() => {
                self.receive_request(now, &message, payload);
            }
            Ok(message) => self.receive_answer(now, &message),
        }
    }

    fn receive_request(&mut self, now: Instant, message: &Message<'_>, payload: &[u8]) {
        let kind = message.body.kind();
        let Some(right) = right_to_ask(kind) else {
            return self.push_message(message.id, error(ErrorCode::UnknownKind));
        };
        let rights = self.uplink.peer().map_or(Rights::NONE, |standing| standing.rights());
        if !rights.contains(right) {
            return self.push_message(message.id, error(ErrorCode::NotPermitted));
        }
        if matches!(kind, Kind::DataRequest | Kind::Command) && self.inbox.is_full() {
            return self.push_message(message.id, error(ErrorCode::Busy));
        }
        match self.responses.receive(now, message.id, kind) {
            Verdict::New(ticket) => self.begin(now, ticket, message, payload),
            Verdict::Answered(answer) => {
                if let Ok(answer) = Vec::from_slice(answer) {
                    self.push_answer(answer);
                }
            }
            Verdict::InProgress | Verdict::Acknowledged => {
                self.push_message(message.id, Body::Acknowledgement { nothing_waiting: true });
            }
            Verdict::Refused(code) => self.push_message(message.id, error(code)),
        }
    }

    /// Carries out a request that was not seen before, or lets it wait for the
    /// application.
    fn begin(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>, payload: &[u8]) {
        let done = match &message.body {
            Body::NetworkKey { key } => self.take_network_key(key.0),
            Body::Revocation { revocation } => self.take_revocation(now, revocation),
            Body::Renegotiation => {
                self.uplink.rotate(&mut self.party, now);
                Ok(())
            }
            _ => {
                if let Ok(message) = Vec::from_slice(payload)
                    && self.inbox.push_back(Waiting { ticket, message }).is_ok()
                {
                    return;
                }
                Err(ErrorCode::TooLarge)
            }
        };
        let body = match done {
            Ok(()) => Body::Acknowledgement { nothing_waiting: true },
            Err(code) => error(code),
        };
        let _ = self.answer(ticket, body);
    }

    fn take_network_key(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        let key =
            NetworkKey::decode(&self.party.provider, bytes).map_err(|_| ErrorCode::Malformed)?;
        let id = key.id();
        self.party.take_network_key(key);
        self.notify(Notice::NetworkKeyReceived(id));
        Ok(())
    }

    fn take_revocation(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ErrorCode> {
        let revocation = Revocation::decode(bytes).map_err(|_| ErrorCode::Malformed)?;
        self.party
            .trust
            .revoke(&self.party.provider, &revocation)
            .map_err(|_| ErrorCode::NotPermitted)?;
        self.notify(Notice::Revoked(revocation.subject()));
        self.uplink.check_trust(&mut self.party, now);
        Ok(())
    }

    fn receive_answer(&mut self, now: Instant, message: &Message<'_>) {
        let Some(answered) = self.requests.handle_answer(now, message) else { return };
        let Answered::Final(kind) = answered else { return };
        match (kind, &message.body) {
            // Already done: it was acknowledged before, but the answer was lost.
            (Kind::Alert, Body::Error { code, .. }) if *code != ErrorCode::AlreadyDone => {
                self.notify(Notice::AlertRefused(message.id, *code));
            }
            (Kind::Alert, _) => self.notify(Notice::AlertDelivered(message.id)),
            (Kind::Awake, _) if self.probe == Some(message.id) => self.probe = None,
            (Kind::Awake, Body::Acknowledgement { nothing_waiting: true }) => {
                self.notify(Notice::MaySleep);
            }
            _ => {}
        }
    }

    /// Does what the uplink's events ask for.
    fn follow(&mut self, now: Instant) {
        while let Some(event) = self.uplink.poll_event() {
            match event {
                UplinkEvent::Negotiated { peer } => self.notify(Notice::Negotiated(peer)),
                UplinkEvent::Connected { peer: gateway, incarnation, replaced } => {
                    self.greet(now, gateway, incarnation);
                    self.notify(Notice::Connected { gateway, replaced });
                }
                UplinkEvent::Disconnected { peer: gateway, reason } => {
                    self.requests.set_peer_listening(now, false);
                    self.outbox.clear();
                    self.notify(Notice::Disconnected { gateway, reason });
                }
                UplinkEvent::PeerMayHaveRestarted => self.probe(now),
                UplinkEvent::Failed(failure) => self.notify(Notice::Failed(failure)),
            }
        }
    }

    /// Goes on with what was unanswered, in a new session.
    fn greet(&mut self, now: Instant, gateway: PartyId, incarnation: u32) {
        if self.gateway_incarnation == Some((gateway, incarnation)) {
            self.requests.restart(now);
        } else {
            // SPEC.md section 10.5: its ids begin anew, and it has forgotten ours.
            self.gateway_incarnation = Some((gateway, incarnation));
            self.responses.reset();
            self.inbox.clear();
            self.requests.handle_peer_restart(now);
        }
        self.heard = now;
        self.requests.set_peer_listening(now, true);
    }

    /// Asks whether the gateway is still there.
    fn probe(&mut self, now: Instant) {
        if self.probe.is_none() {
            let expires = Some(now + LIVENESS_TIMEOUT);
            self.probe = self.requests.send(now, Body::Awake, None, expires).ok();
        }
    }

    /// When the gateway has been silent for too long; a device that sleeps finds
    /// out when it wakes.
    fn liveness(&self) -> Option<Instant> {
        let watches = self.uplink.peer().is_some() && !self.sleepy && self.probe.is_none();
        watches.then(|| self.heard + LIVENESS)
    }
}

impl<P: Provider, A: Address, T: Trust> Endpoint for Device<P, A, T> {
    type Address = A;

    fn handle_datagram(&mut self, now: Instant, port: LocalPort, from: A, datagram: &mut [u8]) {
        if port == LocalPort::Discovery {
            // An advertisement that is not followed changes nothing.
            let _ = self.uplink.hear(&mut self.party, now, from, datagram);
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
        if self.liveness().is_some_and(|at| now >= at) {
            self.probe(now);
        }
        self.requests.handle_timeout(now);
        while let Some(given_up) = self.requests.poll_event() {
            // A wake that was not answered tells the same as a probe.
            if given_up.kind == Kind::Awake {
                self.probe = None;
                self.uplink.disconnect(&mut self.party, now, Disconnection::Silent);
            }
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
        if buffer.len() < MAX_REQUEST_DATAGRAM {
            return Err(BufferTooSmall { needed: MAX_REQUEST_DATAGRAM });
        }
        let mut message = [0; REQUEST_SIZE];
        while let Some(length) = self.requests.poll_transmit(now, &mut message)? {
            let message = message.get(..length).unwrap_or_default();
            if let Ok(sent) = self.uplink.send(&mut self.party, now, message, buffer) {
                return Ok(Some(sent));
            }
        }
        Ok(None)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if !self.outbox.is_empty() || !self.notices.is_empty() || !self.inbox.is_empty() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        let liveness = self.liveness().map(|at| Deadline::new(at, Reason::Liveness));
        [liveness, self.requests.poll_timeout()]
            .into_iter()
            .fold(self.uplink.poll_timeout(&self.party), Deadline::earlier)
    }
}

impl Notice {
    fn event(self) -> DeviceEvent<'static> {
        match self {
            Self::Negotiated(gateway) => DeviceEvent::Negotiated { gateway },
            Self::Connected { gateway, replaced } => DeviceEvent::Connected { gateway, replaced },
            Self::Disconnected { gateway, reason } => DeviceEvent::Disconnected { gateway, reason },
            Self::Failed(failure) => DeviceEvent::Failed(failure),
            Self::AlertDelivered(id) => DeviceEvent::AlertDelivered(id),
            Self::AlertRefused(id, code) => DeviceEvent::AlertRefused(id, code),
            Self::NetworkKeyReceived(id) => DeviceEvent::NetworkKeyReceived(id),
            Self::Revoked(party) => DeviceEvent::Revoked(party),
            Self::MaySleep => DeviceEvent::MaySleep,
        }
    }
}

const fn error(code: ErrorCode) -> Body<'static> {
    Body::Error { code, text: "" }
}

/// The right that a gateway must have been granted to send a request of this
/// kind; `None` if gateways don't.
const fn right_to_ask(kind: Kind) -> Option<Rights> {
    match kind {
        Kind::DataRequest => Some(Rights::DATA),
        Kind::Command => Some(Rights::COMMAND),
        Kind::NetworkKey => Some(Rights::KEYS),
        Kind::Revocation => Some(Rights::REVOKE),
        Kind::Renegotiation => Some(Rights::NONE),
        _ => None,
    }
}
