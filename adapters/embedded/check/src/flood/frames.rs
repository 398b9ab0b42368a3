//! The frames of a flood.

use std::net::Ipv4Addr;

use etherparse::{
    ArpEthIpv4Packet, ArpOperation, IpFragOffset, Ipv4Header, Ipv4Options, PacketBuilder,
};

use crate::dice::Dice;
use crate::network::{BOARD, DISCOVERY, HOST};

/// The longest payload of a frame, in bytes, and a bit more.
const LONGEST: usize = 1510;

/// The ethertypes of IPv4, ARP, IPv6 and VLANs.
const ETHERTYPES: [u16; 4] = [0x0800, 0x0806, 0x86DD, 0x8100];

/// The protocols in an IP packet that a stack may know: ICMP, IGMP, TCP, UDP, ICMPv6.
const PROTOCOLS: [u8; 5] = [1, 2, 6, 17, 58];

/// The board's hardware address, as the firmware has it.
const BOARDS: [u8; 6] = [0x02, 0x49, 0x6F, 0x54, 0x00, 0x01];

/// Frames without an end.
pub(super) struct Frames {
    dice: Dice,
    /// The ports of the board that are in use, and those of its gateway's services.
    ports: Vec<u16>,
    services: Vec<u16>,
    /// The port that is next, of all.
    port: u16,
}

impl Frames {
    pub(super) fn new(dice: Dice, ports: Vec<u16>, services: Vec<u16>) -> Self {
        Self { dice, ports, services, port: 0 }
    }

    /// The next one.
    pub(super) fn next(&mut self) -> Vec<u8> {
        let mut frame = match self.dice.below(10) {
            0 => {
                let length = self.dice.below(LONGEST);
                let payload = self.dice.bytes(length);
                let kind = u16::from_be_bytes(self.dice.array());
                self.frame(kind, &payload)
            }
            1 => {
                let kind = self.dice.pick(&ETHERTYPES).unwrap_or_default();
                let length = self.dice.below(80);
                let payload = self.dice.bytes(length);
                self.frame(kind, &payload)
            }
            2 | 3 => self.arp(),
            4 => self.ipv4(),
            5 => self.echo_request(),
            6 => self.next_port(),
            7 => self.anyones_datagram(),
            8 => self.gateways_record(),
            _ => self.broadcast(),
        };
        if self.dice.below(8) == 0 {
            // Not in the addresses, so that it arrives.
            self.dice.damage(frame.get_mut(12..).unwrap_or_default());
        }
        if self.dice.below(16) == 0 {
            // Nothing at all would be the end for QEMU.
            let length = 1 + self.dice.below(frame.len());
            frame.truncate(length);
        }
        frame
    }

    /// A hardware address: anyone's, but for a group's.
    fn anyone(&mut self) -> [u8; 6] {
        let [_, rest @ ..] = self.dice.array::<6>();
        let [a, b, c, d, e] = rest;
        [2, a, b, c, d, e]
    }

    /// An address of the board's network, now and then of another one.
    fn address(&mut self) -> Ipv4Addr {
        let [a, b, c, d] = self.dice.array();
        match self.dice.below(8) {
            0 => Ipv4Addr::new(a, b, c, d),
            1 => HOST,
            _ => Ipv4Addr::new(10, 0, 2, d),
        }
    }

    fn receiver(&mut self) -> [u8; 6] {
        if self.dice.below(4) == 0 { [0xFF; 6] } else { BOARDS }
    }

    fn frame(&mut self, kind: u16, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        frame.extend(self.receiver());
        frame.extend(self.anyone());
        frame.extend(kind.to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// A question or an answer, in anyone's name: the gateway's, too.
    fn arp(&mut self) -> Vec<u8> {
        let operations = [ArpOperation::REQUEST, ArpOperation::REPLY, ArpOperation(7)];
        let target = if self.dice.below(4) == 0 { self.address() } else { BOARD };
        let packet = ArpEthIpv4Packet {
            operation: self.dice.pick(&operations).unwrap_or(ArpOperation::REQUEST),
            sender_mac: self.anyone(),
            sender_ipv4: self.address().octets(),
            target_mac: BOARDS,
            target_ipv4: target.octets(),
        };
        self.frame(0x0806, &packet.to_bytes())
    }

    /// A packet with options, a fragment, or one that lies about its lengths.
    fn ipv4(&mut self) -> Vec<u8> {
        let length = self.dice.below(LONGEST - 60);
        let payload = self.dice.bytes(length);
        let mut header = Ipv4Header {
            time_to_live: self.dice.byte(),
            protocol: self.dice.pick(&PROTOCOLS).unwrap_or_default().into(),
            source: self.address().octets(),
            destination: BOARD.octets(),
            identification: u16::from(self.dice.byte() % 4),
            ..Ipv4Header::default()
        };
        match self.dice.below(3) {
            0 => {
                let words = self.dice.below(11);
                let options = self.dice.bytes(4 * words);
                header.options = Ipv4Options::try_from(options.as_slice()).unwrap_or_default();
            }
            1 => {
                let offset = u16::from_be_bytes(self.dice.array()) % 200;
                header.fragment_offset = IpFragOffset::try_new(offset).unwrap_or_default();
                header.more_fragments = self.dice.below(2) == 0;
            }
            _ => {}
        }
        let said = if self.dice.below(3) == 0 { self.dice.below(LONGEST) } else { length };
        // Too much for a packet is no matter.
        let _ = header.set_payload_len(said);
        header.header_checksum = header.calc_header_checksum();
        let packet = [header.to_bytes().as_slice(), &payload].concat();
        self.frame(0x0800, &packet)
    }

    /// What is answered if it is whole.
    fn echo_request(&mut self) -> Vec<u8> {
        let length = self.dice.below(600);
        let payload = self.dice.bytes(length);
        let [id, sequence] = [1, u16::from(self.dice.byte())];
        let builder = PacketBuilder::ethernet2(self.anyone(), BOARDS)
            .ipv4(self.address().octets(), BOARD.octets(), 64)
            .icmpv4_echo_request(id, sequence);
        let mut frame = Vec::new();
        // It fits, and is empty if not.
        let _ = builder.write(&mut frame, &payload);
        frame
    }

    fn udp(&mut self, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
        let receiver = if to.0 == BOARD { BOARDS } else { [0xFF; 6] };
        let builder = PacketBuilder::ethernet2(self.anyone(), receiver)
            .ipv4(from.0.octets(), to.0.octets(), 64)
            .udp(from.1, to.1);
        let mut frame = Vec::new();
        // As above.
        let _ = builder.write(&mut frame, payload);
        frame
    }

    fn payload(&mut self) -> Vec<u8> {
        let length = self.dice.below(LONGEST - 28);
        self.dice.bytes(length)
    }

    /// From one service to each port in turn.
    fn next_port(&mut self) -> Vec<u8> {
        self.port = self.port.wrapping_add(1);
        let (from, payload) = (self.address(), self.payload());
        self.udp((from, 4441), (BOARD, self.port), &payload)
    }

    /// From any source to a port of the board that is in use.
    fn anyones_datagram(&mut self) -> Vec<u8> {
        let (from, port) = (self.address(), u16::from_be_bytes(self.dice.array()));
        let to = self.dice.pick(&self.ports).unwrap_or(DISCOVERY);
        let payload = self.payload();
        self.udp((from, port), (BOARD, to), &payload)
    }

    /// In the name of the gateway's services: what looks like a record.
    fn gateways_record(&mut self) -> Vec<u8> {
        let from = self.dice.pick(&self.services).unwrap_or(4441);
        let to = self.dice.pick(&self.ports).unwrap_or(DISCOVERY);
        let mut payload = self.payload();
        let length = u16::try_from(payload.len()).unwrap_or_default();
        let [kind, epoch, number] =
            [20 + self.dice.byte() % 4, self.dice.byte() % 2, self.dice.byte()];
        let [high, low] = length.to_be_bytes();
        let header = [kind, 0xFE, 0xFD, 0, epoch, 0, 0, 0, 0, 0, number, high, low];
        payload.splice(..0, header);
        payload.truncate(LONGEST - 28);
        self.udp((HOST, from), (BOARD, to), &payload)
    }

    /// To the port on which advertisements are heard: what may look like one.
    fn broadcast(&mut self) -> Vec<u8> {
        let length = self.dice.below(100);
        let mut payload = self.dice.bytes(length);
        if let Some(first) = payload.first_mut() {
            // An array of as many items as an advertisement has.
            *first = 0x8A;
        }
        let (from, everyone) = (self.address(), Ipv4Addr::BROADCAST);
        self.udp((from, 4441), (everyone, DISCOVERY), &payload)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    use super::*;

    #[test]
    fn there_are_frames_of_every_kind_whole_and_broken() {
        let mut frames = Frames::new(Dice::new(1), vec![50_000], vec![4442]);
        let mut seen = BTreeSet::new();
        for _ in 0..5000 {
            let frame = frames.next();
            let Ok(packet) = SlicedPacket::from_ethernet(&frame) else {
                seen.insert("broken");
                continue;
            };
            match (&packet.net, &packet.transport) {
                (Some(NetSlice::Arp(_)), _) => seen.insert("ARP"),
                (_, Some(TransportSlice::Icmpv4(_))) => seen.insert("ICMP"),
                (_, Some(TransportSlice::Udp(udp))) => match udp.destination_port() {
                    DISCOVERY => seen.insert("discovery"),
                    50_000 => seen.insert("a port in use"),
                    _ => seen.insert("UDP"),
                },
                (Some(NetSlice::Ipv4(ip)), _) if ip.header().is_fragmenting_payload() => {
                    seen.insert("a fragment")
                }
                (Some(NetSlice::Ipv4(ip)), _) if !ip.header().options().is_empty() => {
                    seen.insert("options")
                }
                _ => seen.insert("something else"),
            };
        }
        assert_eq!(seen.len(), 9, "{seen:?}");
    }
}
