//! What the program prints: results to standard output, for people or as JSON;
//! complaints to standard error.

use std::fmt::Display;
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;

use crate::error::Error;

/// When to use colors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// When the output is a terminal and NO_COLOR is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Makes it the choice of this process.
    pub fn apply(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON value on one line, for scripts.
    Json,
}

impl Format {
    /// Prints the result of a command.
    ///
    /// # Errors
    /// [`Error::Output`] if standard output can't be written to.
    pub fn print<T: Serialize + Display>(self, result: &T) -> Result<(), Error> {
        let text = match self {
            Self::Text => result.to_string(),
            Self::Json => serde_json::to_string(result)
                .map_err(|error| Error::Unexpected(error.to_string()))?,
        };
        let mut stdout = anstream::stdout().lock();
        writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()).map_err(Error::Output)
    }
}

/// Tells on standard error why a command failed.
pub fn complain(error: &Error) {
    // If even that fails, the exit code still tells.
    let _ = writeln!(anstream::stderr().lock(), "{}: {error}", styled(AnsiColor::Red, "error"));
}

/// Tells on standard error what may not be as it was meant.
pub fn warn(message: &str) {
    let _ =
        writeln!(anstream::stderr().lock(), "{}: {message}", styled(AnsiColor::Yellow, "warning"));
}

fn styled(color: AnsiColor, word: &str) -> String {
    let style = Style::new().bold().fg_color(Some(color.into()));
    format!("{style}{word}{style:#}")
}
