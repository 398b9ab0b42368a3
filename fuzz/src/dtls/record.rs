//! Records, as somebody reads and writes them who shares no code with the core.

use crate::toy::{Tap, seal};

const HEADER: usize = 13;
const MAX_FRAGMENT: usize = (1 << 14) + 2048;
const VERSION: [u8; 2] = [0xfe, 0xfd];

/// How many records a datagram is taken for: those that can be told apart, and one
/// for the rest (RFC 6347 section 4.1).
pub(crate) fn count(mut datagram: &[u8]) -> u32 {
    let mut count = 0;
    while !datagram.is_empty() {
        count += 1;
        let Some(header) = datagram.first_chunk::<HEADER>() else { break };
        let is_epoch_0 = header[3..5] == [0, 0];
        let is_known = header[1..3] == VERSION || (header[1..3] == [0xfe, 0xff] && is_epoch_0);
        let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
        if !is_known || length > MAX_FRAGMENT || datagram.len() < HEADER + length {
            break;
        }
        datagram = &datagram[HEADER + length..];
    }
    count
}

/// A record of epoch 0.
pub(crate) fn plaintext(content_type: u8, sequence: u64, content: &[u8]) -> Vec<u8> {
    let mut record = vec![content_type];
    record.extend(VERSION);
    record.extend(sequence.to_be_bytes());
    record[3..5].copy_from_slice(&[0, 0]);
    record.extend((content.len() as u16).to_be_bytes());
    record.extend(content);
    record
}

/// A fragment of a handshake message.
pub(crate) fn fragment(kind: u8, sequence: u16, length: u32, offset: u32, body: &[u8]) -> Vec<u8> {
    let u24 = |number: u32| number.to_be_bytes()[1..].to_vec();
    let mut fragment = vec![kind];
    fragment.extend(u24(length));
    fragment.extend(sequence.to_be_bytes());
    fragment.extend(u24(offset));
    fragment.extend(u24(body.len() as u32));
    fragment.extend(body);
    fragment
}

/// A record in the name of whoever sealed what `tap` tells of, `ahead` records after
/// that one.
pub(crate) fn forged(tap: &Tap, content_type: u8, ahead: u64, content: &[u8]) -> Vec<u8> {
    let sequence = u64::from_be_bytes(tap.sequence).wrapping_add(ahead).to_be_bytes();
    let mut nonce = tap.nonce;
    for (byte, change) in nonce[4..].iter_mut().zip(tap.sequence.iter().zip(sequence)) {
        *byte ^= change.0 ^ change.1;
    }
    let mut aad = sequence.to_vec();
    aad.push(content_type);
    aad.extend(VERSION);
    aad.extend((content.len() as u16).to_be_bytes());
    let mut ciphertext = content.to_vec();
    let tag = seal(tap.key, &nonce, &aad, &mut ciphertext);
    let mut record = vec![content_type];
    record.extend(VERSION);
    record.extend(sequence);
    record.extend((content.len() as u16 + 16).to_be_bytes());
    record.extend(ciphertext);
    record.extend(tag);
    record
}

/// The cookie in a datagram that demands one.
pub(crate) fn cookie(datagram: &[u8]) -> Option<&[u8]> {
    let is_demand = datagram.first() == Some(&22) && datagram.get(HEADER) == Some(&3);
    let body = datagram.get(HEADER + 12..).filter(|_| is_demand)?;
    body.get(3..3 + usize::from(*body.get(2)?))
}

/// The core's `ClientHello`, less its extensions; anything else as it is.
pub(crate) fn without_extensions(datagram: &[u8]) -> Vec<u8> {
    let mut bytes = datagram.to_vec();
    let is_hello = bytes.len() > 60 && bytes[0] == 22 && bytes[HEADER] == 1;
    if !is_hello || !bytes.ends_with(&[0, 4, 0, 23, 0, 0]) {
        return bytes;
    }
    bytes.truncate(bytes.len() - 6);
    // The length of the record, of the message, and of its only fragment.
    let lengths = [(11, bytes.len() - HEADER), (15, bytes.len() - 25), (23, bytes.len() - 25)];
    for (at, length) in lengths {
        bytes[at..at + 2].copy_from_slice(&(length as u16).to_be_bytes());
    }
    bytes
}

/// Whether a datagram carries a `ServerHello` with the extended master secret.
pub(crate) fn grants_extended_master_secret(datagram: &[u8]) -> bool {
    let is_hello = datagram.first() == Some(&22) && datagram.get(HEADER) == Some(&2);
    is_hello && datagram.windows(4).any(|part| part == [0, 23, 0, 0])
}
