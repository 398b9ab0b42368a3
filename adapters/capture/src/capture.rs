//! A capture: a file in pcapng with the datagrams, the secrets, and what these open.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::SystemTime;

use iot_crypto::crypto::Provider;

use crate::exported;
use crate::key_log::KeyLogLine;
use crate::observer::{Observer, Opened};
use crate::packet::packet;
use crate::pcapng::{Interface, LinkType, PacketInfo, Writer};

/// The interface of the datagrams as they were.
const DATAGRAMS: Interface = Interface(0);
/// The interface of what was opened.
const OPENED: Interface = Interface(1);

/// A datagram that went over a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured<'a> {
    /// When.
    pub at: SystemTime,
    /// Whether it was received, not sent.
    pub inbound: bool,
    /// Where it came from.
    pub from: SocketAddr,
    /// Where it went to.
    pub to: SocketAddr,
    /// The UDP payload.
    pub payload: &'a [u8],
}

/// A datagram that is written later.
struct Held {
    info: PacketInfo,
    from: SocketAddr,
    to: SocketAddr,
    payload: Vec<u8>,
}

/// Writes a capture.
///
/// Datagrams and secrets are to come in the order of the role's work. A datagram
/// whose records lack the secret of their handshake waits for it, and at the most
/// for the next datagram: a server derives its keys from the datagram that already
/// holds the client's first protected record, and readers need the secret before.
pub struct Capture<W, P: Provider> {
    writer: Writer<W>,
    observer: Observer<P>,
    held: Option<Held>,
    /// The packets that were written.
    frames: u32,
}

impl<W, P: Provider> std::fmt::Debug for Capture<W, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Capture").field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl<W: Write, P: Provider> Capture<W, P> {
    /// Begins a capture; `provider` opens what the secrets protect, `application` is
    /// the name of the program.
    ///
    /// # Errors
    /// Those of `to`, as in all methods.
    pub fn new(to: W, provider: P, application: &str) -> io::Result<Self> {
        let mut writer = Writer::new(to, application)?;
        writer.interface(LinkType::Raw, "datagrams", "The datagrams as they were")?;
        writer.interface(LinkType::UpperPdu, "opened", "What the secrets open of them")?;
        Ok(Self { writer, observer: Observer::new(provider), held: None, frames: 0 })
    }

    /// Takes a secret.
    ///
    /// # Errors
    /// See [`Capture::new`].
    pub fn secret(&mut self, line: &KeyLogLine) -> io::Result<()> {
        self.writer.secrets(&line.text())?;
        self.observer.take_secret(line);
        match self.held.take() {
            Some(held) => self.take(held),
            None => Ok(()),
        }
    }

    /// Takes a datagram; `missing` is how many were lost between the one before and
    /// this one.
    ///
    /// # Errors
    /// See [`Capture::new`]; [`io::ErrorKind::Other`] if the payload is longer than
    /// that of any datagram.
    pub fn datagram(&mut self, datagram: &Captured<'_>, missing: u64) -> io::Result<()> {
        self.release()?;
        let Captured { at, inbound, from, to, payload } = *datagram;
        let info = PacketInfo { at, inbound, missing };
        self.take(Held { info, from, to, payload: payload.to_vec() })
    }

    /// Writes what waits, and flushes.
    ///
    /// # Errors
    /// See [`Capture::new`].
    pub fn finish(mut self) -> io::Result<()> {
        self.release()?;
        self.flush()
    }

    /// Flushes what was written.
    ///
    /// # Errors
    /// See [`Capture::new`].
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    fn take(&mut self, datagram: Held) -> io::Result<()> {
        let seen = self.observer.see(datagram.from, datagram.to, &datagram.payload);
        if seen.lacks_secret {
            self.held = Some(datagram);
            return Ok(());
        }
        self.write(&datagram, &seen.opened)
    }

    /// Writes what waits, with what can be opened of it now.
    fn release(&mut self) -> io::Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let seen = self.observer.see(held.from, held.to, &held.payload);
        self.write(&held, &seen.opened)
    }

    fn write(&mut self, datagram: &Held, opened: &[Opened]) -> io::Result<()> {
        let Held { info, from, to, payload } = datagram;
        self.packet(DATAGRAMS, info, &packet(*from, *to, payload)?)?;
        let frame = self.frames;
        let info = PacketInfo { missing: 0, ..*info };
        for Opened { dissector, content } in opened {
            if let Some(dissector) = dissector {
                let pdu = exported::pdu(dissector, *from, *to, frame, content);
                self.packet(OPENED, &info, &pdu)?;
            }
        }
        Ok(())
    }

    fn packet(&mut self, interface: Interface, info: &PacketInfo, bytes: &[u8]) -> io::Result<()> {
        self.frames = self.frames.saturating_add(1);
        self.writer.packet(interface, info, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Pair, Passed, client_address, provider, server_address};

    /// The blocks of a section: type and body.
    fn blocks(mut bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let mut blocks = Vec::new();
        while let [a, b, c, d, e, f, g, h, ..] = *bytes {
            let length = u32::from_le_bytes([e, f, g, h]) as usize;
            let kind = u32::from_le_bytes([a, b, c, d]);
            blocks.push((kind, bytes[8..length - 4].to_vec()));
            bytes = &bytes[length..];
        }
        assert!(bytes.is_empty());
        blocks
    }

    /// What was written, in short: a secret, or the interface of a packet.
    fn order(capture: &[u8]) -> Vec<&'static str> {
        let word = |(kind, body): (u32, Vec<u8>)| match (kind, body.first()) {
            (6, Some(0)) => Some("datagram"),
            (6, Some(1)) => Some("opened"),
            (10, _) => Some("secret"),
            _ => None,
        };
        blocks(capture).into_iter().filter_map(word).collect()
    }

    fn capture(passed: Vec<Passed>) -> Vec<u8> {
        let mut file = Vec::new();
        let mut capture = Capture::new(&mut file, provider(9), "test").unwrap();
        for passed in passed {
            let (inbound, from, to, payload) = match &passed {
                Passed::Up(payload) => (true, client_address(), server_address(), payload),
                Passed::Down(payload) => (false, server_address(), client_address(), payload),
                Passed::Secret(line) => {
                    capture.secret(line).unwrap();
                    continue;
                }
            };
            let at = SystemTime::UNIX_EPOCH;
            capture.datagram(&Captured { at, inbound, from, to, payload }, 0).unwrap();
        }
        capture.finish().unwrap();
        file
    }

    #[test]
    fn a_secret_stands_before_the_datagrams_that_need_it() {
        let mut pair = Pair::connected(1, &[1; 8]);
        pair.up(b"up");
        pair.down(b"down");
        // At a server, the client's Finished comes before the secret is derived from
        // the message before it.
        let passed = pair.log.take();
        let is_secret = |passed: &Passed| matches!(passed, Passed::Secret(_));
        assert_eq!(passed.iter().position(is_secret), Some(3));
        let expected = [
            "datagram", "datagram", "secret", "datagram", "datagram", "datagram", "opened",
            "datagram", "opened",
        ];
        assert_eq!(order(&capture(passed)), expected);
    }

    #[test]
    fn a_datagram_whose_secret_does_not_come_is_written_all_the_same() {
        let mut pair = Pair::connected(1, &[1; 8]);
        pair.up(b"up");
        let passed = pair.log.take();
        let without = passed.into_iter().filter(|passed| !matches!(passed, Passed::Secret(_)));
        assert_eq!(order(&capture(without.collect())), ["datagram"; 5]);
    }

    #[test]
    fn packets_have_headers_of_both_families() {
        let addresses: [[SocketAddr; 2]; 2] = [
            ["192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap()],
            ["[2001:db8::1]:1".parse().unwrap(), "[ff02::114%2]:2".parse().unwrap()],
        ];
        for [from, to] in addresses {
            let packet = packet(from, to, b"payload").unwrap();
            let parsed = etherparse::SlicedPacket::from_ip(&packet).unwrap();
            let Some(etherparse::TransportSlice::Udp(udp)) = parsed.transport else {
                panic!("{parsed:?}")
            };
            assert_eq!((udp.source_port(), udp.destination_port()), (1, 2));
            assert_eq!(udp.payload(), b"payload");
            let header = udp.to_header();
            let expected = match parsed.net.unwrap() {
                etherparse::NetSlice::Ipv4(ip) => {
                    let header = ip.header().to_header();
                    assert_eq!(header.header_checksum, header.calc_header_checksum());
                    udp.to_header().calc_checksum_ipv4(&header, b"payload")
                }
                etherparse::NetSlice::Ipv6(ip) => {
                    udp.to_header().calc_checksum_ipv6(&ip.header().to_header(), b"payload")
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(Ok(header.checksum), expected.map_err(|_| ()));
        }
        let v4 = "192.0.2.1:1".parse().unwrap();
        assert!(packet(v4, v4, &[0; 65_508]).is_err());
    }
}
