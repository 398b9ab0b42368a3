//! What somebody does who can read, change, hold back and make up every datagram.

use super::{Datagram, HOSTS, Host, Server, To, World};
use crate::dtls::record;
use crate::dtls::twin::Origin;
use crate::input::Input;
use crate::mutation::mutate;

impl World {
    pub(super) fn attack(&mut self, input: &mut Input<'_>) {
        match input.below(9) {
            0 | 1 => self.replay(input),
            2 => {
                if let Some(mut first) = self.network.front().cloned() {
                    first.bytes = mutate(input, &first.bytes);
                    self.deliver(&first, Origin::Network);
                }
            }
            3 => {
                let bytes = input.long_bytes().to_vec();
                self.inject(input, bytes, Origin::Network);
            }
            4 => {
                let bytes = plaintext(input);
                self.inject(input, bytes, Origin::Network);
            }
            5 => self.splice(input),
            6 => self.downgrade(),
            _ => self.forge(input),
        }
    }

    /// Something of the past again, changed or not, to its receiver or to another.
    fn replay(&mut self, input: &mut Input<'_>) {
        let index = input.below(super::MEMORY);
        let Some(mut datagram) = self.seen.get(index).cloned() else { return };
        datagram.bytes = mutate(input, &datagram.bytes);
        if input.u8() > 200 {
            let bytes = datagram.bytes;
            return self.inject(input, bytes, Origin::Network);
        }
        self.deliver(&datagram, Origin::Network);
    }

    /// Takes the extended master secret out of the next `ClientHello`.
    fn downgrade(&mut self) {
        if let Some(first) = self.network.pop_front() {
            let bytes = record::without_extensions(&first.bytes);
            self.deliver(&Datagram { bytes, ..first }, Origin::Network);
        }
    }

    /// Two datagrams of the past in one.
    fn splice(&mut self, input: &mut Input<'_>) {
        let (one, other) = (input.below(super::MEMORY), input.below(super::MEMORY));
        if let (Some(one), Some(other)) = (self.seen.get(one), self.seen.get(other)) {
            let mut datagram = one.clone();
            datagram.bytes.extend(&other.bytes);
            self.deliver(&datagram, Origin::Network);
        }
    }

    /// A datagram to anyone, in anyone's name.
    fn inject(&mut self, input: &mut Input<'_>, bytes: Vec<u8>, origin: Origin) {
        let hosts = if self.kind == Server::Single { 1 } else { HOSTS + 1 };
        let from = Host(input.below(usize::from(hosts)) as u8);
        let to = if input.bool() { To::Server } else { To::Client(from) };
        self.deliver(&Datagram { to, from, bytes }, origin);
    }

    /// A record in the name of one who holds a key.
    fn forge(&mut self, input: &mut Input<'_>) {
        let host = Host(input.below(usize::from(HOSTS)) as u8);
        let by_server = input.bool();
        let content_type = input.pick(&[23, 21, 22, 20, 24]);
        let ahead = match input.below(4) {
            0 => 1,
            1 => u64::from(input.u8()),
            2 => input.u64() >> 16,
            _ => u64::from(input.u8()).wrapping_neg(),
        };
        let content = if content_type == 22 { handshake(input) } else { input.bytes().to_vec() };
        let tap = if by_server {
            self.server.tap()
        } else {
            self.clients.get(&host).and_then(|client| client.party.tap())
        };
        let Some(tap) = tap else { return };
        self.has_insider = true;
        let to = if by_server { To::Client(host) } else { To::Server };
        let bytes = record::forged(&tap, content_type, ahead, &content);
        self.deliver(&Datagram { to, from: host, bytes }, Origin::Insider);
    }
}

/// A record of epoch 0 with anything in it, or with handshake messages.
fn plaintext(input: &mut Input<'_>) -> Vec<u8> {
    let content_type = input.pick(&[22, 21, 20, 23, 22]);
    let sequence = u64::from(input.u16());
    let content = if content_type == 22 { handshake(input) } else { input.bytes().to_vec() };
    record::plaintext(content_type, sequence, &content)
}

/// One to three fragments of handshake messages.
fn handshake(input: &mut Input<'_>) -> Vec<u8> {
    let mut content = Vec::new();
    for _ in 0..=input.below(3) {
        let kind = input.pick(&[1, 2, 3, 12, 14, 16, 20, 0, 4]);
        let sequence = u16::from(input.u8() % 8);
        let offset = u32::from(input.u8());
        let body = input.bytes();
        let is_whole = input.u8() < 160;
        let (length, offset) =
            if is_whole { (body.len() as u32, 0) } else { (u32::from(input.u8()) * 2, offset) };
        content.extend(record::fragment(kind, sequence, length, offset, body));
    }
    content
}
