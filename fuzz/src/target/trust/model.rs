//! The naive model: it keeps plain facts, and decides by SPEC.md section 6.

use super::{HELD, PARTIES, REVOCATIONS, Recorded, Refusal, Rights, Role, Roles, TrustError};

/// A certificate: whose, which of the two, and whether its signature is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) party: usize,
    pub(super) version: usize,
    pub(super) is_broken: bool,
}

impl Subject {
    fn dates(self) -> (u64, u64) {
        [(0, 100), (10, 50)][self.version]
    }
}

/// An endorsement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) issuer: usize,
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) roles: Roles,
    pub(super) rights: Rights,
    pub(super) is_genuine: bool,
}

/// What the trust in a party rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    subject: Subject,
    pub(super) issuer: usize,
    pub(super) until: u64,
    pub(super) rights: Rights,
    role: Role,
    is_held: bool,
}

#[derive(Default)]
pub(super) struct Model {
    /// Who is on the list, and whether with full authority.
    parties: Vec<(usize, bool)>,
    held: Vec<(Subject, Shown)>,
    /// Issuer and subject.
    revocations: Vec<(usize, usize)>,
}

impl Model {
    pub(super) fn add(&mut self, party: usize, is_full: bool) -> bool {
        let has_room = self.parties.len() < PARTIES;
        match self.parties.iter_mut().find(|(known, _)| *known == party) {
            Some(known) => known.1 = is_full,
            None if !has_room => return false,
            None => self.parties.push((party, is_full)),
        }
        true
    }

    pub(super) fn remove(&mut self, party: usize) -> bool {
        let before = self.parties.len();
        self.parties.retain(|(known, _)| *known != party);
        self.parties.len() < before
    }

    pub(super) fn revoke(
        &mut self,
        issuer: usize,
        subject: usize,
        is_genuine: bool,
    ) -> Result<Recorded, TrustError> {
        if !self.is_listed(issuer) {
            return Err(TrustError::UnknownIssuer);
        }
        if self.revocations.contains(&(issuer, subject)) {
            return Ok(Recorded::Known);
        }
        if !is_genuine {
            return Err(TrustError::Signature);
        }
        if self.revocations.len() == REVOCATIONS {
            let unlisted = self.revocations.iter().position(|(by, _)| !self.is_listed(*by));
            let lesser = self.revocations.iter().rposition(|(by, of)| !self.reaches(*by, *of));
            let lesser = lesser.filter(|_| self.reaches(issuer, subject));
            let index = unlisted.or(lesser).ok_or(TrustError::Full)?;
            self.revocations.remove(index);
        }
        self.revocations.push((issuer, subject));
        Ok(Recorded::New)
    }

    pub(super) fn forget(&mut self, issuer: usize, subject: usize) -> bool {
        if self.is_listed(subject) {
            return false;
        }
        let before = self.revocations.len();
        self.revocations.retain(|known| *known != (issuer, subject));
        self.revocations.len() < before
    }

    pub(super) fn hold(&mut self, subject: Subject, shown: Shown) -> bool {
        let has_room = self.held.len() < HELD;
        let same =
            |(of, known): &&mut (Subject, Shown)| *of == subject && known.issuer == shown.issuer;
        match self.held.iter_mut().find(same) {
            Some(known) => known.1 = shown,
            None if !has_room => return false,
            None => self.held.push((subject, shown)),
        }
        true
    }

    pub(super) fn drop(&mut self, subject: Subject, issuer: usize) -> bool {
        let before = self.held.len();
        self.held.retain(|(of, known)| *of != subject || known.issuer != issuer);
        self.held.len() < before
    }

    pub(super) fn purge(&mut self, now: u64) {
        self.held.retain(|(_, known)| now < known.to);
    }

    pub(super) fn verify(
        &self,
        subject: Subject,
        shown: &[Shown],
        role: Role,
        now: u64,
    ) -> Result<Standing, Refusal> {
        let (from, to) = subject.dates();
        if now < from {
            return Err(Refusal::NotYetValid);
        }
        if now >= to {
            return Err(Refusal::Expired);
        }
        if self.is_cut_off(subject.party) {
            return Err(Refusal::Revoked);
        }
        let held = self.held.iter().filter(|(of, _)| *of == subject).map(|(_, held)| (held, true));
        let all: Vec<_> = shown.iter().map(|shown| (shown, false)).chain(held).collect();
        let judged: Vec<_> =
            all.iter().map(|(shown, _)| self.judge(shown, subject.party, role, now)).collect();
        let reasons = judged.iter().filter_map(|judged| judged.err());
        let reason = reasons.max().unwrap_or(Refusal::NoTrustedEndorsement);
        if judged.iter().all(Result::is_err) {
            return Err(reason);
        }
        if subject.is_broken {
            return Err(Refusal::SelfSignature);
        }
        // The longest, and of several the first.
        let mut best: Option<(&Shown, bool)> = None;
        for ((shown, is_held), judged) in all.iter().zip(&judged) {
            let is_better = best.is_none_or(|(best, _)| shown.to > best.to);
            if judged.is_ok() && shown.is_genuine && is_better {
                best = Some((*shown, *is_held));
            }
        }
        let (best, is_held) = best.ok_or(reason)?;
        Ok(Standing {
            subject,
            issuer: best.issuer,
            until: to.min(best.to),
            rights: best.rights,
            role,
            is_held,
        })
    }

    pub(super) fn check(&self, standing: &Standing, now: u64) -> Result<(), Refusal> {
        let party = standing.subject.party;
        if now >= standing.until {
            return Err(Refusal::Expired);
        }
        if self.is_cut_off(party) {
            return Err(Refusal::Revoked);
        }
        self.judge_issuer(standing.issuer, party)?;
        if standing.is_held {
            let (_, held) = self
                .held
                .iter()
                .find(|(of, held)| *of == standing.subject && held.issuer == standing.issuer)
                .ok_or(Refusal::NoTrustedEndorsement)?;
            self.judge(held, party, standing.role, now)?;
            if !held.rights.contains(standing.rights) {
                return Err(Refusal::RoleNotGranted);
            }
        }
        Ok(())
    }

    fn judge(&self, shown: &Shown, party: usize, role: Role, now: u64) -> Result<(), Refusal> {
        self.judge_issuer(shown.issuer, party)?;
        if now < shown.from {
            Err(Refusal::EndorsementNotYetValid)
        } else if now >= shown.to {
            Err(Refusal::EndorsementExpired)
        } else if !shown.roles.contains(role) {
            Err(Refusal::RoleNotGranted)
        } else {
            Ok(())
        }
    }

    fn judge_issuer(&self, issuer: usize, party: usize) -> Result<(), Refusal> {
        if !self.is_listed(issuer) {
            Err(Refusal::NoTrustedEndorsement)
        } else if self.is_cut_off(issuer) {
            Err(Refusal::IssuerRevoked)
        } else if self.revocations.contains(&(issuer, party)) {
            Err(Refusal::Revoked)
        } else {
            Ok(())
        }
    }

    fn is_listed(&self, party: usize) -> bool {
        self.parties.iter().any(|(known, _)| *known == party)
    }

    /// Whether a revocation reaches further than its issuer's endorsements.
    fn reaches(&self, issuer: usize, subject: usize) -> bool {
        self.is_listed(issuer) && (issuer == subject || self.parties.contains(&(issuer, true)))
    }

    fn is_cut_off(&self, party: usize) -> bool {
        self.revocations.iter().any(|(by, of)| *of == party && self.reaches(*by, *of))
    }
}
