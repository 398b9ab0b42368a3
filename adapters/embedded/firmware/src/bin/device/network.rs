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
#[inline(never)]
pub(crate) fn run(machine: &mut Machine, seed: u64, node: &mut DeviceNode) -> ! {
    static STORAGE: StaticCell<DeviceStorage<DATAGRAM>> = StaticCell::new();

    let mut config = iface::Config::new(EthernetAddress(machine.ethernet.address()).into());
    config.random_seed = seed;
    let now = smoltcp::time::Instant::from_millis(0);
    let mut interface = Interface::new(config, machine.ethernet, now);
    interface.update_ip_addrs(|addresses| {
        // There is room for one.
        let _ = addresses.push(IpCidr::new(IpAddress::Ipv4(ADDRESS), 24));
    });
    // And for one route.
    let _ = interface.routes_mut().add_default_ipv4_route(ROUTER);

    let mut places = [SocketStorage::EMPTY; 3];
    let mut sockets = SocketSet::new(&mut places[..]);
    let config = Config {
        announce: Announce { multicast_v6: None, ..Announce::default() },
        path_mtu: MTU,
        burst: BURST,
        ..Config::default()
    };
    let driver = Driver::<DATAGRAM>::device(
        config,
        seed,
        &mut interface,
        &mut sockets,
        STORAGE.init_with(DeviceStorage::new),
    );
    // The configuration is sound.
    let Ok(mut driver) = driver else { semihosting::process::exit(1) };
    loop {
        let now = machine.now();
        match driver.turn(now, &mut interface, machine.ethernet, &mut sockets, node) {
            Ok(turn) => machine.sleep(turn.wake),
            // The node's datagrams are no longer than the driver's.
            Err(_) => semihosting::process::exit(1),
        }
    }
}
