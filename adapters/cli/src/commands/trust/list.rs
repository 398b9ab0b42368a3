//! `iot-crypto trust list`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use iot_crypto::identity::Authority;
use serde::Serialize;

use super::super::Context;
use crate::document::Document;
use crate::error::Error;
use crate::exit::Exit;
use crate::time::Date;
use crate::trust_file::Contents;

/// The arguments of `trust list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  iot-crypto trust list hall.trust
  iot-crypto trust list hall.trust --json")]
pub struct List {
    /// The trust file
    store: PathBuf,
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
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Error> {
        let document = Document::read(&self.store)?;
        let contents = Contents::check(&context.provider, &document)?;
        context.format.print(&Listing::new(context, &contents))?;
        Ok(Exit::Success)
    }
}
