//! The parties of a world, and what their applications do.

use iot_crypto::cloud::{Cloud, CloudEvent};
use iot_crypto::crypto::SymmetricKey;
use iot_crypto::device::{Device, DeviceEvent};
use iot_crypto::dtls::{Client, Config, Datagram, PresharedKey, PskIdentity};
use iot_crypto::endpoint::{Endpoint, LocalPort, Transmit};
use iot_crypto::gateway::{Gateway, GatewayEvent};
use iot_crypto::time::{Deadline, Instant, Reason};
use iot_crypto::transmission::{CommandState, Label, Reading, Value};
use iot_crypto::wire::BufferTooSmall;

use crate::place::Place;
use crate::random::{Provider, provider};

/// A party in a world.
#[allow(clippy::large_enum_variant)]
pub enum Node {
    /// A device.
    Device(Box<Device<Provider, Place>>),
    /// A gateway.
    Gateway(Box<Gateway<Provider, Place>>),
    /// A cloud.
    Cloud(Box<Cloud<Provider, Place>>),
    /// Somebody who has a key.
    Stranger(Box<Stranger>),
}

impl Node {
    /// What the world drives.
    pub fn endpoint(&mut self) -> &mut dyn Endpoint<Address = Place> {
        match self {
            Self::Device(device) => &mut **device,
            Self::Gateway(gateway) => &mut **gateway,
            Self::Cloud(cloud) => &mut **cloud,
            Self::Stranger(stranger) => &mut **stranger,
        }
    }

    /// The next event, after its application has dealt with it; devices answer
    /// commands only if `answers`.
    pub(crate) fn poll_event(&mut self, answers: bool) -> Option<Event> {
        match self {
            Self::Gateway(gateway) => gateway.poll_event().map(Event::Gateway),
            Self::Cloud(cloud) => cloud.poll_event().map(Event::Cloud),
            Self::Device(device) => serve(device, answers),
            Self::Stranger(_) => None,
        }
    }
}

impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Device(_) => "Device",
            Self::Gateway(_) => "Gateway",
            Self::Cloud(_) => "Cloud",
            Self::Stranger(_) => "Stranger",
        })
    }
}

/// What an event was, without what it borrows.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// An event of a device, as `Debug` shows it.
    Device(String),
    /// A command that a device carried out.
    Executed(String),
    /// An event of a gateway.
    Gateway(GatewayEvent),
    /// An event of a cloud.
    Cloud(CloudEvent),
}

/// The application of a device: measures 21.5 °C, and does what it is told.
fn serve(device: &mut Device<Provider, Place>, answers: bool) -> Option<Event> {
    Some(match device.poll_event()? {
        DeviceEvent::DataRequest { request, labels } => {
            let reading = Reading::new(Label::Number(1), Value::Float(21.5));
            let count = labels.len().max(1);
            device.respond(request, &vec![reading; count]).unwrap();
            Event::Device("data request".to_owned())
        }
        DeviceEvent::Command { request, label, argument } => {
            let text = format!("{label} {argument}");
            if answers {
                device.report(request, CommandState::Done, Some(Value::Bool(true))).unwrap();
            }
            Event::Executed(text)
        }
        event => Event::Device(format!("{event:?}")),
    })
}

/// Somebody who connects to a port with a key, and then says what a scenario wants.
pub struct Stranger {
    provider: Provider,
    connection: Client<Provider>,
    to: Place,
    /// Sent as soon as it is connected, the last one first.
    pub payloads: Vec<Vec<u8>>,
    /// What it was told.
    pub received: Vec<Vec<u8>>,
}

impl Stranger {
    /// One who connects to `to` with `key`, under the name `identity`.
    ///
    /// # Panics
    /// If identity or key have a length that DTLS does not allow.
    #[must_use]
    pub fn new(now: Instant, seed: u64, to: Place, identity: &[u8], key: &SymmetricKey) -> Self {
        let mut provider = provider(seed);
        let identity = PskIdentity::new(identity).unwrap();
        let key = PresharedKey::new(key.expose()).unwrap();
        let connection =
            Client::new(&Config::default(), &mut provider, now, &identity, key).unwrap();
        Self { provider, connection, to, payloads: Vec::new(), received: Vec::new() }
    }

    /// Whether its handshake has ended.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection.is_connected()
    }
}

impl core::fmt::Debug for Stranger {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stranger").field("to", &self.to).finish_non_exhaustive()
    }
}

impl Endpoint for Stranger {
    type Address = Place;

    fn handle_datagram(&mut self, now: Instant, _: LocalPort, _: Place, datagram: &mut [u8]) {
        let mut datagram = Datagram::new(datagram);
        while let Some(payload) =
            self.connection.handle_record(&mut self.provider, now, &mut datagram)
        {
            self.received.push(payload.to_vec());
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(&mut self.provider, now);
        while self.connection.poll_event().is_some() {}
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<Place>>, BufferTooSmall> {
        if let Some(length) = self.connection.poll_transmit(&mut self.provider, now, buffer)? {
            return Ok(Some(Transmit::new(LocalPort::FirstClient, self.to, length)));
        }
        if self.is_connected()
            && let Some(payload) = self.payloads.pop()
        {
            let length = self.connection.send(&mut self.provider, now, &payload, buffer).unwrap();
            return Ok(Some(Transmit::new(LocalPort::FirstClient, self.to, length)));
        }
        Ok(None)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.is_connected() && !self.payloads.is_empty() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        self.connection.poll_timeout()
    }
}
