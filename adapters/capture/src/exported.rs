//! Exported PDUs: what was opened, with tags that say how to show it
//! (LINKTYPE_WIRESHARK_UPPER_PDU; the tags are those of Wireshark's
//! `wsutil/exported_pdu_tlvs.h`).

use std::net::{IpAddr, SocketAddr};

const END_OF_TAGS: u16 = 0;
const DISSECTOR_NAME: u16 = 12;
const IPV4_SOURCE: u16 = 20;
const IPV4_DESTINATION: u16 = 21;
const IPV6_SOURCE: u16 = 22;
const IPV6_DESTINATION: u16 = 23;
const PORT_TYPE: u16 = 24;
const SOURCE_PORT: u16 = 25;
const DESTINATION_PORT: u16 = 26;
const ORIGINAL_FRAME: u16 = 30;

/// The port type of UDP.
const UDP: u32 = 3;

/// A PDU from `from` to `to` that the dissector called `dissector` shows; it was in
/// the packet number `frame` of the file, counted from 1.
pub(crate) fn pdu(
    dissector: &str,
    from: SocketAddr,
    to: SocketAddr,
    frame: u32,
    content: &[u8],
) -> Vec<u8> {
    let mut pdu = Vec::new();
    tag(&mut pdu, DISSECTOR_NAME, dissector.as_bytes());
    address(&mut pdu, [IPV4_SOURCE, IPV6_SOURCE], from.ip());
    address(&mut pdu, [IPV4_DESTINATION, IPV6_DESTINATION], to.ip());
    tag(&mut pdu, PORT_TYPE, &UDP.to_be_bytes());
    tag(&mut pdu, SOURCE_PORT, &u32::from(from.port()).to_be_bytes());
    tag(&mut pdu, DESTINATION_PORT, &u32::from(to.port()).to_be_bytes());
    tag(&mut pdu, ORIGINAL_FRAME, &frame.to_be_bytes());
    tag(&mut pdu, END_OF_TAGS, &[]);
    pdu.extend_from_slice(content);
    pdu
}

fn address(pdu: &mut Vec<u8>, [v4, v6]: [u16; 2], address: IpAddr) {
    match address {
        IpAddr::V4(address) => tag(pdu, v4, &address.octets()),
        IpAddr::V6(address) => tag(pdu, v6, &address.octets()),
    }
}

/// A tag: its number, its length (a multiple of four) and its value, big-endian.
fn tag(pdu: &mut Vec<u8>, number: u16, value: &[u8]) {
    let padded = value.len().next_multiple_of(4);
    pdu.extend_from_slice(&number.to_be_bytes());
    // Addresses, numbers and the names of our dissectors are short.
    pdu.extend_from_slice(&u16::try_from(padded).unwrap_or(u16::MAX).to_be_bytes());
    pdu.extend_from_slice(value);
    pdu.resize(pdu.len().saturating_add(padded.saturating_sub(value.len())), 0);
}
