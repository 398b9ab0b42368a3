//! What an endpoint is configured with.

use std::time::Duration;

/// How long a session waits before it repeats a flight for the first time. The
/// clock of tinydtls can't be set.
pub const RETRANSMISSION: Duration = Duration::from_millis(200);

/// Which side of a handshake an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It begins.
    Client,
    /// It answers.
    Server,
}

/// Which version of DTLS an endpoint speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// DTLS 1.2 (RFC 6347).
    #[default]
    Dtls12,
    /// DTLS 1.3 (RFC 9147) with a pre-shared key and without a key exchange (`psk_ke`).
    Dtls13,
}

/// A suite of pre-shared keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// `TLS_PSK_WITH_CHACHA20_POLY1305_SHA256` (RFC 7905), which is ours.
    ChaCha20Poly1305,
    /// `TLS_PSK_WITH_AES_128_CCM_8` (RFC 6655): with a tag of 8 bytes.
    Aes128Ccm8,
}

impl Suite {
    /// What it is called, in short.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChaCha20Poly1305 => "ChaCha20-Poly1305",
            Self::Aes128Ccm8 => "AES-128-CCM-8",
        }
    }
}

/// What an endpoint is configured with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The version that it speaks.
    pub version: Version,
    /// The name of the key; printable, since some take it as a C string.
    pub identity: String,
    /// The key.
    pub key: Vec<u8>,
    /// Whether a server demands a cookie. The servers of wolfSSL (in DTLS 1.2) and
    /// tinydtls always do.
    pub cookie: bool,
    /// A server's identity hint. Mbed TLS never sends one.
    pub hint: Option<String>,
    /// A server name that a client asks for, which makes its `ClientHello` long.
    /// Neither dimpl nor tinydtls sends one.
    pub server_name: Option<String>,
    /// The greatest datagram to send, in bytes of UDP payload; `None` for as much
    /// as the library can. tinydtls can't be told.
    pub max_datagram: Option<u16>,
    /// Whether the extended master secret is offered or taken. dimpl can't do
    /// without.
    pub extended_master_secret: bool,
}

impl Settings {
    /// DTLS 1.2 with that key: no cookie, hint or server name, datagrams as large as
    /// they can be, the extended master secret.
    #[must_use]
    pub fn new(identity: &str, key: &[u8]) -> Self {
        Self {
            version: Version::Dtls12,
            identity: identity.to_owned(),
            key: key.to_vec(),
            cookie: false,
            hint: None,
            server_name: None,
            max_datagram: None,
            extended_master_secret: true,
        }
    }
}
