//! Why a command did not do what it was asked to.

use crate::document::Mistakes;
use crate::files::FileError;

/// Why a command did not do what it was asked to. Each class has its own exit
/// code; see [`Exit`](crate::exit::Exit).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that should not happen, such as a computer without random
    /// numbers.
    #[error("{0}")]
    Unexpected(String),
    /// A mistake in the arguments.
    #[error("{0}")]
    Usage(String),
    /// Mistakes in a file, each with its place.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// A check of a signature or of trust says no.
    #[error("{0}")]
    Refused(String),
    /// A file could not be read or written, or must not be.
    #[error(transparent)]
    File(#[from] FileError),
    /// The network can't be used: a port is in use, say.
    #[error("{0}")]
    Network(String),
    /// The result could not be written to standard output.
    #[error("can't write to standard output: {0}")]
    Output(std::io::Error),
}

impl Error {
    /// A mistake in the arguments.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }
}

impl From<iot_crypto::identity::IssueError> for Error {
    fn from(error: iot_crypto::identity::IssueError) -> Self {
        match error {
            iot_crypto::identity::IssueError::Dates => Self::Usage(error.to_string()),
            _ => Self::Unexpected(error.to_string()),
        }
    }
}
