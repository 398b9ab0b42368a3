//! What a driver is told before it opens its sockets.

use iot_crypto::endpoint::LocalPort;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The bytes of an IPv4 header without options (RFC 791 section 3.1) and of a
/// UDP header (RFC 768).
const IPV4_AND_UDP_HEADERS: usize = 20 + 8;

/// The bytes of an IPv6 header (RFC 8200 section 3) and of a UDP header.
const IPV6_AND_UDP_HEADERS: usize = 40 + 8;

/// A local port of the role and the address that its socket is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The role's name for the port.
    pub port: LocalPort,
    /// The IP address and UDP port; UDP port 0 takes any free one.
    pub address: SocketAddr,
}

/// The network interfaces that advertisements go out on, and are heard on by
/// multicast.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Interfaces {
    /// Every interface that is up, the loopback interface included, so that
    /// parties on one machine find each other.
    #[default]
    All,
    /// Those with these names that are up.
    Named(Vec<String>),
    /// None: only the configured unicast addresses are reached.
    None,
}

/// How a datagram reaches everyone
/// ([`Destination::Everyone`](iot_crypto::endpoint::Destination::Everyone)).
///
/// On each chosen interface it goes to the broadcast address of each IPv4
/// network there, and to the multicast groups; besides, it goes to the unicast
/// addresses. If the socket that it leaves from is bound to one address, only
/// the interface with that address counts.
///
/// Linux does not route multicast over the loopback interface unless it is told
/// to; there the IPv4 broadcast (127.255.255.255) is what arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// The interfaces; they are looked up anew each time, so that they may come
    /// and go.
    pub interfaces: Interfaces,
    /// The IPv6 multicast group; by default [`Announce::EXPERIMENTAL_V6`].
    pub multicast_v6: Option<Ipv6Addr>,
    /// An IPv4 multicast group in addition to the broadcast, for networks that
    /// filter broadcasts; none by default.
    pub multicast_v4: Option<Ipv4Addr>,
    /// Addresses, with their UDP port, that are reached one by one: the way for
    /// networks that carry neither broadcast nor multicast.
    pub unicast: Vec<SocketAddr>,
}

impl Announce {
    /// The link-local IPv6 group that RFC 4727 sets aside for experiments. IANA
    /// has assigned no group to this system.
    pub const EXPERIMENTAL_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x114);
}

impl Default for Announce {
    fn default() -> Self {
        Self {
            interfaces: Interfaces::All,
            multicast_v6: Some(Self::EXPERIMENTAL_V6),
            multicast_v4: None,
            unicast: Vec::new(),
        }
    }
}

/// The configuration of a [`Driver`](crate::Driver).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The sockets to open: for each local port at most one of IPv4 and one of
    /// IPv6.
    pub bindings: Vec<Binding>,
    /// The UDP port to which datagrams for everyone go.
    pub discovery_port: u16,
    /// How everyone is reached.
    pub announce: Announce,
    /// The largest IP packet, in bytes, that the way to every peer carries. A
    /// datagram that would make a larger one is not sent, but counted
    /// ([`Drops::too_long`](crate::Drops::too_long)).
    ///
    /// The default is [`Config::IPV6_MINIMUM_MTU`]. The bound is on size alone;
    /// whether the packet may be fragmented on the way is left to the system's
    /// default (Linux forbids it for IPv4, and routers never do it to IPv6).
    pub path_mtu: usize,
    /// The most datagrams, at least 1, that are received, and the most that are
    /// sent, in one turn.
    pub burst: usize,
    /// How many datagrams, at least 1, are read with one call to the system before
    /// another socket has its turn, and are collected before they are sent. Where the
    /// system gives a run of equally long ones of one peer in one piece (Linux: up to
    /// 64), that counts once. Each costs 64 KiB of memory that stays unused as long as
    /// few come at a time.
    pub batch: usize,
}

impl Config {
    /// The default [`Config::discovery_port`].
    pub const DISCOVERY_PORT: u16 = 4440;

    /// The size that every IPv6 path carries (RFC 8200 section 5); the default
    /// [`Config::path_mtu`].
    pub const IPV6_MINIMUM_MTU: usize = 1280;

    /// The default [`Config::burst`].
    pub const BURST: usize = 32;

    /// The default [`Config::batch`] of gateways and clouds.
    pub const BATCH: usize = 32;

    /// The default [`Config::batch`] of devices, which have one peer.
    pub const DEVICE_BATCH: usize = 4;

    /// The smallest allowed [`Config::path_mtu`]: what every IPv4 path carries
    /// (RFC 791 section 3.2).
    pub const SMALLEST_PATH_MTU: usize = 68;

    /// Every address of this machine, of both families.
    pub const ANY: [IpAddr; 2] =
        [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

    /// A device's: advertisements on `discovery_port`, and two client ports.
    #[must_use]
    pub fn device(discovery_port: u16) -> Self {
        let ports = [
            (LocalPort::Discovery, discovery_port),
            (LocalPort::FirstClient, 0),
            (LocalPort::SecondClient, 0),
        ];
        Self { discovery_port, batch: Self::DEVICE_BATCH, ..Self::with_ports(&ports) }
    }

    /// A gateway's: its two services on the UDP ports `negotiation` and
    /// `transmission`, and two client ports towards the cloud.
    #[must_use]
    pub fn gateway(negotiation: u16, transmission: u16) -> Self {
        Self::with_ports(&[
            (LocalPort::Negotiation, negotiation),
            (LocalPort::Transmission, transmission),
            (LocalPort::FirstClient, 0),
            (LocalPort::SecondClient, 0),
        ])
    }

    /// A cloud's: its two services on the UDP ports `negotiation` and
    /// `transmission`.
    #[must_use]
    pub fn cloud(negotiation: u16, transmission: u16) -> Self {
        Self::with_ports(&[
            (LocalPort::Negotiation, negotiation),
            (LocalPort::Transmission, transmission),
        ])
    }

    fn with_ports(ports: &[(LocalPort, u16)]) -> Self {
        Self {
            bindings: bindings(ports, &Self::ANY),
            discovery_port: Self::DISCOVERY_PORT,
            announce: Announce::default(),
            path_mtu: Self::IPV6_MINIMUM_MTU,
            burst: Self::BURST,
            batch: Self::BATCH,
        }
    }

    /// The same ports, bound to the addresses `hosts` instead: at most one of
    /// each family; a family that is left out is not used.
    ///
    /// [`LocalPort::Discovery`] stays on every address of these families,
    /// because a socket that is bound to one address hears no broadcast.
    #[must_use]
    pub fn on(mut self, hosts: &[IpAddr]) -> Self {
        let mut ports = Vec::new();
        for binding in &self.bindings {
            let port = (binding.port, binding.address.port());
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
        self.bindings = bindings(&ports, hosts);
        self
    }

    /// The largest UDP payload, in bytes, that is sent to any address: what to
    /// configure the role's datagram size to.
    #[must_use]
    pub fn datagram_size(&self) -> usize {
        self.path_mtu.saturating_sub(IPV6_AND_UDP_HEADERS)
    }
}

fn bindings(ports: &[(LocalPort, u16)], hosts: &[IpAddr]) -> Vec<Binding> {
    let mut bindings = Vec::new();
    for &(port, number) in ports {
        for &host in hosts {
            let host = match (port, host) {
                (LocalPort::Discovery, IpAddr::V4(_)) => Ipv4Addr::UNSPECIFIED.into(),
                (LocalPort::Discovery, IpAddr::V6(_)) => Ipv6Addr::UNSPECIFIED.into(),
                (_, host) => host,
            };
            bindings.push(Binding { port, address: SocketAddr::new(host, number) });
        }
    }
    bindings
}

/// The largest UDP payload, in bytes, that may go to `address` on a path that
/// carries IP packets of `path_mtu` bytes.
pub(crate) fn payload_limit(path_mtu: usize, address: SocketAddr) -> usize {
    let headers = if address.is_ipv4() { IPV4_AND_UDP_HEADERS } else { IPV6_AND_UDP_HEADERS };
    path_mtu.saturating_sub(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_moved_to_other_addresses_and_discovery_still_hears_broadcasts() {
        let config = Config::device(5000).on(&[Ipv4Addr::LOCALHOST.into()]);
        let bound: Vec<_> =
            config.bindings.iter().map(|one| (one.port, one.address.to_string())).collect();
        assert_eq!(
            bound,
            [
                (LocalPort::Discovery, "0.0.0.0:5000".to_owned()),
                (LocalPort::FirstClient, "127.0.0.1:0".to_owned()),
                (LocalPort::SecondClient, "127.0.0.1:0".to_owned()),
            ]
        );
        assert_eq!(config.discovery_port, 5000);
        assert_eq!(config.on(&Config::ANY), Config::device(5000));
    }

    #[test]
    fn headers_count_towards_the_path_mtu() {
        assert_eq!(payload_limit(1280, SocketAddr::from(([127, 0, 0, 1], 1))), 1252);
        assert_eq!(payload_limit(1280, SocketAddr::from((Ipv6Addr::LOCALHOST, 1))), 1232);
        assert_eq!(Config::cloud(1, 2).datagram_size(), 1232);
    }
}
