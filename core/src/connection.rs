//! IoT-Connection-Protocol: how two parties find each other and come to a
//! session key.
//!
//! A gateway makes itself known by [`Advertisement`]s, authenticated with the
//! [`NetworkKey`] that everyone in the network shares. The constrained side (the
//! device towards its gateway, the gateway towards its cloud) then begins the
//! key negotiation, two messages over any carrier; here, it is DTLS under the
//! network's pre-shared key:
//!
//! ```text
//! Initiator                                        Responder
//!
//! NegotiationRequest                (M1)
//!   role, incarnation,
//!   ephemeral key or nonce,
//!   certificate and endorsements     -------->
//!                                                  checks the certificate
//!                                   (M2)           NegotiationResponse
//!                                                    incarnation, time, port,
//!                                                    ephemeral key,
//!                                                    certificate and endorsements,
//!                                    <--------       signature over M1 and M2
//! checks certificate and signature
//!
//!      session key and its id, from X25519 and the hash of M1 and M2
//! ```
//!
//! A responder that doesn't agree answers with a refusal ([`refuse`])
//! instead of M2. The initiator alone repeats itself: it sends the same M1
//! ([`Initiator::request`] writes the same bytes every time) until an answer
//! comes; the responder keeps its M2 for as long as the carrier's session lasts
//! and answers a repeated M1 with the same bytes. A message that is longer than
//! a datagram goes in segments ([`transfer`]).
//!
//! # Why the negotiation is safe
//!
//! * **Authentication.** The responder signs the whole of M1 and M2. The
//!   initiator signs nothing: the key comes from the responder's ephemeral key
//!   and the initiator's long-term key, so that only the holder of the latter
//!   can use it. Until the first record under the session key arrives, the
//!   responder knows only that somebody sent that certificate: it must not give
//!   up an older session before.
//! * **Stolen keys don't open the other direction** (key compromise
//!   impersonation). Who has the initiator's long-term keys can't pose to it as
//!   the responder: that takes a signature over this very M1, and to take the
//!   true responder's place in the session after it takes the initiator's
//!   ephemeral key. Without one ([`ForwardSecrecy::Off`]) the thief who watches
//!   M1 and M2 has the session key, and can read the session and speak in it in
//!   the responder's name. Who has the
//!   responder's long-term keys can't pose to it as an initiator: the
//!   responder's long-term exchange key is not used at all, its ephemeral key is
//!   new each time.
//! * **No unknown key share.** Both certificates are in the hash that the key is
//!   derived with, and in what the responder signs. A party that claims
//!   another's exchange key as its own gets a key that neither of them can
//!   compute.
//! * **Replays fail.** An old M2 doesn't sign this M1, which carries a new
//!   ephemeral key or nonce. An old M1 gets a new M2, and a key that whoever
//!   replayed it can't compute.
//! * **Past sessions** stay closed to whoever steals keys later, if the
//!   initiator brings an ephemeral key. Without one ([`ForwardSecrecy::Off`])
//!   they are open to whoever steals the initiator's long-term key.
//!
//! The formats are those of `conformance/SPEC.md`, sections 7 to 9.

mod advertisement;
mod initiator;
mod key_schedule;
mod message;
mod network_key;
mod refusal;
mod responder;
#[cfg(test)]
mod tests;
pub mod transfer;

pub use advertisement::{
    Advertisement, AdvertisementError, AdvertisementFilter, NotFresh, Versions,
};
pub use initiator::{ForwardSecrecy, Initiator, InitiatorParameters, NegotiationError};
pub use key_schedule::{SessionKey, SessionKeyId};
pub use message::{Freshness, LocalParty, Request};
pub use network_key::{MAX_NETWORK_KEYS, NetworkKey, NetworkKeyId, NetworkKeys, RingError};
pub use refusal::{NegotiationRefusal, REFUSAL_MAX_LEN, refuse};
pub use responder::{RespondError, ResponderParameters, respond};

use crate::identity::VerifiedCertificate;

/// What a key negotiation results in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The other party.
    pub peer: VerifiedCertificate,
    /// The key for the transmission service.
    pub key: SessionKey,
    /// The number that the other party drew when it started: when it differs
    /// from the one before, the other party has forgotten the requests of before.
    pub peer_incarnation: u32,
    /// Whether the initiator sleeps most of the time.
    pub sleepy: bool,
    /// The port of the responder's transmission service.
    pub transmission_port: u16,
}
