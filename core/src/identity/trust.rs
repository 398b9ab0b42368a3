//! Whom a verifier trusts, and the decision (SPEC.md section 6).

mod memory;
#[cfg(test)]
mod tests;
mod verified;

use core::cmp::Reverse;
use core::ops::DerefMut;

use heapless::Vec;

use super::validity::Position;
use super::{
    Certificate, Credential, Endorsement, Fingerprint, Name, PartyId, Refusal, Revocation, Role,
};
use crate::crypto::{Invalid, P256PublicKey, Provider};
use crate::time::UnixTime;

pub use memory::{SignatureMemory, Verifier};
use verified::Source;
pub use verified::{Standing, VerifiedCertificate};

/// How far the revocations of a trusted party reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// It endorses; its revocation voids only its own endorsements of the
    /// subject, so that a partner can't cut off the devices of others.
    Endorse,
    /// It endorses, and its revocation cuts off anyone: one's own company.
    Full,
}

/// A party whose endorsements count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedParty {
    /// Its id.
    pub id: PartyId,
    /// Its name, as its certificate had it.
    pub name: Name,
    /// The key that its endorsements and revocations are checked with.
    pub key: P256PublicKey,
    /// How far its revocations reach.
    pub authority: Authority,
}

/// Why a [`TrustStore`] didn't take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustError {
    /// The table is full; nothing was changed.
    Full,
    /// The issuer of the revocation is not on the list.
    UnknownIssuer,
    /// The signature is not valid.
    Signature,
}

impl core::fmt::Display for TrustError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Full => "the table of the trust store is full",
            Self::UnknownIssuer => "the issuer is not on the list of trusted parties",
            Self::Signature => "the signature is not valid",
        })
    }
}

impl core::error::Error for TrustError {}

/// What became of a revocation that is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is new. Sessions are to be checked again, and whoever passes
    /// revocations on has one to pass on.
    New,
    /// The same issuer had revoked the same subject before.
    Known,
}

/// What a verifier decides by: a list of trusted parties, endorsements that it
/// holds itself, and revocations. The parameters are the sizes of these tables.
///
/// * Being on the list is all that counts for an issuer: the dates of its own
///   certificate and the endorsements of it by others don't.
/// * A revocation reaches as far as its issuer's [`Authority`] on the list
///   reaches now. While the issuer is off the list it has no effect, but it is
///   kept, in case the issuer comes back, until its place is needed.
/// * A party on the list may endorse itself.
/// * A party on the list that revokes itself is revoked, whatever its authority.
/// * Revocations by a party that is revoked itself still count.
#[derive(Clone, Debug, Default)]
pub struct TrustStore<const PARTIES: usize, const ENDORSEMENTS: usize, const REVOCATIONS: usize> {
    parties: Vec<TrustedParty, PARTIES>,
    held: Vec<Held, ENDORSEMENTS>,
    revocations: Vec<Revocation, REVOCATIONS>,
}

/// What the other floors need of a [`TrustStore`], whatever the sizes of its
/// tables.
pub trait Trust {
    /// [`TrustStore::verify`]; a signature that is in `memory` is not verified again.
    ///
    /// # Errors
    /// As there.
    fn verify<P: Provider>(
        &self,
        provider: &P,
        credential: &Credential,
        role: Role,
        now: UnixTime,
        memory: Option<&mut SignatureMemory>,
    ) -> Result<VerifiedCertificate, Refusal>;

    /// [`TrustStore::check`].
    ///
    /// # Errors
    /// As there.
    fn check(&self, standing: &Standing, now: UnixTime) -> Result<(), Refusal>;

    /// [`TrustStore::revoke`].
    ///
    /// # Errors
    /// As there.
    fn revoke<P: Provider>(
        &mut self,
        provider: &P,
        revocation: &Revocation,
    ) -> Result<Recorded, TrustError>;

    /// [`TrustStore::revocations`].
    fn revocations(&self) -> impl Iterator<Item = &Revocation>;
}

impl<const PARTIES: usize, const ENDORSEMENTS: usize, const REVOCATIONS: usize> Trust
    for TrustStore<PARTIES, ENDORSEMENTS, REVOCATIONS>
{
    fn verify<P: Provider>(
        &self,
        provider: &P,
        credential: &Credential,
        role: Role,
        now: UnixTime,
        memory: Option<&mut SignatureMemory>,
    ) -> Result<VerifiedCertificate, Refusal> {
        self.verify_with(provider, credential, role, now, memory)
    }

    fn check(&self, standing: &Standing, now: UnixTime) -> Result<(), Refusal> {
        Self::check(self, standing, now)
    }

    fn revoke<P: Provider>(
        &mut self,
        provider: &P,
        revocation: &Revocation,
    ) -> Result<Recorded, TrustError> {
        Self::revoke(self, provider, revocation)
    }

    fn revocations(&self) -> impl Iterator<Item = &Revocation> {
        Self::revocations(self)
    }
}

/// A store that has its place elsewhere, behind `&mut` or in a box, since it is too large
/// for a stack.
impl<S: DerefMut<Target: Trust>> Trust for S {
    fn verify<P: Provider>(
        &self,
        provider: &P,
        credential: &Credential,
        role: Role,
        now: UnixTime,
        memory: Option<&mut SignatureMemory>,
    ) -> Result<VerifiedCertificate, Refusal> {
        self.deref().verify(provider, credential, role, now, memory)
    }

    fn check(&self, standing: &Standing, now: UnixTime) -> Result<(), Refusal> {
        self.deref().check(standing, now)
    }

    fn revoke<P: Provider>(
        &mut self,
        provider: &P,
        revocation: &Revocation,
    ) -> Result<Recorded, TrustError> {
        self.deref_mut().revoke(provider, revocation)
    }

    fn revocations(&self) -> impl Iterator<Item = &Revocation> {
        self.deref().revocations()
    }
}

/// An endorsement that the verifier holds itself.
#[derive(Clone, Debug)]
struct Held {
    subject: Fingerprint,
    endorsement: Endorsement,
}

/// The greatest comes first: the one that lasts longest, then the one that was
/// named first.
type Rank = (UnixTime, Reverse<usize>);

/// An endorsement of which only the signature is still unchecked.
struct Candidate<'a> {
    rank: Rank,
    source: Source,
    endorsement: &'a Endorsement,
    issuer: &'a TrustedParty,
}

impl<const PARTIES: usize, const ENDORSEMENTS: usize, const REVOCATIONS: usize>
    TrustStore<PARTIES, ENDORSEMENTS, REVOCATIONS>
{
    /// A store that trusts nobody.
    #[must_use]
    pub const fn new() -> Self {
        Self { parties: Vec::new(), held: Vec::new(), revocations: Vec::new() }
    }

    /// Puts the subject of `certificate` on the list, or gives a party that is
    /// on it this name and authority.
    ///
    /// # Errors
    /// [`TrustError::Signature`] if the self-signature is not valid,
    /// [`TrustError::Full`].
    pub fn add_party<P: Provider>(
        &mut self,
        provider: &P,
        certificate: &Certificate,
        authority: Authority,
    ) -> Result<(), TrustError> {
        certificate.check_signature(provider).map_err(|Invalid| TrustError::Signature)?;
        let party = TrustedParty {
            id: certificate.id(provider),
            name: certificate.name().clone(),
            key: *certificate.p256(),
            authority,
        };
        match self.parties.iter_mut().find(|known| known.id == party.id) {
            Some(known) => {
                *known = party;
                Ok(())
            }
            None => self.parties.push(party).map_err(|_| TrustError::Full),
        }
    }

    /// Takes a party off the list; `false` if it was not on it. From now on
    /// [`TrustStore::check`] refuses every standing that rested on it.
    pub fn remove_party(&mut self, id: &PartyId) -> bool {
        remove_where(&mut self.parties, |party| party.id == *id)
    }

    /// The parties on the list.
    pub fn parties(&self) -> impl Iterator<Item = &TrustedParty> {
        self.parties.iter()
    }

    /// Holds an endorsement of the certificate with the fingerprint `subject`,
    /// so that it counts though it doesn't travel with the certificate. It
    /// replaces one by the same issuer of the same certificate. Its signature is
    /// checked whenever a decision is to rest on it.
    ///
    /// # Errors
    /// [`TrustError::Full`].
    pub fn hold_endorsement(
        &mut self,
        subject: Fingerprint,
        endorsement: Endorsement,
    ) -> Result<(), TrustError> {
        let same = |held: &&mut Held| {
            held.subject == subject && held.endorsement.issuer() == endorsement.issuer()
        };
        match self.held.iter_mut().find(same) {
            Some(held) => {
                held.endorsement = endorsement;
                Ok(())
            }
            None => self.held.push(Held { subject, endorsement }).map_err(|_| TrustError::Full),
        }
    }

    /// No longer holds the endorsement of `subject` by `issuer`; `false` if none
    /// was held. [`TrustStore::check`] refuses every standing that rested on it.
    pub fn drop_endorsement(&mut self, subject: &Fingerprint, issuer: &PartyId) -> bool {
        remove_where(&mut self.held, |held| {
            held.subject == *subject && held.endorsement.issuer() == *issuer
        })
    }

    /// Records a revocation. When the table is full, one whose issuer is no
    /// longer on the list gives way, and then, to one that cuts its subject off
    /// altogether, the last one that only voids endorsements: no partner can fill
    /// the table against one's own company.
    ///
    /// # Errors
    /// [`TrustError::UnknownIssuer`], [`TrustError::Signature`],
    /// [`TrustError::Full`].
    pub fn revoke<P: Provider>(
        &mut self,
        provider: &P,
        revocation: &Revocation,
    ) -> Result<Recorded, TrustError> {
        let key = self.party(revocation.issuer()).ok_or(TrustError::UnknownIssuer)?.key;
        if self.revoked_by(revocation.issuer(), revocation.subject()) {
            return Ok(Recorded::Known);
        }
        revocation.check_signature(provider, &key).map_err(|Invalid| TrustError::Signature)?;
        if self.revocations.is_full() {
            self.make_room(revocation);
        }
        self.revocations.push(revocation.clone()).map_err(|_| TrustError::Full)?;
        Ok(Recorded::New)
    }

    /// Forgets the revocation of `subject` by `issuer`; `false` if there was none, or
    /// if the subject is on the list, where the revocation is what keeps its
    /// endorsements of others from counting.
    ///
    /// From now on it has no effect. This is for a revocation whose place is needed,
    /// of a subject whose endorsements have all expired and whom nobody on the list
    /// will endorse again, at a verifier with a clock of its own. Who passes
    /// revocations on may bring it again.
    pub fn drop_revocation(&mut self, issuer: &PartyId, subject: &PartyId) -> bool {
        self.party(*subject).is_none()
            && remove_where(&mut self.revocations, |known| {
                known.issuer() == *issuer && known.subject() == *subject
            })
    }

    /// Drops a revocation that counts for less than `new`, if there is one.
    fn make_room(&mut self, new: &Revocation) {
        let of_unlisted = |known: &Revocation| self.party(known.issuer()).is_none();
        let lesser = |known: &Revocation| self.cuts_off(new) && !self.cuts_off(known);
        let index = self.revocations.iter().position(of_unlisted);
        if let Some(index) = index.or_else(|| self.revocations.iter().rposition(lesser)) {
            self.revocations.remove(index);
        }
    }

    /// The revocations that are kept, to store them or to pass them on.
    pub fn revocations(&self) -> impl Iterator<Item = &Revocation> {
        self.revocations.iter()
    }

    /// Drops the held endorsements that have expired at `now`.
    pub fn purge(&mut self, now: UnixTime) {
        self.held.retain(|held| now < held.endorsement.expires());
    }

    /// Decides whether the subject of `credential` is trusted at `now` to act as
    /// `role`: the certificate is in date, its self-signature is valid, at least
    /// one endorsement in date that grants the role was issued by a party on the
    /// list, and neither the subject nor that issuer is revoked.
    ///
    /// Endorsements that travel with the certificate and endorsements that are
    /// held count alike. Of several good ones, the one that lasts longest is
    /// relied on; the rights are those that it grants.
    ///
    /// # Errors
    /// [`Refusal`], with the most telling reason.
    pub fn verify<P: Provider>(
        &self,
        provider: &P,
        credential: &Credential,
        role: Role,
        now: UnixTime,
    ) -> Result<VerifiedCertificate, Refusal> {
        self.verify_with(provider, credential, role, now, None)
    }

    fn verify_with<P: Provider>(
        &self,
        provider: &P,
        credential: &Credential,
        role: Role,
        now: UnixTime,
        mut memory: Option<&mut SignatureMemory>,
    ) -> Result<VerifiedCertificate, Refusal> {
        let certificate = &credential.certificate;
        match certificate.validity().position_of(now) {
            Position::Before => return Err(Refusal::NotYetValid),
            Position::Within => {}
            Position::After => return Err(Refusal::Expired),
        }
        let id = certificate.id(provider);
        if self.is_revoked(id) {
            return Err(Refusal::Revoked);
        }
        // Signatures are what is dear: they come last, each at most once.
        let fingerprint = certificate.fingerprint(provider);
        let mut candidate = self.candidate(credential, &fingerprint, id, role, now, None)?;
        let mut is_own = false;
        loop {
            let Candidate { rank, source, endorsement, issuer } = candidate;
            let digest = memory.is_some().then(|| {
                // The fingerprint covers the certificate with its own signature.
                endorsement.digest(provider, &issuer.key, &fingerprint)
            });
            let known = memory.as_mut().zip(digest).is_some_and(|(memory, it)| memory.has(&it));
            if !known && !is_own {
                certificate.check_signature(provider).map_err(|Invalid| Refusal::SelfSignature)?;
                is_own = true;
            }
            if known || endorsement.check_signature(provider, &issuer.key, &fingerprint).is_ok() {
                if let (false, Some(memory), Some(digest)) = (known, memory, digest) {
                    memory.keep(digest);
                }
                let standing =
                    Standing::new(id, fingerprint, certificate, role, endorsement, source);
                return Ok(VerifiedCertificate::new(certificate, standing));
            }
            candidate = self.candidate(credential, &fingerprint, id, role, now, Some(rank))?;
        }
    }

    /// Decides whether what was verified before is still trusted at `now`. What
    /// a live session rests on is to be checked whenever this store changed, and
    /// at [`Standing::valid_until`].
    ///
    /// # Errors
    /// [`Refusal::Expired`]; [`Refusal::Revoked`]; [`Refusal::IssuerRevoked`];
    /// [`Refusal::NoTrustedEndorsement`] if the issuer was taken off the list, or
    /// the endorsement was held here and no longer is;
    /// [`Refusal::RoleNotGranted`] if the endorsement was held here and was
    /// replaced by one that grants less.
    pub fn check(&self, standing: &Standing, now: UnixTime) -> Result<(), Refusal> {
        if now >= standing.valid_until() {
            return Err(Refusal::Expired);
        }
        if self.is_revoked(standing.party()) {
            return Err(Refusal::Revoked);
        }
        self.issuer(standing.rests_on(), standing.party())?;
        match standing.source() {
            Source::Shown => Ok(()),
            Source::Held => {
                let held = self
                    .held
                    .iter()
                    .find(|held| {
                        held.subject == standing.fingerprint()
                            && held.endorsement.issuer() == standing.rests_on()
                    })
                    .ok_or(Refusal::NoTrustedEndorsement)?;
                self.judge(&held.endorsement, standing.party(), standing.role(), now)?;
                if held.endorsement.rights().contains(standing.rights()) {
                    Ok(())
                } else {
                    Err(Refusal::RoleNotGranted)
                }
            }
        }
    }

    /// Of the endorsements that are good, as far as can be told without their
    /// signatures, the one that ranks highest below `limit`; or the most telling
    /// reason why there is none.
    fn candidate<'a>(
        &'a self,
        credential: &'a Credential,
        fingerprint: &Fingerprint,
        subject: PartyId,
        role: Role,
        now: UnixTime,
        limit: Option<Rank>,
    ) -> Result<Candidate<'a>, Refusal> {
        let shown = credential.endorsements.iter().map(|shown| (Source::Shown, shown));
        let held = self.held.iter().filter(|held| held.subject == *fingerprint);
        let held = held.map(|held| (Source::Held, &held.endorsement));
        let mut best: Option<Candidate<'a>> = None;
        let mut reason = Refusal::NoTrustedEndorsement;
        for (index, (source, endorsement)) in shown.chain(held).enumerate() {
            let rank = (endorsement.expires(), Reverse(index));
            match self.judge(endorsement, subject, role, now) {
                Ok(issuer)
                    if limit.is_none_or(|limit| rank < limit)
                        && best.as_ref().is_none_or(|best| rank > best.rank) =>
                {
                    best = Some(Candidate { rank, source, endorsement, issuer });
                }
                Ok(_) => {}
                Err(refusal) => reason = reason.max(refusal),
            }
        }
        best.ok_or(reason)
    }

    /// Everything about an endorsement that can be judged without its signature.
    fn judge(
        &self,
        endorsement: &Endorsement,
        subject: PartyId,
        role: Role,
        now: UnixTime,
    ) -> Result<&TrustedParty, Refusal> {
        let issuer = self.issuer(endorsement.issuer(), subject)?;
        match endorsement.validity().position_of(now) {
            Position::Before => Err(Refusal::EndorsementNotYetValid),
            Position::After => Err(Refusal::EndorsementExpired),
            Position::Within if endorsement.roles().contains(role) => Ok(issuer),
            Position::Within => Err(Refusal::RoleNotGranted),
        }
    }

    /// The party `issuer`, if its endorsements of `subject` count.
    fn issuer(&self, issuer: PartyId, subject: PartyId) -> Result<&TrustedParty, Refusal> {
        let party = self.party(issuer).ok_or(Refusal::NoTrustedEndorsement)?;
        if self.is_revoked(issuer) {
            Err(Refusal::IssuerRevoked)
        } else if self.revoked_by(issuer, subject) {
            Err(Refusal::Revoked)
        } else {
            Ok(party)
        }
    }

    fn party(&self, id: PartyId) -> Option<&TrustedParty> {
        self.parties.iter().find(|party| party.id == id)
    }

    /// Whether `id` is cut off altogether: by a party with full authority, or by
    /// itself.
    fn is_revoked(&self, id: PartyId) -> bool {
        let mut of_subject = self.revocations.iter().filter(|known| known.subject() == id);
        of_subject.any(|revocation| self.cuts_off(revocation))
    }

    /// Whether `revocation` reaches further than the endorsements of its issuer.
    fn cuts_off(&self, revocation: &Revocation) -> bool {
        self.party(revocation.issuer()).is_some_and(|issuer| {
            issuer.authority == Authority::Full || issuer.id == revocation.subject()
        })
    }

    fn revoked_by(&self, issuer: PartyId, subject: PartyId) -> bool {
        self.revocations
            .iter()
            .any(|revocation| revocation.issuer() == issuer && revocation.subject() == subject)
    }
}

/// Removes the first item that is `unwanted`; whether there was one.
fn remove_where<T, const N: usize>(
    items: &mut Vec<T, N>,
    unwanted: impl FnMut(&T) -> bool,
) -> bool {
    match items.iter().position(unwanted) {
        Some(index) => {
            items.remove(index);
            true
        }
        None => false,
    }
}
