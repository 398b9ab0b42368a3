//! `iot-crypto trust check`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use iot_crypto::identity::{Certificate, Credential, Endorsement, Endorsements, Role};
use serde::Serialize;

use super::super::Context;
use crate::argument::Source;
use crate::error::Error;
use crate::exit::Exit;
use crate::time::Date;
use crate::trust_file::load;

/// The arguments of `trust check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  iot-crypto trust check hall.trust lamp.certificate lamp.endorsement --role device")]
pub struct Check {
    /// The trust file
    store: PathBuf,
    /// The certificate: a file, the text itself, or -
    certificate: Source,
    /// Endorsements of it, besides those that the trust file holds
    endorsements: Vec<Source>,
    /// The role: device, gateway or cloud
    #[arg(long, value_parser = role)]
    role: Role,
    /// At what time, such as 2027-03-01; now if not given
    #[arg(long, value_name = "TIME")]
    at: Option<Date>,
}

/// The answer to whether a certificate is trusted.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Trusted { trusted: bool, name: String, role: String, rights: String, until: Date },
    Refused { trusted: bool, name: String, role: String, code: u8, reason: String },
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted { name, role, rights, until, .. } => {
                write!(f, "{name} is trusted as {role} until {until}; rights: {rights}")
            }
            Self::Refused { name, role, reason, .. } => {
                write!(f, "{name} is not trusted as {role}: {reason}")
            }
        }
    }
}

impl Check {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Error> {
        let provider = &context.provider;
        let store = load(provider, &self.store)?;
        let certificate: Certificate = self.certificate.read(provider)?;
        let mut endorsements = Endorsements::none();
        for source in &self.endorsements {
            let endorsement: Endorsement = source.read(provider)?;
            endorsements.push(endorsement).map_err(|error| Error::usage(error.to_string()))?;
        }
        let (name, role) = (certificate.name().to_string(), self.role.to_string());
        let credential = Credential { certificate, endorsements };
        let at = self.at.map_or(context.now, |Date(at)| at);
        let (answer, exit) = match store.verify(provider, &credential, self.role, at) {
            Ok(verified) => {
                let rights = verified.rights().to_string();
                let until = Date(verified.standing().valid_until());
                (Answer::Trusted { trusted: true, name, role, rights, until }, Exit::Success)
            }
            Err(refusal) => {
                let (code, reason) = (refusal.code(), refusal.to_string());
                (Answer::Refused { trusted: false, name, role, code, reason }, Exit::Refused)
            }
        };
        context.format.print(&answer)?;
        Ok(exit)
    }
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|_| "write device, gateway or cloud".to_owned())
}
