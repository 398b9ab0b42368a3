//! A device, a gateway and a cloud, each with its application.

use std::sync::OnceLock;

use iot_crypto::cloud::{Cloud, CloudEvent};
use iot_crypto::connection::{NetworkKey, NetworkKeyId, NetworkKeys};
use iot_crypto::crypto::SymmetricKey;
use iot_crypto::device::{Device, DeviceEvent};
use iot_crypto::endpoint::{Endpoint, LocalPort, Transmit};
use iot_crypto::gateway::{Gateway, GatewayEvent};
use iot_crypto::identity::{
    Authority, Endorsements, Grant, Name, PartyId, PrivateIdentity, Revocation, Rights, Role,
    TrustStore,
};
use iot_crypto::party::Party;
use iot_crypto::time::{Deadline, Instant, UnixTime, WallClock};
use iot_crypto::transmission::{
    AnswerError, CommandState, ErrorCode, Label, MAX_ITEMS, MAX_TEXT, MessageId, Reading, Severity,
    Ticket, Value,
};
use iot_crypto::wire::BufferTooSmall;
use iot_crypto::{downlink, gateway, uplink};

use crate::harness::{Place, Subject};
use crate::testing::{Provider, provider};

/// The wall time at the instant 0.
const EPOCH: u64 = 1_800_000_000;
const YEAR: u64 = 365 * 24 * 3600;
pub(crate) const SWITCH: Label<'static> = Label::Number(10);
const TEMPERATURE: Label<'static> = Label::Number(1);

/// Who there is; made once, since keys are dear.
pub(crate) struct Cast {
    company: PrivateIdentity,
    pub(crate) device: PrivateIdentity,
    gateway: PrivateIdentity,
    cloud: PrivateIdentity,
    endorsements: [Endorsements; 3],
    /// By a party that nobody trusts.
    bad_revocation: Revocation,
}

pub(crate) fn cast() -> &'static Cast {
    static CAST: OnceLock<Cast> = OnceLock::new();
    CAST.get_or_init(|| {
        let (from, to) = (UnixTime::from_secs(EPOCH - YEAR), UnixTime::from_secs(EPOCH + YEAR));
        let identity = |seed, name| {
            PrivateIdentity::create(&mut provider(seed), Name::new(name).unwrap(), from, to)
                .unwrap()
        };
        let [company, device, gateway, cloud, stranger] =
            [(1, "company"), (2, "device"), (3, "gateway"), (4, "cloud"), (5, "stranger")]
                .map(|(seed, name)| identity(seed, name));
        let roles = [(&device, Role::Device), (&gateway, Role::Gateway), (&cloud, Role::Cloud)];
        let endorsements = roles.map(|(subject, role)| {
            let grant = Grant { roles: role.into(), rights: Rights::ALL };
            let subject = subject.certificate();
            let endorsement = company.endorse(&provider(0), subject, from, to, grant).unwrap();
            Endorsements::new(&[endorsement]).unwrap()
        });
        let bad_revocation = stranger.revoke(&provider(0), device.id(), from).unwrap();
        Cast { company, device, gateway, cloud, endorsements, bad_revocation }
    })
}

pub(crate) fn network_key(number: u8) -> NetworkKey {
    NetworkKey::from_secret(&provider(0), SymmetricKey::new([number; 32]))
}

fn party<const A: usize, const B: usize, const C: usize>(
    seed: u64,
    identity: &PrivateIdentity,
    endorsements: &Endorsements,
) -> Party<Provider, TrustStore<A, B, C>> {
    let mut trust = TrustStore::new();
    trust.add_party(&provider(0), cast().company.certificate(), Authority::Full).unwrap();
    let mut network = NetworkKeys::new();
    network.add(network_key(1)).unwrap();
    let clock = WallClock::with_floor(UnixTime::from_secs(EPOCH - YEAR));
    let (identity, endorsements) = (identity.clone(), endorsements.clone());
    Party::new(provider(seed), identity, endorsements, trust, network, clock).unwrap()
}

fn wall(now: Instant) -> UnixTime {
    UnixTime::from_secs(EPOCH + now.as_millis() / 1000)
}

const LONG_AGO: UnixTime = UnixTime::from_secs(5);
const NOBODY: PartyId = PartyId([0xee; 16]);
const NO_KEY: NetworkKeyId = NetworkKeyId([0xee; 4]);

/// A request that a device was given.
#[derive(Clone, Copy)]
enum Asked {
    Data(Ticket, usize),
    Command(Ticket, i64),
}

impl Asked {
    fn ticket(self) -> Ticket {
        match self {
            Self::Data(ticket, _) | Self::Command(ticket, _) => ticket,
        }
    }
}

pub(crate) struct DeviceSide {
    device: Device<Provider, Place>,
    limit: usize,
    open: Vec<Asked>,
    /// The commands that were answered; data may be asked for again under the same id.
    answered: Vec<Ticket>,
    /// The arguments of the commands that were carried out.
    pub(crate) executed: Vec<i64>,
    alerts: Vec<(MessageId, i64)>,
    /// The values of the alerts that the gateway has taken charge of.
    pub(crate) delivered: Vec<i64>,
}

impl DeviceSide {
    pub(crate) fn new(seed: u64, settings: uplink::Settings<Place>, now: Instant) -> Self {
        let limit = settings.dtls.max_datagram;
        let party = party(seed, &cast().device, &cast().endorsements[0]);
        Self {
            device: Device::new(party, settings, now),
            limit,
            open: Vec::new(),
            answered: Vec::new(),
            executed: Vec::new(),
            alerts: Vec::new(),
            delivered: Vec::new(),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.device.gateway().is_some()
    }

    pub(crate) fn alert(&mut self, now: Instant, value: i64) -> bool {
        let reading = Reading::new(TEMPERATURE, Value::Integer(value));
        let alert = self.device.alert(now, Severity::Warning, reading, "");
        self.alerts.extend(alert.map(|id| (id, value)));
        alert.is_ok()
    }

    pub(crate) fn wake(&mut self, now: Instant) -> bool {
        self.device.wake(now).is_ok()
    }

    /// The alerts that are not delivered yet.
    pub(crate) fn undelivered(&self) -> usize {
        self.alerts.len()
    }

    /// Answers everything that it was asked.
    pub(crate) fn answer(&mut self) -> Vec<Result<(), AnswerError>> {
        let open = std::mem::take(&mut self.open);
        let commands = open.iter().filter(|asked| matches!(asked, Asked::Command(..)));
        self.answered.extend(commands.map(|asked| asked.ticket()));
        let device = &mut self.device;
        let answer = |asked| match asked {
            Asked::Data(ticket, count) => {
                let reading = Reading::new(TEMPERATURE, Value::Float(21.5));
                device.respond(ticket, &vec![reading; count.max(1)])
            }
            Asked::Command(ticket, argument) => {
                device.report(ticket, CommandState::Done, Some(Value::Integer(argument)))
            }
        };
        open.into_iter().map(answer).collect()
    }
}

impl Endpoint for DeviceSide {
    type Address = Place;

    fn handle_datagram(&mut self, now: Instant, port: LocalPort, from: Place, bytes: &mut [u8]) {
        self.device.handle_datagram(now, port, from, bytes);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.device.handle_timeout(now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<Place>>, BufferTooSmall> {
        self.device.poll_transmit(now, buffer)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.device.poll_timeout()
    }
}

impl Subject for DeviceSide {
    fn event(&mut self) -> Option<String> {
        let event = self.device.poll_event()?;
        let text = format!("{event:?}");
        match event {
            DeviceEvent::DataRequest { request, labels } => {
                self.open.push(Asked::Data(request, labels.len()));
            }
            DeviceEvent::Command { request, argument: Value::Integer(argument), .. } => {
                self.executed.push(argument);
                self.open.push(Asked::Command(request, argument));
            }
            DeviceEvent::AlertDelivered(id) => {
                let at = self.alerts.iter().position(|(known, _)| *known == id).unwrap();
                self.delivered.push(self.alerts.remove(at).1);
            }
            _ => {}
        }
        Some(text)
    }

    fn dropped(&self) -> u32 {
        self.device.dropped().records.total()
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn mistake(&mut self, now: Instant, which: u8) {
        let reading = Reading::new(TEMPERATURE, Value::Bool(true));
        let text = "x".repeat(MAX_TEXT + 1);
        let device = &mut self.device;
        match (which % 7, self.answered.last(), self.open.last()) {
            (0, Some(old), _) => {
                let again = device.report(*old, CommandState::Failed, None);
                assert_eq!(again, Err(AnswerError::NotOpen));
            }
            (1, _, Some(Asked::Data(ticket, _))) => {
                let result = device.report(*ticket, CommandState::Done, None);
                // It may belong to an incarnation of the gateway that is gone.
                assert!(result.is_err());
            }
            (2, _, Some(asked)) => {
                let ticket = asked.ticket();
                assert!(device.reject(ticket, ErrorCode::Internal, &text).is_err());
                assert!(device.respond(ticket, &[reading; MAX_ITEMS + 1]).is_err());
            }
            (3, ..) => assert!(device.alert(now, Severity::Warning, reading, &text).is_err()),
            (4, ..) => assert!(!device.retire_network_key(NO_KEY)),
            (5, ..) => assert!(!device.set_time(now, LONG_AGO)),
            (6, ..) => {
                assert!(!device.change_trust(now, |trust, _| trust.remove_party(&NOBODY)));
            }
            _ => {}
        }
    }
}

pub(crate) struct GatewaySide {
    /// With its tables of whom it trusts it is large.
    gateway: Box<Gateway<Provider, Place>>,
    limit: usize,
    /// The values of the alerts that came, and the results of commands that are done.
    pub(crate) alerts: Vec<i64>,
    pub(crate) done: Vec<i64>,
}

impl GatewaySide {
    pub(crate) fn new(seed: u64, settings: gateway::Settings<Place>, now: Instant) -> Self {
        let limit = settings.downlink.server.dtls.max_datagram;
        let party = party(seed, &cast().gateway, &cast().endorsements[1]);
        let mut gateway = Box::new(Gateway::new(party, settings, now).unwrap());
        assert!(gateway.set_time(now, wall(now)));
        Self { gateway, limit, alerts: Vec::new(), done: Vec::new() }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.gateway.cloud().is_some() && self.gateway.devices().count() == 1
    }

    pub(crate) fn command(&mut self, now: Instant, argument: i64) -> bool {
        let device = cast().device.id();
        self.gateway.command(now, device, SWITCH, Value::Integer(argument)).is_ok()
    }

    pub(crate) fn request_data(&mut self, now: Instant) -> bool {
        self.gateway.request_data(now, cast().device.id(), &[]).is_ok()
    }

    pub(crate) fn add_network_key(&mut self, now: Instant, number: u8) {
        self.gateway.add_network_key(now, network_key(number));
    }
}

impl Endpoint for GatewaySide {
    type Address = Place;

    fn handle_datagram(&mut self, now: Instant, port: LocalPort, from: Place, bytes: &mut [u8]) {
        self.gateway.handle_datagram(now, port, from, bytes);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.gateway.handle_timeout(now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<Place>>, BufferTooSmall> {
        self.gateway.poll_transmit(now, buffer)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.gateway.poll_timeout()
    }
}

impl Subject for GatewaySide {
    fn event(&mut self) -> Option<String> {
        let event = self.gateway.poll_event()?;
        match &event {
            GatewayEvent::Alert { reading, .. } => {
                self.alerts.extend(integer(reading.borrow().value));
            }
            GatewayEvent::CommandStatus { state: CommandState::Done, result, .. } => {
                self.done.extend(result.as_ref().and_then(|result| integer(result.borrow())));
            }
            _ => {}
        }
        Some(format!("{event:?}"))
    }

    fn dropped(&self) -> u32 {
        self.gateway.dropped().records.total()
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn mistake(&mut self, now: Instant, which: u8) {
        let device = cast().device.id();
        let gateway = &mut self.gateway;
        let long = Label::Text("a label of more than 16 bytes");
        match which % 7 {
            0 => assert!(gateway.command(now, NOBODY, SWITCH, Value::Bool(true)).is_err()),
            1 => assert!(gateway.request_data(now, device, &[SWITCH; MAX_ITEMS + 1]).is_err()),
            2 => assert!(gateway.command(now, device, long, Value::Bool(true)).is_err()),
            3 => assert!(!gateway.retire_network_key(NO_KEY)),
            4 => assert!(!gateway.set_time(now, LONG_AGO)),
            5 => assert!(gateway.revoke(now, &cast().bad_revocation).is_err()),
            _ => {
                assert!(!gateway.change_trust(now, |trust, _| trust.remove_party(&NOBODY)));
            }
        }
    }
}

pub(crate) struct CloudSide {
    /// With its tables of whom it trusts it is large.
    cloud: Box<Cloud<Provider, Place>>,
    limit: usize,
    pub(crate) alerts: Vec<i64>,
    pub(crate) done: Vec<i64>,
}

impl CloudSide {
    pub(crate) fn new(seed: u64, settings: downlink::Settings, now: Instant) -> Self {
        let limit = settings.server.dtls.max_datagram;
        let party = party(seed, &cast().cloud, &cast().endorsements[2]);
        let mut cloud = Box::new(Cloud::new(party, settings).unwrap());
        assert!(cloud.set_time(now, wall(now)));
        Self { cloud, limit, alerts: Vec::new(), done: Vec::new() }
    }

    pub(crate) fn command(&mut self, now: Instant, argument: i64) -> bool {
        let device = cast().device.id();
        self.cloud.command(now, device, SWITCH, Value::Integer(argument)).is_ok()
    }

    pub(crate) fn add_network_key(&mut self, now: Instant, number: u8) {
        self.cloud.add_network_key(now, network_key(number));
    }
}

impl Endpoint for CloudSide {
    type Address = Place;

    fn handle_datagram(&mut self, now: Instant, port: LocalPort, from: Place, bytes: &mut [u8]) {
        self.cloud.handle_datagram(now, port, from, bytes);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.cloud.handle_timeout(now);
    }

    fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<Place>>, BufferTooSmall> {
        self.cloud.poll_transmit(now, buffer)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.cloud.poll_timeout()
    }
}

impl Subject for CloudSide {
    fn event(&mut self) -> Option<String> {
        let event = self.cloud.poll_event()?;
        match &event {
            CloudEvent::Alert { reading, .. } => {
                self.alerts.extend(integer(reading.borrow().value));
            }
            CloudEvent::CommandStatus { state: CommandState::Done, result, .. } => {
                self.done.extend(result.as_ref().and_then(|result| integer(result.borrow())));
            }
            _ => {}
        }
        Some(format!("{event:?}"))
    }

    fn dropped(&self) -> u32 {
        self.cloud.dropped().records.total()
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn mistake(&mut self, now: Instant, which: u8) {
        let device = cast().device.id();
        let cloud = &mut self.cloud;
        let long = Label::Text("a label of more than 16 bytes");
        match which % 7 {
            0 => assert!(cloud.command(now, NOBODY, SWITCH, Value::Bool(true)).is_err()),
            1 => assert!(cloud.request_data(now, device, &[SWITCH; MAX_ITEMS + 1]).is_err()),
            2 => assert!(cloud.command(now, device, long, Value::Bool(true)).is_err()),
            3 => assert!(!cloud.retire_network_key(NO_KEY)),
            4 => assert!(!cloud.set_time(now, LONG_AGO)),
            5 => assert!(cloud.revoke(now, &cast().bad_revocation).is_err()),
            _ => assert!(!cloud.change_trust(now, |trust, _| trust.remove_party(&NOBODY))),
        }
    }
}

fn integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Integer(value) => Some(value),
        _ => None,
    }
}
