//! `iot-crypto trust add`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use iot_crypto::identity::{Authority, Certificate, Endorsement, Revocation};

use super::super::{Context, check_signature};
use super::Changed;
use crate::argument::Source;
use crate::error::Error;
use crate::exit::Exit;
use crate::output;
use crate::trust_file::TrustFile;

/// The arguments of `trust add`.
#[derive(Debug, Args)]
#[command(override_usage = "\
iot-crypto trust add [OPTIONS] <STORE> <CERTIFICATE>
       iot-crypto trust add [OPTIONS] <STORE> --endorsement <ENDORSEMENT> --subject <CERTIFICATE>
       iot-crypto trust add [OPTIONS] <STORE> --revocation <REVOCATION>")]
#[command(after_help = "\
Examples:
  iot-crypto trust add hall.trust lab.certificate --authority full
  iot-crypto trust add hall.trust partner.certificate
  iot-crypto trust add hall.trust --endorsement lamp.endorsement --subject lamp.certificate
  iot-crypto trust add hall.trust --revocation stolen.revocation")]
pub struct Add {
    /// The trust file
    store: PathBuf,
    #[command(flatten)]
    what: What,
    /// How far the party's revocations reach
    #[arg(
        long,
        value_name = "HOW",
        default_value = "endorse",
        conflicts_with_all = ["endorsement", "revocation"]
    )]
    authority: AuthorityArgument,
    /// The certificate that the endorsement is for
    #[arg(long, value_name = "CERTIFICATE", requires = "endorsement")]
    subject: Option<Source>,
}

/// What to add: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The certificate of a party: a file, the text itself, or -
    certificate: Option<Source>,
    /// An endorsement to hold: a file, the text itself, or -
    #[arg(long, requires = "subject")]
    endorsement: Option<Source>,
    /// A revocation: a file, the text itself, or -
    #[arg(long)]
    revocation: Option<Source>,
}

/// How far the revocations of a party reach.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum AuthorityArgument {
    /// Its revocations void its own endorsements: for partners
    Endorse,
    /// Its revocations cut off anyone: for one's own company
    Full,
}

impl Add {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Error> {
        let provider = &context.provider;
        let mut file = TrustFile::open(provider, &self.store)?;
        let change = if let Some(source) = &self.what.certificate {
            self.add_party(context, &mut file, &source.read(provider)?)?
        } else if let (Some(endorsement), Some(subject)) = (&self.what.endorsement, &self.subject) {
            hold(context, &mut file, &subject.read(provider)?, &endorsement.read(provider)?)?
        } else if let Some(source) = &self.what.revocation {
            revoke(context, &mut file, &source.read(provider)?)?
        } else {
            return Err(Error::usage("say what to add"));
        };
        file.save()?;
        context.format.print(&Changed { store: self.store.clone(), change })?;
        Ok(Exit::Success)
    }

    fn add_party(
        &self,
        context: &Context,
        file: &mut TrustFile<'_>,
        certificate: &Certificate,
    ) -> Result<String, Error> {
        check_signature(context, certificate)?;
        let (authority, reach) = match self.authority {
            AuthorityArgument::Endorse => {
                (Authority::Endorse, "its revocations void its own endorsements")
            }
            AuthorityArgument::Full => (Authority::Full, "its revocations cut off anyone"),
        };
        file.add_party(certificate, authority)?;
        Ok(format!("trusts what {} endorses; {reach}", certificate.name()))
    }
}

fn hold(
    context: &Context,
    file: &mut TrustFile<'_>,
    subject: &Certificate,
    endorsement: &Endorsement,
) -> Result<String, Error> {
    check_signature(context, subject)?;
    let name = file.contents().name_of(&context.provider, endorsement.issuer());
    match file.contents().party(endorsement.issuer()) {
        Some(issuer) => endorsement
            .check_signature(
                &context.provider,
                issuer.certificate.p256(),
                &subject.fingerprint(&context.provider),
            )
            .map_err(|_| {
                Error::Refused(format!(
                    "the endorsement by {name} is not for this certificate of {}; \
                     if the certificate was renewed, ask for a new endorsement",
                    subject.name()
                ))
            })?,
        None => output::warn(&format!(
            "the endorsement has no effect while its issuer {name} is not on the list"
        )),
    }
    file.hold(subject, endorsement)?;
    Ok(format!("holds the endorsement of {} by {name}", subject.name()))
}

fn revoke(
    context: &Context,
    file: &mut TrustFile<'_>,
    revocation: &Revocation,
) -> Result<String, Error> {
    let contents = file.contents();
    let issuer = contents.name_of(&context.provider, revocation.issuer());
    let subject = contents.name_of(&context.provider, revocation.subject());
    match contents.party(revocation.issuer()) {
        Some(party) => revocation
            .check_signature(&context.provider, party.certificate.p256())
            .map_err(|_| Error::Refused(format!("{issuer} did not sign this revocation")))?,
        None => output::warn(&format!(
            "the revocation has no effect while its issuer {issuer} is not on the list"
        )),
    }
    file.revoke(revocation, &subject)?;
    Ok(format!("{subject} is revoked by {issuer}"))
}
