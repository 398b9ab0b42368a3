//! What a trust file says, read and checked.

use iot_crypto::identity::{
    Authority, Certificate, Endorsement, Fingerprint, PartyId, Revocation, TrustError,
};
use serde::Deserialize;
use toml::Spanned;

use super::{MAX_ENDORSEMENTS, MAX_PARTIES, MAX_REVOCATIONS, Store};
use crate::document::{Document, Mistakes, Review};
use crate::error::Error;
use crate::text::{self, TextForm};
use iot_crypto_host::OsProvider;

/// A party in a trust file.
#[derive(Clone, Debug)]
pub struct Party {
    /// Its certificate; its self-signature is good.
    pub certificate: Certificate,
    /// Its id.
    pub id: PartyId,
    /// How far its revocations reach.
    pub authority: Authority,
}

/// An endorsement that a trust file holds.
#[derive(Clone, Debug)]
pub struct Held {
    /// The certificate that it is for.
    pub subject: Certificate,
    /// The endorsement.
    pub endorsement: Endorsement,
}

/// What a trust file says. Of what issuers on the list signed, the signatures
/// are good; what others signed has no effect and can't be checked.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// The trusted parties.
    pub parties: Vec<Party>,
    /// The endorsements that are held.
    pub held: Vec<Held>,
    /// The revocations.
    pub revocations: Vec<Revocation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    party: Vec<RawParty>,
    #[serde(default)]
    endorsement: Vec<RawHeld>,
    #[serde(default)]
    revocation: Vec<RawRevocation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawParty {
    certificate: Spanned<String>,
    authority: RawAuthority,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawAuthority {
    Endorse,
    Full,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHeld {
    subject: Spanned<String>,
    endorsement: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRevocation {
    revocation: Spanned<String>,
}

impl Contents {
    /// Reads and checks a trust file.
    ///
    /// # Errors
    /// All [`Mistakes`] in it.
    pub fn check(provider: &OsProvider, document: &Document) -> Result<Self, Mistakes> {
        let raw: RawFile = document.parse()?;
        let mut review = Review::new(document);
        let mut contents = Self::default();
        for party in raw.party {
            contents.check_party(provider, &mut review, party);
        }
        for held in raw.endorsement {
            contents.check_held(provider, &mut review, held);
        }
        for RawRevocation { revocation } in raw.revocation {
            contents.check_revocation(provider, &mut review, &revocation);
        }
        review.finish(Some(contents))
    }

    /// The party on the list that has this id.
    #[must_use]
    pub fn party(&self, id: PartyId) -> Option<&Party> {
        self.parties.iter().find(|party| party.id == id)
    }

    /// The name of a party that the file knows, or else its id.
    #[must_use]
    pub fn name_of(&self, provider: &OsProvider, id: PartyId) -> String {
        self.party(id)
            .map(|party| &party.certificate)
            .or_else(|| {
                self.held.iter().map(|held| &held.subject).find(|known| known.id(provider) == id)
            })
            .map_or_else(|| id.to_string(), |certificate| certificate.name().to_string())
    }

    /// The core's trust store with all this in it.
    ///
    /// # Errors
    /// None that [`Contents::check`] wouldn't have found.
    pub fn store(&self, provider: &OsProvider) -> Result<Box<Store>, Error> {
        let refused = |error: TrustError| Error::Unexpected(error.to_string());
        let mut store = Box::new(Store::new());
        for party in &self.parties {
            store.add_party(provider, &party.certificate, party.authority).map_err(refused)?;
        }
        for held in &self.held {
            let subject = held.subject.fingerprint(provider);
            store.hold_endorsement(subject, held.endorsement.clone()).map_err(refused)?;
        }
        for revocation in &self.revocations {
            match store.revoke(provider, revocation) {
                Ok(_) => {}
                Err(TrustError::UnknownIssuer) => tracing::debug!(
                    issuer = %revocation.issuer(),
                    subject = %revocation.subject(),
                    "a revocation has no effect: its issuer is not on the list"
                ),
                Err(error) => return Err(refused(error)),
            }
        }
        Ok(store)
    }

    fn check_party(&mut self, provider: &OsProvider, review: &mut Review<'_>, raw: RawParty) {
        let place = raw.certificate.span();
        let Some(certificate) = read_certificate(provider, review, &raw.certificate) else {
            return;
        };
        let id = certificate.id(provider);
        if self.party(id).is_some() {
            review.note(place, format!("party {id} is listed twice; take one of the entries out"));
        } else if self.parties.len() == MAX_PARTIES {
            review.note(place, format!("there are more than {MAX_PARTIES} parties; take some out"));
        } else {
            let authority = match raw.authority {
                RawAuthority::Endorse => Authority::Endorse,
                RawAuthority::Full => Authority::Full,
            };
            self.parties.push(Party { certificate, id, authority });
        }
    }

    fn check_held(&mut self, provider: &OsProvider, review: &mut Review<'_>, raw: RawHeld) {
        let subject = read_certificate(provider, review, &raw.subject);
        let endorsement = read::<Endorsement>(provider, review, &raw.endorsement);
        let (Some(subject), Some(endorsement)) = (subject, endorsement) else {
            return;
        };
        let place = raw.endorsement.span();
        let fingerprint = subject.fingerprint(provider);
        if self.held.len() == MAX_ENDORSEMENTS {
            let problem =
                format!("there are more than {MAX_ENDORSEMENTS} endorsements; take some out");
            review.note(place, problem);
        } else if !self.fits(provider, &endorsement, &fingerprint) {
            review.note(
                place,
                "the endorsement is not for this certificate; \
                 if the certificate was renewed, ask the issuer for a new endorsement",
            );
        } else {
            self.held.push(Held { subject, endorsement });
        }
    }

    fn check_revocation(
        &mut self,
        provider: &OsProvider,
        review: &mut Review<'_>,
        raw: &Spanned<String>,
    ) {
        let Some(revocation) = read::<Revocation>(provider, review, raw) else {
            return;
        };
        let good = self.party(revocation.issuer()).is_none_or(|issuer| {
            revocation.check_signature(provider, issuer.certificate.p256()).is_ok()
        });
        if self.revocations.len() == MAX_REVOCATIONS {
            let problem =
                format!("there are more than {MAX_REVOCATIONS} revocations; take some out");
            review.note(raw.span(), problem);
        } else if good {
            self.revocations.push(revocation);
        } else {
            let problem = "the signature of the revocation is not valid; copy it again";
            review.note(raw.span(), problem);
        }
    }

    /// Whether the signature is good, as far as the issuer is known.
    fn fits(
        &self,
        provider: &OsProvider,
        endorsement: &Endorsement,
        subject: &Fingerprint,
    ) -> bool {
        self.party(endorsement.issuer()).is_none_or(|issuer| {
            endorsement.check_signature(provider, issuer.certificate.p256(), subject).is_ok()
        })
    }
}

fn read<T: TextForm>(
    provider: &OsProvider,
    review: &mut Review<'_>,
    text: &Spanned<String>,
) -> Option<T> {
    text::parse(provider, text.get_ref())
        .map_err(|error| review.note(text.span(), error.to_string()))
        .ok()
}

fn read_certificate(
    provider: &OsProvider,
    review: &mut Review<'_>,
    text: &Spanned<String>,
) -> Option<Certificate> {
    let certificate: Certificate = read(provider, review, text)?;
    if certificate.check_signature(provider).is_err() {
        let problem =
            "the certificate was not signed with its own key; get it again from its owner";
        review.note(text.span(), problem);
        return None;
    }
    Some(certificate)
}
