//! A device and its gateway on an Ethernet in memory, in virtual time: the device finds
//! the gateway, is asked for readings, and raises an alert.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../tests/network/mod.rs"]
mod network;

use iot_crypto::device::DeviceEvent;
use iot_crypto::time::Instant;
use iot_crypto::transmission::{Label, Reading, Severity, Value};
use iot_crypto::uplink::Search;
use iot_crypto_smoltcp::{Config, DeviceStorage, Driver};
use network::parties::{self, DATAGRAM};
use network::{Kind, Port, Station, address, polling};
use smoltcp::iface::{self, Interface, SocketSet, SocketStorage};
use smoltcp::phy::Medium;
use smoltcp::wire::{EthernetAddress, HardwareAddress};

const TEMPERATURE: Label<'static> = Label::Number(1);

fn main() {
    let mut gateway = Station::gateway(Kind::EthernetV4, 10, polling);

    let mut network = Port::new(Medium::Ethernet);
    let hardware = HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, 20]));
    let config = iface::Config::new(hardware);
    let mut interface = Interface::new(config, &mut network, smoltcp::time::Instant::ZERO);
    interface.update_ip_addrs(|addresses| {
        addresses.push(address(Kind::EthernetV4, 20)).unwrap();
    });
    let mut storage = DeviceStorage::<DATAGRAM>::new();
    let mut slots = [SocketStorage::EMPTY; 3];
    let mut sockets = SocketSet::new(&mut slots[..]);
    let config = Config::default();
    let mut driver = Driver::device(config, 7, &mut interface, &mut sockets, &mut storage).unwrap();
    let (_, mut device) = parties::device(20, Search::Advertisement);

    let (mut now, mut is_delivered) = (Instant::ZERO, false);
    while !is_delivered {
        while let Some(event) = device.poll_event() {
            println!("{:>6} ms  {event:?}", now.as_millis());
            match event {
                DeviceEvent::DataRequest { request, .. } => {
                    let reading = Reading::new(TEMPERATURE, Value::Float(93.5));
                    device.respond(request, &[reading]).unwrap();
                    device.alert(now, Severity::Critical, reading, "hot").unwrap();
                }
                DeviceEvent::AlertDelivered(_) => is_delivered = true,
                _ => {}
            }
        }
        let turn =
            driver.turn(now, &mut interface, &mut network, &mut sockets, &mut device).unwrap();
        gateway.port.inbox.extend(network.outbox.drain(..));
        if !gateway.port.inbox.is_empty() || gateway.wake.is_some_and(|wake| wake <= now) {
            gateway.turn(now);
        }
        network.inbox.extend(gateway.port.outbox.drain(..));
        if network.inbox.is_empty() {
            // Both sleep.
            now = [turn.wake, gateway.wake].into_iter().flatten().min().unwrap().max(now);
        }
    }
}
