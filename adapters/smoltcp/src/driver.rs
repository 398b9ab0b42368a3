//! A role on an interface of smoltcp.

use core::net::{IpAddr, SocketAddr};

use iot_crypto::endpoint::{Endpoint, LocalPort};
use iot_crypto::time::Instant;
use iot_crypto::wire::BufferTooSmall;
#[cfg(feature = "medium-ieee802154")]
use iot_crypto_embedded::driver::Announce;
use iot_crypto_embedded::driver::{self, Config, Drops, Turn};
use smoltcp::iface::{Interface, SocketSet};
use smoltcp::phy::Device;
use smoltcp::socket::udp;
use smoltcp::wire::IpAddress;

use crate::address;
use crate::error::OpenError;
use crate::ports;
use crate::stack::{Bound, Stack, stack_time};
use crate::storage::{DeviceStorage, GatewayStorage};

/// Drives one role over UDP sockets of smoltcp; see the crate's first page for the
/// loop. The role's datagrams are at most `DATAGRAM` bytes long.
#[derive(Debug)]
pub struct Driver<const DATAGRAM: usize> {
    driver: driver::Driver<DATAGRAM>,
    bound: Bound,
    /// Where it hears datagrams for everyone.
    #[cfg(feature = "medium-ieee802154")]
    groups: Announce,
}

impl<const DATAGRAM: usize> Driver<DATAGRAM> {
    /// A device's: it adds three sockets to `sockets`, for advertisements on
    /// [`Config::discovery_port`] and two clients on ports that `seed`, which is to be
    /// random, chooses; and it has `interface` join the multicast groups of
    /// [`Config::announce`].
    ///
    /// # Errors
    /// [`OpenError`], before a socket is added.
    ///
    /// # Panics
    /// As [`SocketSet::add`], if `sockets` has no room for three more.
    pub fn device<'s>(
        config: Config,
        seed: u64,
        interface: &mut Interface,
        sockets: &mut SocketSet<'s>,
        storage: &'s mut DeviceStorage<DATAGRAM>,
    ) -> Result<Self, OpenError> {
        let driver = driver::Driver::new(config)?;
        for group in config.announce.groups() {
            if let Some(address) = address::ip(group) {
                join(interface, group, address)?;
            }
        }
        let [first, second] = ports::two_dynamic(seed, &[config.discovery_port]);
        let ports = [
            (LocalPort::Discovery, config.discovery_port),
            (LocalPort::FirstClient, first),
            (LocalPort::SecondClient, second),
        ];
        let bound = bind(sockets, ports, storage.sockets());
        Ok(Self {
            driver,
            bound,
            #[cfg(feature = "medium-ieee802154")]
            groups: config.announce,
        })
    }

    /// A gateway's: it adds four sockets to `sockets`, for its two services on the UDP
    /// ports `negotiation` and `transmission`, and for two clients towards the cloud on
    /// ports that `seed`, which is to be random, chooses.
    ///
    /// # Errors
    /// [`OpenError`], before a socket is added.
    ///
    /// # Panics
    /// As [`SocketSet::add`], if `sockets` has no room for four more.
    pub fn gateway<'s>(
        config: Config,
        (negotiation, transmission): (u16, u16),
        seed: u64,
        sockets: &mut SocketSet<'s>,
        storage: &'s mut GatewayStorage<DATAGRAM>,
    ) -> Result<Self, OpenError> {
        let driver = driver::Driver::new(config)?;
        if negotiation == 0 || transmission == 0 || negotiation == transmission {
            return Err(OpenError::ServicePorts { negotiation, transmission });
        }
        let [first, second] = ports::two_dynamic(seed, &[negotiation, transmission]);
        let ports = [
            (LocalPort::Negotiation, negotiation),
            (LocalPort::Transmission, transmission),
            (LocalPort::FirstClient, first),
            (LocalPort::SecondClient, second),
        ];
        let bound = bind(sockets, ports, storage.sockets());
        Ok(Self {
            driver,
            bound,
            #[cfg(feature = "medium-ieee802154")]
            groups: Announce { multicast_v4: None, multicast_v6: None, ..config.announce },
        })
    }

    /// What was not sent so far.
    #[must_use]
    pub const fn drops(&self) -> Drops {
        self.driver.drops()
    }

    /// Has the stack and `endpoint` do what there is to do at `now`: frames come in from
    /// `phy`, datagrams go to the role, what it has ready leaves, and what is due is
    /// done. Then sleep until [`Turn::wake`], or until `phy` has a frame.
    ///
    /// Take the role's events and give it commands before each turn, not between it and
    /// the sleep. Other sockets of `sockets` are served, too; look after them likewise.
    ///
    /// Work is bounded: [`Config::burst`] frames are taken, and as many datagrams are
    /// sent at most; what is left is for the next turn, which is then due at once. When
    /// the role has an event, the turn ends, so that the caller can take it before more
    /// comes in.
    ///
    /// # Errors
    /// [`BufferTooSmall`] if the role's datagrams may be longer than `DATAGRAM`:
    /// configure them to that length.
    ///
    /// # Panics
    /// As [`SocketSet::get`], if a socket of this driver was removed, or `sockets` is
    /// another set.
    pub fn turn<D, E>(
        &mut self,
        now: Instant,
        interface: &mut Interface,
        phy: &mut D,
        sockets: &mut SocketSet<'_>,
        endpoint: &mut E,
    ) -> Result<Turn, BufferTooSmall>
    where
        D: Device + ?Sized,
        E: Endpoint<Address = SocketAddr> + ?Sized,
    {
        interface.poll_maintenance(stack_time(now));
        let burst = self.driver.config().burst.max(1);
        let mut stack = Stack {
            now,
            interface,
            phy,
            sockets,
            bound: &mut self.bound,
            #[cfg(feature = "medium-ieee802154")]
            groups: &self.groups,
            frames: burst,
            burst,
        };
        self.driver.turn(now, &mut stack, endpoint)
    }
}

#[cfg(feature = "multicast")]
fn join(interface: &mut Interface, group: IpAddr, address: IpAddress) -> Result<(), OpenError> {
    let joined = interface.join_multicast_group(address);
    joined.map_err(|source| OpenError::Join { group, source })
}

#[cfg(not(feature = "multicast"))]
fn join(_: &mut Interface, group: IpAddr, _: IpAddress) -> Result<(), OpenError> {
    Err(OpenError::NoMulticast { group })
}

fn bind<'s, const SOCKETS: usize>(
    set: &mut SocketSet<'s>,
    ports: [(LocalPort, u16); SOCKETS],
    sockets: [udp::Socket<'s>; SOCKETS],
) -> Bound {
    let mut bound = Bound::new();
    for ((port, number), mut socket) in ports.into_iter().zip(sockets) {
        // A new socket takes any port but 0, which none of them is.
        let _ = socket.bind(number);
        let _ = bound.push((port, set.add(socket)));
    }
    bound
}
