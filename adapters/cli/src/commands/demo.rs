//! `iot-crypto demo`: show the system at work.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::demo::{self, Manner};
use crate::error::Error;
use crate::exit::Exit;

/// The arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
It takes some seconds, half a minute at the most, and ends with exit code 0 if every
step happened, and 1 if one did not. With --json it prints one object with the steps
and the measurements.

Examples:
  iot-crypto demo
  iot-crypto demo --stay
  iot-crypto demo --keep demo-files
  iot-crypto demo --capture demo.pcapng && wireshark demo.pcapng")]
pub struct Demo {
    /// Go on after the steps, and show readings until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    stay: bool,
    /// Make the files in DIR, which must be new or empty, and keep them
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Have the gateway, whom everything passes, write it to FILE, which must be new,
    /// with the secrets and what they open (pcapng)
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
}

impl Demo {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &Context) -> Result<Exit, Error> {
        demo::run(&Manner {
            format: context.format,
            stay: self.stay,
            keep: self.keep.clone(),
            capture: self.capture.clone(),
        })
    }
}
