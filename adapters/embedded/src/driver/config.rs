//! What a driver is told before it begins.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The bytes of an IPv4 header without options (RFC 791 section 3.1) and of a
/// UDP header (RFC 768).
const IPV4_AND_UDP_HEADERS: usize = 20 + 8;

/// The bytes of an IPv6 header (RFC 8200 section 3) and of a UDP header.
const IPV6_AND_UDP_HEADERS: usize = 40 + 8;

/// How a datagram reaches everyone
/// ([`Destination::Everyone`](iot_crypto::endpoint::Destination::Everyone)), and
/// which multicast groups a device hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// Whether it goes to the IPv4 limited broadcast address; it does by default.
    pub broadcast_v4: bool,
    /// The IPv6 multicast group; by default [`Announce::EXPERIMENTAL_V6`].
    pub multicast_v6: Option<Ipv6Addr>,
    /// An IPv4 multicast group in addition to the broadcast, for networks that
    /// filter broadcasts; none by default.
    pub multicast_v4: Option<Ipv4Addr>,
}

impl Announce {
    /// The link-local IPv6 group that RFC 4727 sets aside for experiments. IANA
    /// has assigned no group to this system.
    pub const EXPERIMENTAL_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x114);

    /// The multicast groups.
    pub fn groups(&self) -> impl Iterator<Item = IpAddr> + Clone + use<> {
        let v6 = self.multicast_v6.map(IpAddr::V6);
        let v4 = self.multicast_v4.map(IpAddr::V4);
        v6.into_iter().chain(v4)
    }

    /// Where a datagram for everyone goes, before it is known which families of
    /// addresses the stack has.
    pub(super) fn targets(&self, port: u16) -> impl Iterator<Item = SocketAddr> + use<> {
        let broadcast = self.broadcast_v4.then_some(IpAddr::V4(Ipv4Addr::BROADCAST));
        broadcast.into_iter().chain(self.groups()).map(move |ip| SocketAddr::new(ip, port))
    }
}

impl Default for Announce {
    fn default() -> Self {
        Self { broadcast_v4: true, multicast_v6: Some(Self::EXPERIMENTAL_V6), multicast_v4: None }
    }
}

/// The configuration of a [`Driver`](super::Driver).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The UDP port to which datagrams for everyone go, and on which a device hears
    /// them.
    pub discovery_port: u16,
    /// How everyone is reached.
    pub announce: Announce,
    /// The largest IP packet, in bytes, that the way to every peer carries. A
    /// datagram that would make a larger one is not sent, but counted
    /// ([`Drops::too_long`](super::Drops::too_long)). The default is
    /// [`Config::IPV6_MINIMUM_MTU`].
    pub path_mtu: usize,
    /// The most datagrams, at least 1, that are received, and the most that are
    /// sent, in one turn; the default is [`Config::BURST`].
    pub burst: usize,
}

impl Config {
    /// The default [`Config::discovery_port`].
    pub const DISCOVERY_PORT: u16 = 4440;

    /// The size that every IPv6 path carries (RFC 8200 section 5); the default
    /// [`Config::path_mtu`].
    pub const IPV6_MINIMUM_MTU: usize = 1280;

    /// The default [`Config::burst`].
    pub const BURST: usize = 32;

    /// The smallest allowed [`Config::path_mtu`]: what every IPv4 path carries
    /// (RFC 791 section 3.2).
    pub const SMALLEST_PATH_MTU: usize = 68;

    /// The largest UDP payload, in bytes, that is sent to any address: what to
    /// configure the role's datagram size to, or less.
    #[must_use]
    pub const fn datagram_size(&self) -> usize {
        self.path_mtu.saturating_sub(IPV6_AND_UDP_HEADERS)
    }

    /// The largest UDP payload, in bytes, that may go to `address`.
    pub(super) const fn payload_limit(&self, address: &SocketAddr) -> usize {
        let headers = if address.is_ipv4() { IPV4_AND_UDP_HEADERS } else { IPV6_AND_UDP_HEADERS };
        self.path_mtu.saturating_sub(headers)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.path_mtu < Self::SMALLEST_PATH_MTU {
            return Err(ConfigError::PathMtu(self.path_mtu));
        }
        if self.discovery_port == 0 {
            return Err(ConfigError::DiscoveryPort);
        }
        match self.announce.groups().find(|group| !group.is_multicast()) {
            Some(group) => Err(ConfigError::NotMulticast(group)),
            None => Ok(()),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            discovery_port: Self::DISCOVERY_PORT,
            announce: Announce::default(),
            path_mtu: Self::IPV6_MINIMUM_MTU,
            burst: Self::BURST,
        }
    }
}

/// A configuration that can't work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// A group of [`Announce`] is no multicast address.
    NotMulticast(IpAddr),
    /// [`Config::path_mtu`] is below [`Config::SMALLEST_PATH_MTU`].
    PathMtu(usize),
    /// [`Config::discovery_port`] is 0, which is no UDP port.
    DiscoveryPort,
}

impl core::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotMulticast(group) => write!(
                f,
                "{group} is no multicast address; choose one in 224.0.0.0/4 or ff00::/8, such as {}",
                Announce::EXPERIMENTAL_V6
            ),
            Self::PathMtu(bytes) => write!(
                f,
                "a path MTU of {bytes} bytes is too small; choose at least {}, usually {}",
                Config::SMALLEST_PATH_MTU,
                Config::IPV6_MINIMUM_MTU
            ),
            Self::DiscoveryPort => write!(
                f,
                "0 is no UDP port; choose the discovery port of the network, usually {}",
                Config::DISCOVERY_PORT
            ),
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_count_towards_the_path_mtu() {
        let config = Config::default();
        assert_eq!(config.payload_limit(&SocketAddr::from(([127, 0, 0, 1], 1))), 1252);
        assert_eq!(config.payload_limit(&SocketAddr::from((Ipv6Addr::LOCALHOST, 1))), 1232);
        assert_eq!(config.datagram_size(), 1232);
    }

    #[test]
    fn everyone_is_at_the_discovery_port() {
        let group = Ipv4Addr::new(239, 1, 2, 3);
        let announce = Announce { multicast_v4: Some(group), ..Announce::default() };
        let targets = ["255.255.255.255:9", "[ff02::114]:9", "239.1.2.3:9"];
        assert!(announce.targets(9).eq(targets.map(|target| target.parse().unwrap())));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let check = |config: Config| config.check();
        assert_eq!(check(Config::default()), Ok(()));
        let config = Config { path_mtu: 67, ..Config::default() };
        assert_eq!(check(config), Err(ConfigError::PathMtu(67)));
        let config = Config { discovery_port: 0, ..Config::default() };
        assert_eq!(check(config), Err(ConfigError::DiscoveryPort));
        let group = Ipv4Addr::LOCALHOST;
        let announce = Announce { multicast_v4: Some(group), ..Announce::default() };
        let config = Config { announce, ..Config::default() };
        assert_eq!(check(config), Err(ConfigError::NotMulticast(group.into())));
    }
}
