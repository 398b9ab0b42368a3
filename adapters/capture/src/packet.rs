//! IP packets around datagrams: a socket gives the payload only.

use std::io;
use std::net::{IpAddr, SocketAddr};

use etherparse::PacketBuilder;

/// The time to live, or hop limit, that packets are given: the usual one of hosts.
const HOPS: u8 = 64;

/// A packet of IPv4 or IPv6 with a UDP datagram, its checksums right.
pub(crate) fn packet(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> io::Result<Vec<u8>> {
    let builder = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), HOPS),
        (from, to) => PacketBuilder::ipv6(octets(from), octets(to), HOPS),
    };
    let builder = builder.udp(from.port(), to.port());
    let mut packet = Vec::with_capacity(builder.size(payload.len()));
    builder.write(&mut packet, payload).map_err(io::Error::other)?;
    Ok(packet)
}

/// The address as one of IPv6; that of IPv4 as a mapped one (RFC 4291 section
/// 2.5.5.2).
fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}
