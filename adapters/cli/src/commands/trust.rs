//! `iot-crypto trust`: keep the list of trusted parties, and ask it.

mod add;
mod check;
mod list;

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use iot_crypto::identity::PartyId;
use serde::Serialize;

pub use add::Add;
pub use check::Check;
pub use list::List;

use super::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::trust_file::TrustFile;

/// Keep the list of trusted parties.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a party, an endorsement or a revocation.
    ///
    /// A party is one whose endorsements count. An endorsement that is held need not
    /// be shown. The trust file is made if it does not exist; a running gateway or
    /// cloud that uses it takes the change up at once.
    Add(Add),
    /// Take a party off the list.
    ///
    /// What it endorsed is no longer trusted, and the sessions that rest on it are
    /// closed. Its revocations stay in the file and count again if it comes back.
    Remove(Remove),
    /// Show the parties, the endorsements and the revocations of a trust file.
    List(List),
    /// Ask whether a certificate is trusted in a role; the exit code is 3 if not.
    Check(Check),
}

/// The arguments of `trust remove`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  iot-crypto trust remove hall.trust partner")]
pub struct Remove {
    /// The trust file
    store: PathBuf,
    /// The name or the id of the party
    #[arg(value_name = "NAME|ID")]
    party: String,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &Context) -> Result<Exit, Error> {
        match self {
            Self::Add(add) => add.run(context),
            Self::Remove(remove) => remove.run(context),
            Self::List(list) => list.run(context),
            Self::Check(check) => check.run(context),
        }
    }
}

/// What was changed in a trust file.
#[derive(Serialize)]
struct Changed {
    store: PathBuf,
    change: String,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.store.display(), self.change)
    }
}

impl Remove {
    fn run(&self, context: &Context) -> Result<Exit, Error> {
        let mut file = TrustFile::open(&context.provider, &self.store)?;
        let wanted = PartyId::parse(&self.party);
        let found: Vec<_> = file
            .contents()
            .parties
            .iter()
            .filter(|party| {
                Ok(party.id) == wanted || party.certificate.name().as_str() == self.party
            })
            .map(|party| (party.id, party.certificate.name().clone()))
            .collect();
        let (id, name) = match found.as_slice() {
            [one] => one.clone(),
            [] => {
                return Err(Error::usage(format!(
                    "{} is not on the list of {}; see: iot-crypto trust list",
                    self.party,
                    self.store.display()
                )));
            }
            several => {
                let ids: Vec<_> = several.iter().map(|(id, _)| id.to_string()).collect();
                return Err(Error::usage(format!(
                    "several parties are called {}; give one of their ids: {}",
                    self.party,
                    ids.join(", ")
                )));
            }
        };
        file.remove_party(id)?;
        file.save()?;
        let change = format!("no longer trusts what {name} endorses");
        context.format.print(&Changed { store: self.store.clone(), change })?;
        Ok(Exit::Success)
    }
}
