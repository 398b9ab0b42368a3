//! Everyone in reach: which addresses a datagram for everyone goes to, and which
//! multicast groups are to be heard.

use crate::config::{Announce, Interfaces};
use crate::sockets::Sockets;
use if_addrs::{IfAddr, Interface};
use iot_crypto::endpoint::LocalPort;
use iot_crypto::time::Instant;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

/// The most addresses that a datagram for everyone goes to, and the most
/// memberships of multicast groups; any beyond are left out.
const MOST_TARGETS: usize = 128;

/// How often a listener looks whether interfaces came or went.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A way to some of everyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// A unicast or broadcast address.
    Address(SocketAddr),
    /// A multicast group on one interface: of IPv4, that with the address
    /// `interface`; of IPv6, that of the group's scope id.
    Group { group: SocketAddr, interface: Ipv4Addr },
}

/// The ways to everyone for a socket pair that is bound to the addresses
/// `local`.
pub(crate) fn targets(
    announce: &Announce,
    discovery_port: u16,
    interfaces: &[Interface],
    local: &[IpAddr],
) -> Vec<Target> {
    let mut targets = BTreeSet::new();
    for interface in chosen(announce, interfaces) {
        let address = interface.ip();
        let leaves_here = |local: &IpAddr| {
            local.is_ipv4() == address.is_ipv4() && (local.is_unspecified() || *local == address)
        };
        if local.iter().any(leaves_here) {
            let broadcast = broadcast_address(interface)
                .map(|ip| Target::Address(SocketAddrV4::new(ip, discovery_port).into()));
            targets.extend(broadcast);
            targets.extend(group(announce, discovery_port, interface));
        }
    }
    let unicast = announce.unicast.iter().copied().map(Target::Address);
    let mut targets: Vec<_> = unicast.chain(targets).collect();
    targets.truncate(MOST_TARGETS);
    targets
}

fn chosen<'a>(
    announce: &'a Announce,
    interfaces: &'a [Interface],
) -> impl Iterator<Item = &'a Interface> {
    interfaces.iter().filter(|interface| {
        interface.is_oper_up()
            && match &announce.interfaces {
                Interfaces::All => true,
                Interfaces::Named(names) => names.contains(&interface.name),
                Interfaces::None => false,
            }
    })
}

fn broadcast_address(interface: &Interface) -> Option<Ipv4Addr> {
    match &interface.addr {
        // The system names no broadcast address for the loopback interface, but
        // carries it, to every socket on this machine.
        IfAddr::V4(v4) if v4.is_loopback() => Some(v4.ip | !v4.netmask),
        IfAddr::V4(v4) => v4.broadcast,
        IfAddr::V6(_) => None,
    }
}

fn group(announce: &Announce, discovery_port: u16, interface: &Interface) -> Option<Target> {
    match &interface.addr {
        IfAddr::V4(v4) => {
            let group = SocketAddrV4::new(announce.multicast_v4?, discovery_port).into();
            Some(Target::Group { group, interface: v4.ip })
        }
        IfAddr::V6(_) => {
            let group = announce.multicast_v6?;
            let group = SocketAddrV6::new(group, discovery_port, 0, interface.index?).into();
            Some(Target::Group { group, interface: Ipv4Addr::UNSPECIFIED })
        }
    }
}

/// The machine's interfaces, one entry for each of their addresses; none if the
/// system does not tell.
pub(crate) fn interfaces() -> Vec<Interface> {
    if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the network interfaces can't be listed; only configured addresses \
            are reached");
        Vec::new()
    })
}

/// Warns the person who configured an interface that this machine does not have,
/// or not yet.
pub(crate) fn warn_of_missing(announce: &Announce) {
    let Interfaces::Named(names) = &announce.interfaces else { return };
    let present = interfaces();
    for name in names {
        if !present.iter().any(|interface| interface.name == *name) {
            tracing::warn!("no network interface {name} with an address; it is used once it comes");
        }
    }
}

/// The multicast groups that the discovery port hears, kept up as interfaces
/// come and go.
pub(crate) struct Memberships {
    announce: Announce,
    joined: BTreeSet<Target>,
    next_look: Instant,
}

impl Memberships {
    pub(crate) fn new(announce: Announce) -> Self {
        Self { announce, joined: BTreeSet::new(), next_look: Instant::ZERO }
    }

    /// When to look for interfaces again.
    pub(crate) fn deadline(&self) -> Instant {
        self.next_look
    }

    /// Looks for interfaces, if it is time, and joins the groups on new ones.
    pub(crate) fn handle_timeout(&mut self, now: Instant, sockets: &mut Sockets) {
        if now < self.next_look {
            return;
        }
        self.next_look = now + LOOK_AGAIN;
        let interfaces = interfaces();
        self.update(&interfaces, |group, interface| {
            sockets.join(LocalPort::Discovery, group, interface)
        });
    }

    fn update(
        &mut self,
        interfaces: &[Interface],
        mut join: impl FnMut(SocketAddr, Ipv4Addr) -> io::Result<()>,
    ) {
        let wanted: BTreeSet<_> = chosen(&self.announce, interfaces)
            .filter_map(|interface| group(&self.announce, 0, interface))
            .take(MOST_TARGETS)
            .collect();
        self.joined.retain(|target| wanted.contains(target));
        for target in wanted {
            let Target::Group { group, interface } = target else { continue };
            if self.joined.contains(&target) {
                continue;
            }
            match join(group, interface) {
                Ok(()) => {}
                // An interface that went and came back: the system kept it.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => {
                    tracing::debug!(%group, %interface, %error, "multicast group not joined");
                    continue;
                }
            }
            self.joined.insert(target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use if_addrs::{IfOperStatus, Ifv4Addr, Ifv6Addr};
    use std::net::Ipv6Addr;

    fn interface(name: &str, index: u32, addr: IfAddr) -> Interface {
        Interface {
            name: name.to_owned(),
            addr,
            index: Some(index),
            oper_status: IfOperStatus::Up,
            is_p2p: false,
        }
    }

    fn v4(ip: [u8; 4], netmask: [u8; 4], prefixlen: u8, broadcast: Option<[u8; 4]>) -> IfAddr {
        let broadcast = broadcast.map(Ipv4Addr::from);
        IfAddr::V4(Ifv4Addr { ip: ip.into(), netmask: netmask.into(), prefixlen, broadcast })
    }

    fn v6(ip: &str) -> IfAddr {
        let netmask = Ipv6Addr::UNSPECIFIED;
        let ip = ip.parse().unwrap();
        IfAddr::V6(Ifv6Addr { ip, netmask, prefixlen: 64, broadcast: None })
    }

    fn machine() -> Vec<Interface> {
        vec![
            interface("lo", 1, v4([127, 0, 0, 1], [255, 0, 0, 0], 8, None)),
            interface("lan", 2, v4([192, 0, 2, 9], [255; 4], 24, Some([192, 0, 2, 255]))),
            interface("lan", 2, v6("2001:db8::9")),
            interface("lan", 2, v6("fe80::9")),
            interface("tunnel", 3, v4([10, 0, 0, 1], [255; 4], 32, None)),
        ]
    }

    fn shown(targets: &[Target]) -> Vec<String> {
        let show = |target: &Target| match target {
            Target::Address(address) => address.to_string(),
            Target::Group { group, interface } => format!("{group} by {interface}"),
        };
        targets.iter().map(show).collect()
    }

    const ANY: [IpAddr; 2] = crate::Config::ANY;

    #[test]
    fn everyone_is_reached_once_on_each_interface() {
        let announce = Announce {
            unicast: vec![SocketAddr::from(([203, 0, 113, 5], 99))],
            multicast_v4: Some(Ipv4Addr::new(239, 1, 2, 3)),
            ..Announce::default()
        };
        assert_eq!(
            shown(&targets(&announce, 4440, &machine(), &ANY)),
            [
                "203.0.113.5:99",
                "127.255.255.255:4440",
                "192.0.2.255:4440",
                "239.1.2.3:4440 by 10.0.0.1",
                "239.1.2.3:4440 by 127.0.0.1",
                "239.1.2.3:4440 by 192.0.2.9",
                "[ff02::114%2]:4440 by 0.0.0.0",
            ]
        );
    }

    #[test]
    fn a_socket_bound_to_one_address_stays_on_its_interface() {
        let announce = Announce::default();
        let local = [IpAddr::from([127, 0, 0, 1])];
        assert_eq!(
            shown(&targets(&announce, 1, &machine(), &local)),
            ["127.255.255.255:1"],
            "nothing of a loopback party may leave the machine"
        );
        let local = ["fe80::9".parse().unwrap()];
        let reached = shown(&targets(&announce, 1, &machine(), &local));
        assert_eq!(reached, ["[ff02::114%2]:1 by 0.0.0.0"]);
    }

    #[test]
    fn only_chosen_interfaces_that_are_up_count() {
        let named = Interfaces::Named(vec!["lo".to_owned()]);
        let announce = Announce { interfaces: named, ..Announce::default() };
        let mut machine = machine();
        assert_eq!(shown(&targets(&announce, 1, &machine, &ANY)), ["127.255.255.255:1"]);
        machine[0].oper_status = IfOperStatus::Down;
        assert!(targets(&announce, 1, &machine, &ANY).is_empty());
        let announce = Announce { interfaces: Interfaces::None, ..Announce::default() };
        assert!(targets(&announce, 1, &machine, &ANY).is_empty());
    }

    #[test]
    fn groups_are_joined_once_and_again_when_an_interface_returns() {
        let mut memberships = Memberships::new(Announce::default());
        let mut joins = Vec::new();
        let machine = machine();
        for present in [&machine[..], &machine[..], &[], &machine[..]] {
            memberships.update(present, |group, _| {
                joins.push(group.to_string());
                Ok(())
            });
        }
        assert_eq!(joins, ["[ff02::114%2]:0", "[ff02::114%2]:0"]);
    }

    #[test]
    fn a_join_that_failed_is_tried_again() {
        let mut memberships = Memberships::new(Announce::default());
        let mut tries = 0;
        for _ in 0..3 {
            memberships.update(&machine(), |_, _| {
                tries += 1;
                if tries == 1 { Err(io::Error::other("no such device")) } else { Ok(()) }
            });
        }
        assert_eq!(tries, 2);
    }
}
