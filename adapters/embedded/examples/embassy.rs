//! A device over embassy-net and its gateway on an Ethernet in memory, in virtual time:
//! the device finds the gateway, and is asked for readings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../smoltcp/tests/network/mod.rs"]
mod network;

use embassy_futures::join::join;
use embassy_net::{ConfigV4, StackResources, StaticConfigV4};
use embassy_net_driver_channel as channel;
use embassy_net_driver_channel::driver::{HardwareAddress, LinkState};
use embassy_time::MockDriver;
use iot_crypto::device::DeviceEvent;
use iot_crypto::transmission::{Label, Reading, Value};
use iot_crypto::uplink::Search;
use iot_crypto_embedded::driver::{Config, Driver};
use iot_crypto_embedded::embassy::{self, DeviceSockets, DeviceStorage};
use network::parties::{self, DATAGRAM};
use network::{Kind, Station, polling};
use std::cell::Cell;

const TEMPERATURE: Label<'static> = Label::Number(1);

fn main() {
    let mut state = channel::State::<1514, 8, 8>::new();
    let (mut wire, network) =
        channel::new(&mut state, HardwareAddress::Ethernet([2, 0, 0, 0, 0, 20]));
    wire.set_link_state(LinkState::Up);
    let mut config = embassy_net::Config::default();
    config.ipv4 = ConfigV4::Static(StaticConfigV4 {
        address: embassy_net::Ipv4Cidr::new([192, 0, 2, 20].into(), 24),
        gateway: None,
        dns_servers: Default::default(),
    });
    let mut resources = StackResources::<3>::new();
    let (stack, mut runner) = embassy_net::new(network, config, &mut resources, 7);

    let config = Config::default();
    let mut storage = DeviceStorage::<DATAGRAM, 2>::new();
    let mut sockets = DeviceSockets::open(stack, &config, &mut storage).unwrap();
    let mut driver = Driver::<DATAGRAM>::new(config).unwrap();
    let (_, mut device) = parties::device(20, Search::Advertisement);

    let asked = Cell::new(0);
    let device = embassy::run(&mut driver, &mut sockets, &mut device, |device, now| {
        while let Some(event) = device.poll_event() {
            println!("{:>6} ms  {event:?}", now.as_millis());
            if let DeviceEvent::DataRequest { request, .. } = event {
                let reading = Reading::new(TEMPERATURE, Value::Float(21.5));
                device.respond(request, &[reading]).unwrap();
                asked.set(asked.get() + 1);
            }
        }
        true
    });

    // The gateway, the wire, and the time.
    let mut gateway = Station::gateway(Kind::EthernetV4, 10, polling);
    let surroundings = async {
        while asked.get() < 3 {
            embassy_futures::yield_now().await;
            let now = embassy::now();
            while let Some(frame) = wire.try_tx_buf() {
                gateway.port.arrive(frame.to_vec());
                wire.tx_done();
            }
            if !gateway.port.inbox.is_empty() || gateway.wake.is_some_and(|wake| wake <= now) {
                gateway.turn(now);
            }
            for frame in gateway.port.outbox.drain(..) {
                if let Some(buffer) = wire.try_rx_buf() {
                    buffer[..frame.len()].copy_from_slice(&frame);
                    wire.rx_done(frame.len());
                }
            }
            MockDriver::get().advance(embassy_time::Duration::from_millis(1));
        }
    };
    let lives = join(runner.run(), device);
    embassy_futures::block_on(embassy_futures::select::select(lives, surroundings));
}
