//! The node on the network, until the power goes.

use iot_crypto_smoltcp::{Announce, Config, DeviceStorage, Driver};
use smoltcp::iface::{self, Interface, SocketSet, SocketStorage};
use smoltcp::wire::{EthernetAddress, IpAddress, IpCidr, Ipv4Address};
use static_cell::StaticCell;

use crate::{DATAGRAM, DeviceNode, MTU, Machine};

/// The address that QEMU's own network gives to its first guest, and its router.
const ADDRESS: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const ROUTER: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);

/// How many frames are taken in a turn.
const BURST: usize = 4;

/// Has the node live on the network.
pub(crate) fn run(machine: &mut Machine, seed: u64, node: &mut DeviceNode) -> ! {
    let Network { driver, interface, sockets } = &mut join(machine, seed);
    loop {
        let now = machine.now();
        match driver.turn(now, interface, machine.ethernet, sockets, node) {
            Ok(turn) => machine.sleep(turn.wake),
            // The node's datagrams are no longer than the driver's.
            Err(_) => semihosting::process::exit(1),
        }
    }
}

/// What stands between the Ethernet controller and the node.
struct Network {
    driver: &'static mut Driver<DATAGRAM>,
    interface: &'static mut Interface,
    sockets: SocketSet<'static>,
}

#[inline(never)] // It needs room on the stack that the loop doesn't.
fn join(machine: &mut Machine, seed: u64) -> Network {
    static STORAGE: StaticCell<DeviceStorage<DATAGRAM>> = StaticCell::new();
    static PLACES: StaticCell<[SocketStorage<'_>; 3]> = StaticCell::new();
    static INTERFACE: StaticCell<Interface> = StaticCell::new();
    static DRIVER: StaticCell<Driver<DATAGRAM>> = StaticCell::new();

    let mut config = iface::Config::new(EthernetAddress(machine.ethernet.address()).into());
    config.random_seed = seed;
    let now = smoltcp::time::Instant::from_millis(0);
    let interface = INTERFACE.init(Interface::new(config, machine.ethernet, now));
    interface.update_ip_addrs(|addresses| {
        // There is room for one.
        let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(ADDRESS), 24));
    });
    // And for one route.
    let _ = interface.routes_mut().add_default_ipv4_route(ROUTER);

    let mut sockets = SocketSet::new(&mut PLACES.init([SocketStorage::EMPTY; 3])[..]);
    let config = Config {
        announce: Announce { multicast_v6: None, ..Announce::default() },
        path_mtu: MTU,
        burst: BURST,
        ..Config::default()
    };
    match Driver::device(
        config,
        seed,
        interface,
        &mut sockets,
        STORAGE.init_with(DeviceStorage::new),
    ) {
        Ok(driver) => Network { driver: DRIVER.init(driver), interface, sockets },
        // The configuration is sound.
        Err(_) => semihosting::process::exit(1),
    }
}
