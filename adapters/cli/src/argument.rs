//! Arguments that are something with a text form: the name of a file, the text
//! itself, or `-` for standard input.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use zeroize::Zeroizing;

use crate::error::Error;
use crate::files::{self, Access, FileError};
use crate::text::{self, Kind, PREFIX, TextForm};
use iot_crypto_host::OsProvider;

/// Where an argument has its text from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard input; written `-`.
    Stdin,
    /// The argument is the text.
    Pasted(String),
    /// A file.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(argument: &str) -> Result<Self, Infallible> {
        Ok(match argument {
            "-" => Self::Stdin,
            pasted if pasted.trim_start().starts_with(PREFIX) => Self::Pasted(pasted.to_owned()),
            file => Self::File(file.into()),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::Pasted(_) => f.write_str("the text given"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Source {
    /// Reads what the argument stands for.
    ///
    /// What is private is not taken from the arguments themselves, where every
    /// user of the computer can see it, nor from a file that others can read.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Usage`].
    pub fn read<T: TextForm>(&self, provider: &OsProvider) -> Result<T, Error> {
        let text = self.text(T::KIND)?;
        text::parse(provider, &text).map_err(|error| Error::usage(format!("{self}: {error}")))
    }

    fn text(&self, kind: Kind) -> Result<Zeroizing<String>, Error> {
        let access = if kind.is_private() { Access::Private } else { Access::Public };
        match self {
            Self::Stdin => {
                let path = || PathBuf::from("standard input");
                files::read_limited(&mut std::io::stdin().lock())
                    .map_err(|source| FileError::Read { path: path(), source })?
                    .ok_or_else(|| FileError::TooLong { path: path() }.into())
            }
            Self::Pasted(_) if kind.is_private() => Err(Error::usage(format!(
                "{kind} is not taken from the command line, where others can see it; \
                 put it into a file with mode 0600, or give - and paste it"
            ))),
            Self::Pasted(text) => Ok(Zeroizing::new(text.clone())),
            Self::File(path) => match files::read(path, access) {
                // That others can read it is not what is wrong with a certificate
                // that was given for an identity.
                Err(error @ FileError::NotPrivate { .. }) => {
                    let text = files::read(path, Access::Public)?;
                    match text::kind_of(&text) {
                        Some(kind) if !kind.is_private() => Ok(text),
                        _ => Err(error.into()),
                    }
                }
                text => Ok(text?),
            },
        }
    }
}
