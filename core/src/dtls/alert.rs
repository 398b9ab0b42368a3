//! Alerts: what one side tells the other about the end of a session.

use super::CloseReason;
use crate::wire::{DecodeError, Reader};

/// How severe an alert is (RFC 5246 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlertLevel {
    /// The session goes on, unless the alert is a `close_notify`.
    Warning,
    /// The session is over.
    Fatal,
}

/// Defines the descriptions once, for both directions of the mapping.
macro_rules! alert_descriptions {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why a session or handshake ends (RFC 5246 section 7.2.2, and the
        /// extensions named below). Every code has exactly one description.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum AlertDescription {
            $($(#[$doc])* $name,)*
            /// A code that has no name here.
            Other(u8),
        }

        impl AlertDescription {
            /// The description that belongs to `code`.
            #[must_use]
            pub const fn from_code(code: u8) -> Self {
                match code {
                    $($code => Self::$name,)*
                    other => Self::Other(other),
                }
            }

            /// The code on the wire.
            #[must_use]
            pub const fn code(self) -> u8 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Other(code) => code,
                }
            }
        }
    };
}

alert_descriptions! {
    /// The sender has no more to say; an orderly end.
    CloseNotify = 0,
    /// A message did not belong where it came.
    UnexpectedMessage = 10,
    /// A record was not authentic. DTLS drops such records instead.
    BadRecordMac = 20,
    /// A record was longer than allowed.
    RecordOverflow = 22,
    /// No suite, extension or parameter is acceptable to both sides.
    HandshakeFailure = 40,
    /// A certificate was corrupt.
    BadCertificate = 42,
    /// A certificate was of a type that is not supported.
    UnsupportedCertificate = 43,
    /// A certificate was revoked.
    CertificateRevoked = 44,
    /// A certificate has expired.
    CertificateExpired = 45,
    /// A certificate was unacceptable for another reason.
    CertificateUnknown = 46,
    /// A field had a value that is not allowed, or that contradicts another.
    IllegalParameter = 47,
    /// The certificate authority is not known.
    UnknownCa = 48,
    /// The peer is known, but not allowed.
    AccessDenied = 49,
    /// A message could not be decoded.
    DecodeError = 50,
    /// A `Finished` did not verify. With a pre-shared key: the keys, or the
    /// identities, of the two sides differ (RFC 4279 section 2).
    DecryptError = 51,
    /// The peer's version is not supported.
    ProtocolVersion = 70,
    /// The server requires a stronger suite.
    InsufficientSecurity = 71,
    /// An error of the peer's own.
    InternalError = 80,
    /// A retry with a lower version than necessary (RFC 7507).
    InappropriateFallback = 86,
    /// The handshake was given up by the application.
    UserCanceled = 90,
    /// A new handshake inside the session is refused.
    NoRenegotiation = 100,
    /// An extension is missing (RFC 8446 section 6.2).
    MissingExtension = 109,
    /// The server answered with an extension that was not offered.
    UnsupportedExtension = 110,
    /// The server name is not known (RFC 6066).
    UnrecognizedName = 112,
    /// The certificate's status could not be told (RFC 6066).
    BadCertificateStatusResponse = 113,
    /// The pre-shared key's identity is not known (RFC 4279 section 2). Sent by
    /// others; never by this implementation, which does not tell.
    UnknownPskIdentity = 115,
    /// A certificate is required (RFC 8446 section 6.2).
    CertificateRequired = 116,
    /// No application protocol is common to both (RFC 7301).
    NoApplicationProtocol = 120,
}

impl core::fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{self:?} ({})", self.code())
    }
}

/// An alert message (RFC 5246 section 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) level: AlertLevel,
    pub(crate) description: AlertDescription,
}

impl Alert {
    /// The length of an alert, in bytes.
    pub(crate) const LENGTH: usize = 2;

    pub(crate) const CLOSE_NOTIFY: Self = Self::warning(AlertDescription::CloseNotify);

    pub(crate) const fn warning(description: AlertDescription) -> Self {
        Self { level: AlertLevel::Warning, description }
    }

    pub(crate) const fn fatal(description: AlertDescription) -> Self {
        Self { level: AlertLevel::Fatal, description }
    }

    /// What the alert means for whoever receives it: the end, or nothing.
    pub(crate) const fn closes(self) -> Option<CloseReason> {
        match (self.level, self.description) {
            (_, AlertDescription::CloseNotify) => Some(CloseReason::ByPeer),
            (AlertLevel::Fatal, description) => Some(CloseReason::Alert(description)),
            (AlertLevel::Warning, _) => None,
        }
    }

    pub(crate) const fn encode(self) -> [u8; Self::LENGTH] {
        let level = match self.level {
            AlertLevel::Warning => 1,
            AlertLevel::Fatal => 2,
        };
        [level, self.description.code()]
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let level = match reader.u8()? {
            1 => AlertLevel::Warning,
            2 => AlertLevel::Fatal,
            _ => return Err(DecodeError::Malformed),
        };
        let description = AlertDescription::from_code(reader.u8()?);
        reader.finish()?;
        Ok(Self { level, description })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_accepted_encodes_to_the_same_bytes(
            bytes in prop_oneof![
                (1..=2_u8, any::<u8>()).prop_map(|(level, code)| std::vec![level, code]),
                prop::collection::vec(any::<u8>(), 0..5),
            ],
        ) {
            let accepted = Alert::decode(&bytes);
            prop_assert_eq!(accepted.is_ok(), bytes.len() == 2 && (1..=2).contains(&bytes[0]));
            prop_assert!(accepted.is_err() || accepted.unwrap().encode()[..] == bytes);
        }
    }

    #[test]
    fn every_code_has_one_description_and_every_description_its_code() {
        for code in 0..=255 {
            assert_eq!(AlertDescription::from_code(code).code(), code);
        }
        assert_eq!(AlertDescription::from_code(51), AlertDescription::DecryptError);
        assert_eq!(AlertDescription::from_code(115), AlertDescription::UnknownPskIdentity);
        assert_eq!(AlertDescription::from_code(1), AlertDescription::Other(1));
    }

    #[test]
    fn an_alert_is_two_bytes_and_nothing_else() {
        let alert = Alert::fatal(AlertDescription::DecodeError);
        assert_eq!(alert.encode(), [2, 50]);
        assert_eq!(Alert::decode(&[2, 50]), Ok(alert));
        assert_eq!(Alert::decode(&[1, 0]), Ok(Alert::CLOSE_NOTIFY));
        assert_eq!(alert.closes(), Some(CloseReason::Alert(AlertDescription::DecodeError)));
        assert_eq!(Alert::CLOSE_NOTIFY.closes(), Some(CloseReason::ByPeer));
        assert_eq!(Alert::decode(&[1, 100]).unwrap().closes(), None);
        assert_eq!(Alert::decode(&[3, 0]), Err(DecodeError::Malformed));
        assert_eq!(Alert::decode(&[1]), Err(DecodeError::Truncated));
        assert_eq!(Alert::decode(&[1, 0, 0]), Err(DecodeError::Trailing));
    }
}
