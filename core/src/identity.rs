//! Who a party is, and who vouches for it: certificates, endorsements,
//! revocations, and the decision whether to trust.
//!
//! A party makes its own keys and its own [`Certificate`], signed by nobody but
//! itself. What lets others accept it is an [`Endorsement`]: the signature of a
//! third party over the fingerprint of that certificate, with the roles and
//! rights that it grants and the time for which it does. Certificate and
//! endorsements travel together, as a [`Credential`].
//!
//! Who is to decide keeps a [`TrustStore`]: the parties whose endorsements count,
//! and the revocations. [`TrustStore::verify`] is the only source of a
//! [`VerifiedCertificate`], and whatever must not go on without trust asks for
//! one. Trust is not transitive: an endorsement counts only if its issuer itself
//! is on the verifier's list.
//!
//! The formats are those of `conformance/SPEC.md`, sections 3 to 6.

mod certificate;
mod credential;
mod endorsement;
mod grant;
mod party;
mod private;
mod refusal;
mod revocation;
#[cfg(test)]
mod tests;
mod trust;
mod validity;

pub use certificate::Certificate;
pub use credential::{Credential, Endorsements, MAX_ENDORSEMENTS, TooManyEndorsements};
pub use endorsement::Endorsement;
pub use grant::{Grant, Rights, Role, Roles, UnknownWord};
pub use party::{Fingerprint, InvalidName, InvalidPartyId, Name, PartyId};
pub use private::{IssueError, LoadError, PrivateIdentity};
pub use refusal::Refusal;
pub use revocation::Revocation;
pub use trust::{
    Authority, Recorded, SignatureMemory, Standing, Trust, TrustError, TrustStore, TrustedParty,
    VerifiedCertificate, Verifier,
};
