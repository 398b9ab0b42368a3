//! `iot-crypto endorse`: give a party's word for the certificate of another.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use iot_crypto::identity::{Certificate, Grant, PrivateIdentity, Rights, Roles};
use serde::Serialize;

use super::{Context, ValidityArguments, check_signature};
use crate::argument::Source;
use crate::error::Error;
use crate::exit::Exit;
use crate::files::{self, Access, Existing};
use crate::output;
use crate::text;
use crate::time::Date;

/// How much earlier a certificate may end than its endorsement without anyone's
/// minding: both are often made on the same day, for the same time.
const NEARLY: Duration = Duration::from_secs(24 * 3600);

/// The arguments of `endorse`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iot-crypto endorse --issuer lab.identity --subject thermometer.certificate \\
      --roles device --rights data,alert --valid 365d --out thermometer.endorsement
  iot-crypto endorse --issuer lab.identity --subject hall.certificate \\
      --roles gateway --rights all

Roles:  device, gateway, cloud
Rights: data (request or deliver readings), command (issue commands), alert (raise alerts),
        revoke (pass on revocations), keys (hand out network keys), all, none")]
pub struct Endorse {
    /// The private identity of the party that gives its word: a file, or -
    #[arg(long, value_name = "IDENTITY")]
    issuer: Source,
    /// The certificate: a file, the text itself, or -
    #[arg(long, value_name = "CERTIFICATE")]
    subject: Source,
    /// What the subject may be, with commas between the words
    #[arg(long, value_name = "ROLES", value_parser = roles)]
    roles: Roles,
    /// What the subject may do, with commas between the words
    #[arg(long, value_name = "RIGHTS", value_parser = rights)]
    rights: Rights,
    #[command(flatten)]
    validity: ValidityArguments,
    /// Write it to FILE instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

#[derive(Serialize)]
struct Issued {
    issuer: String,
    subject: String,
    subject_id: String,
    created: Date,
    expires: Date,
    roles: String,
    rights: String,
    endorsement: String,
    file: Option<PathBuf>,
    #[serde(skip)]
    contents: String,
}

impl fmt::Display for Issued {
    /// The contents of the file, so that it can be redirected into one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => {
                write!(f, "{}: {} endorses {}", file.display(), self.issuer, self.subject)
            }
            None => f.write_str(&self.contents),
        }
    }
}

impl Endorse {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &Context) -> Result<Exit, Error> {
        let provider = &context.provider;
        let issuer: PrivateIdentity = self.issuer.read(provider)?;
        let subject: Certificate = self.subject.read(provider)?;
        check_signature(context, &subject)?;
        let (created, expires) = self.validity.dates(context.now);
        if subject.expires().saturating_add(NEARLY) < expires {
            output::warn(&format!(
                "the certificate of {} ends before the endorsement, on {}",
                subject.name(),
                Date(subject.expires())
            ));
        }
        let grant = Grant { roles: self.roles, rights: self.rights };
        let endorsement = issuer.endorse(provider, &subject, created, expires, grant)?;
        let subject_id = subject.id(provider);
        let comment = format!(
            "endorsement of {} ({subject_id})\nby {} ({})\nroles: {}; rights: {}\n\
             valid {} until {}",
            subject.name(),
            issuer.certificate().name(),
            issuer.id(),
            self.roles,
            self.rights,
            Date(created),
            Date(expires),
        );
        let contents = text::file(&comment, &endorsement);
        if let Some(file) = &self.out {
            files::write(file, &contents, Access::Public, Existing::with_force(self.force))?;
        }
        context.format.print(&Issued {
            issuer: issuer.certificate().name().to_string(),
            subject: subject.name().to_string(),
            subject_id: subject_id.to_string(),
            created: Date(created),
            expires: Date(expires),
            roles: self.roles.to_string(),
            rights: self.rights.to_string(),
            endorsement: text::line(&endorsement).to_string(),
            file: self.out.clone(),
            contents: contents.to_string(),
        })?;
        Ok(Exit::Success)
    }
}

fn roles(text: &str) -> Result<Roles, String> {
    match text.parse() {
        Ok(Roles::NONE) | Err(_) => {
            Err("write one or more of device, gateway, cloud, with commas between them".to_owned())
        }
        Ok(roles) => Ok(roles),
    }
}

fn rights(text: &str) -> Result<Rights, String> {
    text.parse().map_err(|_| {
        "write data, command, alert, revoke, keys, with commas between them, or all, or none"
            .to_owned()
    })
}
