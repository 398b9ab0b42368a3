//! How connections end, what they report, and what a caller can do wrong.

use super::{AlertDescription, PskIdentity};
use crate::wire::BufferTooSmall;

/// Why a connection or session is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer ended the session in order, with a `close_notify`.
    ByPeer,
    /// The application called `close`.
    ByApplication,
    /// The peer sent this fatal alert. During a handshake alerts are not
    /// authenticated, so that it only becomes the reason if no answer that is
    /// better comes within a few retransmissions.
    Alert(AlertDescription),
    /// The handshake did not end in time.
    HandshakeTimeout {
        /// Whether records came that could not be decrypted: then the two
        /// sides' keys, or the identities that name them, may differ.
        undecryptable: bool,
    },
    /// The peer broke the protocol, or wants what is not supported here; it was
    /// told so with this fatal alert.
    Protocol(AlertDescription),
    /// The record sequence numbers are used up (RFC 6347 section 4.1); a new
    /// session is needed.
    SequenceNumbersExhausted,
    /// The peer made a new session from the same address.
    Replaced,
    /// A half-open handshake gave way to newer ones.
    Overload,
}

/// What a connection reports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The client has named itself, which is not proved yet;
    /// [`SingleServer::provide_psk`](super::SingleServer::provide_psk) is the
    /// answer. A client's connection does not report it.
    PskRequired(PskIdentity),
    /// The handshake has ended and both sides hold the same key. Application
    /// data may be sent.
    Connected,
    /// The connection is closed; it neither sends nor takes anything more,
    /// except one last alert that it may still hold.
    Closed(CloseReason),
}

/// Why nothing was sent. Nothing was changed either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The handshake has not ended yet.
    NotConnected,
    /// The session is closed, or not known.
    Closed,
    /// The payload does not fit into one datagram.
    PayloadTooLarge {
        /// The greatest payload that fits, in bytes.
        maximum: usize,
    },
    /// The output buffer is too small.
    BufferTooSmall(BufferTooSmall),
}

impl From<BufferTooSmall> for SendError {
    fn from(error: BufferTooSmall) -> Self {
        Self::BufferTooSmall(error)
    }
}

impl core::fmt::Display for SendError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotConnected => f.write_str("the handshake has not ended yet"),
            Self::Closed => f.write_str("the session is closed or not known"),
            Self::PayloadTooLarge { maximum } => {
                write!(f, "the payload is longer than the {maximum} bytes that fit in one datagram")
            }
            Self::BufferTooSmall(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}

impl core::fmt::Display for CloseReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::ByPeer => f.write_str("the peer closed the connection"),
            Self::ByApplication => f.write_str("the connection was closed here"),
            Self::Alert(alert) => write!(f, "the peer gave up: {alert}"),
            Self::HandshakeTimeout { undecryptable: true } => f.write_str(
                "the handshake did not end in time, and the peer's last message could not be \
                 decrypted: the keys may differ",
            ),
            Self::HandshakeTimeout { undecryptable: false } => {
                f.write_str("the handshake did not end in time")
            }
            Self::Protocol(alert) => write!(f, "the peer broke the protocol: {alert}"),
            Self::SequenceNumbersExhausted => f.write_str("the sequence numbers are used up"),
            Self::Replaced => f.write_str("a new connection of the same peer took its place"),
            Self::Overload => f.write_str("there was no room for it"),
        }
    }
}
