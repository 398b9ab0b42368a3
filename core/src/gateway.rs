//! The gateway: many devices below, one cloud above, or none.
//!
//! It advertises itself, negotiates keys with devices and with its cloud, polls
//! the devices on a schedule, hands on readings and alerts to the cloud and
//! commands to the devices, spreads revocations and network keys, and closes at
//! once what is no longer trusted.
//!
//! What it has acknowledged it keeps until the cloud has acknowledged it; a
//! device's alert that finds no room is not acknowledged, so that the device
//! keeps it. It advertises and polls while the cloud is away, too: devices are
//! served, and their readings and alerts wait.

mod advertiser;
mod devices;
mod settings;
mod upstream;

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use crate::connection::{NegotiationRefusal, NetworkKey, NetworkKeyId};
use crate::crypto::{EntropyError, Provider};
use crate::downlink::{Downlink, Object};
use crate::dropped::Dropped;
use crate::dtls::{Datagram, RECORD_OVERHEAD, SendError};
use crate::endpoint::{Address, Endpoint, LocalPort, Transmit};
use crate::identity::{Name, PartyId, Recorded, Revocation, Role, Trust, TrustError, TrustStore};
use crate::party::Party;
use crate::time::{Deadline, Instant, Reason, UnixTime};
use crate::timers::Timers;
use crate::transmission::{
    CommandState, ErrorCode, Kind, MessageId, OwnedReading, OwnedValue, Severity, Tally,
};
use crate::uplink::{Disconnection, Failure, Uplink};
use crate::wire::BufferTooSmall;

use advertiser::Advertiser;
pub use settings::{Polling, Settings};
use upstream::Upstream;

/// Whom a gateway trusts.
pub type GatewayTrust = TrustStore<32, 64, 256>;

/// The events that wait for [`Gateway::poll_event`]. When there are as many, the
/// oldest one that only tells of readings gives way, or else the oldest.
const MAX_EVENTS: usize = 4096;

/// What happened to a gateway.
#[derive(Clone, Debug, PartialEq)]
pub enum GatewayEvent {
    /// The cloud was verified, and a session key negotiated with it.
    CloudNegotiated {
        /// The cloud.
        cloud: PartyId,
    },
    /// A session with the cloud stands.
    CloudConnected {
        /// The cloud.
        cloud: PartyId,
        /// Whether it replaced a session.
        replaced: bool,
    },
    /// The session with the cloud ended. The gateway looks for a new one.
    CloudDisconnected {
        /// The cloud.
        cloud: PartyId,
        /// Why.
        reason: Disconnection,
    },
    /// An attempt to get a session with the cloud failed. The next one follows.
    CloudFailed(Failure),
    /// The cloud does not take something of what it was told, and it is lost: an
    /// alert or a report that the gateway has not the right for, say.
    CloudRefused {
        /// What it was told.
        kind: Kind,
        /// Why.
        code: ErrorCode,
    },
    /// A device was verified, and a session key negotiated with it.
    DeviceNegotiated {
        /// The device.
        device: PartyId,
    },
    /// A party was refused as a device.
    DeviceRefused {
        /// Who it said it was, if its request could be read.
        who: Option<(PartyId, Name)>,
        /// Why.
        refusal: NegotiationRefusal,
    },
    /// A device's session stands.
    DeviceConnected {
        /// The device.
        device: PartyId,
        /// Its name.
        name: Name,
        /// Whether it replaced a session.
        replaced: bool,
    },
    /// A device's session ended.
    DeviceDisconnected {
        /// The device.
        device: PartyId,
        /// Its name.
        name: Name,
        /// Why.
        reason: Disconnection,
    },
    /// Readings of a device, which the schedule or [`Gateway::request_data`]
    /// had asked for.
    Readings {
        /// The device.
        device: PartyId,
        /// What it measured.
        readings: Vec<OwnedReading>,
    },
    /// A device raised an alert. It is handed on to the cloud, if there is one.
    Alert {
        /// The device.
        device: PartyId,
        /// How serious it is.
        severity: Severity,
        /// What raised it.
        reading: OwnedReading,
        /// The device's remark.
        text: String,
    },
    /// A command of the cloud's is handed on to a device.
    CommandForwarded {
        /// The device.
        device: PartyId,
        /// The request to the device.
        request: MessageId,
    },
    /// How a command of [`Gateway::command`], or of the cloud's, ended.
    CommandStatus {
        /// The device.
        device: PartyId,
        /// The request to the device.
        request: MessageId,
        /// How it ended.
        state: CommandState,
        /// What came of it.
        result: Option<OwnedValue>,
    },
    /// A request to a device was not carried out.
    RequestFailed {
        /// The device.
        device: PartyId,
        /// The request to the device.
        request: MessageId,
        /// Why: the device's own answer, or [`ErrorCode::Unreachable`] if there
        /// was none in time.
        code: ErrorCode,
    },
    /// A party was revoked by the cloud. A gateway with a store saves
    /// [`Party::trust`].
    Revoked(PartyId),
    /// The cloud handed out a network key, which is preferred from now on. A
    /// gateway with a store saves [`Party::network`].
    NetworkKeyReceived(NetworkKeyId),
}

/// A gateway.
pub struct Gateway<P: Provider, A: Address, T: Trust = GatewayTrust> {
    party: Party<P, T>,
    uplink: Option<Uplink<P, A>>,
    upstream: Upstream,
    sent_to_cloud: Tally,
    downlink: Downlink<P, A>,
    advertiser: Advertiser,
    polling: Option<Polling>,
    polls: Timers<PartyId>,
    events: VecDeque<GatewayEvent>,
}

impl<P: Provider, A: Address, T: Trust> Gateway<P, A, T> {
    /// A gateway that starts to serve at `now`.
    ///
    /// # Errors
    /// [`EntropyError`].
    pub fn new(
        mut party: Party<P, T>,
        settings: Settings<A>,
        now: Instant,
    ) -> Result<Self, EntropyError> {
        let advertiser = Advertiser::new(&settings, now);
        let uplink = settings
            .cloud
            .map(|cloud| Uplink::new(cloud, Role::Gateway, Role::Cloud, party.incarnation, now));
        let max_datagram = uplink.as_ref().map_or(0, |uplink| uplink.max_datagram());
        party.memory.reserve(settings.downlink.max_peers);
        Ok(Self {
            uplink,
            upstream: Upstream::new(max_datagram.saturating_sub(RECORD_OVERHEAD)),
            sent_to_cloud: Tally::new(),
            downlink: Downlink::new(settings.downlink, Role::Device, &mut party.provider)?,
            advertiser,
            polling: settings.polling,
            polls: Timers::new(),
            events: VecDeque::new(),
            party,
        })
    }

    /// What the gateway is, whom it trusts, and what it knows.
    pub const fn party(&self) -> &Party<P, T> {
        &self.party
    }

    /// The cloud, while a session with it stands.
    pub fn cloud(&self) -> Option<PartyId> {
        self.uplink.as_ref()?.peer().map(|standing| standing.party())
    }

    /// The name of the cloud, while a session with it stands.
    pub fn cloud_name(&self) -> Option<&Name> {
        self.uplink.as_ref()?.peer_name()
    }

    /// What was sent to the cloud; `None` if there is none to send to.
    pub fn sent_to_cloud(&self) -> Option<&Tally> {
        self.uplink.as_ref().map(|_| &self.sent_to_cloud)
    }

    /// What was sent to all devices together.
    pub const fn sent_to_devices(&self) -> &Tally {
        self.downlink.sent()
    }

    /// What came from all devices together.
    pub const fn received_from_devices(&self) -> &Tally {
        self.downlink.received()
    }

    /// What was dropped, from below and from above together.
    pub fn dropped(&self) -> Dropped {
        let above = self.uplink.as_ref().map(Uplink::dropped).unwrap_or_default();
        self.downlink.dropped().and(&above)
    }

    /// The devices that are connected, and their names.
    pub fn devices(&self) -> impl Iterator<Item = (PartyId, &Name)> {
        self.downlink.connected()
    }

    /// Sets the wall time. A gateway needs it before it can verify anyone;
    /// `false` if it lies behind the last one that was set.
    pub fn set_time(&mut self, now: Instant, time: UnixTime) -> bool {
        self.party.clock.set(now, time)
    }

    /// Changes whom the gateway trusts. Every session that is no longer covered
    /// ends at once, and revocations that are new are spread to the devices.
    pub fn change_trust<R>(&mut self, now: Instant, change: impl FnOnce(&mut T, &P) -> R) -> R {
        let result = self.downlink.change_trust(&mut self.party, now, change);
        if let Some(uplink) = &mut self.uplink {
            uplink.check_trust(&mut self.party, now);
        }
        self.follow(now);
        result
    }

    /// Takes a revocation, closes what it ends, and spreads it to the devices.
    ///
    /// # Errors
    /// [`TrustError`]; nothing was changed.
    pub fn revoke(&mut self, now: Instant, revocation: &Revocation) -> Result<(), TrustError> {
        self.record(now, revocation).map(|_| ())
    }

    /// As [`Gateway::revoke`]; whether it is new.
    fn record(&mut self, now: Instant, revocation: &Revocation) -> Result<Recorded, TrustError> {
        self.change_trust(now, |trust, provider| trust.revoke(provider, revocation))
    }

    /// Prefers a network key from now on, and hands it out to the devices. The
    /// older ones are accepted until [`Gateway::retire_network_key`].
    pub fn add_network_key(&mut self, now: Instant, key: NetworkKey) {
        self.downlink.spread(now, &Object::of_network_key(&key));
        self.party.take_network_key(key);
    }

    /// Accepts a network key no longer; `false` if it was not accepted.
    pub fn retire_network_key(&mut self, id: NetworkKeyId) -> bool {
        self.party.network.retire(id)
    }

    /// Ends all sessions, with a close_notify each, looks for no others, and lets
    /// none begin.
    pub fn close(&mut self, now: Instant) {
        self.advertiser.stop();
        self.downlink.close(now);
        if let Some(uplink) = &mut self.uplink {
            uplink.close(&mut self.party, now);
        }
        self.follow(now);
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<GatewayEvent> {
        self.events.pop_front()
    }

    /// Follows the events of the uplink and of the downlink.
    fn follow(&mut self, now: Instant) {
        self.follow_uplink(now);
        self.follow_downlink(now);
        self.upstream.refill(now);
    }

    fn report(&mut self, event: GatewayEvent) {
        if self.events.len() >= MAX_EVENTS {
            let readings =
                self.events.iter().position(|event| matches!(event, GatewayEvent::Readings { .. }));
            self.events.remove(readings.unwrap_or_default());
        }
        self.events.push_back(event);
    }
}

impl<P: Provider, A: Address, T: Trust> Endpoint for Gateway<P, A, T> {
    type Address = A;

    fn handle_datagram(&mut self, now: Instant, port: LocalPort, from: A, datagram: &mut [u8]) {
        match port {
            LocalPort::Negotiation | LocalPort::Transmission => {
                self.downlink.handle_datagram(&mut self.party, now, port, from, datagram);
            }
            LocalPort::FirstClient | LocalPort::SecondClient => {
                let mut datagram = Datagram::new(datagram);
                while let Some(uplink) = &mut self.uplink
                    && let Some(payload) =
                        uplink.handle_record(&mut self.party, now, port, from, &mut datagram)
                {
                    self.receive_from_cloud(now, payload);
                }
            }
            LocalPort::Discovery => {}
        }
        self.follow(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.advertiser.handle_timeout(&self.party, now);
        self.downlink.handle_timeout(&mut self.party, now);
        if let Some(uplink) = &mut self.uplink {
            uplink.handle_timeout(&mut self.party, now);
        }
        self.upstream.handle_timeout(now);
        for device in self.polls.due(now) {
            self.poll_device(now, device);
        }
        self.follow(now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<A>>, BufferTooSmall> {
        let uplink = self.uplink.as_ref().map_or(0, |uplink| uplink.max_datagram());
        let needed = self.downlink.max_datagram().max(uplink);
        if buffer.len() < needed {
            return Err(BufferTooSmall { needed });
        }
        if let Some(sent) = self.advertiser.poll_transmit(&self.party, now, buffer)? {
            return Ok(Some(sent));
        }
        if let Some(sent) = self.downlink.poll_transmit(&mut self.party, now, buffer)? {
            return Ok(Some(sent));
        }
        let Some(uplink) = &mut self.uplink else { return Ok(None) };
        if let Some(sent) = uplink.poll_transmit(&mut self.party, now, buffer)? {
            return Ok(Some(sent));
        }
        while let Some(message) = self.upstream.poll_transmit(now) {
            match uplink.send(&mut self.party, now, &message, buffer) {
                Ok(sent) => {
                    self.sent_to_cloud.note(&message, sent.length);
                    return Ok(Some(sent));
                }
                Err(SendError::BufferTooSmall(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if !self.events.is_empty() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        let polls = self.polls.first().map(|(at, _)| Deadline::new(at, Reason::Schedule));
        let uplink = self.uplink.as_ref().and_then(|uplink| uplink.poll_timeout(&self.party));
        [
            polls,
            uplink,
            self.upstream.poll_timeout(),
            self.advertiser.poll_timeout(),
            self.downlink.poll_timeout(&self.party),
        ]
        .into_iter()
        .fold(None, Deadline::earlier)
    }
}
