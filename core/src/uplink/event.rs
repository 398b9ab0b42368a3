//! What an uplink tells of the way up.

use super::Failure;
use crate::connection::{AdvertisementError, NotFresh};
use crate::dtls::CloseReason;
use crate::identity::{PartyId, Refusal};

/// Why an advertisement was not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheeded {
    /// It is not authentic, or not one at all.
    Advertisement(AdvertisementError),
    /// It is not a new one.
    NotFresh(NotFresh),
    /// The gateway speaks no version that is spoken here.
    Versions,
}

/// Why the session with a peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disconnection {
    /// The DTLS session ended.
    Session(CloseReason),
    /// The peer is no longer trusted.
    Untrusted(Refusal),
    /// Nothing was heard of the peer for too long.
    Silent,
    /// The peer did not replace its key in time.
    KeyTooOld,
    /// This party closed it.
    ByApplication,
}

impl core::fmt::Display for Disconnection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Session(reason) => reason.fmt(f),
            Self::Untrusted(refusal) => write!(f, "the peer is no longer trusted: {refusal}"),
            Self::Silent => f.write_str("the peer was silent for too long"),
            Self::KeyTooOld => f.write_str("the peer did not replace its key in time"),
            Self::ByApplication => f.write_str("it was closed here"),
        }
    }
}

/// What happened above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UplinkEvent {
    /// The peer was verified, and a session key negotiated.
    Negotiated { peer: PartyId },
    /// A session stands; `replaced` if it takes the place of another. If the peer
    /// is a new incarnation, it remembers nothing, and its requests are new.
    Connected { peer: PartyId, replaced: bool, new_incarnation: bool },
    /// The session ended. A new attempt follows by itself.
    Disconnected { peer: PartyId, reason: Disconnection },
    /// An attempt failed. The next one follows by itself.
    Failed(Failure),
    /// The peer has been silent for long, or seems to have started anew. It is to
    /// be asked for a sign of life; the session ends if there is none in time.
    PeerMayBeGone,
}
