//! A party on a network: its interface, its driver and its role.

use super::parties::{self, DATAGRAM, Event, Provider};
use super::port::Port;
use iot_crypto::device::Device;
use iot_crypto::gateway::{Gateway, Settings};
use iot_crypto::identity::PartyId;
use iot_crypto::time::Instant;
use iot_crypto::uplink::Search;
use iot_crypto_smoltcp::{Config, DeviceStorage, Driver, GatewayStorage, Turn};
use smoltcp::iface::{self, Interface, SocketSet, SocketStorage};
use smoltcp::phy::Medium;
use smoltcp::wire::{
    EthernetAddress, HardwareAddress, Ieee802154Address, Ieee802154Pan, IpCidr, Ipv4Address,
    Ipv6Address,
};
use std::net::SocketAddr;

/// The UDP ports of every gateway's services.
pub const SERVICES: (u16, u16) = (4441, 4442);

/// What kind of network it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    EthernetV4,
    EthernetV6,
    Ieee802154,
    IpV4,
    IpV6,
}

pub enum Role {
    Device(Box<Device<Provider, SocketAddr>>),
    Gateway(Box<Gateway<Provider, SocketAddr>>),
}

pub struct Station {
    pub id: PartyId,
    pub interface: Interface,
    pub port: Port,
    sockets: SocketSet<'static>,
    pub driver: Driver<DATAGRAM>,
    pub role: Role,
    pub events: Vec<Event>,
    pub wake: Option<Instant>,
    pub turns: usize,
    /// The most that one turn did.
    pub busiest: Turn,
}

fn leak<T>(value: T) -> &'static mut T {
    Box::leak(Box::new(value))
}

/// The IP address of the station with this number.
pub fn address(kind: Kind, number: u8) -> IpCidr {
    match kind {
        Kind::EthernetV4 | Kind::IpV4 => {
            IpCidr::new(Ipv4Address::new(192, 0, 2, number).into(), 24)
        }
        _ => {
            let link_local = extended(number).as_link_local_address();
            IpCidr::new(link_local.map_or(Ipv6Address::UNSPECIFIED, |address| address).into(), 64)
        }
    }
}

pub fn extended(number: u8) -> Ieee802154Address {
    Ieee802154Address::Extended([2, 0, 0, 0, 0, 0, 0, number])
}

fn interface(kind: Kind, number: u8, port: &mut Port) -> Interface {
    let hardware = match port.medium {
        Medium::Ethernet => HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, number])),
        Medium::Ieee802154 => HardwareAddress::Ieee802154(extended(number)),
        Medium::Ip => HardwareAddress::Ip,
    };
    let mut config = iface::Config::new(hardware);
    config.random_seed = u64::from(number);
    config.pan_id = Some(Ieee802154Pan(0xbeef));
    let mut interface = Interface::new(config, port, smoltcp::time::Instant::ZERO);
    interface.update_ip_addrs(|addresses| addresses.push(address(kind, number)).unwrap());
    // A datagram of which a fragment was lost is given up before it comes again.
    interface.set_reassembly_timeout(smoltcp::time::Duration::from_secs(1));
    interface
}

fn medium(kind: Kind) -> Medium {
    match kind {
        Kind::EthernetV4 | Kind::EthernetV6 => Medium::Ethernet,
        Kind::Ieee802154 => Medium::Ieee802154,
        Kind::IpV4 | Kind::IpV6 => Medium::Ip,
    }
}

impl Station {
    pub fn device(kind: Kind, number: u8, config: Config, search: Search<SocketAddr>) -> Self {
        let mut port = Port::new(medium(kind));
        let mut interface = interface(kind, number, &mut port);
        let mut sockets = SocketSet::new(&mut leak([const { SocketStorage::EMPTY }; 3])[..]);
        let storage = leak(DeviceStorage::new());
        let seed = u64::from(number) << 40 | 7;
        let driver = Driver::device(config, seed, &mut interface, &mut sockets, storage).unwrap();
        let (id, device) = parties::device(number, search);
        let role = Role::Device(Box::new(device));
        Self::new(id, interface, port, sockets, driver, role)
    }

    pub fn gateway(kind: Kind, number: u8, adapt: impl FnOnce(&mut Settings<SocketAddr>)) -> Self {
        let mut port = Port::new(medium(kind));
        let interface = interface(kind, number, &mut port);
        let mut sockets = SocketSet::new(&mut leak([const { SocketStorage::EMPTY }; 4])[..]);
        let storage = leak(GatewayStorage::new());
        let services = SERVICES;
        let driver =
            Driver::gateway(Config::default(), services, 7, &mut sockets, storage).unwrap();
        let (id, gateway) = parties::gateway(number, services, adapt);
        Self::new(id, interface, port, sockets, driver, Role::Gateway(Box::new(gateway)))
    }

    fn new(
        id: PartyId,
        interface: Interface,
        port: Port,
        sockets: SocketSet<'static>,
        driver: Driver<DATAGRAM>,
        role: Role,
    ) -> Self {
        let (events, wake, busiest) = (Vec::new(), Some(Instant::ZERO), Turn::default());
        Self { id, interface, port, sockets, driver, role, events, wake, turns: 0, busiest }
    }

    /// One turn of the program's loop; the sleep is the world's.
    pub fn turn(&mut self, now: Instant) {
        self.serve();
        let Self { driver, interface, port, sockets, .. } = self;
        let turn = match &mut self.role {
            Role::Device(device) => driver.turn(now, interface, port, sockets, &mut **device),
            Role::Gateway(gateway) => driver.turn(now, interface, port, sockets, &mut **gateway),
        }
        .unwrap();
        self.turns += 1;
        self.busiest.received = self.busiest.received.max(turn.received);
        self.busiest.sent = self.busiest.sent.max(turn.sent);
        self.wake = turn.wake;
    }

    fn serve(&mut self) {
        match &mut self.role {
            Role::Device(device) => parties::serve(device, &mut self.events),
            Role::Gateway(gateway) => {
                while let Some(event) = gateway.poll_event() {
                    self.events.push(Event::Gateway(event));
                }
            }
        }
    }

    pub fn as_device(&mut self) -> &mut Device<Provider, SocketAddr> {
        self.wake = Some(Instant::ZERO);
        match &mut self.role {
            Role::Device(device) => device,
            Role::Gateway(_) => panic!("no device"),
        }
    }

    pub fn as_gateway(&mut self) -> &mut Gateway<Provider, SocketAddr> {
        self.wake = Some(Instant::ZERO);
        match &mut self.role {
            Role::Gateway(gateway) => gateway,
            Role::Device(_) => panic!("no gateway"),
        }
    }

    /// How often that happened.
    pub fn count(&self, is_it: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| is_it(event)).count()
    }
}
