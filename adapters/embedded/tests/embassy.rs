//! A device over embassy-net, hand-polled in virtual time, and its gateway over
//! smoltcp on the same Ethernet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../smoltcp/tests/network/mod.rs"]
mod network;

use embassy_net::{ConfigV4, ConfigV6, StackResources, StaticConfigV4, StaticConfigV6};
use embassy_net_driver_channel as channel;
use embassy_net_driver_channel::driver::{HardwareAddress, LinkState};
use embassy_time::MockDriver;
use iot_crypto::device::Device;
use iot_crypto::gateway::GatewayEvent;
use iot_crypto::time::Instant;
use iot_crypto::transmission::{Label, Reading, Severity, Value};
use iot_crypto::uplink::Search;
use iot_crypto_embedded::driver::{Config, Driver, Drops};
use iot_crypto_embedded::embassy::{self, DeviceSockets, DeviceStorage};
use network::parties::{self, DATAGRAM, Provider};
use network::{Dice, Event, Kind, Station, address, polling};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

/// embassy's clock is one for the whole program.
static CLOCK: Mutex<()> = Mutex::new(());

const MTU: usize = 1514;

/// Whether a task is to be polled.
struct Woken(AtomicBool);

/// A task of its own: embassy-net wakes its runner whenever a socket is looked at, and
/// two that share a waker would never come to rest.
struct Task<F> {
    future: F,
    woken: Arc<Woken>,
}

impl<F: Future + Unpin> Task<F> {
    fn new(future: F) -> Self {
        Self { future, woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    /// Polls it if it is woken; whether it was.
    fn poll(&mut self) -> bool {
        let is_woken = self.woken.0.swap(false, Ordering::Relaxed);
        if is_woken {
            let waker = Waker::from(Arc::clone(&self.woken));
            let _ = pin!(&mut self.future).poll(&mut Context::from_waker(&waker));
        }
        is_woken
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn configuration(kind: Kind) -> embassy_net::Config {
    let mut config = embassy_net::Config::default();
    match address(kind, 20) {
        smoltcp::wire::IpCidr::Ipv4(own) => {
            let address = embassy_net::Ipv4Cidr::new(own.address(), own.prefix_len());
            let dns_servers = Default::default();
            config.ipv4 = ConfigV4::Static(StaticConfigV4 { address, gateway: None, dns_servers });
        }
        smoltcp::wire::IpCidr::Ipv6(own) => {
            let address = embassy_net::Ipv6Cidr::new(own.address(), own.prefix_len());
            let dns_servers = Default::default();
            config.ipv6 = ConfigV6::Static(StaticConfigV6 { address, gateway: None, dns_servers });
        }
    }
    config
}

/// What came of a device's life.
struct Life {
    turns: usize,
    drops: Drops,
}

/// Lets a device live beside `gateway`, with `lost` of a hundred frames lost, until its application, or 600 s of the clock, end it.
fn live(
    kind: Kind,
    search: Search<SocketAddr>,
    lost: u64,
    gateway: &mut Station,
    mut application: impl FnMut(&mut Device<Provider, SocketAddr>, Instant) -> bool,
) -> Life {
    let _alone = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    MockDriver::get().reset();
    let mut state = channel::State::<MTU, 8, 8>::new();
    let (mut wire, net) = channel::new(&mut state, HardwareAddress::Ethernet([2, 0, 0, 0, 0, 20]));
    wire.set_link_state(LinkState::Up);
    let mut resources = StackResources::<3>::new();
    let (stack, mut runner) = embassy_net::new(net, configuration(kind), &mut resources, 99);
    let config = Config::default();
    let mut storage = DeviceStorage::<DATAGRAM, 2>::new();
    let mut sockets = DeviceSockets::open(stack, &config, &mut storage).unwrap();
    let mut driver = Driver::<DATAGRAM>::new(config).unwrap();
    let (_, mut device) = parties::device(20, search);
    let mut turns = 0;
    let ended = AtomicBool::new(false);
    {
        let run = async {
            let counted = |device: &mut _, now| {
                turns += 1;
                application(device, now)
            };
            embassy::run(&mut driver, &mut sockets, &mut device, counted).await.unwrap();
            ended.store(true, Ordering::Relaxed);
            std::future::pending::<()>().await;
        };
        let (runner, run) = (pin!(runner.run()), pin!(run));
        let (mut runner, mut run) = (Task::new(runner), Task::new(run));
        let mut dice = Dice::new(lost);
        for millis in 0..600_000 {
            let now = Instant::from_millis(millis);
            while run.poll() | runner.poll() {}
            let mut heard = false;
            while let Some(frame) = wire.try_tx_buf() {
                if !dice.happens(lost) {
                    gateway.port.arrive(frame.to_vec());
                    heard = true;
                }
                wire.tx_done();
            }
            if heard || gateway.wake.is_some_and(|wake| wake <= now) {
                gateway.turn(now);
            }
            for frame in gateway.port.outbox.drain(..) {
                if !dice.happens(lost)
                    && let Some(buffer) = wire.try_rx_buf()
                {
                    buffer[..frame.len()].copy_from_slice(&frame);
                    wire.rx_done(frame.len());
                }
            }
            if ended.load(Ordering::Relaxed) && !heard {
                break;
            }
            MockDriver::get().advance(embassy_time::Duration::from_millis(1));
        }
    }
    // It takes the last events.
    gateway.turn(embassy::now());
    Life { turns, drops: driver.drops() }
}

/// A device finds its gateway, answers it, raises an alert, and closes.
fn lives(kind: Kind, lost: u64) {
    let mut gateway = Station::gateway(kind, 10, polling);
    let events = Rc::new(RefCell::new(Vec::new()));
    let mut alert = None;
    let mut is_closed = false;
    let noted = Rc::clone(&events);
    let life = live(kind, Search::Advertisement, lost, &mut gateway, |device, now| {
        let mut events = noted.borrow_mut();
        parties::serve(device, &mut events);
        let asked = events.iter().filter(|event| **event == Event::Asked).count();
        if asked > 1 && alert.is_none() {
            let reading = Reading::new(Label::Number(1), Value::Float(99.5));
            alert = Some(device.alert(now, Severity::Critical, reading, "hot").unwrap());
        }
        let delivered = alert.is_some_and(|id| events.contains(&Event::Delivered(id)));
        if delivered && asked > 3 && !is_closed {
            device.close(now);
            is_closed = true;
        }
        !is_closed
    });
    assert!(is_closed, "{:?}", events.borrow());
    let events = events.borrow();
    assert_eq!(events.iter().filter(|event| matches!(event, Event::Connected { .. })).count(), 1);
    let is = |is_it: fn(&GatewayEvent) -> bool| {
        gateway.count(|event| matches!(event, Event::Gateway(event) if is_it(event)))
    };
    assert_eq!(is(|event| matches!(event, GatewayEvent::Alert { .. })), 1);
    let readings = is(|event| matches!(event, GatewayEvent::Readings { .. }));
    assert!(readings > 0);
    // Where answers are lost, the same is asked again.
    if lost == 0 {
        assert_eq!(readings, 3);
        assert_eq!(is(|event| matches!(event, GatewayEvent::DeviceDisconnected { .. })), 1);
        assert_eq!(life.drops, Drops::default());
        assert!(life.turns < 200, "{} turns", life.turns);
    }
}

#[test]
fn a_device_lives_with_ipv4() {
    lives(Kind::EthernetV4, 0);
    lives(Kind::EthernetV4, 10);
}

#[test]
fn a_device_lives_with_ipv6() {
    lives(Kind::EthernetV6, 0);
    lives(Kind::EthernetV6, 10);
}

#[test]
fn a_gateway_that_is_not_there_costs_no_work_and_blocks_nothing() {
    for kind in [Kind::EthernetV4, Kind::EthernetV6] {
        let mut gateway = Station::gateway(kind, 10, |settings| settings.advertise = None);
        let nobody = SocketAddr::new(address(kind, 99).address().into(), 4441);
        let life = live(kind, Search::At(nobody), 0, &mut gateway, |device, now| {
            parties::serve(device, &mut Vec::new());
            now.as_millis() < 120_000
        });
        assert!(life.drops.blocked > 0, "{kind:?}: what can't be sent is given up");
        assert!(life.turns < 400, "{kind:?}: {} turns", life.turns);
    }
}
