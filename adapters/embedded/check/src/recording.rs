//! What the board has sent in all its lives, and whether it ever used something twice
//! that may be used only once.
//!
//! It encrypts nothing but the records of DTLS, in negotiations under keys that follow
//! from the network key, and in sessions under keys that follow from a session key
//! (SPEC.md section 11.2). What can be seen of each key and nonce on the wire:
//!
//! * the keys and the IVs of a handshake follow from its random values, so a client
//!   random must never come again in another handshake;
//! * the nonce of a record is the IV with its epoch and sequence number, so these must
//!   never come again in the same handshake with another content.
//!
//! What is inside of a record is not seen: the incarnation and the ephemeral key of a
//! negotiation come from the same generator as the client randoms.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::proxy::Sent;

/// The header of a record (RFC 6347 section 4.1), and where its parts begin.
const HEADER: usize = 13;
const EPOCH: usize = 3;
const LENGTH: usize = 11;

/// A record of the type handshake.
const HANDSHAKE: u8 = 22;

/// A message of the type ClientHello, and where in its record the random value is:
/// behind the headers of the record and of the message, and the version.
const CLIENT_HELLO: u8 = 1;
const RANDOM: usize = HEADER + 12 + 2;

type Random = [u8; 32];

/// What was used twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Two handshakes began with this random value.
    Random(Random),
    /// Two records with different content have the same nonce.
    Nonce {
        /// The random value of the handshake.
        random: Random,
        /// Epoch and sequence number, as they are in the record.
        number: u64,
    },
}

impl fmt::Display for Reuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random(random) => {
                write!(f, "two handshakes have the same client random, {random:02x?}")
            }
            Self::Nonce { random, number } => write!(
                f,
                "two records have the nonce {number:#x} and different content, in the handshake \
                 with the client random {random:02x?}"
            ),
        }
    }
}

impl std::error::Error for Reuse {}

/// All that the board has sent.
#[derive(Debug, Default)]
pub struct Recording {
    /// The handshake to which the records of a flow belong: the last one that began; with
    /// the number of its latest ClientHello.
    current: HashMap<usize, (Random, u64)>,
    randoms: HashSet<Random>,
    /// The content of each protected record.
    records: HashMap<(Random, u64), Vec<u8>>,
}

impl Recording {
    /// How many handshakes began.
    #[must_use]
    pub fn handshakes(&self) -> usize {
        self.randoms.len()
    }

    /// How many protected records were sent, without copies.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// Takes the datagrams that were sent next.
    ///
    /// # Errors
    /// What of them was used before.
    pub fn take(&mut self, sent: &[Sent]) -> Result<(), Reuse> {
        for Sent { flow, datagram } in sent {
            let mut rest = datagram.as_slice();
            while let Some((record, behind)) = split_record(rest) {
                self.take_record(*flow, record)?;
                rest = behind;
            }
        }
        Ok(())
    }

    fn take_record(&mut self, flow: usize, record: &[u8]) -> Result<(), Reuse> {
        let number = record.get(EPOCH..).and_then(<[u8]>::first_chunk);
        let number = number.map_or(0, |it| u64::from_be_bytes(*it));
        if let Some(random) = client_random(record) {
            // When a ClientHello is repeated, its record has a new number. Who begins anew
            // begins with an old one.
            let before = self.current.insert(flow, (random, number));
            let is_repeated =
                before.is_some_and(|(before, last)| before == random && last < number);
            if !is_repeated && !self.randoms.insert(random) {
                return Err(Reuse::Random(random));
            }
            return Ok(());
        }
        let is_protected = number >> 48 > 0;
        if is_protected && let Some((random, _)) = self.current.get(&flow) {
            let content = self.records.entry((*random, number)).or_insert_with(|| record.to_vec());
            if content != record {
                return Err(Reuse::Nonce { random: *random, number });
            }
        }
        Ok(())
    }
}

/// The first record, and what is behind it; `None` if there is no whole one.
fn split_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = bytes.get(LENGTH..)?.first_chunk()?;
    bytes.split_at_checked(HEADER + usize::from(u16::from_be_bytes(*length)))
}

/// The random value of a ClientHello, if this is a record with one.
fn client_random(record: &[u8]) -> Option<Random> {
    let is_client_hello = record.first() == Some(&HANDSHAKE)
        && record.get(EPOCH..EPOCH + 2) == Some(&[0, 0])
        && record.get(HEADER) == Some(&CLIENT_HELLO);
    if is_client_hello { record.get(RANDOM..)?.first_chunk().copied() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, number: u64, content: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 0xFE, 0xFD];
        record.extend(number.to_be_bytes());
        record.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        record.extend(content);
        record
    }

    fn client_hello(sequence: u64, random: u8) -> Vec<u8> {
        let mut content = vec![CLIENT_HELLO];
        content.extend([0; 11]);
        content.extend([0xFE, 0xFD]);
        content.extend([random; 32]);
        content.extend([0; 20]);
        record(HANDSHAKE, sequence, &content)
    }

    fn protected(sequence: u64, content: &[u8]) -> Vec<u8> {
        record(23, 1 << 48 | sequence, content)
    }

    fn take(recording: &mut Recording, flow: usize, records: &[Vec<u8>]) -> Result<(), Reuse> {
        recording.take(&[Sent { flow, datagram: records.concat() }])
    }

    #[test]
    fn what_is_repeated_as_it_was_is_no_reuse() {
        let mut all = Recording::default();
        for number in 0..3 {
            take(&mut all, 0, &[client_hello(number, 1), protected(0, b"one")]).unwrap();
            take(&mut all, 0, &[protected(1, b"two")]).unwrap();
        }
        // The same numbers in the clear, and in other handshakes.
        take(&mut all, 0, &[record(21, 7, b"an"), record(21, 7, b"alert")]).unwrap();
        take(&mut all, 1, &[client_hello(0, 2), protected(0, b"three")]).unwrap();
        take(&mut all, 0, &[client_hello(0, 3), protected(0, b"four")]).unwrap();
        assert_eq!((all.handshakes(), all.records()), (3, 4));
    }

    #[test]
    fn a_random_value_that_comes_again_in_another_handshake_is_found() {
        let reuse = Err(Reuse::Random([1; 32]));
        let mut all = Recording::default();
        take(&mut all, 0, &[client_hello(0, 1)]).unwrap();
        assert_eq!(take(&mut all, 1, &[client_hello(0, 1)]), reuse, "in another flow");
        let mut all = Recording::default();
        take(&mut all, 0, &[client_hello(0, 1), client_hello(0, 2)]).unwrap();
        assert_eq!(take(&mut all, 0, &[client_hello(1, 1)]), reuse, "after another one");
        let mut all = Recording::default();
        take(&mut all, 0, &[client_hello(0, 1)]).unwrap();
        assert_eq!(take(&mut all, 0, &[client_hello(0, 1)]), reuse, "in a new life");
    }

    #[test]
    fn a_nonce_that_comes_again_with_another_content_is_found() {
        let mut all = Recording::default();
        take(&mut all, 0, &[client_hello(0, 1), protected(5, b"one")]).unwrap();
        take(&mut all, 1, &[client_hello(0, 2), protected(5, b"two")]).unwrap();
        let number = 1 << 48 | 5;
        let reuse = |random| Err(Reuse::Nonce { random: [random; 32], number });
        assert_eq!(take(&mut all, 0, &[protected(6, b"six"), protected(5, b"two")]), reuse(1));
        assert_eq!(take(&mut all, 1, &[protected(5, b"one")]), reuse(2));
    }

    #[test]
    fn what_is_no_record_is_passed_over() {
        let mut all = Recording::default();
        let whole = client_hello(0, 1);
        for length in 0..whole.len() {
            let part = whole.get(..length).unwrap().to_vec();
            take(&mut all, 0, &[part]).unwrap();
        }
        assert_eq!((all.handshakes(), all.records()), (0, 0));
    }
}
