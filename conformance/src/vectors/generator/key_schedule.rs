//! The key schedule and record protection of DTLS 1.2 with
//! TLS_PSK_WITH_CHACHA20_POLY1305_SHA256, from the RFCs.

use iot_crypto::crypto::{Provider as _, SymmetricKey};

use super::primitives::{hmac, sha256, start};
use crate::subject::{Side, provider};
use crate::vectors::InnerValue;

/// P_SHA256 (RFC 5246 section 5).
fn prf(secret: &[u8], label: &str, seed: &[u8], length: usize) -> Vec<u8> {
    let seed = [label.as_bytes(), seed].concat();
    let mut a = seed.clone();
    let mut out = Vec::new();
    while out.len() < length {
        a = hmac(secret, &a).to_vec();
        out.extend(hmac(secret, &[&a[..], &seed].concat()));
    }
    out.truncate(length);
    out
}

/// The premaster secret of plain PSK (RFC 4279 section 2).
fn premaster(psk: &[u8]) -> Vec<u8> {
    let length = u16::try_from(psk.len()).expect("short").to_be_bytes();
    [&length[..], &vec![0; psk.len()], &length, psk].concat()
}

/// What a handshake's keys depend on.
pub(super) struct Handshake<'a> {
    pub(super) psk: &'a [u8],
    pub(super) client_random: [u8; 32],
    pub(super) server_random: [u8; 32],
    pub(super) extended_master_secret: bool,
    /// The messages up to the `ClientKeyExchange`.
    pub(super) messages: &'a [u8],
    /// The number of the client's `Finished`.
    pub(super) finished: u16,
}

/// All that follows from a handshake.
pub(super) struct Keys {
    client: Direction,
    server: Direction,
    pub(super) client_finished: Vec<u8>,
    pub(super) server_finished: Vec<u8>,
    /// The way to it.
    pub(super) steps: Vec<InnerValue>,
}

struct Direction {
    key: [u8; 32],
    iv: [u8; 12],
}

impl Keys {
    pub(super) fn new(handshake: &Handshake<'_>) -> Self {
        let premaster = premaster(handshake.psk);
        let session_hash = sha256(handshake.messages);
        let randoms = [handshake.client_random, handshake.server_random].concat();
        // RFC 7627 section 4, or RFC 5246 section 8.1.
        let master = if handshake.extended_master_secret {
            prf(&premaster, "extended master secret", &session_hash, 48)
        } else {
            prf(&premaster, "master secret", &randoms, 48)
        };
        // RFC 5246 section 6.3: no MAC keys; RFC 7905: 32 bytes of key, 12 of IV.
        let seed = [handshake.server_random, handshake.client_random].concat();
        let block = prf(&master, "key expansion", &seed, 88);
        let client = Direction { key: start(&block), iv: start(&block[64..]) };
        let server = Direction { key: start(&block[32..]), iv: start(&block[76..]) };

        let client_finished = prf(&master, "client finished", &session_hash, 12);
        let finished = message(20, handshake.finished, &client_finished);
        let whole = sha256(&[handshake.messages, &finished].concat());
        let server_finished = prf(&master, "server finished", &whole, 12);
        let steps = [
            ("pre-shared key", handshake.psk),
            ("premaster secret", &premaster),
            ("messages up to the ClientKeyExchange", handshake.messages),
            ("session hash", &session_hash),
            ("master secret", &master),
            ("key block", &block),
            ("client write key", &client.key),
            ("server write key", &server.key),
            ("client write IV", &client.iv),
            ("server write IV", &server.iv),
            ("client verify_data", &client_finished),
            ("hash up to the client's Finished", &whole),
            ("server verify_data", &server_finished),
        ];
        let steps = steps.map(|(name, value)| InnerValue::new(name, value)).to_vec();
        Self { client, server, client_finished, server_finished, steps }
    }

    /// Nonce and additional data of a record (RFC 7905 section 2, RFC 5246 section
    /// 6.2.3.3).
    fn guards(&self, side: Side, number: [u8; 8], kind: u8, length: usize) -> ([u8; 12], Vec<u8>) {
        let mut nonce = self.direction(side).iv;
        for (to, from) in nonce[4..].iter_mut().zip(number) {
            *to ^= from;
        }
        let length = u16::try_from(length).expect("short").to_be_bytes();
        (nonce, [&number[..], &[kind, 0xfe, 0xfd], &length].concat())
    }

    fn direction(&self, side: Side) -> &Direction {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// Opens a record of `side`; what is in it, and the way to it.
    pub(super) fn open(&self, side: Side, record: &Record) -> (Vec<u8>, Vec<InnerValue>) {
        let (content, tag) = record.fragment.split_at(record.fragment.len() - 16);
        let (nonce, aad) = self.guards(side, record.number, record.kind, content.len());
        let provider = provider(&[]);
        let key = provider.aead_key(&SymmetricKey::new(self.direction(side).key));
        let mut content = content.to_vec();
        provider
            .open(&key, &nonce, &aad, &mut content, &start(tag))
            .expect("the record was sealed with the key that follows from the RFCs");
        let name = |what: &str| {
            let number = u64::from_be_bytes(record.number) & ((1 << 48) - 1);
            format!("{} record {number}: {what}", word(side))
        };
        let steps = vec![
            InnerValue::new(name("nonce"), &nonce),
            InnerValue::new(name("additional data"), &aad),
            InnerValue::new(name("content"), &content),
        ];
        (content, steps)
    }

    /// The record number `sequence` of epoch 1 of `side`.
    pub(super) fn seal(&self, side: Side, sequence: u64, kind: u8, content: &[u8]) -> Vec<u8> {
        let number = (1 << 48 | sequence).to_be_bytes();
        let (nonce, aad) = self.guards(side, number, kind, content.len());
        let provider = provider(&[]);
        let key = provider.aead_key(&SymmetricKey::new(self.direction(side).key));
        let mut sealed = content.to_vec();
        let tag = provider.seal(&key, &nonce, &aad, &mut sealed);
        sealed.extend(tag);
        Record { kind, number, fragment: sealed }.encode()
    }
}

pub(super) fn word(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

/// A record of DTLS 1.2.
pub(super) struct Record {
    pub(super) kind: u8,
    /// Epoch and sequence number.
    pub(super) number: [u8; 8],
    pub(super) fragment: Vec<u8>,
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let length = u16::try_from(self.fragment.len()).expect("short").to_be_bytes();
        [&[self.kind, 0xfe, 0xfd], &self.number[..], &length, &self.fragment].concat()
    }

    /// The records of a datagram.
    pub(super) fn all(mut datagram: &[u8]) -> Vec<Self> {
        let mut records = Vec::new();
        while !datagram.is_empty() {
            let length = usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
            records.push(Self {
                kind: datagram[0],
                number: start(&datagram[3..]),
                fragment: datagram[13..13 + length].to_vec(),
            });
            datagram = &datagram[13 + length..];
        }
        records
    }

    pub(super) fn epoch(&self) -> u16 {
        u16::from_be_bytes([self.number[0], self.number[1]])
    }
}

/// A handshake message as one fragment (RFC 6347 section 4.2.2).
pub(super) fn message(kind: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    let number = sequence.to_be_bytes();
    [&[kind], &length[1..], &number, &[0, 0, 0], &length[1..], body].concat()
}
