//! What a server reports, and what sessions are called.

use crate::dtls::{CloseReason, PskIdentity};

/// What a session is called. It is never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub(super) u64);

impl SessionId {
    /// The id as a number, for logs and tables.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Application data that came in.
#[derive(Debug, PartialEq, Eq)]
pub struct Received<'d> {
    /// The session that it came in.
    pub session: SessionId,
    /// The data, decrypted in the datagram's place.
    pub payload: &'d mut [u8],
}

/// What a server reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent<A> {
    /// A client has named itself. [`Server::provide_psk`](super::Server::provide_psk) is the answer; without
    /// one within `ServerConfig::psk_timeout`, the identity counts as unknown.
    PskRequired {
        /// The session that may come of it.
        session: SessionId,
        /// The name, which is not proved yet.
        identity: PskIdentity,
    },
    /// A handshake has ended: the client holds the key of `identity`.
    Connected {
        /// The session.
        session: SessionId,
        /// Where the client is.
        address: A,
        /// Its name, proved.
        identity: PskIdentity,
    },
    /// A session that was named in an earlier event is over.
    Closed {
        /// The session.
        session: SessionId,
        /// Why it is over.
        reason: CloseReason,
    },
}
