//! What a server reports, and what sessions are called.

use crate::dtls::{CloseReason, PskIdentity};

/// What a session is called. It is never used again for another one. Ids are
/// ordered as the sessions began.
// The serial number, and behind it the place in the server's table, so that no map
// from one to the other is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

impl SessionId {
    pub(super) const PLACE_BITS: u32 = 22;
    /// At a thousand handshakes a second, the numbers last for a hundred years.
    pub(super) const MAX_SERIAL: u64 = u64::MAX >> Self::PLACE_BITS;

    pub(super) const fn new(serial: u64, place: u32) -> Self {
        Self(serial << Self::PLACE_BITS | place as u64)
    }

    pub(super) const fn place(self) -> u32 {
        self.0 as u32 & ((1 << Self::PLACE_BITS) - 1)
    }

    /// The serial number, for logs and tables: 1 for the server's first session.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0 >> Self::PLACE_BITS
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
