//! The cloud: many gateways, and behind them the whole network.
//!
//! It negotiates keys with gateways, takes their reports and alerts, sends
//! requests and commands to devices through them, spreads revocations and
//! network keys, and keeps the present structure of the network.

mod structure;

use alloc::borrow::ToOwned as _;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::connection::{NegotiationRefusal, NetworkKey, NetworkKeyId};
use crate::crypto::{EntropyError, Provider};
use crate::downlink::{self, Downlink, DownlinkEvent, Object, RequestError};
use crate::dropped::Dropped;
use crate::endpoint::{Address, Endpoint, LocalPort, Transmit};
use crate::identity::{Name, PartyId, Revocation, Rights, Role, Trust, TrustError, TrustStore};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason, UnixTime};
use crate::transmission::{
    Body, CommandState, ErrorCode, GivenUp, Kind, Label, Message, MessageId, OwnedReading,
    OwnedValue, PresenceState, Refused, Severity, Tally, Ticket, Value,
};
use crate::uplink::Disconnection;
use crate::wire::BufferTooSmall;

pub use structure::{DeviceEntry, DeviceState, Structure};

/// Whom a cloud trusts.
pub type CloudTrust = TrustStore<64, 256, 1024>;

/// The events that wait for [`Cloud::poll_event`]. While there are as many, nothing
/// more is taken of what gateways send; they keep it, and repeat it.
const MAX_EVENTS: usize = 16_384;

/// How long a device has to answer, by way of its gateway.
const PATIENCE: Duration = Duration::from_secs(60);

/// What happened to a cloud.
#[derive(Clone, Debug, PartialEq)]
pub enum CloudEvent {
    /// A gateway was verified, and a session key negotiated with it.
    GatewayNegotiated {
        /// The gateway.
        gateway: PartyId,
    },
    /// A party was refused as a gateway.
    GatewayRefused {
        /// Who it said it was, if its request could be read.
        who: Option<(PartyId, Name)>,
        /// Why.
        refusal: NegotiationRefusal,
    },
    /// A gateway's session stands.
    GatewayConnected {
        /// The gateway.
        gateway: PartyId,
        /// Its name.
        name: Name,
        /// Whether it replaced a session.
        replaced: bool,
    },
    /// A gateway's session ended.
    GatewayDisconnected {
        /// The gateway.
        gateway: PartyId,
        /// Its name.
        name: Name,
        /// Why.
        reason: Disconnection,
    },
    /// A device came, went, or was refused.
    DevicePresence {
        /// The gateway that tells it.
        gateway: PartyId,
        /// The device.
        device: PartyId,
        /// The device's name.
        name: String,
        /// How it stands now.
        state: PresenceState,
    },
    /// Readings of a device, reported by its gateway or asked for by
    /// [`Cloud::request_data`].
    Readings {
        /// The gateway.
        gateway: PartyId,
        /// The device.
        device: PartyId,
        /// The request that they answer, if they were asked for.
        request: Option<MessageId>,
        /// What it measured.
        readings: Vec<OwnedReading>,
    },
    /// A device raised an alert.
    Alert {
        /// The gateway.
        gateway: PartyId,
        /// The device.
        device: PartyId,
        /// How serious it is.
        severity: Severity,
        /// What raised it.
        reading: OwnedReading,
        /// The device's remark.
        text: String,
    },
    /// How a command ended.
    CommandStatus {
        /// The device.
        device: PartyId,
        /// The command.
        request: MessageId,
        /// How it ended.
        state: CommandState,
        /// What came of it.
        result: Option<OwnedValue>,
    },
    /// A request was not carried out.
    RequestFailed {
        /// The gateway that it went to.
        gateway: PartyId,
        /// The device that it was for, if any.
        device: Option<PartyId>,
        /// The request.
        request: MessageId,
        /// Why; [`ErrorCode::Unreachable`] if the gateway did not answer in time.
        code: ErrorCode,
    },
}

/// A cloud.
pub struct Cloud<P: Provider, A: Address, T: Trust = CloudTrust> {
    party: Party<P, T>,
    downlink: Downlink<P, A>,
    structure: Structure,
    events: VecDeque<CloudEvent>,
}

impl<P: Provider, A: Address, T: Trust> Cloud<P, A, T> {
    /// A cloud that serves gateways from now on.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn new(mut party: Party<P, T>, settings: downlink::Settings) -> Result<Self, EntropyError> {
        party.memory.reserve(settings.max_peers);
        let downlink = Downlink::new(settings, Role::Gateway, &mut party.provider)?;
        Ok(Self { party, downlink, structure: Structure::new(), events: VecDeque::new() })
    }

    /// What the cloud is, whom it trusts, and what it knows.
    pub const fn party(&self) -> &Party<P, T> {
        &self.party
    }

    /// The gateways that are connected, and their names.
    pub fn gateways(&self) -> impl Iterator<Item = (PartyId, &Name)> {
        self.downlink.connected()
    }

    /// What was dropped.
    pub fn dropped(&self) -> Dropped {
        self.downlink.dropped()
    }

    /// What was sent to all gateways together.
    pub const fn sent_to_gateways(&self) -> &Tally {
        self.downlink.sent()
    }

    /// The devices, as their gateways told last.
    pub const fn structure(&self) -> &Structure {
        &self.structure
    }

    /// Sets the wall time. A cloud needs it before it can verify anyone; `false`
    /// if it lies behind the last one that was set.
    pub fn set_time(&mut self, now: Instant, time: UnixTime) -> bool {
        self.party.clock.set(now, time)
    }

    /// Changes whom the cloud trusts. Every session that is no longer covered
    /// ends at once, and revocations that are new are spread to the gateways.
    pub fn change_trust<R>(&mut self, now: Instant, change: impl FnOnce(&mut T, &P) -> R) -> R {
        let result = self.downlink.change_trust(&mut self.party, now, change);
        self.follow(now);
        result
    }

    /// Takes a revocation, closes what it ends, and spreads it to all gateways,
    /// those that connect later included.
    ///
    /// # Errors
    /// [`TrustError`]; nothing was changed.
    pub fn revoke(&mut self, now: Instant, revocation: &Revocation) -> Result<(), TrustError> {
        self.change_trust(now, |trust, provider| trust.revoke(provider, revocation)).map(|_| ())
    }

    /// Prefers a network key from now on, and hands it out to the gateways.
    pub fn add_network_key(&mut self, now: Instant, key: NetworkKey) {
        self.downlink.spread(now, &Object::of_network_key(&key));
        self.party.take_network_key(key);
    }

    /// Accepts a network key no longer; `false` if it was not accepted.
    pub fn retire_network_key(&mut self, id: NetworkKeyId) -> bool {
        self.party.network.retire(id)
    }

    /// Asks a device for readings, by way of its gateway; no labels ask for all
    /// that it has. They come as [`CloudEvent::Readings`].
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
        self.request(now, device, Body::DataRequest { labels, nothing_waiting: true })
    }

    /// Commands a device, by way of its gateway. How it ended comes as
    /// [`CloudEvent::CommandStatus`].
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
        // The gateway gives it up a little earlier than the cloud does.
        let lifetime = u32::try_from(PATIENCE.as_secs() / 2).ok();
        let body = Body::Command { label, argument, nothing_waiting: true, lifetime };
        self.request(now, device, body)
    }

    /// Ends all sessions, with a close_notify each, and lets no others begin.
    pub fn close(&mut self, now: Instant) {
        self.downlink.close(now);
        self.follow(now);
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<CloudEvent> {
        self.events.pop_front()
    }

    fn request(
        &mut self,
        now: Instant,
        device: PartyId,
        body: Body<'_>,
    ) -> Result<MessageId, RequestError> {
        let entry = self.structure.device(device).ok_or(RequestError::UnknownPeer)?;
        let gateway = entry.gateway;
        let request =
            self.downlink.request(now, gateway, body, Some(device), Some(now + PATIENCE))?;
        self.structure.expect(gateway, request, device);
        Ok(request)
    }

    fn follow(&mut self, now: Instant) {
        while self.events.len() < MAX_EVENTS
            && let Some(event) = self.downlink.poll_event()
        {
            match event {
                DownlinkEvent::Negotiated { peer: gateway } => {
                    self.events.push_back(CloudEvent::GatewayNegotiated { gateway });
                }
                DownlinkEvent::Refused { who, refusal } => {
                    self.events.push_back(CloudEvent::GatewayRefused { who, refusal });
                }
                DownlinkEvent::Connected { peer, replaced, new_incarnation } => {
                    self.greet(now, peer, replaced, new_incarnation);
                }
                DownlinkEvent::Disconnected { peer: gateway, reason } => {
                    self.structure.lose_gateway(gateway, self.party.clock.at(now));
                    if let Some(name) = self.name_of(gateway) {
                        let event = CloudEvent::GatewayDisconnected { gateway, name, reason };
                        self.events.push_back(event);
                    }
                }
                DownlinkEvent::Request { peer, ticket, message } => {
                    self.receive_request(now, peer, ticket, &message);
                }
                DownlinkEvent::Answer { peer, request, message } => {
                    self.receive_answer(now, peer, request, &message);
                }
                DownlinkEvent::GivenUp { peer, request } => self.give_up(peer, request),
            }
        }
    }

    fn greet(&mut self, now: Instant, gateway: PartyId, replaced: bool, new_incarnation: bool) {
        let Some(name) = self.name_of(gateway) else { return };
        if new_incarnation || !replaced {
            let revocations: Vec<Object> =
                self.party.trust.revocations().map(Object::of_revocation).collect();
            for revocation in revocations {
                self.downlink.hand(now, gateway, revocation);
            }
        }
        if self.party.network.iter().count() > 1
            && let Some(key) = self.party.network.preferred()
        {
            self.downlink.hand(now, gateway, Object::of_network_key(key));
        }
        self.events.push_back(CloudEvent::GatewayConnected { gateway, name, replaced });
    }

    /// Takes what a gateway tells.
    fn receive_request(&mut self, now: Instant, gateway: PartyId, ticket: Ticket, message: &[u8]) {
        let Ok(Message { subject, body, .. }) = Message::decode(message) else { return };
        let taken = match subject {
            None => Err(ErrorCode::UnknownSubject),
            Some(device) => self.take_news(now, gateway, device, &body),
        };
        match taken {
            Ok(()) => self.downlink.acknowledge(gateway, ticket),
            Err(code) => self.downlink.answer(gateway, ticket, Body::error(code)),
        }
    }

    fn take_news(
        &mut self,
        now: Instant,
        gateway: PartyId,
        device: PartyId,
        body: &Body<'_>,
    ) -> Result<(), ErrorCode> {
        let permitted = |right| {
            if self.may(gateway, right) { Ok(()) } else { Err(ErrorCode::NotPermitted) }
        };
        let time = self.party.clock.at(now);
        match body {
            Body::Presence { state, name } => {
                if !self.structure.note_presence(gateway, device, name, *state, time) {
                    return Err(ErrorCode::Busy);
                }
                self.events.push_back(CloudEvent::DevicePresence {
                    gateway,
                    device,
                    name: (*name).to_owned(),
                    state: *state,
                });
            }
            Body::Report { readings } => {
                permitted(Rights::DATA)?;
                let readings: Vec<OwnedReading> = readings.iter().map(OwnedReading::from).collect();
                self.structure.note_readings(device, &readings, time);
                let event = CloudEvent::Readings { gateway, device, request: None, readings };
                self.events.push_back(event);
            }
            Body::Alert { severity, reading, text } => {
                permitted(Rights::ALERT)?;
                self.events.push_back(CloudEvent::Alert {
                    gateway,
                    device,
                    severity: *severity,
                    reading: reading.into(),
                    text: (*text).to_owned(),
                });
            }
            _ => return Err(ErrorCode::NotPermitted),
        }
        Ok(())
    }

    /// Takes the answer to a request that a gateway had handed on to a device.
    fn receive_answer(&mut self, now: Instant, gateway: PartyId, kind: Kind, message: &[u8]) {
        let Ok(Message { id: request, body, .. }) = Message::decode(message) else { return };
        let device = self.structure.answered(gateway, request);
        match (body, device) {
            (Body::DataResponse { .. }, device) if !self.may(gateway, Rights::DATA) => {
                let code = ErrorCode::NotPermitted;
                let event = CloudEvent::RequestFailed { gateway, device, request, code };
                self.events.push_back(event);
            }
            (Body::DataResponse { readings }, Some(device)) => {
                let readings: Vec<OwnedReading> = readings.iter().map(OwnedReading::from).collect();
                self.structure.note_readings(device, &readings, self.party.clock.at(now));
                let request = Some(request);
                self.events.push_back(CloudEvent::Readings { gateway, device, request, readings });
            }
            (Body::CommandStatus { state, result }, Some(device)) => {
                let result = result.map(Into::into);
                self.events.push_back(CloudEvent::CommandStatus { device, request, state, result });
            }
            // Revocations, network keys and the like are not of interest here.
            (Body::Error { code, .. }, device)
                if matches!(kind, Kind::DataRequest | Kind::Command) =>
            {
                let event = CloudEvent::RequestFailed { gateway, device, request, code };
                self.events.push_back(event);
            }
            _ => {}
        }
    }

    fn give_up(&mut self, gateway: PartyId, given_up: GivenUp) {
        let GivenUp { id: request, kind, was_sent, .. } = given_up;
        let device = self.structure.answered(gateway, request);
        let event = match (kind, device) {
            (Kind::Command, Some(device)) => CloudEvent::CommandStatus {
                device,
                request,
                state: if was_sent { CommandState::Uncertain } else { CommandState::Expired },
                result: None,
            },
            _ => {
                let code = ErrorCode::Unreachable;
                CloudEvent::RequestFailed { gateway, device, request, code }
            }
        };
        self.events.push_back(event);
    }

    /// Whether a gateway was granted a right.
    fn may(&self, gateway: PartyId, right: Rights) -> bool {
        self.downlink.peer(gateway).is_some_and(|(_, standing)| standing.rights().contains(right))
    }

    fn name_of(&self, gateway: PartyId) -> Option<Name> {
        self.downlink.peer(gateway).map(|(name, _)| name.clone())
    }
}

impl<P: Provider, A: Address, T: Trust> Endpoint for Cloud<P, A, T> {
    type Address = A;

    fn handle_datagram(&mut self, now: Instant, port: LocalPort, from: A, datagram: &mut [u8]) {
        self.downlink.handle_datagram(&mut self.party, now, port, from, datagram);
        self.follow(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.downlink.handle_timeout(&mut self.party, now);
        self.follow(now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        self.downlink.poll_transmit(&mut self.party, now, buffer)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if !self.events.is_empty() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        self.downlink.poll_timeout(&self.party)
    }
}
