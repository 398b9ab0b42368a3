//! The files of a running role that may change: whom it trusts, and the keys of
//! its network.

use std::path::{Path, PathBuf};

use iot_crypto::connection::{NetworkKey, NetworkKeyId, NetworkKeys};
use iot_crypto::identity::{PartyId, Revocation};

use crate::argument::Source;
use crate::config::Party;
use crate::document::Document;
use crate::error::Error;
use crate::files::{self, Access, Existing};
use crate::text;
use crate::trust_file::{Contents, Store, TrustFile};
use iot_crypto_host::OsProvider;

/// What a role has of its files, and what it last read in them.
pub(super) struct PartyFiles {
    provider: OsProvider,
    trust: PathBuf,
    trust_text: String,
    parties: Vec<(PartyId, String)>,
    revocations: Vec<Revocation>,
    /// Revocations that came over the network and could not be written into the
    /// trust file; they must not be forgotten with the next change of it.
    unsaved: Vec<Revocation>,
    network: PathBuf,
    accepted: Vec<NetworkKeyId>,
}

/// What has changed in a trust file.
pub(super) struct TrustChange {
    pub(super) store: Box<Store>,
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    /// How many revocations are new.
    pub(super) revocations: usize,
}

/// What has changed in a file of network keys.
pub(super) struct NetworkChange {
    /// The new keys, the one to prefer last.
    pub(super) added: Vec<NetworkKey>,
    pub(super) retired: Vec<NetworkKeyId>,
}

impl PartyFiles {
    /// Reads the trust file of a party; also gives the store.
    pub(super) fn open(provider: OsProvider, party: &Party) -> Result<(Self, Box<Store>), Error> {
        let document = Document::read(&party.trust)?;
        let contents = Contents::check(&provider, &document)?;
        let store = contents.store(&provider)?;
        let files = Self {
            provider,
            trust: party.trust.clone(),
            trust_text: document.text().to_owned(),
            parties: parties(&contents),
            revocations: contents.revocations,
            unsaved: Vec::new(),
            network: party.network_file.clone(),
            accepted: party.network.iter().map(NetworkKey::id).collect(),
        };
        Ok((files, store))
    }

    /// The files to watch.
    pub(super) fn paths(&self) -> [&Path; 2] {
        [&self.trust, &self.network]
    }

    /// The trust file.
    pub(super) fn trust(&self) -> &Path {
        &self.trust
    }

    /// What has changed in the trust file since it was last read; `None` if
    /// nothing has. A file with mistakes is told of once.
    pub(super) fn trust_change(&mut self) -> Result<Option<TrustChange>, Error> {
        let document = Document::read(&self.trust)?;
        if document.text() == self.trust_text {
            return Ok(None);
        }
        document.text().clone_into(&mut self.trust_text);
        let contents = Contents::check(&self.provider, &document)?;
        let mut store = contents.store(&self.provider)?;
        for revocation in &self.unsaved {
            // One whose issuer is no longer listed has no effect.
            let _ = store.revoke(&self.provider, revocation);
        }
        let now = parties(&contents);
        let names = |of: &[(PartyId, String)], without: &[(PartyId, String)]| {
            let missing =
                |(id, _): &&(PartyId, String)| without.iter().all(|(known, _)| known != id);
            of.iter().filter(missing).map(|(_, name)| name.clone()).collect()
        };
        let change = TrustChange {
            store,
            added: names(&now, &self.parties),
            removed: names(&self.parties, &now),
            revocations: contents
                .revocations
                .iter()
                .filter(|revocation| !self.revocations.contains(revocation))
                .count(),
        };
        self.parties = now;
        self.revocations = contents.revocations;
        Ok(Some(change))
    }

    /// What has changed in the file of network keys.
    pub(super) fn network_change(&mut self) -> Result<Option<NetworkChange>, Error> {
        let keys: NetworkKeys = Source::File(self.network.clone()).read(&self.provider)?;
        let ids: Vec<NetworkKeyId> = keys.iter().map(NetworkKey::id).collect();
        if ids == self.accepted || ids.is_empty() {
            return Ok(None);
        }
        let mut added: Vec<NetworkKey> =
            keys.iter().filter(|key| !self.accepted.contains(&key.id())).cloned().collect();
        added.reverse();
        let retired = self.accepted.iter().filter(|id| !ids.contains(id)).copied().collect();
        self.accepted = ids;
        Ok(Some(NetworkChange { added, retired }))
    }

    /// Writes a revocation that came over the network into the trust file.
    pub(super) fn save_revocation(&mut self, revocation: &Revocation) -> Result<(), Error> {
        let subject = revocation.subject().to_string();
        let saved = TrustFile::open(&self.provider, &self.trust).and_then(|mut file| {
            file.revoke(revocation, &subject)?;
            file.save()
        });
        match saved {
            Ok(contents) => {
                self.revocations = contents.revocations;
                Ok(())
            }
            Err(error) => {
                self.unsaved.push(revocation.clone());
                Err(error)
            }
        }
    }

    /// Puts a network key that came over the network first in the file, if it is
    /// not in there.
    pub(super) fn save_network_key(&mut self, key: &NetworkKey) -> Result<(), Error> {
        let _lock = files::lock(&self.network)?;
        let mut keys: NetworkKeys = Source::File(self.network.clone()).read(&self.provider)?;
        if keys.find(key.id()).is_none() {
            prefer(&mut keys, key);
            let ids: Vec<_> = keys.iter().map(|key| key.id().to_string()).collect();
            let comment = format!("network keys: private\n{}", ids.join(", "));
            let contents = text::file(&comment, &keys);
            files::write(&self.network, &contents, Access::Private, Existing::Replace)?;
        }
        self.accepted = keys.iter().map(NetworkKey::id).collect();
        Ok(())
    }
}

/// Puts `key` first; if there is no room, the last one gives way.
pub(super) fn prefer(keys: &mut NetworkKeys, key: &NetworkKey) {
    keys.retire(key.id());
    let last = keys.iter().last().map(NetworkKey::id);
    if let (true, Some(last)) = (keys.is_full(), last) {
        keys.retire(last);
    }
    // There is room now, and the id is not taken.
    let _ = keys.add(key.clone());
}

fn parties(contents: &Contents) -> Vec<(PartyId, String)> {
    contents.parties.iter().map(|it| (it.id, it.certificate.name().to_string())).collect()
}
