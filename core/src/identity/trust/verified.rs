//! A check that was passed, as a value.

use crate::identity::{Certificate, Endorsement, Fingerprint, PartyId, Rights, Role};
use crate::time::UnixTime;

/// A certificate whose subject was found to be trusted in a role.
///
/// Only [`TrustStore::verify`](super::TrustStore::verify) makes one:
///
/// ```compile_fail
/// use iot_crypto::identity::{Certificate, Standing, VerifiedCertificate};
///
/// fn forge(certificate: Certificate, standing: Standing) -> VerifiedCertificate {
///     VerifiedCertificate { certificate, standing }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCertificate {
    certificate: Certificate,
    standing: Standing,
}

impl VerifiedCertificate {
    #[inline(never)] // The copy is not there while signatures are verified.
    pub(super) fn new(certificate: &Certificate, standing: Standing) -> Self {
        Self { certificate: certificate.clone(), standing }
    }

    /// The certificate.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The id of its subject.
    #[must_use]
    pub fn id(&self) -> PartyId {
        self.standing.party
    }

    /// The role in which the subject is trusted.
    #[must_use]
    pub fn role(&self) -> Role {
        self.standing.role
    }

    /// What the subject may do.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.standing.rights
    }

    /// What the trust rests on, to be checked again later.
    #[must_use]
    pub fn standing(&self) -> &Standing {
        &self.standing
    }
}

/// What the trust in a party rests on: what a session keeps of its peer's
/// certificate, for
/// [`TrustStore::check`](super::TrustStore::check).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    party: PartyId,
    rests_on: PartyId,
    fingerprint: Fingerprint,
    valid_until: UnixTime,
    role: Role,
    rights: Rights,
    source: Source,
}

/// Where an endorsement came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It travelled with the certificate.
    Shown,
    /// The verifier holds it itself.
    Held,
}

impl Standing {
    pub(super) fn new(
        party: PartyId,
        fingerprint: Fingerprint,
        certificate: &Certificate,
        role: Role,
        endorsement: &Endorsement,
        source: Source,
    ) -> Self {
        Self {
            party,
            rests_on: endorsement.issuer(),
            fingerprint,
            valid_until: certificate.expires().min(endorsement.expires()),
            role,
            rights: endorsement.rights(),
            source,
        }
    }

    /// The party that is trusted.
    #[must_use]
    pub fn party(&self) -> PartyId {
        self.party
    }

    /// The issuer of the endorsement that the trust rests on.
    #[must_use]
    pub fn rests_on(&self) -> PartyId {
        self.rests_on
    }

    /// The fingerprint of the party's certificate.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The first second in which the certificate or the endorsement is no longer
    /// valid.
    #[must_use]
    pub fn valid_until(&self) -> UnixTime {
        self.valid_until
    }

    /// The role in which the party is trusted.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// What the party may do.
    #[must_use]
    pub fn rights(&self) -> Rights {
        self.rights
    }

    pub(super) fn source(&self) -> Source {
        self.source
    }
}
