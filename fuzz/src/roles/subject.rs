//! The roles, made alike.

use std::time::Duration;

use iot_crypto::cloud::{Cloud, CloudEvent};
use iot_crypto::device::{Device, DeviceEvent};
use iot_crypto::downlink;
use iot_crypto::dropped::Dropped;
use iot_crypto::dtls::CookiePolicy;
use iot_crypto::endpoint::Endpoint;
use iot_crypto::gateway::{self, Gateway, GatewayEvent, Polling};
use iot_crypto::identity::{Endorsements, PartyId, Role};
use iot_crypto::party::Party;
use iot_crypto::time::{Instant, WallClock};
use iot_crypto::transmission::{CommandState, Label, MessageId, Reading, Ticket, Value};
use iot_crypto::uplink::{self, Search};

use super::{ABOVE, NEGOTIATION, Place, TRANSMISSION};
use crate::cast::{Cast, Member, NOW, Trust};
use crate::input::Input;
use crate::message;
use crate::toy::Toy;

/// What an application hears, as far as an oracle asks for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Happening {
    /// A session with a party stands.
    Connected(PartyId),
    /// The session with a party is over.
    Disconnected(PartyId),
    /// The party above commands.
    Command(MessageId),
    /// An alert of one's own was acknowledged.
    AlertDelivered(MessageId),
    /// A party below raises an alert, or tells of one.
    Alert(PartyId),
    /// A party below delivers readings.
    Readings(PartyId),
    /// Anything else.
    Other(String),
}

/// A role with its application.
pub(crate) trait Subject {
    /// The roles of those above and below.
    const ABOVE: Option<Role>;
    const BELOW: Option<Role>;

    fn endpoint(&mut self) -> &mut dyn Endpoint<Address = Place>;
    fn endpoint_ref(&self) -> &dyn Endpoint<Address = Place>;
    fn dropped(&self) -> Dropped;
    /// The party above, while a session with it stands; and the parties below.
    fn above(&self) -> Option<PartyId>;
    fn below(&self) -> Vec<PartyId>;
    /// Takes the next event.
    fn serve(&mut self) -> Option<Happening>;
    /// Does something that an application may do at any time; what came of it.
    fn act(&mut self, now: Instant, input: &mut Input<'_>) -> String;
    fn change_trust(&mut self, now: Instant, change: &mut dyn FnMut(&mut Trust, &Toy));
}

/// Whatever happened. What is guessed to be the reason of a timeout is the one thing
/// that a drop may change besides a counter.
fn other(event: &impl std::fmt::Debug) -> Happening {
    Happening::Other(format!("{event:?}").replace("undecryptable: true", "undecryptable: false"))
}

fn party(toy: Toy, member: &Member, knows_time: bool) -> Party<Toy, Trust> {
    let cast = Cast::get();
    let endorsements = Endorsements::new(std::slice::from_ref(&member.endorsement)).unwrap();
    let mut clock = WallClock::unknown();
    if knows_time {
        clock.set(Instant::ZERO, NOW);
    }
    let identity = member.identity.clone();
    Party::new(toy, identity, endorsements, cast.trust(), cast.network(), clock).unwrap()
}

/// Settings of the way up, as `flags` say.
fn uplink_settings(flags: u8, search: Search<Place>) -> uplink::Settings<Place> {
    let mut settings = uplink::Settings::new(search);
    settings.sleepy = flags & 2 != 0;
    settings.dtls.max_datagram = if flags & 4 != 0 { 208 } else { 1200 };
    settings
}

/// Settings of the services, as `flags` say.
fn downlink_settings(flags: u8) -> downlink::Settings {
    let mut settings = downlink::Settings::new(TRANSMISSION);
    settings.max_peers = if flags & 8 != 0 { 1 } else { 8 };
    settings.server.dtls.max_datagram = if flags & 4 != 0 { 208 } else { 1200 };
    settings.server.max_sessions = 4;
    settings.server.max_half_open = 2;
    settings.server.cookies = if flags & 16 != 0 {
        CookiePolicy::Always
    } else {
        CookiePolicy::UnderLoad { half_open: 1 }
    };
    settings.rotation.age = Duration::from_secs(300);
    settings.rotation.grace = Duration::from_secs(60);
    settings
}

const SERVICE: Place = Place { host: ABOVE, port: NEGOTIATION };

/// A device, and its application.
pub(crate) struct DeviceSubject {
    device: Device<Toy, Place, Trust>,
    /// What waits for an answer, and whether it is a command.
    tickets: Vec<(Ticket, bool)>,
    answers_at_once: bool,
}

impl DeviceSubject {
    pub(crate) fn new(toy: Toy, flags: u8) -> Self {
        let party = party(toy, &Cast::get().device, flags & 1 != 0);
        let search = if flags & 32 != 0 { Search::Advertisement } else { Search::At(SERVICE) };
        let device = Device::new(party, uplink_settings(flags, search), Instant::ZERO);
        Self { device, tickets: Vec::new(), answers_at_once: flags & 64 == 0 }
    }

    fn answer(&mut self, ticket: Ticket, is_command: bool, readings: &[Reading<'_>]) -> String {
        let done = if is_command {
            let result = readings.first().map(|reading| reading.value);
            self.device.report(ticket, CommandState::Done, result)
        } else {
            self.device.respond(ticket, readings)
        };
        format!("{done:?}")
    }
}

impl Subject for DeviceSubject {
    const ABOVE: Option<Role> = Some(Role::Gateway);
    const BELOW: Option<Role> = None;

    fn endpoint(&mut self) -> &mut dyn Endpoint<Address = Place> {
        &mut self.device
    }

    fn endpoint_ref(&self) -> &dyn Endpoint<Address = Place> {
        &self.device
    }

    fn dropped(&self) -> Dropped {
        self.device.dropped()
    }

    fn above(&self) -> Option<PartyId> {
        self.device.gateway()
    }

    fn below(&self) -> Vec<PartyId> {
        Vec::new()
    }

    fn serve(&mut self) -> Option<Happening> {
        let (happening, ticket) = match self.device.poll_event()? {
            DeviceEvent::Connected { gateway, .. } => (Happening::Connected(gateway), None),
            DeviceEvent::Disconnected { gateway, .. } => (Happening::Disconnected(gateway), None),
            DeviceEvent::Command { request, .. } => {
                (Happening::Command(request.id()), Some((request, true)))
            }
            DeviceEvent::DataRequest { request, labels } => {
                (Happening::Other(format!("{labels:?}")), Some((request, false)))
            }
            DeviceEvent::AlertDelivered(id) => (Happening::AlertDelivered(id), None),
            event => (other(&event), None),
        };
        if let Some((ticket, is_command)) = ticket {
            if self.answers_at_once {
                let reading = Reading::new(Label::Number(1), Value::Float(21.5));
                self.answer(ticket, is_command, &[reading]);
            } else {
                self.tickets.truncate(7);
                self.tickets.push((ticket, is_command));
            }
        }
        Some(happening)
    }

    fn act(&mut self, now: Instant, input: &mut Input<'_>) -> String {
        match input.below(6) {
            0 | 1 => {
                let (reading, text) = (message::reading(input), message::text(input));
                let severity = input.pick(iot_crypto::transmission::Severity::ALL);
                format!("{:?}", self.device.alert(now, severity, reading, text))
            }
            2 => format!("{:?}", self.device.wake(now)),
            3 => {
                let readings: Vec<_> =
                    (0..input.below(10)).map(|_| message::reading(input)).collect();
                match self.tickets.pop() {
                    Some((ticket, is_command)) => self.answer(ticket, is_command, &readings),
                    None => String::new(),
                }
            }
            4 => match self.tickets.pop() {
                Some((ticket, _)) => {
                    let code = input.pick(iot_crypto::transmission::ErrorCode::ALL);
                    format!("{:?}", self.device.reject(ticket, code, message::text(input)))
                }
                None => String::new(),
            },
            _ if input.u8() < 16 => {
                self.device.close(now);
                String::new()
            }
            _ => {
                self.answers_at_once = input.bool();
                String::new()
            }
        }
    }

    fn change_trust(&mut self, now: Instant, change: &mut dyn FnMut(&mut Trust, &Toy)) {
        self.device.change_trust(now, change);
    }
}

/// A gateway, and its application.
pub(crate) struct GatewaySubject(Gateway<Toy, Place, Trust>);

impl GatewaySubject {
    pub(crate) fn new(toy: Toy, flags: u8) -> Self {
        let party = party(toy, &Cast::get().gateway, true);
        let mut settings = gateway::Settings::new(NEGOTIATION, TRANSMISSION);
        settings.downlink = downlink_settings(flags);
        settings.advertise = (flags & 1 != 0).then_some(Duration::from_secs(60));
        settings.cloud = (flags & 32 != 0).then(|| uplink_settings(flags, Search::At(SERVICE)));
        settings.polling = (flags & 64 != 0)
            .then(|| Polling { every: Duration::from_secs(60), labels: Vec::new() });
        Self(Gateway::new(party, settings, Instant::ZERO).unwrap())
    }
}

impl Subject for GatewaySubject {
    const ABOVE: Option<Role> = Some(Role::Cloud);
    const BELOW: Option<Role> = Some(Role::Device);

    fn endpoint(&mut self) -> &mut dyn Endpoint<Address = Place> {
        &mut self.0
    }

    fn endpoint_ref(&self) -> &dyn Endpoint<Address = Place> {
        &self.0
    }

    fn dropped(&self) -> Dropped {
        self.0.dropped()
    }

    fn above(&self) -> Option<PartyId> {
        self.0.cloud()
    }

    fn below(&self) -> Vec<PartyId> {
        self.0.devices().map(|(id, _)| id).collect()
    }

    fn serve(&mut self) -> Option<Happening> {
        Some(match self.0.poll_event()? {
            GatewayEvent::DeviceConnected { device, .. } => Happening::Connected(device),
            GatewayEvent::CloudConnected { cloud, .. } => Happening::Connected(cloud),
            GatewayEvent::DeviceDisconnected { device, .. } => Happening::Disconnected(device),
            GatewayEvent::CloudDisconnected { cloud, .. } => Happening::Disconnected(cloud),
            GatewayEvent::Alert { device, .. } => Happening::Alert(device),
            GatewayEvent::Readings { device, .. } => Happening::Readings(device),
            event => other(&event),
        })
    }

    fn act(&mut self, now: Instant, input: &mut Input<'_>) -> String {
        let device = self.0.devices().map(|(id, _)| id).nth(input.below(2));
        let device = device.unwrap_or(PartyId([0; 16]));
        match input.below(4) {
            0 => {
                let labels: Vec<_> = (0..input.below(10)).map(|_| message::label(input)).collect();
                format!("{:?}", self.0.request_data(now, device, &labels))
            }
            1 | 2 => {
                let (label, value) = (message::label(input), message::value(input));
                format!("{:?}", self.0.command(now, device, label, value))
            }
            _ if input.u8() < 16 => {
                self.0.close(now);
                String::new()
            }
            _ => String::new(),
        }
    }

    fn change_trust(&mut self, now: Instant, change: &mut dyn FnMut(&mut Trust, &Toy)) {
        self.0.change_trust(now, change);
    }
}

/// A cloud, and its application.
pub(crate) struct CloudSubject(Cloud<Toy, Place, Trust>);

impl CloudSubject {
    pub(crate) fn new(toy: Toy, flags: u8) -> Self {
        let party = party(toy, &Cast::get().cloud, true);
        Self(Cloud::new(party, downlink_settings(flags)).unwrap())
    }
}

impl Subject for CloudSubject {
    const ABOVE: Option<Role> = None;
    const BELOW: Option<Role> = Some(Role::Gateway);

    fn endpoint(&mut self) -> &mut dyn Endpoint<Address = Place> {
        &mut self.0
    }

    fn endpoint_ref(&self) -> &dyn Endpoint<Address = Place> {
        &self.0
    }

    fn dropped(&self) -> Dropped {
        self.0.dropped()
    }

    fn above(&self) -> Option<PartyId> {
        None
    }

    fn below(&self) -> Vec<PartyId> {
        self.0.gateways().map(|(id, _)| id).collect()
    }

    fn serve(&mut self) -> Option<Happening> {
        Some(match self.0.poll_event()? {
            CloudEvent::GatewayConnected { gateway, .. } => Happening::Connected(gateway),
            CloudEvent::GatewayDisconnected { gateway, .. } => Happening::Disconnected(gateway),
            CloudEvent::Alert { gateway, .. } => Happening::Alert(gateway),
            CloudEvent::Readings { gateway, .. } => Happening::Readings(gateway),
            event => other(&event),
        })
    }

    fn act(&mut self, now: Instant, input: &mut Input<'_>) -> String {
        let known = self.0.structure().devices().map(|(id, _)| id).nth(input.below(3));
        let device = known.unwrap_or(PartyId([0; 16]));
        match input.below(4) {
            0 => {
                let labels: Vec<_> = (0..input.below(10)).map(|_| message::label(input)).collect();
                format!("{:?}", self.0.request_data(now, device, &labels))
            }
            1 | 2 => {
                let (label, value) = (message::label(input), message::value(input));
                format!("{:?}", self.0.command(now, device, label, value))
            }
            _ if input.u8() < 16 => {
                self.0.close(now);
                String::new()
            }
            _ => String::new(),
        }
    }

    fn change_trust(&mut self, now: Instant, change: &mut dyn FnMut(&mut Trust, &Toy)) {
        self.0.change_trust(now, change);
    }
}
