//! The text form of what is handed on.

use iot_crypto::connection::NetworkKeys;
use iot_crypto::identity::{Certificate, Endorsement, PrivateIdentity, Revocation};
use iot_crypto_cli::text::{self, TextError, TextForm};
use iot_crypto_host::os_provider;

/// A text is of one kind at most. What is read is written as the same line.
pub(super) fn any(text: &str) {
    let kinds = [
        is::<Certificate>(text),
        is::<Endorsement>(text),
        is::<Revocation>(text),
        is::<NetworkKeys>(text),
        is::<PrivateIdentity>(text),
    ];
    assert!(kinds.into_iter().filter(|is| *is).count() <= 1, "{text:?} is of several kinds");
}

fn is<T: TextForm>(text: &str) -> bool {
    match text::parse::<T>(&os_provider(), text) {
        Ok(value) => {
            assert_eq!(text::kind_of(text), Some(T::KIND));
            let line = text::line(&value);
            let is_line = |found: &str| found.trim() == line.as_str();
            assert!(text.lines().any(is_line), "{text:?} is written as {:?}", *line);
            let file = text::file("a comment\nof two lines", &value);
            assert!(text::parse::<T>(&os_provider(), &file).is_ok());
            true
        }
        Err(TextError::Base64 { position, .. }) => {
            assert!((1..=text.len() + 1).contains(&position));
            false
        }
        Err(error) => {
            std::hint::black_box(error.to_string());
            false
        }
    }
}
