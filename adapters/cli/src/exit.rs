//! The exit codes of the program.

use std::process::ExitCode;

use crate::error::Error;

/// What `--help` says about the exit codes.
pub const HELP: &str = "\
Exit codes:
  0  success
  1  unexpected failure
  2  a mistake in the arguments or in a configuration file
  3  refused: a check of a signature or of trust says no
  4  a file could not be read or written, or a port of the network not be used";

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Success = 0,
    /// Something that should not happen.
    Failure = 1,
    /// A mistake in the arguments or in a configuration file.
    Usage = 2,
    /// A check of a signature or of trust says no.
    Refused = 3,
    /// A file could not be read or written, or a port not be used.
    Io = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error {
            Error::Unexpected(_) => Self::Failure,
            Error::Usage(_) | Error::Mistakes(_) => Self::Usage,
            Error::Refused(_) => Self::Refused,
            Error::File(error) if error.is_mistake() => Self::Usage,
            Error::File(_) | Error::Output(_) | Error::Network(_) => Self::Io,
        }
    }
}
