//! `iot-crypto network`: the keys that all members of a network share.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use data_encoding::HEXLOWER_PERMISSIVE;
use iot_crypto::connection::{NetworkKey, NetworkKeyId, NetworkKeys, RingError};
use serde::Serialize;

use super::Context;
use crate::argument::Source;
use crate::error::Error;
use crate::exit::Exit;
use crate::files::{self, Access, Existing};
use crate::text;

/// Make, rotate and show the keys that all members of a network share.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a file with one new key.
    ///
    /// Every device, gateway and cloud of the network gets a copy of it, on a way
    /// that nobody else can see.
    New(New),
    /// Add a new key, or take an old one out.
    ///
    /// The new key is used from then on; the old ones are kept, and still
    /// accepted. When every member of the network has the new one, take the old
    /// one out with --retire.
    Rotate(Rotate),
    /// Show the ids of the keys, the one that is used first; never the keys.
    Show(Show),
}

/// The arguments of `network new`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  iot-crypto network new lab.network")]
pub struct New {
    /// The file
    file: PathBuf,
    /// Replace FILE if it exists; the keys in it are lost
    #[arg(long)]
    force: bool,
}

/// The arguments of `network rotate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iot-crypto network rotate lab.network
  iot-crypto network rotate lab.network --retire 5d3a01c2")]
pub struct Rotate {
    /// The file
    file: PathBuf,
    /// Add nothing, but take the key with this id out
    #[arg(long, value_name = "ID", value_parser = key_id)]
    retire: Option<NetworkKeyId>,
}

/// The arguments of `network show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  iot-crypto network show lab.network")]
pub struct Show {
    /// The file, or -
    file: Source,
}

/// What is told of the keys in a file.
#[derive(Serialize)]
struct Report {
    file: String,
    used: Option<String>,
    accepted: Vec<String>,
}

impl Report {
    fn new(file: String, keys: &NetworkKeys) -> Self {
        let accepted: Vec<_> = keys.iter().map(|key| key.id().to_string()).collect();
        Self { file, used: accepted.first().cloned(), accepted }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, id) in self.accepted.iter().enumerate() {
            let note = if index == 0 { "used" } else { "still accepted" };
            writeln!(f, "{}: key {id}, {note}", self.file)?;
        }
        Ok(())
    }
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &mut Context) -> Result<Exit, Error> {
        match self {
            Self::New(new) => new.run(context),
            Self::Rotate(rotate) => rotate.run(context),
            Self::Show(show) => show.run(context),
        }
    }
}

impl New {
    fn run(&self, context: &mut Context) -> Result<Exit, Error> {
        let mut keys = NetworkKeys::new();
        add_new_key(context, &mut keys)?;
        save(context, &self.file, &keys, Existing::with_force(self.force))
    }
}

impl Rotate {
    fn run(&self, context: &mut Context) -> Result<Exit, Error> {
        let _lock = files::lock(&self.file)?;
        let mut keys: NetworkKeys = Source::File(self.file.clone()).read(&context.provider)?;
        match self.retire {
            None => add_new_key(context, &mut keys)?,
            Some(id) if keys.find(id).is_none() => {
                return Err(Error::usage(format!(
                    "there is no key {id} in {}; see: iot-crypto network show",
                    self.file.display()
                )));
            }
            Some(id) if keys.iter().count() == 1 => {
                return Err(Error::usage(format!(
                    "{id} is the only key in {}; add another first",
                    self.file.display()
                )));
            }
            Some(id) => {
                keys.retire(id);
            }
        }
        save(context, &self.file, &keys, Existing::Replace)
    }
}

impl Show {
    fn run(&self, context: &Context) -> Result<Exit, Error> {
        let keys: NetworkKeys = self.file.read(&context.provider)?;
        context.format.print(&Report::new(self.file.to_string(), &keys))?;
        Ok(Exit::Success)
    }
}

fn add_new_key(context: &mut Context, keys: &mut NetworkKeys) -> Result<(), Error> {
    loop {
        let key = NetworkKey::create(&mut context.provider)
            .map_err(|error| Error::Unexpected(error.to_string()))?;
        match keys.add(key) {
            Ok(()) => return Ok(()),
            Err(RingError::IdTaken) => {}
            Err(RingError::Full) => {
                return Err(Error::usage(format!(
                    "{}; take an old one out first, with --retire",
                    RingError::Full
                )));
            }
        }
    }
}

fn save(
    context: &Context,
    path: &Path,
    keys: &NetworkKeys,
    existing: Existing,
) -> Result<Exit, Error> {
    let report = Report::new(path.display().to_string(), keys);
    let comment = format!("network keys: private\n{}", report.accepted.join(", "));
    files::write(path, &text::file(&comment, keys), Access::Private, existing)?;
    context.format.print(&report)?;
    Ok(Exit::Success)
}

fn key_id(text: &str) -> Result<NetworkKeyId, String> {
    let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(NetworkKeyId)
        .ok_or_else(|| "the id of a network key has 8 hexadecimal digits".to_owned())
}
