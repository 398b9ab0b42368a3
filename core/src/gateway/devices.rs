//! What a gateway does with what comes from its devices and from its cloud.

use alloc::borrow::ToOwned as _;
use alloc::vec::Vec;
use core::time::Duration;

use crate::connection::NetworkKey;
use crate::crypto::Provider;
use crate::downlink::{DownlinkEvent, Object, RequestError};
use crate::endpoint::Address;
use crate::identity::{Name, PartyId, Recorded, Revocation, Rights, Trust};
use crate::time::Instant;
use crate::transmission::{
    Body, CommandState, ErrorCode, GivenUp, Kind, Label, MAX_ITEMS, Message, MessageId, OwnedLabel,
    OwnedReading, PresenceState, Refused, Rejected, Ticket, Value,
};
use crate::uplink::{Disconnection, UplinkEvent};

use super::upstream::{Item, News};
use super::{Gateway, GatewayEvent};

/// How long a device has to answer a request of its gateway's or of the cloud's,
/// if the request doesn't say.
const PATIENCE: Duration = Duration::from_secs(30);

/// The least time between two requests of the schedule, whatever is configured.
const LEAST_INTERVAL: Duration = Duration::from_millis(10);

impl<P: Provider, A: Address, T: Trust> Gateway<P, A, T> {
    /// Asks a device for readings, apart from the schedule; no labels ask for
    /// all that it has. They come as [`GatewayEvent::Readings`].
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn request_data(
        &mut self,
        now: Instant,
        device: PartyId,
        labels: &[Label<'_>],
    ) -> Result<MessageId, RequestError> {
        let labels = heapless::Vec::from_slice(labels)
            .map_err(|_| RequestError::Refused(Refused::OutOfLimits))?;
        let body = Body::DataRequest { labels, nothing_waiting: true };
        self.downlink.request(now, device, body, None, Some(now + PATIENCE))
    }

    /// Commands a device. How it ended comes as [`GatewayEvent::CommandStatus`].
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn command(
        &mut self,
        now: Instant,
        device: PartyId,
        label: Label<'_>,
        argument: Value<'_>,
    ) -> Result<MessageId, RequestError> {
        let body = Body::Command { label, argument, nothing_waiting: true, lifetime: None };
        self.downlink.request(now, device, body, None, Some(now + PATIENCE))
    }

    /// Asks a device what the schedule says, and sets the next time.
    pub(super) fn poll_device(&mut self, now: Instant, device: PartyId) {
        let Some(polling) = &self.polling else { return };
        let next = now + polling.every.max(LEAST_INTERVAL);
        self.polls.set(device, Some(next));
        let labels = polling.labels.iter().take(MAX_ITEMS).map(OwnedLabel::borrow).collect();
        let body = Body::DataRequest { labels, nothing_waiting: true };
        // If too much is unanswered already, this time is left out.
        let _ = self.downlink.request(now, device, body, None, Some(next));
    }

    /// Follows the events of the uplink.
    pub(super) fn follow_uplink(&mut self, now: Instant) {
        while let Some(event) = self.uplink.as_mut().and_then(|uplink| uplink.poll_event()) {
            match event {
                UplinkEvent::Negotiated { peer: cloud } => {
                    self.report(GatewayEvent::CloudNegotiated { cloud });
                }
                UplinkEvent::Connected { peer: cloud, replaced, new_incarnation } => {
                    self.upstream.connect(now, new_incarnation);
                    if new_incarnation || !replaced {
                        self.tell_presence();
                    }
                    self.report(GatewayEvent::CloudConnected { cloud, replaced });
                }
                UplinkEvent::Disconnected { peer: cloud, reason } => {
                    self.upstream.disconnect(now);
                    self.report(GatewayEvent::CloudDisconnected { cloud, reason });
                }
                UplinkEvent::Failed(failure) => self.report(GatewayEvent::CloudFailed(failure)),
                UplinkEvent::PeerMayBeGone => self.upstream.ask(now),
            }
        }
    }

    /// Tells a cloud that knows nothing yet which devices are connected.
    fn tell_presence(&mut self) {
        for (device, name) in self.downlink.connected() {
            self.upstream.note_presence(device, PresenceState::Connected, name.clone());
        }
    }

    /// Takes a payload of the session with the cloud.
    pub(super) fn receive_from_cloud(&mut self, now: Instant, payload: &[u8]) {
        match Message::decode(payload) {
            Err(Rejected::Dropped(_)) => {
                if let Some(uplink) = &mut self.uplink {
                    uplink.count_dropped_message();
                }
            }
            Err(Rejected::Answerable { id, code }) => {
                self.upstream.push_message(id, Body::error(code))
            }
            Ok(message) if message.body.kind().is_request() => {
                self.receive_request(now, &message);
            }
            Ok(message) => {
                if let Some(kind) = self.upstream.handle_answer(now, &message)
                    && let Body::Error { code, .. } = message.body
                {
                    self.report(GatewayEvent::CloudRefused { kind, code });
                }
            }
        }
    }

    fn receive_request(&mut self, now: Instant, message: &Message<'_>) {
        let kind = message.body.kind();
        let right = match kind {
            Kind::DataRequest => Rights::DATA,
            Kind::Command => Rights::COMMAND,
            Kind::Revocation => Rights::REVOKE,
            Kind::NetworkKey => Rights::KEYS,
            Kind::Renegotiation => Rights::NONE,
            _ => {
                return self.upstream.push_message(message.id, Body::error(ErrorCode::UnknownKind));
            }
        };
        let rights = self
            .uplink
            .as_ref()
            .and_then(|uplink| uplink.peer())
            .map_or(Rights::NONE, |standing| standing.rights());
        if !rights.contains(right) {
            return self.upstream.push_message(message.id, Body::error(ErrorCode::NotPermitted));
        }
        let Some(ticket) = self.upstream.handle_request(now, message.id, kind) else { return };
        let done = match &message.body {
            Body::DataRequest { .. } | Body::Command { .. } => {
                return self.forward(now, ticket, message);
            }
            Body::Revocation { revocation } => self.take_revocation(now, revocation),
            Body::NetworkKey { key } => self.take_network_key(now, key.0),
            _ => {
                if let Some(uplink) = &mut self.uplink {
                    uplink.rotate(&mut self.party, now);
                }
                Ok(())
            }
        };
        let body = match done {
            Ok(()) => Body::Acknowledgement { nothing_waiting: true },
            Err(code) => Body::error(code),
        };
        self.upstream.answer(ticket, message.subject, body);
    }

    /// Hands a request of the cloud's on to the device that is its subject.
    fn forward(&mut self, now: Instant, ticket: Ticket, message: &Message<'_>) {
        let Some(device) = message.subject else {
            return self.upstream.answer(ticket, None, Body::error(ErrorCode::UnknownSubject));
        };
        let patience = match message.body {
            Body::Command { lifetime: Some(seconds), .. } => Duration::from_secs(seconds.into()),
            _ => PATIENCE,
        };
        let is_command = message.body.kind() == Kind::Command;
        let body = message.body.clone();
        match self.downlink.request(now, device, body, None, Some(now + patience)) {
            Ok(request) => {
                self.upstream.forward(ticket, device, request);
                if is_command {
                    self.report(GatewayEvent::CommandForwarded { device, request });
                }
            }
            Err(refused) => {
                let code = match refused {
                    RequestError::UnknownPeer => ErrorCode::UnknownSubject,
                    RequestError::Refused(Refused::Full) => ErrorCode::Busy,
                    RequestError::Refused(_) => ErrorCode::TooLarge,
                };
                self.upstream.answer(ticket, Some(device), Body::error(code));
            }
        }
    }

    fn take_revocation(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ErrorCode> {
        let revocation = Revocation::decode(bytes).map_err(|_| ErrorCode::Malformed)?;
        let recorded = self.record(now, &revocation).map_err(|_| ErrorCode::NotPermitted)?;
        if recorded == Recorded::New {
            self.report(GatewayEvent::Revoked(revocation.subject()));
        }
        Ok(())
    }

    fn take_network_key(&mut self, now: Instant, bytes: &[u8]) -> Result<(), ErrorCode> {
        let key =
            NetworkKey::decode(&self.party.provider, bytes).map_err(|_| ErrorCode::Malformed)?;
        if self.party.network.preferred() == Some(&key) {
            return Ok(());
        }
        let id = key.id();
        self.add_network_key(now, key);
        self.report(GatewayEvent::NetworkKeyReceived(id));
        Ok(())
    }

    /// Follows the events of the downlink.
    pub(super) fn follow_downlink(&mut self, now: Instant) {
        while let Some(event) = self.downlink.poll_event() {
            match event {
                DownlinkEvent::Negotiated { peer: device } => {
                    self.report(GatewayEvent::DeviceNegotiated { device });
                }
                DownlinkEvent::Refused { who, refusal } => {
                    // Who it was is not proved: not one who is connected.
                    if let Some((device, name)) = &who
                        && !self.downlink.is_connected(*device)
                    {
                        let state = PresenceState::Refused(refusal.code());
                        self.tell_presence_of(*device, state, name.clone());
                    }
                    self.report(GatewayEvent::DeviceRefused { who, refusal });
                }
                DownlinkEvent::Connected { peer, replaced, .. } => self.greet(now, peer, replaced),
                DownlinkEvent::Disconnected { peer, reason } => self.part(peer, reason),
                DownlinkEvent::Request { peer, ticket, message } => {
                    self.receive_from_device(peer, ticket, &message);
                }
                DownlinkEvent::Answer { peer, message, .. } => {
                    self.receive_answer(peer, &message);
                }
                DownlinkEvent::GivenUp { peer, request } => self.give_up(peer, request),
            }
        }
    }

    fn greet(&mut self, now: Instant, device: PartyId, replaced: bool) {
        let Some(name) = self.name_of(device) else { return };
        if !replaced {
            self.tell_presence_of(device, PresenceState::Connected, name.clone());
            if self.polling.is_some() {
                self.polls.set(device, Some(now));
            }
        }
        // A device that came under an older network key is handed the newest.
        if self.party.network.iter().count() > 1
            && let Some(key) = self.party.network.preferred()
        {
            self.downlink.hand(now, device, Object::of_network_key(key));
        }
        self.report(GatewayEvent::DeviceConnected { device, name, replaced });
    }

    fn part(&mut self, device: PartyId, reason: Disconnection) {
        let Some(name) = self.name_of(device) else { return };
        self.polls.set(device, None);
        self.tell_presence_of(device, PresenceState::Disconnected, name.clone());
        self.report(GatewayEvent::DeviceDisconnected { device, name, reason });
    }

    /// Takes a request of a device's.
    fn receive_from_device(&mut self, device: PartyId, ticket: Ticket, message: &[u8]) {
        let Ok(Message { body, .. }) = Message::decode(message) else { return };
        let rights = self.downlink.peer(device).map_or(Rights::NONE, |(_, it)| it.rights());
        let refusal = match body {
            Body::Alert { .. } if !rights.contains(Rights::ALERT) => ErrorCode::NotPermitted,
            Body::Alert { severity, ref reading, text } => {
                let (reading, text) = (OwnedReading::from(reading), text.to_owned());
                let news = News::Alert { severity, reading: reading.clone(), text: text.clone() };
                if self.tell(device, news) {
                    self.report(GatewayEvent::Alert { device, severity, reading, text });
                    return self.downlink.acknowledge(device, ticket);
                }
                ErrorCode::Busy
            }
            // Only gateways send these.
            _ => ErrorCode::NotPermitted,
        };
        self.downlink.answer(device, ticket, Body::error(refusal));
    }

    /// Takes a device's answer to a request of the gateway's or of the cloud's.
    fn receive_answer(&mut self, device: PartyId, message: &[u8]) {
        let Ok(Message { id: request, body, .. }) = Message::decode(message) else { return };
        let rights = self.downlink.peer(device).map_or(Rights::NONE, |(_, it)| it.rights());
        match &body {
            Body::DataResponse { .. } if !rights.contains(Rights::DATA) => {
                let body = Body::error(ErrorCode::NotPermitted);
                return self.upstream.answer_forwarded(device, request, body);
            }
            Body::DataResponse { readings } => {
                let readings: Vec<OwnedReading> = readings.iter().map(OwnedReading::from).collect();
                if !self.upstream.is_forwarded(device, request) {
                    self.tell(device, News::Readings(readings.clone()));
                }
                self.report(GatewayEvent::Readings { device, readings });
            }
            Body::CommandStatus { state, result } => {
                let result = result.map(Into::into);
                let state = *state;
                self.report(GatewayEvent::CommandStatus { device, request, state, result });
            }
            Body::Error { code, .. } => {
                let code = *code;
                self.report(GatewayEvent::RequestFailed { device, request, code });
            }
            _ => {}
        }
        self.upstream.answer_forwarded(device, request, body);
    }

    /// A device did not answer a request in time.
    fn give_up(&mut self, device: PartyId, given_up: GivenUp) {
        let GivenUp { id: request, kind, was_sent, .. } = given_up;
        let (body, event) = if kind == Kind::Command {
            let state = if was_sent { CommandState::Uncertain } else { CommandState::Expired };
            let event = GatewayEvent::CommandStatus { device, request, state, result: None };
            (Body::CommandStatus { state, result: None }, event)
        } else {
            let code = ErrorCode::Unreachable;
            (Body::error(code), GatewayEvent::RequestFailed { device, request, code })
        };
        self.upstream.answer_forwarded(device, request, body);
        self.report(event);
    }

    /// Notes how a device stands for the cloud, if there is one.
    fn tell_presence_of(&mut self, device: PartyId, state: PresenceState, name: Name) {
        if self.uplink.is_some() {
            self.upstream.note_presence(device, state, name);
        }
    }

    /// Puts news for the cloud in the queue, if there is a cloud; `false` if
    /// there was no room.
    fn tell(&mut self, device: PartyId, news: News) -> bool {
        self.uplink.is_none() || self.upstream.push(Item { device, news })
    }

    fn name_of(&self, device: PartyId) -> Option<Name> {
        self.downlink.peer(device).map(|(name, _)| name.clone())
    }
}
