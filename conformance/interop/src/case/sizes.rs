//! Datagrams and payloads, the smallest and the largest.

use std::collections::BTreeSet;

use anyhow::{bail, ensure};
use iot_crypto::dtls::{Config, CookiePolicy, PskIdentity, RECORD_OVERHEAD, SendError};

use super::Parties;
use crate::pair::{Direction, Setup};
use crate::peer::Library;

/// The greatest payload of a record (RFC 5246 section 6.2.1).
const MAX_PAYLOAD: usize = 1 << 14;

/// The sizes from 1 to `maximum`: about all powers of two, and about a block of the
/// cipher (64 bytes) and of the authenticator (16).
fn up_to(maximum: usize) -> BTreeSet<usize> {
    let powers = (0..=14).map(|power| 1_usize << power);
    let blocks = (1..=16).map(|count| count * 16);
    let about = powers.chain(blocks).flat_map(|size| [size - 1, size, size + 1]);
    about.chain([maximum]).filter(|size| (1..=maximum).contains(size)).collect()
}

/// `size` bytes that differ from those of another size.
fn payload(size: usize) -> Vec<u8> {
    (0..size).map(|index| (index.wrapping_mul(31) ^ size) as u8).collect()
}

pub(super) fn sizes(parties: Parties) -> anyhow::Result<Option<String>> {
    let mut pair = parties.connect(&Setup::default())?;
    for size in up_to(MAX_PAYLOAD) {
        pair.send(&payload(size))?;
    }
    let refused = pair.ours.send(&payload(MAX_PAYLOAD + 1)).err();
    let refused = refused.and_then(|error| error.downcast::<SendError>().ok());
    let expected = SendError::PayloadTooLarge { maximum: MAX_PAYLOAD };
    ensure!(refused == Some(expected), "one byte too many: {refused:?}");
    let theirs = pair.theirs.max_payload();
    for size in up_to(theirs) {
        pair.receive(&payload(size))?;
    }
    Ok(Some(format!("{MAX_PAYLOAD} / {theirs}")))
}

/// How small a peer's datagrams are made, and what it can do about it.
struct Small {
    /// The limit of its datagrams, in bytes.
    datagram: u16,
    /// Whether it can split a long `ClientHello`.
    splits_client_hello: bool,
    /// Whether it has messages that it splits at this limit.
    has_fragments: bool,
}

impl Small {
    fn of(Parties { library, direction }: Parties) -> anyhow::Result<Self> {
        Ok(match (library, direction) {
            // The least that `SSL_set_mtu` takes.
            (Library::OpenSsl, _) => {
                Self { datagram: 256, splits_client_hello: true, has_fragments: true }
            }
            (Library::GnuTls, _) => {
                Self { datagram: 128, splits_client_hello: true, has_fragments: true }
            }
            (Library::MbedTls, Direction::OurServer) => {
                Self { datagram: 128, splits_client_hello: false, has_fragments: true }
            }
            // It sends no hint, so that only a `ServerHello` can be split.
            (Library::MbedTls, Direction::OurClient) => {
                Self { datagram: 96, splits_client_hello: false, has_fragments: true }
            }
            // It never splits the messages of this handshake.
            (Library::WolfSsl, _) => {
                Self { datagram: 256, splits_client_hello: false, has_fragments: false }
            }
            (Library::Dimpl | Library::TinyDtls, _) => bail!("it does not have our suite"),
        })
    }
}

pub(super) fn small_datagrams(parties: Parties) -> anyhow::Result<Option<String>> {
    let small = Small::of(parties)?;
    let mut setup = Setup { cookies: CookiePolicy::Always, ..Setup::default() };
    setup.ours.max_datagram = Config::MIN_DATAGRAM;
    setup.theirs.max_datagram = Some(small.datagram);
    setup.theirs.cookie = true;
    setup.theirs.identity = "i".repeat(PskIdentity::MAX_LENGTH);
    setup.theirs.hint = Some("h".repeat(PskIdentity::MAX_LENGTH));
    if small.splits_client_hello {
        setup.theirs.server_name = Some([&"s".repeat(60); 3].map(String::as_str).join("."));
    }
    let mut pair = parties.connect(&setup)?;
    let limit = usize::from(small.datagram);
    pair.send(&payload(Config::MIN_DATAGRAM - RECORD_OVERHEAD))?;
    pair.receive(&payload(limit - RECORD_OVERHEAD))?;
    let (from_us, from_them) = (pair.from_us(), pair.from_them());
    ensure!(from_us.largest <= Config::MIN_DATAGRAM, "ours had {} bytes", from_us.largest);
    ensure!(from_them.largest <= limit, "theirs had {} bytes", from_them.largest);
    // Of our server's messages none is as long.
    let ours_splits = parties.direction == Direction::OurClient;
    ensure!(ours_splits == (from_us.fragments > 0), "{} fragments of ours", from_us.fragments);
    let theirs = from_them.fragments;
    ensure!(small.has_fragments == (theirs > 0), "{theirs} fragments of theirs");
    Ok(Some(format!("{} / {theirs}", from_us.fragments)))
}
