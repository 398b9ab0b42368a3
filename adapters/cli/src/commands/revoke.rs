//! `iot-crypto revoke`: declare that a party is no longer to be trusted.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use iot_crypto::identity::{Certificate, PartyId, PrivateIdentity};
use serde::Serialize;

use super::Context;
use crate::argument::Source;
use crate::error::Error;
use crate::exit::Exit;
use crate::files::{self, Access, Existing};
use crate::text;
use crate::time::Date;
use crate::trust_file::TrustFile;
use iot_crypto_host::OsProvider;

/// The arguments of `revoke`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iot-crypto revoke --issuer lab.identity --subject stolen.certificate --store hall.trust
  iot-crypto revoke --issuer lab.identity --subject 4f0c…(32 digits) --out stolen.revocation")]
pub struct Revoke {
    /// The private identity of the party that revokes: a file, or -
    #[arg(long, value_name = "IDENTITY")]
    issuer: Source,
    /// Whom to revoke: a certificate (a file, the text itself, or -), or an id
    #[arg(long, value_name = "CERTIFICATE|ID")]
    subject: Subject,
    /// Add it to this trust file
    #[arg(long, value_name = "STORE")]
    store: Option<PathBuf>,
    /// Write it to FILE instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

/// Whom to revoke.
#[derive(Clone, Debug)]
enum Subject {
    Id(PartyId),
    Certificate(Source),
}

impl FromStr for Subject {
    type Err = <Source as FromStr>::Err;

    fn from_str(argument: &str) -> Result<Self, Self::Err> {
        match PartyId::parse(argument) {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => argument.parse().map(Self::Certificate),
        }
    }
}

impl Subject {
    /// The id, and the name or else the id again.
    fn read(&self, provider: &OsProvider) -> Result<(PartyId, String), Error> {
        match self {
            Self::Id(id) => Ok((*id, id.to_string())),
            Self::Certificate(source) => {
                let certificate: Certificate = source.read(provider)?;
                Ok((certificate.id(provider), certificate.name().to_string()))
            }
        }
    }
}

#[derive(Serialize)]
struct Revoked {
    issuer: String,
    subject: String,
    subject_id: String,
    created: Date,
    revocation: String,
    store: Option<PathBuf>,
    file: Option<PathBuf>,
    #[serde(skip)]
    contents: String,
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, subject, .. } = self;
        for written in self.store.iter().chain(&self.file) {
            writeln!(f, "{}: {issuer} revokes {subject}", written.display())?;
        }
        if self.file.is_none() {
            f.write_str(&self.contents)?;
        }
        Ok(())
    }
}

impl Revoke {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &Context) -> Result<Exit, Error> {
        let provider = &context.provider;
        let issuer: PrivateIdentity = self.issuer.read(provider)?;
        let (subject_id, subject) = self.subject.read(provider)?;
        let revocation = issuer.revoke(provider, subject_id, context.now)?;
        let issuer_name = issuer.certificate().name();
        let comment = format!(
            "revocation of {subject} ({subject_id})\nby {issuer_name} ({})\non {}",
            issuer.id(),
            Date(context.now)
        );
        let contents = text::file(&comment, &revocation);
        // First what may fail because the file exists.
        if let Some(file) = &self.out {
            files::write(file, &contents, Access::Public, Existing::with_force(self.force))?;
        }
        if let Some(store) = &self.store {
            let mut file = TrustFile::open(provider, store)?;
            if file.contents().party(issuer.id()).is_none() {
                return Err(Error::usage(format!(
                    "{issuer_name} is not on the list of {}, so that its revocation has no effect \
                     there; add it first: iot-crypto trust add",
                    store.display()
                )));
            }
            file.revoke(&revocation, &subject)?;
            file.save()?;
        }
        context.format.print(&Revoked {
            issuer: issuer_name.to_string(),
            subject,
            subject_id: subject_id.to_string(),
            created: Date(context.now),
            revocation: text::line(&revocation).to_string(),
            store: self.store.clone(),
            file: self.out.clone(),
            contents: contents.to_string(),
        })?;
        Ok(Exit::Success)
    }
}
