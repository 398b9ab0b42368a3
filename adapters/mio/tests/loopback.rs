//! The driver on the loopback interface, with small endpoints in place of the
//! roles.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use iot_crypto::endpoint::{Destination, Endpoint, LocalPort, Transmit};
use iot_crypto::time::{Deadline, Instant, Reason};
use iot_crypto::wire::BufferTooSmall;
use iot_crypto_mio::{
    Announce, Binding, Config, Direction, Driver, Drops, Interfaces, OpenError, Traffic,
};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Long enough that only a test that fails waits for it.
const LONG: Duration = Duration::from_secs(10);

/// Time enough for what should not come.
const SHORT: Duration = Duration::from_millis(20);

/// An endpoint that does what a test has set up.
#[derive(Default)]
struct Fake {
    outbox: VecDeque<(LocalPort, Destination<SocketAddr>, Vec<u8>)>,
    inbox: Vec<(LocalPort, SocketAddr, Vec<u8>)>,
    /// Whether it answers each datagram with the same.
    echoes: bool,
    /// Whether each datagram makes an event; and how many wait.
    makes_events: bool,
    events: usize,
    deadline: Option<Instant>,
    timeouts: Vec<Instant>,
}

impl Fake {
    fn sends(&mut self, from: LocalPort, to: SocketAddr, payload: &[u8]) {
        self.outbox.push_back((from, Destination::Address(to), payload.to_vec()));
    }
}

impl Endpoint for Fake {
    type Address = SocketAddr;

    fn handle_datagram(
        &mut self,
        _: Instant,
        port: LocalPort,
        from: SocketAddr,
        datagram: &mut [u8],
    ) {
        if self.echoes {
            self.sends(port, from, datagram);
        }
        self.events += usize::from(self.makes_events);
        self.inbox.push((port, from, datagram.to_vec()));
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            self.timeouts.push(now);
        }
    }

    fn poll_transmit(
        &mut self,
        _: Instant,
        buffer: &mut [u8],
    ) -> Result<Option<Transmit<SocketAddr>>, BufferTooSmall> {
        let Some((from, to, payload)) = self.outbox.front() else { return Ok(None) };
        let length = payload.len();
        buffer.get_mut(..length).ok_or(BufferTooSmall { needed: length })?.copy_from_slice(payload);
        let transmit = Transmit { from: *from, to: *to, length };
        self.outbox.pop_front();
        Ok(Some(transmit))
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.events > 0 || !self.outbox.is_empty() {
            return Some(Deadline::new(Instant::ZERO, Reason::Output));
        }
        self.deadline.map(|at| Deadline::new(at, Reason::Expiry))
    }
}

fn open(ports: &[LocalPort], host: IpAddr) -> Driver {
    let bindings =
        ports.iter().map(|&port| Binding { port, address: SocketAddr::new(host, 0) }).collect();
    Driver::open(Config { bindings, burst: 8, ..Config::cloud(0, 0) }).unwrap()
}

fn address(driver: &Driver, port: LocalPort) -> SocketAddr {
    driver.local_addresses(port).next().unwrap()
}

fn peer(host: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((host, 0)).unwrap();
    socket.set_read_timeout(Some(LONG)).unwrap();
    socket
}

/// The hosts on which to run: IPv6 only where there is some.
fn hosts() -> Vec<IpAddr> {
    if UdpSocket::bind((V6, 0)).is_ok() {
        return vec![V4, V6];
    }
    eprintln!("skipped for IPv6: this machine has no ::1");
    vec![V4]
}

#[test]
fn both_families_are_served_together_and_counted() {
    let hosts = hosts();
    let mut server = Driver::open(Config::cloud(0, 0).on(&hosts)).unwrap();
    let mut echo = Fake { echoes: true, ..Fake::default() };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    server.observe(move |datagram| {
        log.lock().unwrap().push((datagram.direction, datagram.peer, datagram.payload.to_vec()));
    });
    let peers: Vec<_> = hosts.iter().map(|&host| peer(host)).collect();
    let services: Vec<_> = server.local_addresses(LocalPort::Negotiation).collect();
    assert_eq!(services.len(), hosts.len());
    for (peer, service) in peers.iter().zip(&services) {
        peer.send_to(b"hello", service).unwrap();
    }
    while echo.inbox.len() < peers.len() {
        assert_ne!(server.turn(&mut echo, Some(LONG)).unwrap().received, 0);
    }
    let mut buffer = [0; 16];
    for (peer, service) in peers.iter().zip(&services) {
        assert_eq!(peer.recv_from(&mut buffer).unwrap(), (5, *service));
        let local = peer.local_addr().unwrap();
        for direction in [Direction::In, Direction::Out] {
            assert!(seen.lock().unwrap().contains(&(direction, local, b"hello".to_vec())));
        }
    }
    let many = peers.len() as u64;
    let traffic = Traffic {
        datagrams_in: many,
        bytes_in: 5 * many,
        datagrams_out: many,
        bytes_out: 5 * many,
    };
    assert_eq!(server.traffic(LocalPort::Negotiation), traffic);
    assert_eq!(server.traffic(LocalPort::Transmission), Traffic::default());
}

#[test]
fn a_deadline_is_met_after_one_sleep() {
    let mut driver = open(&[LocalPort::FirstClient], V4);
    let deadline = driver.now() + Duration::from_millis(60);
    let mut fake = Fake { deadline: Some(deadline), ..Fake::default() };
    let mut turns = 0;
    while fake.timeouts.is_empty() {
        driver.turn(&mut fake, None).unwrap();
        turns += 1;
    }
    assert!(fake.timeouts[0] >= deadline, "never early");
    assert!(turns <= 2, "{turns} turns for one deadline");
}

#[test]
fn a_turn_with_nothing_to_do_sleeps() {
    let mut driver = open(&[LocalPort::FirstClient], V4);
    let before = driver.now();
    let turn = driver.turn(&mut Fake::default(), Some(SHORT)).unwrap();
    assert_eq!((turn.received, turn.sent, turn.woken), (0, 0, false));
    assert!(driver.now().since(before) + Duration::from_millis(1) >= SHORT);
}

#[test]
fn sending_does_not_wake_the_sender() {
    let mut driver = open(&[LocalPort::FirstClient], V4);
    let peer = peer(V4);
    let mut fake = Fake::default();
    fake.sends(LocalPort::FirstClient, peer.local_addr().unwrap(), b"x");
    let before = driver.now();
    let turn = driver.turn(&mut fake, Some(SHORT)).unwrap();
    assert_eq!(turn.sent, 1);
    assert!(driver.now().since(before) + Duration::from_millis(1) >= SHORT);
}

#[test]
fn a_flood_is_taken_in_bursts_and_starves_no_other_socket() {
    let mut driver = open(&[LocalPort::Negotiation, LocalPort::Transmission], V4);
    let mut fake = Fake::default();
    let peer = peer(V4);
    for _ in 0..100 {
        peer.send_to(b"flood", address(&driver, LocalPort::Negotiation)).unwrap();
    }
    peer.send_to(b"other", address(&driver, LocalPort::Transmission)).unwrap();
    let first = driver.turn(&mut fake, Some(LONG)).unwrap();
    assert_eq!(first.received, 8);
    assert!(fake.inbox.iter().any(|(port, ..)| *port == LocalPort::Transmission));
    let mut turns = 1;
    while fake.inbox.len() < 101 {
        // No event will tell of these again: a turn that slept would take LONG.
        assert_ne!(driver.turn(&mut fake, Some(LONG)).unwrap().received, 0);
        turns += 1;
    }
    assert!(turns <= 101usize.div_ceil(8) + 1, "{turns} turns");
}

#[test]
fn an_event_ends_the_turn_before_the_next_datagram() {
    let mut driver = open(&[LocalPort::Negotiation], V4);
    let mut fake = Fake { makes_events: true, ..Fake::default() };
    let peer = peer(V4);
    for _ in 0..5 {
        peer.send_to(b"x", address(&driver, LocalPort::Negotiation)).unwrap();
    }
    for taken in 1..=5 {
        assert_eq!(driver.turn(&mut fake, Some(LONG)).unwrap().received, 1);
        assert_eq!((fake.inbox.len(), fake.events), (taken, 1));
        fake.events = 0;
    }
}

#[test]
fn a_datagram_above_the_path_mtu_is_never_sent() {
    for host in hosts() {
        let mut driver = open(&[LocalPort::FirstClient], host);
        let peer = peer(host);
        let limit = if host.is_ipv4() { 1280 - 28 } else { 1280 - 48 };
        let mut fake = Fake::default();
        for length in [limit + 1, 60_000, limit] {
            fake.sends(LocalPort::FirstClient, peer.local_addr().unwrap(), &vec![7; length]);
        }
        driver.turn(&mut fake, Some(Duration::ZERO)).unwrap();
        let mut buffer = [0; 65_535];
        assert_eq!(peer.recv(&mut buffer).unwrap(), limit);
        assert_eq!(driver.drops(), Drops { too_long: 2, ..Drops::default() });
        assert_eq!(driver.traffic(LocalPort::FirstClient).datagrams_out, 1);
    }
}

#[test]
fn what_the_system_refuses_is_counted_and_not_fatal() {
    let mut driver = open(&[LocalPort::FirstClient], V4);
    let mut fake = Fake::default();
    fake.sends(LocalPort::FirstClient, SocketAddr::new(V6, 9), b"no socket of this family");
    fake.sends(LocalPort::SecondClient, SocketAddr::new(V4, 9), b"no such socket");
    fake.sends(LocalPort::FirstClient, SocketAddr::new(V4, 0), b"no such port");
    driver.turn(&mut fake, Some(Duration::ZERO)).unwrap();
    assert!(fake.outbox.is_empty());
    assert_eq!(driver.drops(), Drops { no_socket: 2, refused: 1, ..Drops::default() });
}

#[test]
fn an_advertisement_reaches_every_device_on_the_machine() {
    let device = |port| Driver::open(Config::device(port).on(&[V4])).unwrap();
    let first = device(0);
    let discovery_port = address(&first, LocalPort::Discovery).port();
    let mut devices = [first, device(discovery_port)].map(|driver| (driver, Fake::default()));
    let config = Config { discovery_port, ..Config::gateway(0, 0).on(&[V4]) };
    let mut gateway = Driver::open(config).unwrap();
    let mut fake = Fake::default();
    fake.outbox.push_back((LocalPort::Negotiation, Destination::Everyone, b"here".to_vec()));
    gateway.turn(&mut fake, Some(Duration::ZERO)).unwrap();
    if gateway.drops().refused > 0 {
        eprintln!("skipped: this machine allows no broadcast on the loopback interface");
        return;
    }
    let from = address(&gateway, LocalPort::Negotiation);
    for (driver, heard) in &mut devices {
        driver.turn(heard, Some(LONG)).unwrap();
        assert_eq!(heard.inbox, [(LocalPort::Discovery, from, b"here".to_vec())]);
    }
    assert_eq!(gateway.traffic(LocalPort::Negotiation).datagrams_out, 1);
}

#[test]
fn an_advertisement_reaches_multicast_groups_where_the_machine_has_them() {
    if !if_addrs::get_if_addrs().unwrap().iter().any(carries_v6) {
        eprintln!("skipped: this machine has no IPv6 beyond the loopback interface");
        return;
    }
    let any = [IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let mut device = Driver::open(Config::device(0).on(&any)).unwrap();
    let discovery_port = address(&device, LocalPort::Discovery).port();
    // The first turn joins the groups.
    device.turn(&mut Fake::default(), Some(Duration::ZERO)).unwrap();
    let config = Config { discovery_port, ..Config::gateway(0, 0).on(&any) };
    let mut gateway = Driver::open(config).unwrap();
    let mut fake = Fake::default();
    fake.outbox.push_back((LocalPort::Negotiation, Destination::Everyone, b"here".to_vec()));
    gateway.turn(&mut fake, Some(Duration::ZERO)).unwrap();
    if gateway.traffic(LocalPort::Negotiation).datagrams_out == 0 {
        eprintln!("skipped: this machine routes no IPv6 multicast");
        return;
    }
    let mut heard = Fake::default();
    device.turn(&mut heard, Some(LONG)).unwrap();
    let (port, from, payload) = &heard.inbox[0];
    assert_eq!((*port, payload.as_slice()), (LocalPort::Discovery, b"here".as_slice()));
    assert_eq!(from.port(), address(&gateway, LocalPort::Negotiation).port());
}

fn carries_v6(interface: &if_addrs::Interface) -> bool {
    interface.is_oper_up() && !interface.is_loopback() && interface.ip().is_ipv6()
}

#[test]
fn everyone_is_reached_at_configured_addresses_instead() {
    let peers = [peer(V4), peer(V4)];
    let announce = Announce {
        interfaces: Interfaces::None,
        unicast: peers.iter().map(|peer| peer.local_addr().unwrap()).collect(),
        ..Announce::default()
    };
    let config = Config { announce, ..Config::gateway(0, 0).on(&[V4]) };
    let mut gateway = Driver::open(config).unwrap();
    let mut fake = Fake::default();
    fake.outbox.push_back((LocalPort::Negotiation, Destination::Everyone, b"here".to_vec()));
    gateway.turn(&mut fake, Some(Duration::ZERO)).unwrap();
    let from = address(&gateway, LocalPort::Negotiation);
    for peer in &peers {
        assert_eq!(peer.recv_from(&mut [0; 16]).unwrap(), (4, from));
    }
    assert_eq!(gateway.traffic(LocalPort::Negotiation).datagrams_out, 2);
}

#[test]
fn a_waker_ends_the_sleep() {
    let mut driver = open(&[LocalPort::FirstClient], V4);
    let waker = driver.waker();
    waker.wake().unwrap();
    assert!(driver.turn(&mut Fake::default(), Some(LONG)).unwrap().woken, "woken beforehand");
    let other = std::thread::spawn(move || waker.wake().unwrap());
    assert!(driver.turn(&mut Fake::default(), Some(LONG)).unwrap().woken);
    other.join().unwrap();
    assert!(!driver.turn(&mut Fake::default(), Some(SHORT)).unwrap().woken, "only once");
}

#[test]
fn shutdown_sends_all_that_is_left() {
    let mut driver = open(&[LocalPort::FirstClient], V4);
    let peer = peer(V4);
    let mut fake = Fake::default();
    for number in 0..100 {
        fake.sends(LocalPort::FirstClient, peer.local_addr().unwrap(), &[number]);
    }
    driver.shutdown(&mut fake, LONG).unwrap();
    for number in 0..100 {
        let mut buffer = [0; 1];
        peer.recv(&mut buffer).unwrap();
        assert_eq!(buffer, [number]);
    }
}

#[test]
fn shutdown_ends_even_if_the_role_never_does() {
    struct Endless(SocketAddr);
    impl Endpoint for Endless {
        type Address = SocketAddr;
        fn handle_datagram(&mut self, _: Instant, _: LocalPort, _: SocketAddr, _: &mut [u8]) {}
        fn handle_timeout(&mut self, _: Instant) {}
        fn poll_transmit(
            &mut self,
            _: Instant,
            _: &mut [u8],
        ) -> Result<Option<Transmit<SocketAddr>>, BufferTooSmall> {
            let to = Destination::Address(self.0);
            Ok(Some(Transmit { from: LocalPort::FirstClient, to, length: 1 }))
        }
        fn poll_timeout(&self) -> Option<Deadline> {
            Some(Deadline::new(Instant::ZERO, Reason::Output))
        }
    }
    let mut driver = open(&[LocalPort::FirstClient], V4);
    let peer = peer(V4);
    let error = driver.shutdown(&mut Endless(peer.local_addr().unwrap()), SHORT).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let config = Config { path_mtu: 67, ..Config::cloud(0, 0) };
    assert!(matches!(Driver::open(config), Err(OpenError::PathMtu(67))));
    let announce = Announce { multicast_v6: Some(Ipv6Addr::LOCALHOST), ..Announce::default() };
    let config = Config { announce, ..Config::cloud(0, 0) };
    assert!(matches!(Driver::open(config), Err(OpenError::NotMulticast(_))));
    let config = Config { bindings: Vec::new(), ..Config::cloud(0, 0) };
    assert!(matches!(Driver::open(config), Err(OpenError::NoBinding)));
}
