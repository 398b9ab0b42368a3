//! `iot-crypto identity`: make, show and renew identities.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use iot_crypto::identity::{Name, PrivateIdentity};
use serde::Serialize;

use super::{CertificateReport, Context, ValidityArguments, check_signature, comment_on};
use crate::argument::Source;
use crate::error::Error;
use crate::exit::Exit;
use crate::files::{self, Access, Existing};
use crate::output;
use crate::text::{self, Kind};

/// Make, show and renew identities.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make new keys and a certificate for them.
    ///
    /// It writes NAME.identity, which is private, and NAME.certificate, which is
    /// to be handed on. A company, a device, a gateway and a cloud have the same
    /// kind of identity; what one may be follows from the endorsements of its
    /// certificate.
    New(New),
    /// Show the certificate of an identity; the private keys stay hidden.
    Show(Show),
    /// Make a new certificate for the same keys.
    ///
    /// It replaces the old one in the file and in the certificate beside it. The
    /// id stays the same, but an endorsement is for one certificate, so that the
    /// new one has to be endorsed again.
    Renew(Renew),
}

/// The arguments of `identity new`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iot-crypto identity new thermometer
  iot-crypto identity new lab-company --dir keys --valid 3650d")]
pub struct New {
    /// A name for people to read, of at most 32 bytes
    name: Name,
    /// The directory to write the files to; this one if not given
    #[arg(long)]
    dir: Option<PathBuf>,
    #[command(flatten)]
    validity: ValidityArguments,
    /// Replace files that exist; the keys in them are lost
    #[arg(long)]
    force: bool,
}

/// The arguments of `identity show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iot-crypto identity show thermometer.certificate
  iot-crypto identity show thermometer.identity --json")]
pub struct Show {
    /// A private identity or a certificate: a file, the text itself, or -
    #[arg(value_name = "IDENTITY|CERTIFICATE")]
    file: Source,
}

/// The arguments of `identity renew`.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  iot-crypto identity renew thermometer.identity --valid 365d")]
pub struct Renew {
    /// The file of the private identity
    file: PathBuf,
    #[command(flatten)]
    validity: ValidityArguments,
}

#[derive(Serialize)]
struct Written {
    #[serde(flatten)]
    certificate: CertificateReport,
    identity_file: PathBuf,
    certificate_file: PathBuf,
    renewed: bool,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, identity_file, certificate_file, renewed } = self;
        write!(f, "{certificate}\n\n")?;
        writeln!(f, "{}: private, keep it here", identity_file.display())?;
        writeln!(f, "{}: to be handed on", certificate_file.display())?;
        if *renewed {
            write!(
                f,
                "\nThe endorsements of the old certificate don't count for the new one: send it \
                 to every party that had endorsed it (iot-crypto endorse), and to every verifier \
                 that lists it (iot-crypto trust add)."
            )?;
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
            Self::Show(show) => show.run(context),
            Self::Renew(renew) => renew.run(context),
        }
    }
}

impl New {
    fn run(&self, context: &mut Context) -> Result<Exit, Error> {
        let existing = Existing::with_force(self.force);
        let stem = self.dir.clone().unwrap_or_default().join(file_stem(&self.name));
        let [identity_file, certificate_file] =
            [Kind::Identity, Kind::Certificate].map(|kind| with_kind(&stem, kind));
        files::check_absent(&certificate_file, existing)?;
        files::check_absent(&identity_file, existing)?;
        let (created, expires) = self.validity.dates(context.now);
        let identity =
            PrivateIdentity::create(&mut context.provider, self.name.clone(), created, expires)?;
        write(context, &identity, identity_file, certificate_file, existing, false)
    }
}

impl Show {
    fn run(&self, context: &Context) -> Result<Exit, Error> {
        let certificate = match &self.file {
            Source::File(path) if has_kind(path, Kind::Identity) => {
                self.file.read::<PrivateIdentity>(&context.provider)?.certificate().clone()
            }
            source => source.read(&context.provider)?,
        };
        check_signature(context, &certificate)?;
        context.format.print(&CertificateReport::new(context, &certificate))?;
        if certificate.expires() <= context.now {
            output::warn("the certificate has expired");
        }
        Ok(Exit::Success)
    }
}

impl Renew {
    fn run(&self, context: &Context) -> Result<Exit, Error> {
        let source = Source::File(self.file.clone());
        let identity: PrivateIdentity = source.read(&context.provider)?;
        let (created, expires) = self.validity.dates(context.now);
        let renewed = identity.renew(&context.provider, created, expires)?;
        let certificate_file = with_kind(&self.file.with_extension(""), Kind::Certificate);
        write(context, &renewed, self.file.clone(), certificate_file, Existing::Replace, true)
    }
}

fn write(
    context: &Context,
    identity: &PrivateIdentity,
    identity_file: PathBuf,
    certificate_file: PathBuf,
    existing: Existing,
    renewed: bool,
) -> Result<Exit, Error> {
    let certificate = identity.certificate();
    let comment = comment_on("private identity", identity.id(), certificate);
    files::write(&identity_file, &text::file(&comment, identity), Access::Private, existing)?;
    let comment = comment_on("certificate", identity.id(), certificate);
    files::write(&certificate_file, &text::file(&comment, certificate), Access::Public, existing)?;
    let certificate = CertificateReport::new(context, certificate);
    context.format.print(&Written { certificate, identity_file, certificate_file, renewed })?;
    Ok(Exit::Success)
}

/// The name as part of the name of a file: what could lead elsewhere, or is a
/// nuisance in a shell, becomes a hyphen.
fn file_stem(name: &Name) -> String {
    let stem: String = name
        .as_str()
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '-' })
        .collect();
    match stem.strip_prefix('.') {
        Some(rest) => format!("-{rest}"),
        None => stem,
    }
}

/// The name of the file for a thing of this kind; a dot in `stem` is part of the
/// name, not the beginning of an extension.
fn with_kind(stem: &Path, kind: Kind) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(".");
    name.push(kind.word());
    name.into()
}

fn has_kind(path: &Path, kind: Kind) -> bool {
    path.extension().is_some_and(|extension| extension == kind.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_lead_out_of_the_directory() {
        let stem = |name| file_stem(&Name::new(name).unwrap());
        assert_eq!(stem("../../etc/lamp"), "-.-..-etc-lamp");
        assert_eq!(stem("boiler room 2.1"), "boiler-room-2.1");
        assert_eq!(stem("küche"), "küche");
        let file = with_kind(Path::new("keys/lamp-2.1"), Kind::Certificate);
        assert_eq!(file, Path::new("keys/lamp-2.1.certificate"));
    }
}
