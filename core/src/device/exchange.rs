//! What a device does with what its gateway says, and how it answers.

use heapless::Vec;

use super::event::Notice;
use super::{Device, MAX_ANSWER, Question, Waiting};
use crate::connection::NetworkKey;
use crate::crypto::Provider;
use crate::dtls::RECORD_OVERHEAD;
use crate::endpoint::Address;
use crate::identity::{Recorded, Revocation, Rights, Trust, TrustError};
use crate::time::Instant;
use crate::transmission::{
    AnswerError, Answered, Body, ErrorCode, Kind, Message, MessageId, Rejected, Ticket, Verdict,
};

impl<P: Provider, A: Address, T: Trust> Device<P, A, T> {
    /// Forgets the request that the application was given: it has its ticket.
    pub(super) fn forget_given(&mut self) {
        if core::mem::take(&mut self.given) {
            self.inbox.pop_front();
        }
    }

    pub(super) fn answer(&mut self, request: Ticket, body: Body<'_>) -> Result<(), AnswerError> {
        let mut message = Vec::from_array([0; MAX_ANSWER]);
        message.truncate(self.uplink.max_datagram().saturating_sub(RECORD_OVERHEAD));
        let length = self.responses.answer(request, None, body, &mut message)?;
        message.truncate(length);
        self.push_answer(message);
        Ok(())
    }

    /// Puts an answer in the queue. The oldest gives way: its request will come
    /// again.
    fn push_answer(&mut self, message: Vec<u8, MAX_ANSWER, u8>) {
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

    /// Takes a payload of the live session.
    #[inline(never)] // A message takes other room than a negotiation.
    pub(super) fn receive(&mut self, now: Instant, payload: &[u8]) {
        self.forget_given();
        match Message::decode(payload) {
            Err(Rejected::Dropped(_)) => self.uplink.count_dropped_message(),
            Err(Rejected::Answerable { id, code }) => {
                self.push_message(id, Body::error(code));
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
            return self.push_message(message.id, Body::error(ErrorCode::UnknownKind));
        };
        let rights = self.uplink.peer().map_or(Rights::NONE, |standing| standing.rights());
        if !rights.contains(right) {
            return self.push_message(message.id, Body::error(ErrorCode::NotPermitted));
        }
        if matches!(kind, Kind::DataRequest | Kind::Command) && self.inbox.is_full() {
            return self.push_message(message.id, Body::error(ErrorCode::Busy));
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
            Verdict::Refused(code) => self.push_message(message.id, Body::error(code)),
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
            Err(code) => Body::error(code),
        };
        let _ = self.answer(ticket, body);
    }

    fn take_network_key(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        let key =
            NetworkKey::decode(&self.party.provider, bytes).map_err(|_| ErrorCode::Malformed)?;
        let id = key.id();
        if self.party.network.preferred() == Some(&key) {
            return Ok(());
        }
        self.party.take_network_key(key);
        self.notify(Notice::NetworkKeyReceived(id));
        Ok(())
    }

    fn take_revocation(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ErrorCode> {
        let revocation = Revocation::decode(bytes).map_err(|_| ErrorCode::Malformed)?;
        let recorded = self.party.trust.revoke(&self.party.provider, &revocation).map_err(
            |error| match error {
                TrustError::Full => ErrorCode::Internal,
                _ => ErrorCode::NotPermitted,
            },
        )?;
        if recorded == Recorded::New {
            self.notify(Notice::Revoked(revocation.subject()));
            self.uplink.check_trust(&mut self.party, now);
        }
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
            (Kind::Awake, body) => {
                if let Some((_, question)) = self.question.take()
                    && question == Question::Waiting
                    && matches!(body, Body::Acknowledgement { nothing_waiting: true })
                {
                    self.notify(Notice::MaySleep);
                }
            }
            _ => {}
        }
    }
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
