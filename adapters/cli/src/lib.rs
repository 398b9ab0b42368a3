//! IoT-Crypto on the command line: the program `iot-crypto`.
//!
//! It makes identities, network keys, endorsements and revocations, keeps the
//! list of trusted parties, and reads the configuration of the three roles.
//! Everything that can be handed to somebody else is one line of text (see
//! [`text`]), whether in a file or pasted.
//!
//! This library is the program without its `main`, so that tests and the roles
//! can use the parts. The program runs on Unix: that private files are private
//! is checked by their permissions.

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod actuators;
pub mod argument;
pub mod cli;
pub mod commands;
pub mod config;
pub mod demo;
pub mod document;
pub mod error;
pub mod events;
pub mod exit;
pub mod files;
pub mod logging;
pub mod output;
pub mod roles;
pub mod sensors;
pub mod text;
pub mod time;
pub mod trust_file;
pub mod value;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::exit::Exit;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // It is a request for help or the version if it goes to stdout.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            // There is nobody left to tell that the message could not be shown.
            let _ = error.print();
            return exit.into();
        }
    };
    cli.global.color.apply();
    logging::start(&cli.global);
    match cli.run() {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&error);
            Exit::from(&error).into()
        }
    }
}
