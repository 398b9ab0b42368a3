//! Blocks of pcapng (draft-ietf-opsawg-pcapng), as far as captures need them.
//!
//! A writer of our own, since the published ones have no Decryption Secrets Blocks.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

/// The block types (section 4).
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;

/// Shows in which order numbers are written (section 4.1).
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// The secrets of a Decryption Secrets Block are a key log of TLS (section 4.7).
const TLS_KEY_LOG: u32 = 0x544c_534b;

/// The end of a block's options (section 3.5).
const END_OF_OPTIONS: u16 = 0;

/// What the packets of an interface begin with (its `LinkType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkType {
    /// The header of IPv4 or IPv6: LINKTYPE_RAW.
    Raw = 101,
    /// The tags of an exported PDU: LINKTYPE_WIRESHARK_UPPER_PDU.
    UpperPdu = 252,
}

/// The number of an interface: how many were described before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interface(pub(crate) u32);

/// What an Enhanced Packet Block has besides the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacketInfo {
    pub(crate) at: SystemTime,
    pub(crate) inbound: bool,
    /// How many packets are missing between the one before and this one.
    pub(crate) missing: u64,
}

/// Writes one section.
pub(crate) struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    /// Begins the section (section 4.1); `application` is what writes it.
    pub(crate) fn new(to: W, application: &str) -> io::Result<Self> {
        let mut writer = Self { to };
        let mut body = Body::default();
        body.u32(BYTE_ORDER_MAGIC);
        // The version, 1.0, and the section's length, which is not known.
        body.u16(1);
        body.u16(0);
        body.bytes(&u64::MAX.to_le_bytes());
        body.option(4, application.as_bytes())?;
        body.end_options();
        writer.block(SECTION_HEADER, &body)?;
        Ok(writer)
    }

    /// Describes the next interface (section 4.2). Its times are in microseconds.
    pub(crate) fn interface(
        &mut self,
        link: LinkType,
        name: &str,
        description: &str,
    ) -> io::Result<()> {
        let mut body = Body::default();
        body.u16(link as u16);
        body.u16(0);
        // Packets are never cut.
        body.u32(0);
        body.option(2, name.as_bytes())?;
        body.option(3, description.as_bytes())?;
        body.end_options();
        self.block(INTERFACE_DESCRIPTION, &body)
    }

    /// Writes a packet (section 4.3).
    pub(crate) fn packet(
        &mut self,
        interface: Interface,
        info: &PacketInfo,
        packet: &[u8],
    ) -> io::Result<()> {
        let since_epoch = info.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX).to_le_bytes();
        let [a, b, c, d, e, f, g, h] = micros;
        let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
        let mut body = Body::default();
        body.u32(interface.0);
        body.bytes(&[e, f, g, h, a, b, c, d]);
        body.u32(length);
        body.u32(length);
        body.padded(packet);
        let direction: u32 = if info.inbound { 1 } else { 2 };
        body.option(2, &direction.to_le_bytes())?;
        if info.missing > 0 {
            body.option(4, &info.missing.to_le_bytes())?;
        }
        body.end_options();
        self.block(ENHANCED_PACKET, &body)
    }

    /// Writes lines of a key log of TLS (section 4.7).
    pub(crate) fn secrets(&mut self, key_log: &str) -> io::Result<()> {
        let length = u32::try_from(key_log.len()).map_err(io::Error::other)?;
        let mut body = Body::default();
        body.u32(TLS_KEY_LOG);
        body.u32(length);
        body.padded(key_log.as_bytes());
        self.block(DECRYPTION_SECRETS, &body)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    /// Writes a block (section 3.1), in one piece: its length stands before and after
    /// the body.
    fn block(&mut self, kind: u32, body: &Body) -> io::Result<()> {
        let length = u32::try_from(body.0.len().saturating_add(12)).map_err(io::Error::other)?;
        let mut block = Body(Zeroizing::new(Vec::with_capacity(body.0.len().saturating_add(12))));
        block.u32(kind);
        block.u32(length);
        block.bytes(&body.0);
        block.u32(length);
        self.to.write_all(&block.0)
    }
}

/// The body of a block. It may hold secrets.
#[derive(Default)]
struct Body(Zeroizing<Vec<u8>>);

impl Body {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn u16(&mut self, number: u16) {
        self.bytes(&number.to_le_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.bytes(&number.to_le_bytes());
    }

    /// `bytes`, and zeros up to a multiple of four.
    fn padded(&mut self, bytes: &[u8]) {
        self.bytes(bytes);
        let padded = self.0.len().next_multiple_of(4);
        self.0.resize(padded, 0);
    }

    /// An option (section 3.5).
    fn option(&mut self, code: u16, value: &[u8]) -> io::Result<()> {
        let length = u16::try_from(value.len()).map_err(io::Error::other)?;
        self.u16(code);
        self.u16(length);
        self.padded(value);
        Ok(())
    }

    fn end_options(&mut self) {
        self.u16(END_OF_OPTIONS);
        self.u16(0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn blocks_are_laid_out_as_the_draft_says() {
        let mut writer = Writer::new(Vec::new(), "it").unwrap();
        writer.interface(LinkType::UpperPdu, "opened", "x").unwrap();
        writer.secrets("abcde").unwrap();
        let at = UNIX_EPOCH + Duration::from_micros(0x0102_0304_0506_0708);
        let info = PacketInfo { at, inbound: false, missing: 3 };
        writer.packet(Interface(0), &info, &[9, 8, 7]).unwrap();
        #[rustfmt::skip]
        let expected: &[u8] = &[
            // Section header: length, magic, 1.0, length unknown, "it", end.
            0x0a, 0x0d, 0x0d, 0x0a, 40, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
            255, 255, 255, 255, 255, 255, 255, 255, 4, 0, 2, 0, b'i', b't', 0, 0, 0, 0, 0, 0,
            40, 0, 0, 0,
            // Interface: link type 252, no limit, name, description, end.
            1, 0, 0, 0, 44, 0, 0, 0, 252, 0, 0, 0, 0, 0, 0, 0,
            2, 0, 6, 0, b'o', b'p', b'e', b'n', b'e', b'd', 0, 0, 3, 0, 1, 0, b'x', 0, 0, 0,
            0, 0, 0, 0, 44, 0, 0, 0,
            // Secrets.
            10, 0, 0, 0, 28, 0, 0, 0, 0x4b, 0x53, 0x4c, 0x54, 5, 0, 0, 0,
            b'a', b'b', b'c', b'd', b'e', 0, 0, 0, 28, 0, 0, 0,
            // Packet: interface, time (high, low), lengths, data, outbound, missing, end.
            6, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 8, 7, 6, 5, 3, 0, 0, 0, 3, 0, 0, 0,
            9, 8, 7, 0, 2, 0, 4, 0, 2, 0, 0, 0, 4, 0, 8, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            60, 0, 0, 0,
        ];
        assert_eq!(writer.to, expected);
    }
}
