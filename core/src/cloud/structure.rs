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

/// The gateways that may hold a device for connected at a time.
const MAX_HOLDERS: usize = 3;

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
    /// The gateway that it is connected to, or that told of it last.
    pub gateway: PartyId,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: DeviceState,
    /// Since when, if the cloud knew the time.
    pub since: Option<UnixTime>,
    /// Its last reading of each label, and when it came in.
    pub readings: BTreeMap<OwnedLabel, (OwnedReading, Option<UnixTime>)>,
    /// The gateways that hold it for connected, the last to say so last. One that
    /// it has left notices late, and may say so again meanwhile.
    holders: heapless::Vec<PartyId, MAX_HOLDERS>,
}

impl DeviceEntry {
    fn hold(&mut self, gateway: PartyId) {
        self.let_go(gateway);
        if self.holders.is_full() {
            self.holders.remove(0);
        }
        let _ = self.holders.push(gateway);
    }

    fn let_go(&mut self, gateway: PartyId) {
        self.holders.retain(|holder| *holder != gateway);
    }

    /// Takes over what `gateway` told, unless another gateway holds it.
    fn settle(&mut self, gateway: PartyId, state: DeviceState, time: Option<UnixTime>) {
        let before = (self.gateway, self.state);
        (self.gateway, self.state) = match self.holders.last() {
            Some(holder) => (*holder, DeviceState::Connected),
            None => (gateway, state),
        };
        if before != (self.gateway, self.state) {
            self.since = time;
        }
    }
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
        let is_known = self.devices.contains_key(&device);
        if !is_known && self.devices.len() >= MAX_DEVICES && !self.make_room() {
            return false;
        }
        let entry = self.devices.entry(device).or_insert_with(|| DeviceEntry {
            gateway,
            name: String::new(),
            state,
            since: time,
            readings: BTreeMap::new(),
            holders: heapless::Vec::new(),
        });
        if state == DeviceState::Connected {
            entry.hold(gateway);
        } else {
            entry.let_go(gateway);
        }
        entry.settle(gateway, state, time);
        if entry.gateway == gateway {
            name.clone_into(&mut entry.name);
        }
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
    pub(super) fn lose_gateway(&mut self, gateway: PartyId, time: Option<UnixTime>) {
        for entry in self.devices.values_mut() {
            if entry.holders.contains(&gateway) {
                entry.let_go(gateway);
                entry.settle(gateway, DeviceState::Unknown, time);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transmission::{Label, Reading, Value};

    const ONE: PartyId = PartyId([1; 16]);
    const OTHER: PartyId = PartyId([2; 16]);
    const DEVICE: PartyId = PartyId([3; 16]);

    fn note(structure: &mut Structure, gateway: PartyId, state: PresenceState) -> DeviceState {
        assert!(structure.note_presence(gateway, DEVICE, "device", state, None));
        structure.device(DEVICE).unwrap().state
    }

    #[test]
    fn a_gateway_that_a_device_has_left_does_not_say_how_it_stands() {
        let mut structure = Structure::new();
        note(&mut structure, ONE, PresenceState::Connected);
        note(&mut structure, OTHER, PresenceState::Connected);
        let state = note(&mut structure, ONE, PresenceState::Disconnected);
        assert_eq!(state, DeviceState::Connected);
        assert_eq!(structure.device(DEVICE).unwrap().gateway, OTHER);
        structure.lose_gateway(ONE, None);
        assert_eq!(structure.device(DEVICE).unwrap().state, DeviceState::Connected);
        structure.lose_gateway(OTHER, None);
        assert_eq!(structure.device(DEVICE).unwrap().state, DeviceState::Unknown);
        let state = note(&mut structure, ONE, PresenceState::Refused(6));
        assert_eq!(state, DeviceState::Refused(6));
    }

    #[test]
    fn a_gateway_that_notices_late_does_not_hide_the_one_that_a_device_went_to() {
        let mut structure = Structure::new();
        note(&mut structure, ONE, PresenceState::Connected);
        note(&mut structure, OTHER, PresenceState::Connected);
        // It comes back to its cloud, and tells whom it takes to be connected.
        note(&mut structure, ONE, PresenceState::Connected);
        let state = note(&mut structure, ONE, PresenceState::Disconnected);
        assert_eq!(state, DeviceState::Connected);
        assert_eq!(structure.device(DEVICE).unwrap().gateway, OTHER);
    }

    #[test]
    fn only_so_many_labels_are_kept_and_each_with_its_last_reading() {
        let mut structure = Structure::new();
        note(&mut structure, ONE, PresenceState::Connected);
        for value in [1, 2] {
            for label in 0..100 {
                let reading = Reading::new(Label::Number(label), Value::Integer(value));
                structure.note_readings(DEVICE, &[OwnedReading::from(&reading)], None);
            }
        }
        let readings = &structure.device(DEVICE).unwrap().readings;
        assert_eq!(readings.len(), MAX_LABELS);
        assert!(readings.values().all(|(it, _)| it.value.borrow() == Value::Integer(2)));
    }

    #[test]
    fn a_request_is_for_one_device_and_answered_once() {
        let mut structure = Structure::new();
        structure.expect(ONE, MessageId(1), DEVICE);
        assert_eq!(structure.answered(OTHER, MessageId(1)), None);
        assert_eq!(structure.answered(ONE, MessageId(1)), Some(DEVICE));
        assert_eq!(structure.answered(ONE, MessageId(1)), None);
    }
}
