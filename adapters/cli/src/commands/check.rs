//! `iot-crypto check`: look for mistakes in the configuration of a role.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Context;
use crate::config::{CloudConfig, DeviceConfig, GatewayConfig, Party};
use crate::error::Error;
use crate::exit::Exit;
use crate::output;
use crate::time::Date;
use crate::trust_file;

/// The arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iot-crypto check device device.toml
  iot-crypto check gateway /etc/iot-crypto/gateway.toml --json")]
pub struct Check {
    /// Whose configuration it is
    role: ConfiguredRole,
    /// The file
    file: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ConfiguredRole {
    /// A device
    Device,
    /// A gateway
    Gateway,
    /// A cloud
    Cloud,
}

#[derive(Serialize)]
struct Good {
    file: PathBuf,
    name: String,
    id: String,
    trusted_parties: usize,
}

impl fmt::Display for Good {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, name, id, trusted_parties } = self;
        write!(
            f,
            "{}: no mistakes; {name} ({id}), trusted parties: {trusted_parties}",
            file.display()
        )
    }
}

impl Check {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &Context) -> Result<Exit, Error> {
        let provider = &context.provider;
        let party = match self.role {
            ConfiguredRole::Device => DeviceConfig::load(provider, &self.file)?.party,
            ConfiguredRole::Gateway => GatewayConfig::load(provider, &self.file)?.party,
            ConfiguredRole::Cloud => CloudConfig::load(provider, &self.file)?.party,
        };
        warn_of_dates(context, &party);
        let trust = trust_file::load(provider, &party.trust)?;
        context.format.print(&Good {
            file: self.file.clone(),
            name: party.identity.certificate().name().to_string(),
            id: party.identity.id().to_string(),
            trusted_parties: trust.parties().count(),
        })?;
        Ok(Exit::Success)
    }
}

/// What is out of date is not a mistake in the configuration, but it will not
/// be trusted.
fn warn_of_dates(context: &Context, party: &Party) {
    let certificate = party.identity.certificate();
    let endorsements = party.endorsements.iter();
    let dates = std::iter::once(("the certificate", certificate.created(), certificate.expires()))
        .chain(endorsements.map(|it| ("an endorsement", it.created(), it.expires())));
    for (what, created, expires) in dates {
        if context.now < created {
            output::warn(&format!("{what} is not valid before {}", Date(created)));
        } else if expires <= context.now {
            output::warn(&format!("{what} expired on {}", Date(expires)));
        }
    }
}
