//! Why a certificate is not trusted.

/// Why a certificate is not trusted.
///
/// The variants stand in the order of the checks. When no endorsement is good,
/// the reason that is given is that of the endorsement that came furthest, that
/// is, the greatest of their reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The certificate's time is still to come.
    NotYetValid,
    /// The certificate's time, or that of the endorsement that a session rests
    /// on, is over.
    Expired,
    /// The certificate was not signed with its own key.
    SelfSignature,
    /// No endorsement was issued by a party in the verifier's list.
    NoTrustedEndorsement,
    /// The issuer of the endorsement is revoked.
    IssuerRevoked,
    /// The certificate's subject is revoked.
    Revoked,
    /// The endorsement's time is still to come.
    EndorsementNotYetValid,
    /// The endorsement's time is over.
    EndorsementExpired,
    /// The endorsement doesn't grant the role.
    RoleNotGranted,
}

impl Refusal {
    const ALL: [Self; 9] = [
        Self::NotYetValid,
        Self::Expired,
        Self::SelfSignature,
        Self::NoTrustedEndorsement,
        Self::IssuerRevoked,
        Self::Revoked,
        Self::EndorsementNotYetValid,
        Self::EndorsementExpired,
        Self::RoleNotGranted,
    ];

    /// The number that stands for the reason on the wire (SPEC.md section 6.3).
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::NotYetValid => 1,
            Self::Expired => 2,
            Self::SelfSignature => 3,
            Self::NoTrustedEndorsement => 4,
            Self::IssuerRevoked => 5,
            Self::Revoked => 6,
            Self::EndorsementNotYetValid => 7,
            Self::EndorsementExpired => 8,
            Self::RoleNotGranted => 9,
        }
    }

    /// The reason that `code` stands for, if it is known here.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotYetValid => "the certificate is not valid yet",
            Self::Expired => "the certificate, or the endorsement relied on, has expired",
            Self::SelfSignature => "the certificate was not signed with its own key",
            Self::NoTrustedEndorsement => "no party on the list of trusted parties endorses it",
            Self::IssuerRevoked => "the party that endorses it is revoked",
            Self::Revoked => "it is revoked",
            Self::EndorsementNotYetValid => "its endorsement is not valid yet",
            Self::EndorsementExpired => "its endorsement has expired",
            Self::RoleNotGranted => "its endorsement does not grant the role",
        })
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_they_are_written() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
        }
        assert!(Refusal::ALL.is_sorted());
        assert_eq!(Refusal::from_code(0), None);
        assert_eq!(Refusal::from_code(10), None);
    }
}
