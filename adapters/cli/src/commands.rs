//! The commands, one module each.

pub mod check;
pub mod demo;
pub mod endorse;
pub mod identity;
pub mod image;
pub mod network;
pub mod revoke;
pub mod run;
pub mod trust;

use std::time::Duration;

use clap::Args;
use iot_crypto::identity::{Certificate, PartyId};
use iot_crypto::time::UnixTime;
use serde::Serialize;

use crate::error::Error;
use crate::output::Format;
use crate::time::{Date, parse_duration};
use iot_crypto_host::OsProvider;

/// What a command needs of its surroundings.
#[derive(Clone, Debug)]
pub struct Context {
    /// The cryptography.
    pub provider: OsProvider,
    /// The time by the clock of this computer.
    pub now: UnixTime,
    /// How to print the result.
    pub format: Format,
}

/// From when, and for how long, something is valid.
#[derive(Clone, Copy, Debug, Args)]
pub struct ValidityArguments {
    /// For how long it is valid, such as 365d or 12h
    #[arg(long, value_name = "DURATION", default_value = "365d", value_parser = parse_duration)]
    valid: Duration,
    /// From when it is valid, such as 2027-03-01; from now on if not given
    #[arg(long, value_name = "TIME")]
    from: Option<Date>,
}

impl ValidityArguments {
    /// The first second in which it is valid, and the first in which it no
    /// longer is.
    fn dates(&self, now: UnixTime) -> (UnixTime, UnixTime) {
        let created = self.from.map_or(now, |Date(from)| from);
        (created, created.saturating_add(self.valid))
    }
}

/// What is told of a certificate.
#[derive(Debug, Serialize)]
struct CertificateReport {
    name: String,
    id: String,
    fingerprint: String,
    created: Date,
    expires: Date,
    certificate: String,
}

impl CertificateReport {
    fn new(context: &Context, certificate: &Certificate) -> Self {
        Self {
            name: certificate.name().to_string(),
            id: certificate.id(&context.provider).to_string(),
            fingerprint: certificate.fingerprint(&context.provider).to_string(),
            created: Date(certificate.created()),
            expires: Date(certificate.expires()),
            certificate: crate::text::line(certificate).to_string(),
        }
    }
}

impl std::fmt::Display for CertificateReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "name         {}", self.name)?;
        writeln!(f, "id           {}", self.id)?;
        writeln!(f, "fingerprint  {}", self.fingerprint)?;
        writeln!(f, "valid        {} until {}", self.created, self.expires)?;
        write!(f, "{}", self.certificate)
    }
}

/// The lines above the text of a certificate in its file.
fn comment_on(what: &str, id: PartyId, certificate: &Certificate) -> String {
    let (created, expires) = (Date(certificate.created()), Date(certificate.expires()));
    format!("{what} of {}\nid {id}\nvalid {created} until {expires}", certificate.name())
}

/// Refuses a certificate that was not signed with its own key: somebody changed
/// it on its way.
fn check_signature(context: &Context, certificate: &Certificate) -> Result<(), Error> {
    certificate.check_signature(&context.provider).map_err(|_| {
        Error::Refused(format!(
            "the certificate of {} was not signed with its own key; get it again from its owner",
            certificate.name()
        ))
    })
}
