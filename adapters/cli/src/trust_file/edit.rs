//! Changing a trust file.

use std::path::Path;

use iot_crypto::identity::{Authority, Certificate, Endorsement, PartyId, Revocation};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::Contents;
use crate::document::Document;
use crate::error::Error;
use crate::files::{self, Access, Existing, FileError};
use crate::text;
use iot_crypto_host::OsProvider;

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
    ///
    /// # Errors
    /// [`Error::Unexpected`], never in a file that could be opened.
    pub fn add_party(
        &mut self,
        certificate: &Certificate,
        authority: Authority,
    ) -> Result<(), Error> {
        let id = certificate.id(self.provider);
        let authority = match authority {
            Authority::Endorse => "endorse",
            Authority::Full => "full",
        };
        let table = self.entry(
            &format!("{}, {id}", certificate.name()),
            [("certificate", text::line(certificate).as_str()), ("authority", authority)],
        );
        let known = self.contents.parties.iter().position(|party| party.id == id);
        put(self.array("party")?, known, table);
        Ok(())
    }

    /// Takes a party off the list.
    ///
    /// # Errors
    /// [`Error::Unexpected`], never in a file that could be opened.
    pub fn remove_party(&mut self, id: PartyId) -> Result<(), Error> {
        if let Some(index) = self.contents.parties.iter().position(|party| party.id == id) {
            let array = self.array("party")?;
            let header = array.get(index).and_then(header);
            array.remove(index);
            if let Some(header) = header {
                self.put_back(&header, index)?;
            }
        }
        Ok(())
    }

    /// Holds an endorsement; it replaces one by the same issuer of the same
    /// certificate.
    ///
    /// # Errors
    /// [`Error::Unexpected`], never in a file that could be opened.
    pub fn hold(&mut self, subject: &Certificate, endorsement: &Endorsement) -> Result<(), Error> {
        let issuer = self.contents.name_of(self.provider, endorsement.issuer());
        let table = self.entry(
            &format!("{}, endorsed by {issuer}", subject.name()),
            [
                ("subject", text::line(subject).as_str()),
                ("endorsement", text::line(endorsement).as_str()),
            ],
        );
        let known = self.contents.held.iter().position(|held| {
            held.subject == *subject && held.endorsement.issuer() == endorsement.issuer()
        });
        put(self.array("endorsement")?, known, table);
        Ok(())
    }

    /// Records a revocation; nothing is changed if the same issuer had revoked
    /// the same subject before. `name` is the subject's, as far as it is known.
    ///
    /// # Errors
    /// [`Error::Unexpected`], never in a file that could be opened.
    pub fn revoke(&mut self, revocation: &Revocation, name: &str) -> Result<(), Error> {
        let known = self.contents.revocations.iter().any(|known| {
            known.issuer() == revocation.issuer() && known.subject() == revocation.subject()
        });
        if known {
            return Ok(());
        }
        let issuer = self.contents.name_of(self.provider, revocation.issuer());
        let table = self.entry(
            &format!("{name}, revoked by {issuer}"),
            [("revocation", text::line(revocation).as_str())],
        );
        self.array("revocation")?.push(table);
        Ok(())
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

    /// A new table of an array, with a comment above.
    fn entry<const N: usize>(&self, comment: &str, fields: [(&str, &str); N]) -> Table {
        let mut table: Table = fields.into_iter().map(|(key, text)| (key, value(text))).collect();
        let gap = if self.tables.is_empty() { "" } else { "\n" };
        table.decor_mut().set_prefix(format!("{gap}# {comment}\n"));
        table
    }

    /// Puts comments that stood above a party back: above the party that has its
    /// place now, or at the end.
    fn put_back(&mut self, header: &str, index: usize) -> Result<(), Error> {
        match self.array("party")?.get_mut(index) {
            Some(next) => {
                let prefix = format!("{header}\n{}", prefix(next));
                next.decor_mut().set_prefix(prefix);
            }
            None => {
                let trailing = self.tables.trailing().as_str().unwrap_or_default();
                let trailing = format!("{header}\n{trailing}");
                self.tables.set_trailing(trailing);
            }
        }
        Ok(())
    }

    /// The array of tables `key`, made if it isn't there.
    fn array(&mut self, key: &str) -> Result<&mut ArrayOfTables, Error> {
        let item = self.tables.entry(key).or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        if let Ok(array) = std::mem::take(item).into_array_of_tables() {
            // It may have been written inline, as `party = [{ … }]`.
            *item = Item::ArrayOfTables(array);
        }
        item.as_array_of_tables_mut()
            .ok_or_else(|| Error::Unexpected(format!("'{key}' is not an array of tables")))
    }
}

fn put(array: &mut ArrayOfTables, known: Option<usize>, table: Table) {
    match known.and_then(|index| array.get_mut(index)) {
        // Its comment stays.
        Some(known) => known.extend(table),
        None => array.push(table),
    }
}

/// The comments above a table.
fn prefix(table: &Table) -> &str {
    table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default()
}

/// Those comments above a table that an empty line sets apart from it: they are
/// about more than the table.
fn header(table: &Table) -> Option<String> {
    let (header, _) = prefix(table).rsplit_once("\n\n")?;
    (!header.trim().is_empty()).then(|| format!("{header}\n"))
}
