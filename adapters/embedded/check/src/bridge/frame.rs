//! Ethernet frames: ARP (RFC 826), and UDP over IPv4.

use std::net::{Ipv4Addr, SocketAddrV4};

use etherparse::{
    ArpEthIpv4Packet, ArpOperation, EtherType, LinkSlice, NetSlice, PacketBuilder, SlicedPacket,
    TransportSlice,
};

/// A hardware address.
pub(super) type MacAddress = [u8; 6];

/// The bridge's own: one of those that everyone may use.
pub(super) const BRIDGE: MacAddress = [0x02, 0x49, 0x6f, 0x54, 0x00, 0xFE];

/// The address of everyone.
pub(super) const EVERYONE: MacAddress = [0xFF; 6];

/// How many routers a packet may pass.
const TIME_TO_LIVE: u8 = 64;

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) payload: &'a [u8],
}

/// A frame that the bridge makes something of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// The question who has an IP address.
    WhoHas { sender: MacAddress, sender_address: Ipv4Addr, address: Ipv4Addr },
    /// A UDP datagram.
    Udp { sender: MacAddress, datagram: Datagram<'a> },
}

impl<'a> Frame<'a> {
    /// What is in a frame; `None` if it is of another kind, or broken.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let packet = SlicedPacket::from_ethernet(bytes).ok()?;
        let LinkSlice::Ethernet2(ethernet) = packet.link? else { return None };
        let sender = ethernet.source();
        match (packet.net?, packet.transport) {
            (NetSlice::Arp(arp), _) => {
                let arp = arp.to_packet().try_eth_ipv4().ok()?;
                (arp.operation == ArpOperation::REQUEST).then_some(Self::WhoHas {
                    sender,
                    sender_address: arp.sender_ipv4.into(),
                    address: arp.target_ipv4.into(),
                })
            }
            (NetSlice::Ipv4(ip), Some(TransportSlice::Udp(udp))) => {
                let from = SocketAddrV4::new(ip.header().source_addr(), udp.source_port());
                let to = SocketAddrV4::new(ip.header().destination_addr(), udp.destination_port());
                Some(Self::Udp { sender, datagram: Datagram { from, to, payload: udp.payload() } })
            }
            _ => None,
        }
    }
}

/// Whether a frame is meant for the bridge, alone or among others.
pub(super) fn is_for_bridge(frame: &[u8]) -> bool {
    let receiver = frame.first_chunk::<6>();
    receiver.is_some_and(|it| *it == BRIDGE || it.first().is_some_and(|first| first & 1 == 1))
}

/// The question of the bridge, at `asker_address`, who has `address`.
pub(super) fn who_has(asker_address: Ipv4Addr, address: Ipv4Addr) -> Vec<u8> {
    let question = ArpEthIpv4Packet {
        operation: ArpOperation::REQUEST,
        sender_mac: BRIDGE,
        sender_ipv4: asker_address.octets(),
        target_mac: [0; 6],
        target_ipv4: address.octets(),
    };
    arp(EVERYONE, &question)
}

/// The answer to the question of `asker`, at `asker_address`: the bridge has `address`.
pub(super) fn is_here(asker: MacAddress, asker_address: Ipv4Addr, address: Ipv4Addr) -> Vec<u8> {
    let answer = ArpEthIpv4Packet {
        operation: ArpOperation::REPLY,
        sender_mac: BRIDGE,
        sender_ipv4: address.octets(),
        target_mac: asker,
        target_ipv4: asker_address.octets(),
    };
    arp(asker, &answer)
}

fn arp(receiver: MacAddress, packet: &ArpEthIpv4Packet) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(receiver);
    frame.extend(BRIDGE);
    frame.extend(EtherType::ARP.0.to_be_bytes());
    frame.extend(packet.to_bytes());
    frame
}

/// The frame to `receiver` with a datagram. One that is too long for UDP, which no socket
/// gives, becomes an empty frame.
pub(super) fn udp(receiver: MacAddress, datagram: &Datagram<'_>) -> Vec<u8> {
    let Datagram { from, to, payload } = datagram;
    let mut frame = Vec::new();
    let written = PacketBuilder::ethernet2(BRIDGE, receiver)
        .ipv4(from.ip().octets(), to.ip().octets(), TIME_TO_LIVE)
        .udp(from.port(), to.port())
        .write(&mut frame, payload);
    if written.is_err() {
        frame.clear();
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_comes_out_of_its_frame_as_it_went_in() {
        let datagram = Datagram {
            from: SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 2), 4441),
            to: SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 15), 49_152),
            payload: b"hello",
        };
        let frame = udp(EVERYONE, &datagram);
        assert_eq!(Frame::parse(&frame), Some(Frame::Udp { sender: BRIDGE, datagram }));
        for length in 0..frame.len() {
            assert_eq!(
                Frame::parse(frame.get(..length).unwrap_or_default()),
                None,
                "{length} bytes of it"
            );
        }
    }

    #[test]
    fn an_answer_is_no_question() {
        let (address, asker_address) = (Ipv4Addr::new(10, 0, 2, 2), Ipv4Addr::new(10, 0, 2, 15));
        assert_eq!(Frame::parse(&is_here([2; 6], asker_address, address)), None);
        let question = Frame::WhoHas { sender: BRIDGE, sender_address: asker_address, address };
        assert_eq!(Frame::parse(&who_has(asker_address, address)), Some(question));
    }

    #[test]
    fn what_is_for_another_is_not_for_the_bridge() {
        for (receiver, is_ours) in [(BRIDGE, true), (EVERYONE, true), ([2; 6], false)] {
            let frame = [receiver.as_slice(), [0; 60].as_slice()].concat();
            assert_eq!(is_for_bridge(&frame), is_ours, "{receiver:?}");
        }
        assert!(!is_for_bridge(&[]));
    }
}
