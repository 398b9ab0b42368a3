//! A device over blocking sockets of the operating system, and its gateway over mio, on
//! the loopback interface.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../smoltcp/tests/network/parties.rs"]
#[allow(dead_code, unreachable_pub, reason = "each test needs some of it")]
mod parties;

use iot_crypto::endpoint::LocalPort;
use iot_crypto::gateway::{GatewayEvent, Polling};
use iot_crypto::time::Instant;
use iot_crypto::uplink::Search;
use iot_crypto_embedded::driver::{Config, Driver, Drops};
use iot_crypto_embedded::udp::{Received, SendError, Sleep, Udp};
use parties::{DATAGRAM, Event};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Long enough that only a test that fails waits for it.
const LONG: Duration = Duration::from_secs(30);

struct Sockets {
    sockets: [(LocalPort, UdpSocket); 3],
    start: std::time::Instant,
}

impl Sockets {
    fn open() -> Self {
        let ports = [LocalPort::Discovery, LocalPort::FirstClient, LocalPort::SecondClient];
        let sockets = ports.map(|port| {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            (port, socket)
        });
        Self { sockets, start: std::time::Instant::now() }
    }
}

impl Udp for Sockets {
    fn receive(&mut self, buffer: &mut [u8]) -> Option<Received> {
        self.sockets.iter().find_map(|(port, socket)| {
            let (length, from) = socket.recv_from(buffer).ok()?;
            Some(Received { port: *port, from, length })
        })
    }

    fn send(&mut self, from: LocalPort, to: SocketAddr, payload: &[u8]) -> Result<(), SendError> {
        let (_, socket) = self.sockets.iter().find(|(port, _)| *port == from).unwrap();
        socket.send_to(payload, to).map(|_| ()).map_err(|_| SendError::Refused)
    }
}

impl Sleep for Sockets {
    fn now(&mut self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    fn sleep(&mut self, until: Option<Instant>) {
        let arrived = |(_, socket): &(_, UdpSocket)| socket.peek(&mut [0; 1]).is_ok();
        while !self.sockets.iter().any(arrived) && until.is_none_or(|until| until > self.now()) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_device_answers_its_gateway_and_says_goodbye() {
    let config = iot_crypto_mio::Config::gateway(0, 0).on(&[Ipv4Addr::LOCALHOST.into()]);
    let mut gateway_driver = iot_crypto_mio::Driver::open(config).unwrap();
    let [negotiation, transmission] = [LocalPort::Negotiation, LocalPort::Transmission]
        .map(|port| gateway_driver.local_addresses(port).next().unwrap());
    let ports = (negotiation.port(), transmission.port());
    let (_, mut gateway) = parties::gateway(10, ports, |settings| {
        settings.advertise = None;
        let every = Duration::from_millis(50);
        settings.polling = Some(Polling { every, labels: Vec::new() });
    });

    let device = std::thread::spawn(move || {
        let (_, mut device) = parties::device(20, Search::At(negotiation));
        let mut driver = Driver::<DATAGRAM>::new(Config::default()).unwrap();
        let mut events = Vec::new();
        let mut was_asked = false;
        let application = |device: &mut _, now| {
            // The answer leaves with the turn after the one in which it is asked for.
            if was_asked {
                iot_crypto::device::Device::close(device, now);
                return false;
            }
            parties::serve(device, &mut events);
            was_asked = events.contains(&Event::Asked);
            now < Instant::ZERO + LONG
        };
        driver.run(&mut Sockets::open(), &mut device, application).unwrap();
        assert!(was_asked);
        assert_eq!(driver.drops(), Drops::default());
    });

    let end = gateway_driver.now() + LONG;
    let (mut readings, mut has_left) = (0, false);
    while !has_left && gateway_driver.now() < end {
        gateway_driver.turn(&mut gateway, Some(Duration::from_secs(1))).unwrap();
        while let Some(event) = gateway.poll_event() {
            readings += usize::from(matches!(event, GatewayEvent::Readings { .. }));
            has_left |= matches!(event, GatewayEvent::DeviceDisconnected { .. });
        }
    }
    device.join().unwrap();
    assert!(readings > 0 && has_left);
}
