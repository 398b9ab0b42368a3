//! `iot-crypto trust`: keep the list of trusted parties, and ask it.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use iot_crypto::identity::{
    Authority, Certificate, Credential, Endorsement, Endorsements, PartyId, Revocation, Role,
};
use serde::Serialize;

use super::{Context, check_signature};
use crate::argument::Source;
use crate::document::Document;
use crate::error::Error;
use crate::exit::Exit;
use crate::output;
use crate::time::Date;
use crate::trust_file::{Contents, TrustFile, load};

/// Keep the list of trusted parties.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a party, an endorsement or a revocation
    Add(Add),
    /// Take a party off the list
    Remove(Remove),
    /// Show what is on the list
    List(List),
    /// Ask whether a certificate is trusted
    Check(Check),
}

/// Adds to a trust file, which is made if it doesn't exist: a party whose
/// endorsements count, an endorsement to hold so that it need not be shown, or a
/// revocation.
///
/// A running gateway or cloud that uses the file takes it up at once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iot-crypto trust add hall.trust lab.certificate --authority full
  iot-crypto trust add hall.trust partner.certificate
  iot-crypto trust add hall.trust --endorsement lamp.endorsement --subject lamp.certificate
  iot-crypto trust add hall.trust --revocation stolen.revocation")]
#[group(id = "added", required = true, multiple = false)]
pub struct Add {
    /// The trust file
    store: PathBuf,
    /// The certificate of a party: a file, the text itself, or -
    #[arg(group = "added")]
    certificate: Option<Source>,
    /// How far the party's revocations reach
    #[arg(long, value_name = "HOW", default_value = "endorse", conflicts_with_all = ["endorsement", "revocation"])]
    authority: AuthorityArgument,
    /// An endorsement to hold: a file, the text itself, or -
    #[arg(long, group = "added", requires = "subject")]
    endorsement: Option<Source>,
    /// The certificate that the endorsement is for
    #[arg(long, value_name = "CERTIFICATE", requires = "endorsement")]
    subject: Option<Source>,
    /// A revocation: a file, the text itself, or -
    #[arg(long, group = "added")]
    revocation: Option<Source>,
}

/// Takes a party off the list: what it endorsed is no longer trusted, and the
/// sessions that rest on it are closed. Its revocations stay in the file and
/// count again if it comes back.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  iot-crypto trust remove hall.trust partner")]
pub struct Remove {
    /// The trust file
    store: PathBuf,
    /// The name or the id of the party
    #[arg(value_name = "NAME|ID")]
    party: String,
}

/// Shows the parties, the endorsements and the revocations of a trust file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iot-crypto trust list hall.trust
  iot-crypto trust list hall.trust --json")]
pub struct List {
    /// The trust file
    store: PathBuf,
}

/// Asks whether a certificate is trusted in a role; the exit code is 3 if not.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  iot-crypto trust check hall.trust lamp.certificate lamp.endorsement --role device")]
pub struct Check {
    /// The trust file
    store: PathBuf,
    /// The certificate: a file, the text itself, or -
    certificate: Source,
    /// Endorsements of it, besides those that the trust file holds
    endorsements: Vec<Source>,
    /// The role: device, gateway or cloud
    #[arg(long, value_parser = role)]
    role: Role,
    /// At what time, such as 2027-03-01; now if not given
    #[arg(long, value_name = "TIME")]
    at: Option<Date>,
}

/// How far the revocations of a party reach.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum AuthorityArgument {
    /// Its revocations void its own endorsements: for partners
    Endorse,
    /// Its revocations cut off anyone: for one's own company
    Full,
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &Context) -> Result<Exit, Error> {
        match self {
            Self::Add(add) => add.run(context),
            Self::Remove(remove) => remove.run(context),
            Self::List(list) => list.run(context),
            Self::Check(check) => check.run(context),
        }
    }
}

/// What was changed in a trust file.
#[derive(Serialize)]
struct Changed {
    store: PathBuf,
    change: String,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.store.display(), self.change)
    }
}

impl Add {
    fn run(&self, context: &Context) -> Result<Exit, Error> {
        let provider = &context.provider;
        let mut file = TrustFile::open(provider, &self.store)?;
        let change = if let Some(source) = &self.certificate {
            self.add_party(context, &mut file, &source.read(provider)?)?
        } else if let (Some(endorsement), Some(subject)) = (&self.endorsement, &self.subject) {
            hold(context, &mut file, &subject.read(provider)?, &endorsement.read(provider)?)?
        } else if let Some(source) = &self.revocation {
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
        file.add_party(certificate, authority);
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
    file.hold(subject, endorsement);
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
    file.revoke(revocation, &subject);
    Ok(format!("{subject} is revoked by {issuer}"))
}

impl Remove {
    fn run(&self, context: &Context) -> Result<Exit, Error> {
        let mut file = TrustFile::open(&context.provider, &self.store)?;
        let wanted = PartyId::parse(&self.party);
        let found: Vec<_> = file
            .contents()
            .parties
            .iter()
            .filter(|party| {
                Ok(party.id) == wanted || party.certificate.name().as_str() == self.party
            })
            .map(|party| (party.id, party.certificate.name().clone()))
            .collect();
        let (id, name) = match found.as_slice() {
            [one] => one.clone(),
            [] => {
                return Err(Error::usage(format!(
                    "{} is not on the list of {}; see: iot-crypto trust list",
                    self.party,
                    self.store.display()
                )));
            }
            several => {
                let ids: Vec<_> = several.iter().map(|(id, _)| id.to_string()).collect();
                return Err(Error::usage(format!(
                    "several parties are called {}; give one of their ids: {}",
                    self.party,
                    ids.join(", ")
                )));
            }
        };
        file.remove_party(id);
        file.save()?;
        let change = format!("no longer trusts what {name} endorses");
        context.format.print(&Changed { store: self.store.clone(), change })?;
        Ok(Exit::Success)
    }
}

#[derive(Serialize)]
struct Listing {
    parties: Vec<ListedParty>,
    endorsements: Vec<ListedEndorsement>,
    revocations: Vec<ListedRevocation>,
}

#[derive(Serialize)]
struct ListedParty {
    name: String,
    id: String,
    authority: &'static str,
}

#[derive(Serialize)]
struct ListedEndorsement {
    subject: String,
    issuer: String,
    roles: String,
    rights: String,
    created: Date,
    expires: Date,
    effective: bool,
}

#[derive(Serialize)]
struct ListedRevocation {
    subject: String,
    issuer: String,
    created: Date,
    effective: bool,
}

impl Listing {
    fn new(context: &Context, contents: &Contents) -> Self {
        let name = |id| contents.name_of(&context.provider, id);
        let parties = contents.parties.iter().map(|party| ListedParty {
            name: party.certificate.name().to_string(),
            id: party.id.to_string(),
            authority: match party.authority {
                Authority::Endorse => "endorse",
                Authority::Full => "full",
            },
        });
        let endorsements = contents.held.iter().map(|held| {
            let endorsement = &held.endorsement;
            let in_date =
                endorsement.created() <= context.now && context.now < endorsement.expires();
            ListedEndorsement {
                subject: held.subject.name().to_string(),
                issuer: name(endorsement.issuer()),
                roles: endorsement.roles().to_string(),
                rights: endorsement.rights().to_string(),
                created: Date(endorsement.created()),
                expires: Date(endorsement.expires()),
                effective: in_date && contents.party(endorsement.issuer()).is_some(),
            }
        });
        let revocations = contents.revocations.iter().map(|revocation| ListedRevocation {
            subject: name(revocation.subject()),
            issuer: name(revocation.issuer()),
            created: Date(revocation.created()),
            effective: contents.party(revocation.issuer()).is_some(),
        });
        Self {
            parties: parties.collect(),
            endorsements: endorsements.collect(),
            revocations: revocations.collect(),
        }
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = |effective| if effective { "" } else { " (no effect now)" };
        if self.parties.is_empty() {
            writeln!(f, "trusts nobody")?;
        }
        for ListedParty { name, id, authority } in &self.parties {
            writeln!(f, "party        {id}  {authority:7}  {name}")?;
        }
        for held in &self.endorsements {
            let ListedEndorsement { subject, issuer, roles, rights, created, expires, effective } =
                held;
            let note = note(*effective);
            writeln!(
                f,
                "endorsement  {subject} by {issuer}: {roles}; {rights}; \
                 {created} until {expires}{note}"
            )?;
        }
        for ListedRevocation { subject, issuer, created, effective } in &self.revocations {
            let note = note(*effective);
            writeln!(f, "revocation   {subject} by {issuer} on {created}{note}")?;
        }
        Ok(())
    }
}

impl List {
    fn run(&self, context: &Context) -> Result<Exit, Error> {
        let document = Document::read(&self.store)?;
        let contents = Contents::check(&context.provider, &document)?;
        context.format.print(&Listing::new(context, &contents))?;
        Ok(Exit::Success)
    }
}

/// The answer to whether a certificate is trusted.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer {
    Trusted { trusted: bool, name: String, role: String, rights: String, until: Date },
    Refused { trusted: bool, name: String, role: String, code: u8, reason: String },
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trusted { name, role, rights, until, .. } => {
                write!(f, "{name} is trusted as {role} until {until}; rights: {rights}")
            }
            Self::Refused { name, role, reason, .. } => {
                write!(f, "{name} is not trusted as {role}: {reason}")
            }
        }
    }
}

impl Check {
    fn run(&self, context: &Context) -> Result<Exit, Error> {
        let provider = &context.provider;
        let store = load(provider, &self.store)?;
        let certificate: Certificate = self.certificate.read(provider)?;
        let mut endorsements = Endorsements::none();
        for source in &self.endorsements {
            let endorsement: Endorsement = source.read(provider)?;
            endorsements.push(endorsement).map_err(|error| Error::usage(error.to_string()))?;
        }
        let (name, role) = (certificate.name().to_string(), self.role.to_string());
        let credential = Credential { certificate, endorsements };
        let at = self.at.map_or(context.now, |Date(at)| at);
        let (answer, exit) = match store.verify(provider, &credential, self.role, at) {
            Ok(verified) => {
                let rights = verified.rights().to_string();
                let until = Date(verified.standing().valid_until());
                (Answer::Trusted { trusted: true, name, role, rights, until }, Exit::Success)
            }
            Err(refusal) => {
                let (code, reason) = (refusal.code(), refusal.to_string());
                (Answer::Refused { trusted: false, name, role, code, reason }, Exit::Refused)
            }
        };
        context.format.print(&answer)?;
        Ok(exit)
    }
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|_| "write device, gateway or cloud".to_owned())
}
