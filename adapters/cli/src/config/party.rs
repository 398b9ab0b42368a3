//! What the configuration of every role says of the party itself.

use std::path::PathBuf;

use iot_crypto::connection::NetworkKeys;
use iot_crypto::identity::{Endorsement, Endorsements, MAX_ENDORSEMENTS, PrivateIdentity};
use toml::Spanned;

use crate::argument::Source;
use crate::document::Review;
use crate::error::Error;
use crate::files::FileError;
use crate::text::{Kind, TextForm};
use crate::trust_file;
use iot_crypto_host::OsProvider;

/// Who a party is, and whom it trusts.
#[derive(Clone, Debug)]
pub struct Party {
    /// Its certificate and private keys.
    pub identity: PrivateIdentity,
    /// The endorsements that it shows.
    pub endorsements: Endorsements,
    /// Its trust file; there were no mistakes in it.
    pub trust: PathBuf,
    /// The keys of its network: at least one.
    pub network: NetworkKeys,
    /// The file that they are from.
    pub network_file: PathBuf,
}

/// The fields of a configuration that a [`Party`] comes from.
pub(super) struct PartyFields<'a> {
    pub(super) identity: &'a Spanned<String>,
    pub(super) endorsements: &'a [Spanned<String>],
    pub(super) trust: &'a Spanned<String>,
    pub(super) network: &'a Spanned<String>,
}

impl PartyFields<'_> {
    /// The party; `None` if a mistake was noted.
    pub(super) fn review(&self, provider: &OsProvider, review: &mut Review<'_>) -> Option<Party> {
        let identity = read::<PrivateIdentity>(provider, review, self.identity);
        let endorsements = self.endorsements(provider, review);
        let network = read::<NetworkKeys>(provider, review, self.network);
        if network.as_ref().is_some_and(|network| network.preferred().is_none()) {
            review
                .note(self.network.span(), "there is no key in it; run: iot-crypto network rotate");
        }
        let document = review.document();
        let trust = document.resolve(self.trust.get_ref());
        if let Err(error) = trust_file::load(provider, &trust) {
            review.note(self.trust.span(), explain(&error, "iot-crypto trust add"));
        }
        Some(Party {
            identity: identity?,
            endorsements,
            trust,
            network: network?,
            network_file: document.resolve(self.network.get_ref()),
        })
    }

    fn endorsements(&self, provider: &OsProvider, review: &mut Review<'_>) -> Endorsements {
        let mut endorsements = Endorsements::none();
        for field in self.endorsements {
            let Some(endorsement) = read::<Endorsement>(provider, review, field) else { continue };
            if endorsements.push(endorsement).is_err() {
                let problem =
                    format!("at most {MAX_ENDORSEMENTS} endorsements can be shown; take some out");
                review.note(field.span(), problem);
                break;
            }
        }
        endorsements
    }
}

/// Reads what a field names; a text that is not private may also stand in the
/// field itself.
fn read<T: TextForm>(
    provider: &OsProvider,
    review: &mut Review<'_>,
    field: &Spanned<String>,
) -> Option<T> {
    let source = match field.get_ref() {
        text if text.starts_with(crate::text::PREFIX) => Source::Pasted(text.clone()),
        file => Source::File(review.document().resolve(file)),
    };
    let maker = match T::KIND {
        Kind::Identity | Kind::Certificate => "iot-crypto identity new",
        Kind::Endorsement => "iot-crypto endorse",
        Kind::Revocation => "iot-crypto revoke",
        Kind::Network => "iot-crypto network new",
    };
    source.read(provider).map_err(|error| review.note(field.span(), explain(&error, maker))).ok()
}

/// The error, with what to do about a file that is not there.
fn explain(error: &Error, maker: &str) -> String {
    match error {
        Error::File(FileError::Read { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            format!(
                "{error}; names of files are relative to the directory of this configuration; \
                 to make one: {maker}"
            )
        }
        _ => error.to_string(),
    }
}
