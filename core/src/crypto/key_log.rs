//! Key logs: the secrets of sessions, for tools that open captures.

/// What a secret is for, as a key log names it.
///
/// DTLS 1.2 has one secret a handshake; a version with several will add their
/// labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyLogLabel {
    /// The master secret of DTLS 1.2, 48 bytes (RFC 5246 section 8.1, RFC 7627
    /// section 4).
    ClientRandom,
}

impl core::fmt::Display for KeyLogLabel {
    /// The label, as in RFC 9850 section 2.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::ClientRandom => "CLIENT_RANDOM",
        })
    }
}

/// Where the secrets of sessions go; see
/// [`Provider::log_secret`](super::Provider::log_secret).
///
/// `()` is the usual one: it keeps none, and takes no memory.
pub trait KeyLog {
    /// Keeps a secret, in whatever form.
    fn log_secret(&self, label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]);
}

impl KeyLog for () {
    fn log_secret(&self, _: KeyLogLabel, _: &[u8; 32], _: &[u8]) {}
}
