//! What a node tells of what happened to it.

use iot_crypto::connection::NetworkKeyId;
use iot_crypto::identity::PartyId;
use iot_crypto::transmission::{ErrorCode, MessageId};
use iot_crypto::uplink::{Disconnection, Failure};

use crate::store::StoreError;

/// What happened to a node. Nothing has to be done about it: the node has done so.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A gateway was verified, and a session key negotiated with it.
    Negotiated {
        /// The gateway.
        gateway: PartyId,
    },
    /// A session with a gateway stands.
    Connected {
        /// The gateway.
        gateway: PartyId,
        /// Whether it replaced a session.
        replaced: bool,
    },
    /// The session ended. The node looks for a new one.
    Disconnected {
        /// The gateway.
        gateway: PartyId,
        /// Why.
        reason: Disconnection,
    },
    /// An attempt to get a session failed. The next one follows.
    Failed(Failure),
    /// An alert has arrived, and the gateway has taken charge of it.
    AlertDelivered(MessageId),
    /// The gateway does not want this alert.
    AlertRefused(MessageId, ErrorCode),
    /// The gateway handed out a network key.
    NetworkKeyReceived(NetworkKeyId),
    /// Somebody was revoked.
    Revoked(PartyId),
    /// Nothing is waiting at the gateway: a sleepy device may sleep until its
    /// deadline.
    MaySleep,
    /// Something could not be saved. It is tried again.
    NotSaved(StoreError),
}

impl core::fmt::Display for Event {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Negotiated { gateway } => write!(f, "negotiated a key with gateway {gateway}"),
            Self::Connected { gateway, replaced: false } => {
                write!(f, "connected to gateway {gateway}")
            }
            Self::Connected { gateway, replaced: true } => {
                write!(f, "connected to gateway {gateway} in place of the session before")
            }
            Self::Disconnected { gateway, reason } => {
                write!(f, "disconnected from gateway {gateway}: {reason}")
            }
            Self::Failed(failure) => write!(f, "no session: {failure}"),
            Self::AlertDelivered(id) => write!(f, "alert {id} delivered"),
            Self::AlertRefused(id, code) => write!(f, "alert {id} refused: {code}"),
            Self::NetworkKeyReceived(id) => write!(f, "received network key {id}"),
            Self::Revoked(party) => write!(f, "{party} is revoked"),
            Self::MaySleep => f.write_str("nothing is waiting"),
            Self::NotSaved(error) => write!(f, "not saved: {error}"),
        }
    }
}

/// By its text: the core's types know nothing of defmt, and no secret is in any of
/// them.
#[cfg(feature = "defmt")]
impl defmt::Format for Event {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}", defmt::Display2Format(self));
    }
}
