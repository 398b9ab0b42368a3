//! What a router asks its hosts.

use super::station::{Kind, address, extended};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, Icmpv6Packet, Icmpv6Repr, Ieee802154Address,
    Ieee802154Frame, Ieee802154FrameType, Ieee802154FrameVersion, Ieee802154Pan, Ieee802154Repr,
    IpAddress, IpProtocol, Ipv6Address, Ipv6Packet, Ipv6Repr, MldRepr,
};

/// The frame in which the station with this number asks everyone which multicast groups
/// they hear (RFC 3810 section 5.1).
pub fn mld_query(kind: Kind, number: u8) -> Vec<u8> {
    let IpAddress::Ipv6(from) = address(kind, number).address() else { panic!("no IPv6") };
    let everyone = Ipv6Address::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let query = Icmpv6Repr::Mld(MldRepr::Query {
        max_resp_code: 1,
        mcast_addr: Ipv6Address::UNSPECIFIED,
        s_flag: false,
        qrv: 2,
        qqic: 125,
        num_srcs: 0,
        data: &[],
    });
    let mut icmp = vec![0; query.buffer_len()];
    let checksums = ChecksumCapabilities::default();
    query.emit(&from, &everyone, &mut Icmpv6Packet::new_unchecked(&mut icmp), &checksums);
    if kind != Kind::Ieee802154 {
        let header = Ipv6Repr {
            src_addr: from,
            dst_addr: everyone,
            next_header: IpProtocol::Icmpv6,
            payload_len: icmp.len(),
            hop_limit: 1,
        };
        let mut frame = vec![0; 14 + header.buffer_len()];
        let mut ethernet = EthernetFrame::new_unchecked(&mut frame);
        ethernet.set_src_addr(EthernetAddress([2, 0, 0, 0, 0, number]));
        ethernet.set_dst_addr(EthernetAddress([0x33, 0x33, 0, 0, 0, 1]));
        ethernet.set_ethertype(EthernetProtocol::Ipv6);
        header.emit(&mut Ipv6Packet::new_unchecked(ethernet.payload_mut()));
        return [frame, icmp].concat();
    }
    let header = Ieee802154Repr {
        frame_type: Ieee802154FrameType::Data,
        security_enabled: false,
        frame_pending: false,
        ack_request: false,
        sequence_number: Some(1),
        pan_id_compression: true,
        frame_version: Ieee802154FrameVersion::Ieee802154_2003,
        dst_pan_id: Some(Ieee802154Pan(0xbeef)),
        dst_addr: Some(Ieee802154Address::BROADCAST),
        src_pan_id: None,
        src_addr: Some(extended(number)),
    };
    let mut frame = vec![0; header.buffer_len()];
    header.emit(&mut Ieee802154Frame::new_unchecked(&mut frame));
    // RFC 6282 section 3.1: hop limit 1, the source from the frame, the group in a byte.
    let compressed = [0b0111_1001, 0b0011_1011, 58, 1];
    [frame, compressed.to_vec(), icmp].concat()
}
