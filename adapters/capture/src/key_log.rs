//! The lines of a key log.

use data_encoding::HEXLOWER;
use iot_crypto::crypto::{KeyLogLabel, Secret};
use zeroize::Zeroizing;

/// The longest secret that a line takes, in bytes.
const MAX_SECRET: usize = 64;

/// A secret, as a line of a key log holds it (RFC 9850 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLogLine {
    label: KeyLogLabel,
    client_random: [u8; 32],
    secret: Secret<MAX_SECRET>,
    length: usize,
}

impl KeyLogLine {
    /// A line; `None` if `secret` has more than 64 bytes.
    #[must_use]
    pub fn new(label: KeyLogLabel, client_random: &[u8; 32], secret: &[u8]) -> Option<Self> {
        let mut kept = Secret::default();
        kept.expose_mut().get_mut(..secret.len())?.copy_from_slice(secret);
        Some(Self { label, client_random: *client_random, secret: kept, length: secret.len() })
    }

    /// What the secret is for.
    #[must_use]
    pub const fn label(&self) -> KeyLogLabel {
        self.label
    }

    /// The random value of the `ClientHello`, which names the handshake.
    #[must_use]
    pub const fn client_random(&self) -> &[u8; 32] {
        &self.client_random
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        self.secret.expose().get(..self.length).unwrap_or_default()
    }

    /// The line, with its end.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(HEXLOWER.encode(self.secret()));
        let random = HEXLOWER.encode(&self.client_random);
        Zeroizing::new(format!("{} {random} {}\n", self.label, *secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_that_of_nss_and_hides_its_secret_from_debug() {
        let line = KeyLogLine::new(KeyLogLabel::ClientRandom, &[0xab; 32], &[0x1f; 48]).unwrap();
        let expected = format!("CLIENT_RANDOM {} {}\n", "ab".repeat(32), "1f".repeat(48));
        assert_eq!(*line.text(), expected);
        assert!(!format!("{line:?}").contains("31"), "{line:?}");
        assert_eq!(KeyLogLine::new(KeyLogLabel::ClientRandom, &[0; 32], &[0; 65]), None);
    }
}
