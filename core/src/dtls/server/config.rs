//! What a server is configured with.

use core::time::Duration;

use crate::dtls::Config;

/// When a client must prove its address with a cookie before anything is kept or
/// computed for it (RFC 6347 section 4.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookiePolicy {
    /// Always: one round trip more, and no state for forged addresses.
    #[default]
    Always,
    /// When more than so many handshakes are half open, or when the address has a
    /// session or handshake already.
    UnderLoad {
        /// How many half-open handshakes are no load yet.
        half_open: usize,
    },
    /// Never: for networks in which addresses can't be forged. A new handshake
    /// then displaces an unfinished one of the same address.
    Never,
}

/// The limits of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Sizes and times of every connection.
    pub dtls: Config,
    /// When cookies are demanded.
    pub cookies: CookiePolicy,
    /// How many sessions and handshakes there may be. When there are so many, the
    /// oldest handshake gives way to a new one; if all are sessions, a new
    /// `ClientHello` is dropped and counted. A server has room for 4,194,304.
    pub max_sessions: usize,
    /// How many handshakes may be half open, at least 1; when there are so many,
    /// the oldest gives way to a new one.
    pub max_half_open: usize,
    /// How long the application may take to provide a key.
    pub psk_timeout: Duration,
}

impl Default for ServerConfig {
    /// Cookies always, 1,024 sessions, 128 half-open handshakes, 10 s for a key.
    fn default() -> Self {
        Self {
            dtls: Config::default(),
            cookies: CookiePolicy::default(),
            max_sessions: 1024,
            max_half_open: 128,
            psk_timeout: Duration::from_secs(10),
        }
    }
}
