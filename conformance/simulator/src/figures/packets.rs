//! Figure 8: what the messages of the transmission protocol take on the wire.

use iot_crypto::crypto::Provider as _;
use iot_crypto::dtls::{
    Client, Config, ConnectionEvent, Datagram, PresharedKey, PskIdentity, SingleServer,
};
use iot_crypto::time::Instant;

use super::cast::{Cast, Provider};
use super::messages::{ID, Sample, longest, of_a_device, of_a_gateway};
use super::report::{Cell, Figure, Table};

/// The header of a UDP datagram (RFC 768), in bytes.
const UDP_HEADER: usize = 8;
/// The header of an IPv4 packet without options (RFC 791), in bytes.
const IPV4_HEADER: usize = 20;
/// The header of an IPv6 packet (RFC 8200), in bytes.
const IPV6_HEADER: usize = 40;

/// A message, and the record that it was sealed into.
pub(super) struct Packet {
    pub(super) message: Sample,
    pub(super) record: Vec<u8>,
}

/// Seals each message in a session that two ends of DTLS have come to.
pub(super) fn packets(seed: u64) -> Vec<Packet> {
    let mut cast = Cast::new(seed);
    let mut session = Session::new(cast.provider());
    let messages = of_a_device(&cast).into_iter().chain([longest()]).chain(of_a_gateway(&cast));
    messages.map(|message| Packet { record: session.seal(&message.bytes), message }).collect()
}

/// The longest message between a device and its gateway.
pub(super) fn longest_packet(seed: u64) -> Packet {
    let mut session = Session::new(Cast::new(seed).provider());
    let message = longest();
    Packet { record: session.seal(&message.bytes), message }
}

/// The figure.
pub(super) fn figure(seed: u64) -> Figure {
    let mut figure = Figure::new(
        8,
        "Sizes of the packets of the transmission protocol",
        seed,
        &[
            "a single encrypted UDP packet sent by IoT-Crypto application is 29 bytes bigger compared to \
             the transmission without encryption",
            "This overhead could be further reduced to 11 bytes per packet when using DTLS v1.3.",
        ],
    );
    let rows = packets(seed).into_iter().map(|Packet { message, record }| {
        let [payload, record] = [message.bytes.len(), record.len()];
        let udp = record + UDP_HEADER;
        let mut row = vec![Cell::from(message.name)];
        row.extend(
            [payload, record - payload, record, udp + IPV4_HEADER, udp + IPV6_HEADER]
                .map(Cell::from),
        );
        row
    });
    figure.tables = vec![Table::new(
        "Bytes of encoded messages, and of the records that they were sealed into",
        &["message", "payload", "added by DTLS", "record", "with UDP/IPv4", "with UDP/IPv6"],
        rows,
    )];
    figure.notes = vec![
        format!(
            "The id of these messages is {ID}: ids from 24 on take a byte more, from 256 on two, from \
             65,536 on four. Headers of IP are without options and not compressed."
        ),
        "11 bytes with DTLS 1.3 hold for a tag of 8 bytes (RFC 9147); with the 16 bytes of this suite's \
         tag it is 19 at least."
            .to_owned(),
    ];
    figure
}

/// A client that is connected.
struct Session {
    provider: Provider,
    client: Client<Provider>,
}

impl Session {
    fn new(mut provider: Provider) -> Self {
        let mut key = [0; 32];
        provider.random(&mut key).expect("it never fails");
        let key = || PresharedKey::new(&key).expect("it has a good length");
        let identity = PskIdentity::new(b"session").expect("it is short");
        let (config, now) = (Config::default(), Instant::ZERO);
        let mut client =
            Client::new(&config, &mut provider, now, &identity, key()).expect("it never fails");
        let mut server = SingleServer::new(&config, &mut provider).expect("it never fails");
        let mut buffer = [0; 1200];
        while !client.is_connected() {
            while let Some(length) =
                client.poll_transmit(&mut provider, now, &mut buffer).expect("it has room")
            {
                let mut datagram = Datagram::new(&mut buffer[..length]);
                while server.handle_record(&mut provider, now, &mut datagram).is_some() {}
                while let Some(event) = server.poll_event() {
                    if let ConnectionEvent::PskRequired(identity) = event {
                        server.provide_psk(&mut provider, now, &identity, Some(key()));
                    }
                }
            }
            while let Some(length) =
                server.poll_transmit(&mut provider, now, &mut buffer).expect("it has room")
            {
                let mut datagram = Datagram::new(&mut buffer[..length]);
                while client.handle_record(&mut provider, now, &mut datagram).is_some() {}
            }
        }
        Self { provider, client }
    }

    fn seal(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut buffer = [0; 1200];
        let length = self
            .client
            .send(&mut self.provider, Instant::ZERO, payload, &mut buffer)
            .expect("it is connected, and the payload fits");
        buffer[..length].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use iot_crypto::dtls::RECORD_OVERHEAD;
    use iot_crypto::transmission::{Kind, Message};

    use super::*;

    #[test]
    fn every_kind_is_there_and_is_sealed_with_29_bytes_more() {
        let packets = packets(1);
        for kind in Kind::ALL {
            assert!(packets.iter().any(|packet| packet.message.kind == *kind), "{kind} lacks");
        }
        assert_eq!(RECORD_OVERHEAD, 29);
        for Packet { message, record } in &packets {
            assert!(Message::decode(&message.bytes).is_ok(), "{}", message.name);
            assert_eq!(record.len(), message.bytes.len() + 29, "{}", message.name);
            let hidden = record.windows(message.bytes.len()).all(|part| part != message.bytes);
            assert!(hidden, "{} is not encrypted", message.name);
        }
    }
}
