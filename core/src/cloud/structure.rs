//! The present structure of the network, as the gateways tell it.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;

use crate::identity::PartyId;
use crate::time::UnixTime;
use crate::transmission::{MessageId, OwnedLabel, OwnedReading, PresenceState};

/// The devices that are known at a time. When there are as many, one that is not
/// connected gives way; if all are, a new one is not taken, and its gateway tells
/// of it again later.
const MAX_DEVICES: usize = 1_000_000;

/// The last readings that are kept of one device; a further label is left out.
const MAX_LABELS: usize = 32;

/// How a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// It has a session with its gateway.
    Connected,
    /// It has none.
    Disconnected,
    /// Its gateway refused it, for the reason with this code
    /// ([`crate::connection::NegotiationRefusal`]).
    Refused(u8),
    /// Its gateway is not connected, so that nobody knows.
    Unknown,
}

/// What is known of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceEntry {
    /// The gateway that told of it last.
    pub gateway: PartyId,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: DeviceState,
    /// Since when, if the cloud knew the time.
    pub since: Option<UnixTime>,
    /// Its last reading of each label, and when it came in.
    pub readings: BTreeMap<OwnedLabel, (OwnedReading, Option<UnixTime>)>,
}

/// The devices of the network, and the requests that are on their way to them.
#[derive(Clone, Debug, Default)]
pub struct Structure {
    devices: BTreeMap<PartyId, DeviceEntry>,
    requests: BTreeMap<(PartyId, MessageId), PartyId>,
}

impl Structure {
    pub(super) const fn new() -> Self {
        Self { devices: BTreeMap::new(), requests: BTreeMap::new() }
    }

    /// A device.
    pub fn device(&self, device: PartyId) -> Option<&DeviceEntry> {
        self.devices.get(&device)
    }

    /// All devices.
    pub fn devices(&self) -> impl Iterator<Item = (PartyId, &DeviceEntry)> {
        self.devices.iter().map(|(id, entry)| (*id, entry))
    }

    /// Notes how a device stands; `false` if there is no room for it.
    pub(super) fn note_presence(
        &mut self,
        gateway: PartyId,
        device: PartyId,
        name: &str,
        state: PresenceState,
        time: Option<UnixTime>,
    ) -> bool {
        let state = match state {
            PresenceState::Connected => DeviceState::Connected,
            PresenceState::Disconnected => DeviceState::Disconnected,
            PresenceState::Refused(code) => DeviceState::Refused(code),
        };
        if let Some(entry) = self.devices.get_mut(&device) {
            // A gateway that a device has left tells of it later than the one
            // that it went to.
            let left = entry.gateway != gateway
                && entry.state == DeviceState::Connected
                && state != DeviceState::Connected;
            if !left {
                name.clone_into(&mut entry.name);
                entry.gateway = gateway;
                entry.state = state;
                entry.since = time;
            }
            return true;
        }
        if self.devices.len() >= MAX_DEVICES && !self.make_room() {
            return false;
        }
        let entry = DeviceEntry {
            gateway,
            name: name.to_owned(),
            state,
            since: time,
            readings: BTreeMap::new(),
        };
        self.devices.insert(device, entry);
        true
    }

    /// Notes the readings of a device.
    pub(super) fn note_readings(
        &mut self,
        device: PartyId,
        readings: &[OwnedReading],
        time: Option<UnixTime>,
    ) {
        let Some(entry) = self.devices.get_mut(&device) else { return };
        for reading in readings {
            if entry.readings.len() < MAX_LABELS || entry.readings.contains_key(&reading.label) {
                entry.readings.insert(reading.label.clone(), (reading.clone(), time));
            }
        }
    }

    /// A gateway is gone: nobody knows how its devices stand.
    pub(super) fn lose_gateway(&mut self, gateway: PartyId) {
        for entry in self.devices.values_mut() {
            if entry.gateway == gateway && entry.state == DeviceState::Connected {
                entry.state = DeviceState::Unknown;
            }
        }
    }

    /// Remembers for which device a request is.
    pub(super) fn expect(&mut self, gateway: PartyId, request: MessageId, device: PartyId) {
        self.requests.insert((gateway, request), device);
    }

    /// The device that a request was for, which is answered or given up now.
    pub(super) fn answered(&mut self, gateway: PartyId, request: MessageId) -> Option<PartyId> {
        self.requests.remove(&(gateway, request))
    }

    fn make_room(&mut self) -> bool {
        let gone = self
            .devices
            .iter()
            .find(|(_, entry)| entry.state != DeviceState::Connected)
            .map(|(id, _)| *id);
        gone.is_some_and(|id| self.devices.remove(&id).is_some())
    }
}
