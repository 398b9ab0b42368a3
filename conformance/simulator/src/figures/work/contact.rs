//! A first contact between a device and its gateway, with nothing between them, and
//! what each side computes for it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant as Stopwatch};

use iot_crypto::connection::ForwardSecrecy;
use iot_crypto::device::{Device, DeviceEvent, DeviceTrust};
use iot_crypto::endpoint::{Destination, Endpoint, LocalPort};
use iot_crypto::gateway::{self, Gateway, GatewayEvent, GatewayTrust};
use iot_crypto::party::Party;
use iot_crypto::time::{Instant, WallClock};
use iot_crypto::uplink::{self, Search};

use super::counting::{Counting, Ledger};
use crate::cast::{network, trusting};
use crate::figures::cast::{Cast, NETWORK_KEY, NOW, Provider};
use crate::place::{NEGOTIATION, Place, TRANSMISSION, number, port};

/// What a side has done.
#[derive(Clone, Debug, Default)]
pub(super) struct Work {
    pub(super) ledger: Ledger,
    /// The time of everything, cryptography included.
    pub(super) time: Duration,
}

/// What both sides have done.
#[derive(Clone, Debug, Default)]
pub(super) struct Contact {
    pub(super) device: Work,
    pub(super) gateway: Work,
}

/// Where one side is.
const DEVICE: u16 = 1;
/// Where the other side is.
const GATEWAY: u16 = 2;

/// When the key of a session is to be replaced.
const AGE: Duration = Duration::from_secs(10);

/// From the gateway's advertisement until both are connected and nothing is on its way.
pub(super) fn first_contact(seed: u64, forward_secrecy: ForwardSecrecy) -> Contact {
    Pair::new(seed, forward_secrecy).connect(Instant::ZERO)
}

/// The device comes back, to replace the key of its session: from the gateway's request
/// until both are connected anew and nothing is on its way.
pub(super) fn later_contact(seed: u64, forward_secrecy: ForwardSecrecy) -> Contact {
    let mut pair = Pair::new(seed, forward_secrecy);
    pair.connect(Instant::ZERO);
    pair.connect(Instant::ZERO + AGE)
}

/// A device and a gateway, and what they count.
struct Pair {
    gateway: Gateway<Counting<Provider>, Place>,
    device: Device<Counting<Provider>, Place>,
    gateway_ledger: Rc<RefCell<Ledger>>,
    device_ledger: Rc<RefCell<Ledger>>,
}

impl Pair {
    fn new(seed: u64, forward_secrecy: ForwardSecrecy) -> Self {
        let mut cast = Cast::new(seed);
        let now = Instant::ZERO;
        let (provider, gateway_ledger) = Counting::new(cast.provider());
        let gateway = gateway(&cast, provider, now);
        let (provider, device_ledger) = Counting::new(cast.provider());
        let device = device(&cast, provider, now, forward_secrecy);
        Self { gateway, device, gateway_ledger, device_ledger }
    }

    /// Until a session was begun and nothing is on its way; what was done before is no
    /// part of it.
    fn connect(&mut self, now: Instant) -> Contact {
        let Self { gateway, device, gateway_ledger, device_ledger } = self;
        for ledger in [&*gateway_ledger, &*device_ledger] {
            ledger.borrow_mut().clear();
        }
        let (mut gateway_time, mut device_time) = (Duration::ZERO, Duration::ZERO);
        let (mut to_device, mut to_gateway) = (Vec::new(), Vec::new());
        let (mut device_is_connected, mut gateway_is_connected) = (false, false);
        loop {
            let sent = timed(&mut gateway_time, || turn(gateway, now, &mut to_gateway));
            to_device.extend(sent.into_iter().map(|sent| sent.from(GATEWAY)));
            while let Some(event) = gateway.poll_event() {
                gateway_is_connected |= matches!(event, GatewayEvent::DeviceConnected { .. });
            }
            let sent = timed(&mut device_time, || turn(device, now, &mut to_device));
            to_gateway.extend(sent.into_iter().map(|sent| sent.from(DEVICE)));
            while let Some(event) = device.poll_event() {
                assert!(!matches!(event, DeviceEvent::Failed(_)), "{event:?}");
                device_is_connected |= matches!(event, DeviceEvent::Connected { .. });
            }
            if to_device.is_empty() && to_gateway.is_empty() {
                assert!(device_is_connected && gateway_is_connected, "it has come to a halt");
                break;
            }
        }
        let work = |ledger: &RefCell<Ledger>, time| Work { ledger: ledger.borrow().clone(), time };
        Contact {
            device: work(device_ledger, device_time),
            gateway: work(gateway_ledger, gateway_time),
        }
    }
}

fn gateway(
    cast: &Cast,
    provider: Counting<Provider>,
    now: Instant,
) -> Gateway<Counting<Provider>, Place> {
    let trust: GatewayTrust = trusting(&[&cast.company]);
    let (identity, endorsements) = (cast.gateway.clone(), cast.gateway_endorsements());
    let party = Party::new(
        provider,
        identity,
        endorsements,
        trust,
        network(&[NETWORK_KEY]),
        WallClock::unknown(),
    )
    .expect("it never fails");
    let mut settings = gateway::Settings::new(NEGOTIATION, TRANSMISSION);
    settings.downlink.rotation.age = AGE;
    let mut gateway = Gateway::new(party, settings, now).expect("it never fails");
    gateway.set_time(now, NOW);
    gateway
}

fn device(
    cast: &Cast,
    provider: Counting<Provider>,
    now: Instant,
    forward_secrecy: ForwardSecrecy,
) -> Device<Counting<Provider>, Place> {
    let trust: DeviceTrust = trusting(&[&cast.company]);
    let (identity, endorsements) = (cast.device.clone(), cast.device_endorsements());
    let party = Party::new(
        provider,
        identity,
        endorsements,
        trust,
        network(&[NETWORK_KEY]),
        WallClock::unknown(),
    )
    .expect("it never fails");
    let settings =
        uplink::Settings { forward_secrecy, ..uplink::Settings::new(Search::Advertisement) };
    Device::new(party, settings, now)
}

/// A datagram: from, to, bytes.
struct Datagram {
    from: Place,
    to: u16,
    bytes: Vec<u8>,
}

impl Datagram {
    fn from(self, host: u16) -> Self {
        Self { from: Place { host, ..self.from }, ..self }
    }
}

/// Gives a side what has come for it, does what is due, and takes what it sends.
fn turn(
    endpoint: &mut impl Endpoint<Address = Place>,
    now: Instant,
    received: &mut Vec<Datagram>,
) -> Vec<Datagram> {
    for Datagram { from, to, mut bytes } in received.drain(..) {
        let port = port(to).expect("it is sent to a port that is there");
        endpoint.handle_datagram(now, port, from, &mut bytes);
    }
    if endpoint.poll_timeout().is_some_and(|deadline| deadline.at <= now) {
        endpoint.handle_timeout(now);
    }
    let mut sent = Vec::new();
    let mut buffer = [0; 1200];
    while let Some(transmit) = endpoint.poll_transmit(now, &mut buffer).expect("it has room") {
        let to = match transmit.to {
            Destination::Address(place) => place.port,
            Destination::Everyone => number(LocalPort::Discovery),
        };
        let from = Place { host: 0, port: number(transmit.from) };
        sent.push(Datagram { from, to, bytes: buffer[..transmit.length].to_vec() });
    }
    sent
}

fn timed<R>(total: &mut Duration, run: impl FnOnce() -> R) -> R {
    let begin = Stopwatch::now();
    let result = run();
    *total += begin.elapsed();
    result
}
