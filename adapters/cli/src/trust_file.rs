//! The trust file: whom a party trusts, as TOML.
//!
//! ```toml
//! [[party]]            # whose endorsements count
//! certificate = "iot-crypto:certificate:…"
//! authority = "full"   # or "endorse"
//!
//! [[endorsement]]      # held here, need not be shown
//! subject = "iot-crypto:certificate:…"
//! endorsement = "iot-crypto:endorsement:…"
//!
//! [[revocation]]
//! revocation = "iot-crypto:revocation:…"
//! ```
//!
//! It is rewritten as a whole, comments kept, so that a program that watches it
//! never sees half of it.

use std::path::Path;

use iot_crypto::identity::{
    Authority, Certificate, Endorsement, Fingerprint, PartyId, Revocation, TrustError, TrustStore,
};
use serde::Deserialize;
use toml::Spanned;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::document::{Document, Mistakes, Review};
use crate::error::Error;
use crate::files::{self, Access, Existing, FileError};
use crate::provider::OsProvider;
use crate::text::{self, TextForm};

/// The greatest number of trusted parties.
pub const MAX_PARTIES: usize = 64;
/// The greatest number of endorsements that are held.
pub const MAX_ENDORSEMENTS: usize = 256;
/// The greatest number of revocations.
pub const MAX_REVOCATIONS: usize = 1024;

/// The trust store of this program; about 160 KB.
pub type Store = TrustStore<MAX_PARTIES, MAX_ENDORSEMENTS, MAX_REVOCATIONS>;

/// Reads a trust file and checks every signature in it.
///
/// # Errors
/// [`Error::File`], [`Error::Mistakes`].
pub fn load(provider: &OsProvider, path: &Path) -> Result<Box<Store>, Error> {
    let document = Document::read(path)?;
    Ok(Contents::check(provider, &document)?.store(provider)?)
}

/// A party in a trust file.
#[derive(Clone, Debug)]
pub struct Party {
    /// Its certificate; its self-signature is good.
    pub certificate: Certificate,
    /// Its id.
    pub id: PartyId,
    /// How far its revocations reach.
    pub authority: Authority,
}

/// An endorsement that a trust file holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// The certificate that it is for.
    pub subject: Certificate,
    /// The endorsement.
    pub endorsement: Endorsement,
}

/// What a trust file says. Of what issuers on the list signed, the signatures
/// are good; what others signed has no effect and can't be checked.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The trusted parties.
    pub parties: Vec<Party>,
    /// The endorsements that are held.
    pub held: Vec<Held>,
    /// The revocations.
    pub revocations: Vec<Revocation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    party: Vec<RawParty>,
    #[serde(default)]
    endorsement: Vec<RawHeld>,
    #[serde(default)]
    revocation: Vec<RawRevocation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParty {
    certificate: Spanned<String>,
    authority: RawAuthority,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawAuthority {
    Endorse,
    Full,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHeld {
    subject: Spanned<String>,
    endorsement: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRevocation {
    revocation: Spanned<String>,
}

impl Contents {
    /// Reads and checks a trust file.
    ///
    /// # Errors
    /// All [`Mistakes`] in it.
    pub fn check(provider: &OsProvider, document: &Document) -> Result<Self, Mistakes> {
        let raw: RawFile = document.parse()?;
        let mut review = Review::new(document);
        let mut contents = Self::default();
        for party in raw.party {
            contents.check_party(provider, &mut review, party);
        }
        for held in raw.endorsement {
            contents.check_held(provider, &mut review, held);
        }
        for RawRevocation { revocation } in raw.revocation {
            contents.check_revocation(provider, &mut review, &revocation);
        }
        review.finish(Some(contents))
    }

    /// The party on the list that has this id.
    #[must_use]
    pub fn party(&self, id: PartyId) -> Option<&Party> {
        self.parties.iter().find(|party| party.id == id)
    }

    /// The name of a party that the file knows, or else its id.
    #[must_use]
    pub fn name_of(&self, provider: &OsProvider, id: PartyId) -> String {
        self.party(id)
            .map(|party| &party.certificate)
            .or_else(|| {
                self.held.iter().map(|held| &held.subject).find(|known| known.id(provider) == id)
            })
            .map_or_else(|| id.to_string(), |certificate| certificate.name().to_string())
    }

    /// The core's trust store with all this in it.
    ///
    /// # Errors
    /// None that [`Contents::check`] wouldn't have found.
    pub fn store(&self, provider: &OsProvider) -> Result<Box<Store>, Error> {
        let refused = |error: TrustError| Error::Unexpected(error.to_string());
        let mut store = Box::new(Store::new());
        for party in &self.parties {
            store.add_party(provider, &party.certificate, party.authority).map_err(refused)?;
        }
        for held in &self.held {
            let subject = held.subject.fingerprint(provider);
            store.hold_endorsement(subject, held.endorsement.clone()).map_err(refused)?;
        }
        for revocation in &self.revocations {
            match store.revoke(provider, revocation) {
                Ok(_) => {}
                Err(TrustError::UnknownIssuer) => tracing::debug!(
                    issuer = %revocation.issuer(),
                    subject = %revocation.subject(),
                    "a revocation has no effect: its issuer is not on the list"
                ),
                Err(error) => return Err(refused(error)),
            }
        }
        Ok(store)
    }

    fn check_party(&mut self, provider: &OsProvider, review: &mut Review<'_>, raw: RawParty) {
        let place = raw.certificate.span();
        let Some(certificate) = read_certificate(provider, review, &raw.certificate) else {
            return;
        };
        let id = certificate.id(provider);
        if self.party(id).is_some() {
            review.note(place, format!("party {id} is listed twice; take one of the entries out"));
        } else if self.parties.len() == MAX_PARTIES {
            review.note(place, format!("there are more than {MAX_PARTIES} parties; take some out"));
        } else {
            let authority = match raw.authority {
                RawAuthority::Endorse => Authority::Endorse,
                RawAuthority::Full => Authority::Full,
            };
            self.parties.push(Party { certificate, id, authority });
        }
    }

    fn check_held(&mut self, provider: &OsProvider, review: &mut Review<'_>, raw: RawHeld) {
        let subject = read_certificate(provider, review, &raw.subject);
        let endorsement = read::<Endorsement>(provider, review, &raw.endorsement);
        let (Some(subject), Some(endorsement)) = (subject, endorsement) else {
            return;
        };
        let place = raw.endorsement.span();
        let fingerprint = subject.fingerprint(provider);
        if self.held.len() == MAX_ENDORSEMENTS {
            let problem =
                format!("there are more than {MAX_ENDORSEMENTS} endorsements; take some out");
            review.note(place, problem);
        } else if !self.fits(provider, &endorsement, &fingerprint) {
            review.note(
                place,
                "the endorsement is not for this certificate; \
                 if the certificate was renewed, ask the issuer for a new endorsement",
            );
        } else {
            self.held.push(Held { subject, endorsement });
        }
    }

    fn check_revocation(
        &mut self,
        provider: &OsProvider,
        review: &mut Review<'_>,
        raw: &Spanned<String>,
    ) {
        let Some(revocation) = read::<Revocation>(provider, review, raw) else {
            return;
        };
        let good = self.party(revocation.issuer()).is_none_or(|issuer| {
            revocation.check_signature(provider, issuer.certificate.p256()).is_ok()
        });
        if self.revocations.len() == MAX_REVOCATIONS {
            let problem =
                format!("there are more than {MAX_REVOCATIONS} revocations; take some out");
            review.note(raw.span(), problem);
        } else if good {
            self.revocations.push(revocation);
        } else {
            let problem = "the signature of the revocation is not valid; copy it again";
            review.note(raw.span(), problem);
        }
    }

    /// Whether the signature is good, as far as the issuer is known.
    fn fits(
        &self,
        provider: &OsProvider,
        endorsement: &Endorsement,
        subject: &Fingerprint,
    ) -> bool {
        self.party(endorsement.issuer()).is_none_or(|issuer| {
            endorsement.check_signature(provider, issuer.certificate.p256(), subject).is_ok()
        })
    }
}

fn read<T: TextForm>(
    provider: &OsProvider,
    review: &mut Review<'_>,
    text: &Spanned<String>,
) -> Option<T> {
    text::parse(provider, text.get_ref())
        .map_err(|error| review.note(text.span(), error.to_string()))
        .ok()
}

fn read_certificate(
    provider: &OsProvider,
    review: &mut Review<'_>,
    text: &Spanned<String>,
) -> Option<Certificate> {
    let certificate: Certificate = read(provider, review, text)?;
    if certificate.check_signature(provider).is_err() {
        let problem =
            "the certificate was not signed with its own key; get it again from its owner";
        review.note(text.span(), problem);
        return None;
    }
    Some(certificate)
}

/// A trust file that is to be changed. Nobody else changes it meanwhile.
#[derive(Debug)]
pub struct TrustFile<'a> {
    provider: &'a OsProvider,
    document: Document,
    tables: DocumentMut,
    contents: Contents,
    _lock: std::fs::File,
}

impl<'a> TrustFile<'a> {
    /// Opens a trust file to change it; a file that isn't there is as good as an
    /// empty one.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Mistakes`].
    pub fn open(provider: &'a OsProvider, path: &Path) -> Result<Self, Error> {
        let lock = files::lock(path)?;
        let document = match Document::read(path) {
            Err(Error::File(FileError::Read { source, .. }))
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Document::new(path.to_owned(), String::new())
            }
            document => document?,
        };
        let contents = Contents::check(provider, &document)?;
        let tables = document
            .text()
            .parse()
            .map_err(|error| Error::Unexpected(format!("{}: {error}", path.display())))?;
        Ok(Self { provider, document, tables, contents, _lock: lock })
    }

    /// What the file said when it was opened.
    #[must_use]
    pub const fn contents(&self) -> &Contents {
        &self.contents
    }

    /// Puts a party on the list, or gives a party that is on it this certificate
    /// and authority.
    pub fn add_party(&mut self, certificate: &Certificate, authority: Authority) {
        let id = certificate.id(self.provider);
        let mut table = entry(&format!("{}, {id}", certificate.name()));
        table["certificate"] = value(text::line(certificate).as_str());
        table["authority"] = value(match authority {
            Authority::Endorse => "endorse",
            Authority::Full => "full",
        });
        let known = self.contents.parties.iter().position(|party| party.id == id);
        put(self.array("party"), known, table);
    }

    /// Takes a party off the list.
    pub fn remove_party(&mut self, id: PartyId) {
        if let Some(index) = self.contents.parties.iter().position(|party| party.id == id) {
            self.array("party").remove(index);
        }
    }

    /// Holds an endorsement; it replaces one by the same issuer of the same
    /// certificate.
    pub fn hold(&mut self, subject: &Certificate, endorsement: &Endorsement) {
        let issuer = self.contents.name_of(self.provider, endorsement.issuer());
        let mut table = entry(&format!("{}, endorsed by {issuer}", subject.name()));
        table["subject"] = value(text::line(subject).as_str());
        table["endorsement"] = value(text::line(endorsement).as_str());
        let known = self.contents.held.iter().position(|held| {
            held.subject == *subject && held.endorsement.issuer() == endorsement.issuer()
        });
        put(self.array("endorsement"), known, table);
    }

    /// Records a revocation; nothing is changed if the same issuer had revoked
    /// the same subject before. `name` is the subject's, as far as it is known.
    pub fn revoke(&mut self, revocation: &Revocation, name: &str) {
        let known = self.contents.revocations.iter().any(|known| {
            known.issuer() == revocation.issuer() && known.subject() == revocation.subject()
        });
        if known {
            return;
        }
        let issuer = self.contents.name_of(self.provider, revocation.issuer());
        let mut table = entry(&format!("{name}, revoked by {issuer}"));
        table["revocation"] = value(text::line(revocation).as_str());
        put(self.array("revocation"), None, table);
    }

    /// Writes the file, after a check that it can be read again; what it says
    /// now.
    ///
    /// # Errors
    /// [`Error::File`]; [`Error::Mistakes`] if it would have become too long, or
    /// what was added is not valid; the file is then as it was.
    pub fn save(self) -> Result<Contents, Error> {
        let path = self.document.path().to_owned();
        let document = Document::new(path, self.tables.to_string());
        let contents = Contents::check(self.provider, &document)?;
        files::write(document.path(), document.text(), Access::Public, Existing::Replace)?;
        Ok(contents)
    }

    /// The array of tables `key`, made if it isn't there.
    fn array(&mut self, key: &str) -> &mut ArrayOfTables {
        let item = self.tables.entry(key).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        if !item.is_array_of_tables() {
            // Written inline, as `party = [{ … }]`.
            let inline = std::mem::take(item);
            *item = Item::ArrayOfTables(inline.into_array_of_tables().unwrap_or_default());
        }
        match item {
            Item::ArrayOfTables(array) => array,
            _ => unreachable!("it was just made one"),
        }
    }
}

/// A new table of an array, with a comment above.
fn entry(comment: &str) -> Table {
    let mut table = Table::new();
    table.decor_mut().set_prefix(format!("\n# {comment}\n"));
    table
}

fn put(array: &mut ArrayOfTables, known: Option<usize>, table: Table) {
    match known.and_then(|index| array.get_mut(index)) {
        Some(known) => *known = table,
        None => array.push(table),
    }
}
