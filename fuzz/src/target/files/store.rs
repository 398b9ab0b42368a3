//! Trust files, read and changed; and the files that a configuration names.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use chacha20::ChaCha20Rng;
use iot_crypto::connection::{NetworkKey, NetworkKeys};
use iot_crypto::crypto::RustCrypto;
use iot_crypto::identity::{
    Authority, Endorsement, Grant, Name, PartyId, PrivateIdentity, Revocation, Rights, Roles,
};
use iot_crypto::time::UnixTime;
use iot_crypto_cli::document::Document;
use iot_crypto_cli::files::{self, Access, Existing};
use iot_crypto_cli::text;
use iot_crypto_cli::trust_file::{Contents, TrustFile};
use iot_crypto_host::os_provider;
use rand_core::SeedableRng as _;

use super::{assert_places, nowhere};
use crate::input::Input;

thread_local! {
    static DIRECTORY: OnceCell<Directory> = const { OnceCell::new() };
    /// The secrets in the files, which nothing may show.
    pub(super) static PRIVATE: OnceCell<Vec<String>> = const { OnceCell::new() };
}

/// A directory with the files that a configuration names, and who they are from.
pub(super) struct Directory {
    directory: tempfile::TempDir,
    company: PrivateIdentity,
    partner: PrivateIdentity,
    endorsement: Endorsement,
    revocation: Revocation,
}

impl Directory {
    /// The directory of this thread; it goes when the thread does.
    pub(super) fn with<R>(act: impl FnOnce(&Self) -> R) -> R {
        DIRECTORY.with(|directory| act(directory.get_or_init(Self::new)))
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn new() -> Self {
        // In memory, where that is.
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let directory = tempfile::tempdir_in(parent).unwrap();
        // The same in every run, so that a finding can be found again.
        let mut provider = RustCrypto::new(ChaCha20Rng::from_seed([6; 32]));
        let (from, to) = (UnixTime::from_secs(1), UnixTime::from_secs(1 << 40));
        let mut identity = |name| {
            PrivateIdentity::create(&mut provider, Name::new(name).unwrap(), from, to).unwrap()
        };
        let (company, partner) = (identity("company"), identity("partner"));
        let grant = Grant { roles: Roles::ALL, rights: Rights::ALL };
        let endorsement =
            company.endorse(&provider, partner.certificate(), from, to, grant).unwrap();
        let revocation = company.revoke(&provider, partner.id(), from).unwrap();
        let mut network = NetworkKeys::new();
        let key = NetworkKey::create(&mut provider).unwrap();
        network.add(key).unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            files::write(&path, text, Access::Private, Existing::Keep).unwrap();
        };
        write("i", &text::line(&partner));
        write("n", &text::line(&network));
        write("e", &text::line(&endorsement));
        write("t", "");
        let secret = |line: &str| line.rsplit(':').next().unwrap()[8..40].to_owned();
        PRIVATE.with(|secrets| {
            secrets.get_or_init(|| vec![secret(&text::line(&network))]);
        });
        Self { directory, company, partner, endorsement, revocation }
    }
}

/// What is accepted can be put into a store.
pub(super) fn contents(text: &str) {
    let provider = os_provider();
    let document = Document::new(nowhere(), text.to_owned());
    match Contents::check(&provider, &document) {
        Ok(contents) => {
            let store = contents.store(&provider).unwrap();
            assert_eq!(store.parties().count(), contents.parties.len());
        }
        Err(mistakes) => assert_places(&document, &mistakes.to_string()),
    }
}

/// What a trust file says, to compare.
#[derive(Clone, Debug, PartialEq)]
struct Says {
    parties: BTreeSet<(PartyId, bool)>,
    held: usize,
    revocations: usize,
}

impl Says {
    fn of(contents: &Contents) -> Self {
        let party = |party: &iot_crypto_cli::trust_file::Party| {
            (party.id, party.authority == Authority::Full)
        };
        Self {
            parties: contents.parties.iter().map(party).collect(),
            held: contents.held.len(),
            revocations: contents.revocations.len(),
        }
    }
}

/// Changes a trust file that somebody wrote by hand. If it could be read, it says
/// afterwards what it said before, and what was changed.
pub(super) fn edit(input: &mut Input<'_>) {
    let changes: Vec<u8> = (0..1 + input.below(4)).map(|_| input.u8()).collect();
    let Ok(text) = std::str::from_utf8(input.rest()) else { return };
    Directory::with(|directory| {
        let provider = os_provider();
        let path = directory.path().join("edited.toml");
        // "@a" and the like stand for what nobody could guess.
        let text = text
            .replace("@c", &text::line(directory.company.certificate()))
            .replace("@p", &text::line(directory.partner.certificate()))
            .replace("@e", &text::line(&directory.endorsement))
            .replace("@r", &text::line(&directory.revocation));
        fs::write(&path, &text).unwrap();
        for change in changes {
            let Ok(mut file) = TrustFile::open(&provider, &path) else { return };
            let mut expected = Says::of(file.contents());
            let (company, partner) = (&directory.company, &directory.partner);
            let someone = if change & 8 == 0 { company } else { partner };
            match change & 7 {
                0 | 1 => {
                    let is_full = change & 1 == 1;
                    let authority = if is_full { Authority::Full } else { Authority::Endorse };
                    file.add_party(someone.certificate(), authority).unwrap();
                    expected.parties.retain(|(id, _)| *id != someone.id());
                    expected.parties.insert((someone.id(), is_full));
                }
                2 | 3 => {
                    file.remove_party(someone.id()).unwrap();
                    expected.parties.retain(|(id, _)| *id != someone.id());
                }
                4 | 5 => {
                    let is_known = file.contents().held.iter().any(|held| {
                        held.subject == *partner.certificate()
                            && held.endorsement.issuer() == company.id()
                    });
                    file.hold(partner.certificate(), &directory.endorsement).unwrap();
                    expected.held += usize::from(!is_known);
                }
                _ => {
                    let is_known = file.contents().revocations.iter().any(|known| {
                        known.issuer() == company.id() && known.subject() == partner.id()
                    });
                    file.revoke(&directory.revocation, "partner").unwrap();
                    expected.revocations += usize::from(!is_known);
                }
            }
            // It may have become too long.
            let Ok(saved) = file.save() else { return };
            assert_eq!(Says::of(&saved), expected, "after {change} to {text:?}");
            let again = TrustFile::open(&provider, &path).expect("what was saved can be read");
            assert_eq!(Says::of(again.contents()), expected);
        }
    });
}
