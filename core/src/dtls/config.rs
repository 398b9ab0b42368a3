//! What the application configures: keys, identities, sizes and times.

use core::time::Duration;

use crate::crypto::{EntropyError, Provider, Secret};

/// A pre-shared key of 1 to 64 bytes (RFC 4279 section 5.4). It is erased when
/// dropped and never shown by `Debug`.
#[derive(Clone)]
pub struct PresharedKey {
    bytes: Secret<{ Self::MAX_LENGTH }>,
    length: u8,
}

impl PresharedKey {
    /// The greatest length of a key, in bytes.
    pub const MAX_LENGTH: usize = 64;

    /// The key `bytes`; `None` if they are none or more than
    /// [`PresharedKey::MAX_LENGTH`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let length = u8::try_from(bytes.len()).ok().filter(|length| *length > 0)?;
        let mut key = Secret::default();
        key.expose_mut().get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { bytes: key, length })
    }

    /// A key that nobody has.
    pub(crate) fn random<P: Provider>(provider: &mut P) -> Result<Self, EntropyError> {
        let mut key = Secret::default();
        let length = 32_u8;
        let bytes = key.expose_mut().get_mut(..usize::from(length)).unwrap_or_default();
        provider.random(bytes)?;
        Ok(Self { bytes: key, length })
    }

    pub(crate) fn expose(&self) -> &[u8] {
        self.bytes.expose().get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl core::fmt::Debug for PresharedKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PresharedKey(…)")
    }
}

/// The name under which the server knows a pre-shared key: at most 128 bytes,
/// the length that every implementation supports (RFC 4279 section 5.3).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PskIdentity(heapless::Vec<u8, { Self::MAX_LENGTH }, u8>);

impl PskIdentity {
    /// The greatest length of an identity, in bytes.
    pub const MAX_LENGTH: usize = 128;

    /// The identity `bytes`; `None` if they are more than
    /// [`PskIdentity::MAX_LENGTH`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        heapless::Vec::from_slice(bytes).ok().map(Self)
    }

    /// The bytes of the identity.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Whether the session must be bound to its whole handshake (RFC 7627).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedMasterSecret {
    /// A peer that does not know the extension is refused.
    #[default]
    Required,
    /// It is used with every peer that knows it.
    Preferred,
}

/// Sizes and times of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The greatest UDP payload to send, in bytes: the path MTU less the IP and
    /// UDP headers (28 bytes with IPv4, 48 with IPv6). Taken as 128 if it is
    /// less, and as 16,413 (one record of 2^14 bytes) if it is more.
    pub max_datagram: usize,
    /// How long to wait for an answer before a flight is repeated for the first
    /// time; the wait doubles from time to time (RFC 6347 section 4.2.4.1).
    pub retransmission: Duration,
    /// What the wait grows to at most.
    pub retransmission_limit: Duration,
    /// How long after its start a handshake that has not ended is given up.
    pub handshake_timeout: Duration,
    /// Whether the extended master secret is insisted on.
    pub extended_master_secret: ExtendedMasterSecret,
}

impl Config {
    /// The smallest datagram that the handshake can work with, in bytes.
    pub const MIN_DATAGRAM: usize = 128;
    /// The largest datagram that is ever sent, in bytes.
    pub const MAX_DATAGRAM: usize = (1 << 14) + crate::dtls::RECORD_OVERHEAD;

    /// The greatest datagram to send, within the range that is possible.
    pub(crate) fn datagram_limit(&self) -> usize {
        self.max_datagram.clamp(Self::MIN_DATAGRAM, Self::MAX_DATAGRAM)
    }
}

impl Default for Config {
    /// 1,200 bytes; 1 s, doubling up to 60 s; 30 s; required.
    fn default() -> Self {
        Self {
            max_datagram: 1200,
            retransmission: Duration::from_secs(1),
            retransmission_limit: Duration::from_secs(60),
            handshake_timeout: Duration::from_secs(30),
            extended_master_secret: ExtendedMasterSecret::Required,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_identities_are_taken_up_to_their_length_and_not_shown() {
        assert!(PresharedKey::new(&[]).is_none());
        assert!(PresharedKey::new(&[1; 65]).is_none());
        assert!(PresharedKey::new(&[1; 300]).is_none());
        let key = PresharedKey::new(&[7; 64]).unwrap();
        assert_eq!(key.expose(), [7; 64]);
        assert_eq!(std::format!("{key:?}"), "PresharedKey(…)");
        assert!(PskIdentity::new(&[1; 129]).is_none());
        assert_eq!(PskIdentity::new(&[1; 128]).unwrap().as_bytes(), [1; 128]);
    }
}
