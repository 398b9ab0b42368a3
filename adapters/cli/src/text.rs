//! The text form of everything that is handed on: one line
//!
//! ```text
//! iot-crypto:certificate:BASE64URL
//! ```
//!
//! with the encoding of SPEC.md in base64url without padding (RFC 4648 section
//! 5). It can be pasted, and a file may have lines before and after it that are
//! empty or begin with `#`.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use iot_crypto::connection::NetworkKeys;
use iot_crypto::identity::{Certificate, Endorsement, PrivateIdentity, Revocation};
use iot_crypto::wire::{BufferTooSmall, cbor};
use zeroize::Zeroizing;

use iot_crypto_host::OsProvider;

/// What every text begins with.
pub const PREFIX: &str = "iot-crypto:";

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A certificate.
    Certificate,
    /// An endorsement.
    Endorsement,
    /// A revocation.
    Revocation,
    /// A private identity: a certificate with its private keys.
    Identity,
    /// The network keys: private.
    Network,
}

impl Kind {
    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    const ALL: [Self; 5] =
        [Self::Certificate, Self::Endorsement, Self::Revocation, Self::Identity, Self::Network];

    /// The word that stands for it in the text, and as the extension of a file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Endorsement => "endorsement",
            Self::Revocation => "revocation",
            Self::Identity => "identity",
            Self::Network => "network",
        }
    }

    /// Whether it has to be kept from others.
    #[must_use]
    pub const fn is_private(self) -> bool {
        matches!(self, Self::Identity | Self::Network)
    }
}

impl fmt::Display for Kind {
    /// As in "this is …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "a certificate",
            Self::Endorsement => "an endorsement",
            Self::Revocation => "a revocation",
            Self::Identity => "a private identity",
            Self::Network => "a file of network keys",
        })
    }
}

/// What has a text form.
pub trait TextForm: Sized {
    /// What it is.
    const KIND: Kind;

    /// Encodes it into `buffer`; the length.
    ///
    /// # Errors
    /// [`BufferTooSmall`].
    fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall>;

    /// Decodes what fills `bytes`.
    ///
    /// # Errors
    /// A text that says what is wrong.
    fn decode(provider: &OsProvider, bytes: &[u8]) -> Result<Self, String>;
}

impl TextForm for Certificate {
    const KIND: Kind = Kind::Certificate;

    fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        cbor::encode(self, buffer)
    }

    fn decode(_: &OsProvider, bytes: &[u8]) -> Result<Self, String> {
        Self::decode(bytes).map_err(|error| error.to_string())
    }
}

impl TextForm for Endorsement {
    const KIND: Kind = Kind::Endorsement;

    fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        cbor::encode(self, buffer)
    }

    fn decode(_: &OsProvider, bytes: &[u8]) -> Result<Self, String> {
        Self::decode(bytes).map_err(|error| error.to_string())
    }
}

impl TextForm for Revocation {
    const KIND: Kind = Kind::Revocation;

    fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        cbor::encode(self, buffer)
    }

    fn decode(_: &OsProvider, bytes: &[u8]) -> Result<Self, String> {
        Self::decode(bytes).map_err(|error| error.to_string())
    }
}

impl TextForm for PrivateIdentity {
    const KIND: Kind = Kind::Identity;

    fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        self.encode(buffer)
    }

    fn decode(provider: &OsProvider, bytes: &[u8]) -> Result<Self, String> {
        Self::decode(provider, bytes).map_err(|error| error.to_string())
    }
}

impl TextForm for NetworkKeys {
    const KIND: Kind = Kind::Network;

    fn encode(&self, buffer: &mut [u8]) -> Result<usize, BufferTooSmall> {
        self.encode(buffer)
    }

    fn decode(provider: &OsProvider, bytes: &[u8]) -> Result<Self, String> {
        Self::decode(provider, bytes).map_err(|error| error.to_string())
    }
}

/// Why a text is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// There is nothing, or nothing but comments.
    #[error("there is no text in it; {} was expected", .0)]
    Empty(Kind),
    /// It doesn't begin with [`PREFIX`].
    #[error("this is not a text of iot-crypto; {0} begins with {PREFIX}{word}:", word = .0.word())]
    Foreign(Kind),
    /// It is of a kind that isn't known.
    #[error("'{found}' is not a kind of text that is known here; {expected} was expected")]
    UnknownKind {
        /// The word that stands for the kind.
        found: String,
        /// What it should be.
        expected: Kind,
    },
    /// It is something else.
    #[error("this is {found}; {expected} was expected")]
    WrongKind {
        /// What it is.
        found: Kind,
        /// What it should be.
        expected: Kind,
    },
    /// The base64 is broken.
    #[error("{kind} was expected, but its base64 is broken at character {position}; copy it again")]
    Base64 {
        /// What it should be.
        kind: Kind,
        /// The place in the base64, counted from 1.
        position: usize,
    },
    /// The bytes behind the base64 are wrong.
    #[error("{kind} was expected, but it is damaged: {problem}")]
    Content {
        /// What it should be.
        kind: Kind,
        /// What is wrong.
        problem: String,
    },
    /// There are several.
    #[error("there is more than one text in it; one alone was expected, {}", .0)]
    Several(Kind),
}

/// The text form of `value`, without a line end.
#[must_use]
pub fn line<T: TextForm>(value: &T) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new(vec![0; 512]);
    let length = match value.encode(&mut bytes) {
        Ok(length) => length,
        Err(BufferTooSmall { needed }) => {
            bytes = Zeroizing::new(vec![0; needed]);
            value.encode(&mut bytes).unwrap_or_default()
        }
    };
    let encoded = bytes.get(..length).unwrap_or_default();
    let prefix = format!("{PREFIX}{}:", T::KIND.word());
    // With all of its room from the start, so that no copy is left behind.
    let room = prefix.len() + BASE64URL_NOPAD.encode_len(encoded.len());
    let mut line = Zeroizing::new(String::with_capacity(room));
    line.push_str(&prefix);
    BASE64URL_NOPAD.encode_append(encoded, &mut line);
    line
}

/// The contents of a file: `comment`, each line of it behind a `#`, and the text
/// form of `value`.
#[must_use]
pub fn file<T: TextForm>(comment: &str, value: &T) -> Zeroizing<String> {
    let line = line(value);
    let room = comment.len() + 2 * comment.lines().count() + line.len() + 2;
    let mut file = Zeroizing::new(String::with_capacity(room));
    for comment in comment.lines() {
        file.push_str("# ");
        file.push_str(comment);
        file.push('\n');
    }
    file.push_str(&line);
    file.push('\n');
    file
}

/// The kind that a text says it is, whatever else is wrong with it.
#[must_use]
pub fn kind_of(text: &str) -> Option<Kind> {
    let (word, _) = lines(text).next()?.strip_prefix(PREFIX)?.split_once(':')?;
    Kind::of_word(word)
}

/// The lines that are not comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Reads the text form, alone or as [`file()`] writes it.
///
/// # Errors
/// [`TextError`].
pub fn parse<T: TextForm>(provider: &OsProvider, text: &str) -> Result<T, TextError> {
    let kind = T::KIND;
    let mut lines = lines(text);
    let line = lines.next().ok_or(TextError::Empty(kind))?;
    let (word, base64) = line
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once(':'))
        .ok_or(TextError::Foreign(kind))?;
    let found = Kind::of_word(word).ok_or_else(|| TextError::UnknownKind {
        found: word.chars().take(32).collect(),
        expected: kind,
    })?;
    if found != kind {
        return Err(TextError::WrongKind { found, expected: kind });
    }
    if lines.next().is_some() {
        return Err(TextError::Several(kind));
    }
    let bytes = BASE64URL_NOPAD
        .decode(base64.as_bytes())
        .map(Zeroizing::new)
        .map_err(|error| TextError::Base64 { kind, position: error.position + 1 })?;
    T::decode(provider, &bytes).map_err(|problem| TextError::Content { kind, problem })
}

#[cfg(test)]
mod tests {
    use iot_crypto::identity::Name;
    use iot_crypto::time::UnixTime;

    use super::*;
    use iot_crypto_host::os_provider;

    fn identity() -> PrivateIdentity {
        let mut provider = os_provider();
        let (created, expires) = (UnixTime::from_secs(1), UnixTime::from_secs(2));
        PrivateIdentity::create(&mut provider, Name::new("lamp").unwrap(), created, expires)
            .unwrap()
    }

    fn read(text: &str) -> Result<Certificate, TextError> {
        parse(&os_provider(), text)
    }

    #[test]
    fn what_is_written_is_read_alone_and_with_comments() {
        let identity = identity();
        let certificate = identity.certificate();
        assert_eq!(read(&line(certificate)).as_ref(), Ok(certificate));
        let file = file("the lamp\nin the hall", certificate);
        assert!(file.starts_with("# the lamp\n# in the hall\niot-crypto:certificate:"));
        assert_eq!(read(&file).as_ref(), Ok(certificate));
        assert_eq!(read(&format!("\n  {}\r\n\n", *line(certificate))).as_ref(), Ok(certificate));
        let again: PrivateIdentity = parse(&os_provider(), &line(&identity)).unwrap();
        assert_eq!(again.id(), identity.id());
    }

    #[test]
    fn what_is_something_else_is_named() {
        let identity = identity();
        let error = read(&line(&identity)).unwrap_err();
        assert_eq!(error.to_string(), "this is a private identity; a certificate was expected");
        assert!(matches!(read(""), Err(TextError::Empty(_))));
        assert!(matches!(read("# only a comment\n"), Err(TextError::Empty(_))));
        assert!(matches!(read("-----BEGIN CERTIFICATE-----"), Err(TextError::Foreign(_))));
        assert!(matches!(read("iot-crypto:licence:AAAA"), Err(TextError::UnknownKind { .. })));
        let twice = format!("{0}\n{0}", *line(identity.certificate()));
        assert!(matches!(read(&twice), Err(TextError::Several(_))));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let line = line(identity().certificate()).to_string();
        let broken = line.replacen("certificate:h", "certificate:!", 1);
        assert_ne!(broken, line);
        assert_eq!(read(&broken), Err(TextError::Base64 { kind: Kind::Certificate, position: 1 }));
        assert!(matches!(read(&line[..line.len() - 4]), Err(TextError::Content { .. })));
        let trailing = read(&format!("{line}AAAA")).or_else(|_| read(&format!("{line}AA")));
        assert!(trailing.is_err());
        assert!(matches!(read("iot-crypto:certificate:"), Err(TextError::Content { .. })));
    }
}
