//! What a device keeps for its next start: the last time that it knew, and the
//! network keys that it was handed.

use std::path::{Path, PathBuf};

use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::time::UnixTime;
use serde::Deserialize;

use super::super::files::prefer;
use crate::document::{Document, Review};
use crate::error::Error;
use crate::files::{self, Access, Existing, FileError};
use crate::text;
use crate::time::Date;
use iot_crypto_host::OsProvider;

/// The file.
pub(super) struct StateFile {
    path: PathBuf,
    network: NetworkKeys,
}

/// What was kept.
#[derive(Default)]
pub(super) struct Kept {
    /// The last time that was known.
    pub(super) time: UnixTime,
    network: NetworkKeys,
}

impl Kept {
    /// The configured keys, with those that were handed out since in front.
    pub(super) fn with(&self, mut configured: NetworkKeys) -> NetworkKeys {
        let received: Vec<&NetworkKey> = self.network.iter().collect();
        for key in received.into_iter().rev() {
            prefer(&mut configured, key);
        }
        configured
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    time: toml::Spanned<String>,
    network: Option<toml::Spanned<String>>,
}

impl StateFile {
    /// Opens the file; one that isn't there is made when there is something to
    /// keep.
    pub(super) fn open(provider: &OsProvider, path: &Path) -> Result<(Self, Kept), Error> {
        let kept = match files::read(path, Access::Private) {
            Err(FileError::Read { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Kept::default()
            }
            text => parse(provider, &Document::new(path.to_owned(), text?.to_string()))?,
        };
        Ok((Self { path: path.to_owned(), network: kept.network.clone() }, kept))
    }

    /// Remembers a network key, to be saved.
    pub(super) fn keep(&mut self, key: &NetworkKey) {
        prefer(&mut self.network, key);
    }

    /// Writes the file.
    pub(super) fn save(&self, time: UnixTime) -> Result<(), Error> {
        let mut contents = zeroize::Zeroizing::new(String::with_capacity(1024));
        contents.push_str("# What a device keeps for its next start: private\n");
        contents.push_str(&format!("time = \"{}\"\n", Date(time)));
        if self.network.preferred().is_some() {
            contents.push_str("network = \"");
            contents.push_str(&text::line(&self.network));
            contents.push_str("\"\n");
        }
        Ok(files::write(&self.path, &contents, Access::Private, Existing::Replace)?)
    }
}

fn parse(provider: &OsProvider, document: &Document) -> Result<Kept, Error> {
    let raw: Raw = document.parse()?;
    let mut review = Review::new(document);
    let time = match raw.time.get_ref().parse() {
        Ok(Date(time)) => time,
        Err(problem) => {
            review.note(raw.time.span(), problem);
            UnixTime::default()
        }
    };
    let network = raw.network.map_or_else(NetworkKeys::new, |field| {
        text::parse(provider, field.get_ref()).unwrap_or_else(|error| {
            review.note(field.span(), error.to_string());
            NetworkKeys::new()
        })
    });
    Ok(review.finish(Some(Kept { time, network }))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use iot_crypto_host::os_provider;

    #[test]
    fn what_was_kept_is_there_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("device.state");
        let mut provider = os_provider();
        let (mut state, kept) = StateFile::open(&provider, &path).unwrap();
        assert_eq!(kept.time, UnixTime::default());
        let [old, first, second] = [(); 3].map(|()| NetworkKey::create(&mut provider).unwrap());
        state.keep(&first);
        state.keep(&second);
        state.save(UnixTime::from_secs(1_800_000_000)).unwrap();

        let (_, kept) = StateFile::open(&provider, &path).unwrap();
        assert_eq!(kept.time, UnixTime::from_secs(1_800_000_000));
        let mut configured = NetworkKeys::new();
        configured.add(old.clone()).unwrap();
        let ids: Vec<_> = kept.with(configured).iter().map(NetworkKey::id).collect();
        assert_eq!(ids, [second.id(), first.id(), old.id()]);
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("device.state");
        files::write(&path, "time = \"noon\"\n", Access::Private, Existing::Keep).unwrap();
        let error = StateFile::open(&os_provider(), &path).err().unwrap().to_string();
        assert!(error.contains("device.state:1:8"), "{error}");
    }
}
