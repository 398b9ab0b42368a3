//! Makes the reference vectors.
//!
//! The same program always makes the same bytes: every secret and every random
//! number follows from a text. Structures, signatures and key schedules are worked
//! out here from SPEC.md and the primitives alone, not by the core, so that the
//! core that agrees with the vectors agrees with the text. Only what an
//! implementation is free in (how a flight is cut into datagrams) is recorded from
//! the core, and then decrypted and verified by an observer.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all input is constant: a failure is a mistake in the generator"
)]

mod advertisement;
mod broken;
mod cast;
mod cbor;
mod conversation;
mod handshake;
mod identity;
mod key_schedule;
mod message;
mod negotiation;
mod network_key;
mod observer;
mod primitives;
mod records;
mod segments;
mod session;
mod trust;

use super::VectorFile;

/// All vector files, with their names.
#[must_use]
pub fn files() -> Vec<(&'static str, VectorFile)> {
    let file = |name, about: &str, vectors| (name, VectorFile { about: about.to_owned(), vectors });
    vec![
        file(
            "identity.json",
            "Certificates, endorsements, credentials, revocations and private files: SPEC.md \
             sections 3 to 5.",
            identity::vectors(),
        ),
        file("trust.json", "The decision whether to trust: SPEC.md section 6.", trust::vectors()),
        file(
            "network-key.json",
            "Network keys and what is derived from them: SPEC.md section 7.",
            network_key::vectors(),
        ),
        file(
            "advertisement.json",
            "Advertisements, and which of them are new: SPEC.md section 8.",
            advertisement::vectors(),
        ),
        file(
            "negotiation.json",
            "The key negotiation, with and without an ephemeral key of the initiator's: SPEC.md \
             section 9.",
            negotiation::vectors(),
        ),
        file(
            "segments.json",
            "Messages that are longer than a datagram: SPEC.md section 9.6.",
            segments::vectors(),
        ),
        file(
            "message.json",
            "The messages of the transmission protocol: SPEC.md section 10.",
            message::vectors(),
        ),
        file(
            "handshake.json",
            "Handshakes of DTLS 1.2 with TLS_PSK_WITH_CHACHA20_POLY1305_SHA256: RFC 6347, RFC \
             4279, RFC 7905, RFC 7627.",
            handshake::vectors(),
        ),
        file(
            "records.json",
            "Protected records of DTLS 1.2: RFC 6347 section 4.1, RFC 7905.",
            records::vectors(),
        ),
        file(
            "session.json",
            "From the network key to the last message: a negotiation in its DTLS session, and \
             sessions under negotiated keys with every kind of message.",
            session::vectors(),
        ),
    ]
}
