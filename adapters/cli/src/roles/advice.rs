//! What to do about what went wrong.

use std::path::Path;

use iot_crypto::connection::{NegotiationError, NegotiationRefusal};
use iot_crypto::dtls::CloseReason;
use iot_crypto::identity::{Refusal, Role};
use iot_crypto::uplink::{Disconnection, Failure};

/// Two clocks, or the date of a certificate.
const CLOCK: &str = "compare the clocks of both computers, and the dates: iot-crypto identity show";

/// What to do when the party above, in the role `above`, could not be reached;
/// `trust` is the trust file of this party.
pub(super) fn on_failure(failure: &Failure, above: Role, trust: &Path) -> Option<String> {
    match failure {
        Failure::NoNetworkKey => {
            Some("add the key of its network: iot-crypto network show, on both".to_owned())
        }
        Failure::Negotiation(CloseReason::HandshakeTimeout { undecryptable: true }) => Some(
            "the network keys may differ: compare `iot-crypto network show` on both".to_owned(),
        ),
        Failure::Negotiation(CloseReason::HandshakeTimeout { undecryptable: false }) => {
            Some(format!(
                "is the {above} running, at the address that is configured, with the same network key \
             (iot-crypto network show), and does no firewall stop UDP?"
            ))
        }
        Failure::NoAnswer | Failure::Transmission(CloseReason::HandshakeTimeout { .. }) => {
            Some(format!("see what the {above} reports, and whether a firewall stops UDP"))
        }
        Failure::RefusedByPeer(refusal) => at_the_other_side(*refusal, above),
        Failure::Refused(NegotiationError::Untrusted(refusal)) => {
            Some(on_refusal(*refusal, above, trust))
        }
        Failure::Refused(NegotiationError::TimeBehindFloor) => Some(CLOCK.to_owned()),
        _ => None,
    }
}

/// What to do when a party that says that it is in the role `below` was refused
/// here.
pub(super) fn on_refused(refusal: NegotiationRefusal, below: Role, trust: &Path) -> Option<String> {
    match refusal {
        NegotiationRefusal::Trust(refusal) => Some(on_refusal(refusal, below, trust)),
        NegotiationRefusal::TimeUnknown => Some("set the clock of this computer".to_owned()),
        NegotiationRefusal::Busy => {
            Some(format!("raise the greatest number of {below}s in the configuration"))
        }
        NegotiationRefusal::WrongRole => Some(format!("only {below}s connect here")),
        _ => None,
    }
}

/// What to do when a session ended.
pub(super) fn on_disconnection(reason: &Disconnection, peer: Role, trust: &Path) -> Option<String> {
    match reason {
        Disconnection::Untrusted(refusal) => Some(on_refusal(*refusal, peer, trust)),
        _ => None,
    }
}

/// What to do here about a peer in the role `peer` that is not trusted.
fn on_refusal(refusal: Refusal, peer: Role, trust: &Path) -> String {
    match refusal {
        Refusal::NoTrustedEndorsement => format!(
            "to trust the {peer}, list a company that endorsed it: iot-crypto trust add {} \
             COMPANY.certificate",
            trust.display()
        ),
        refusal => on_renewal(refusal, &format!("the {peer}")),
    }
}

/// What to do about a certificate that nobody will trust as it is.
fn on_renewal(refusal: Refusal, whom: &str) -> String {
    match refusal {
        Refusal::RoleNotGranted => format!(
            "ask the company that endorsed {whom} for an endorsement with this role: iot-crypto \
             endorse"
        ),
        Refusal::Expired | Refusal::EndorsementExpired => format!(
            "have {whom} renewed and endorsed again: iot-crypto identity renew, iot-crypto endorse; \
             if it is in date, {CLOCK}"
        ),
        Refusal::NotYetValid | Refusal::EndorsementNotYetValid => CLOCK.to_owned(),
        Refusal::SelfSignature => format!("the certificate of {whom} was changed; make a new one"),
        Refusal::Revoked | Refusal::IssuerRevoked => {
            "a revocation can't be taken back; make a new identity and have that endorsed"
                .to_owned()
        }
        _ => format!("see why: iot-crypto trust check, with the certificate of {whom}"),
    }
}

/// What to do when the party above refuses this one.
fn at_the_other_side(refusal: NegotiationRefusal, above: Role) -> Option<String> {
    match refusal {
        NegotiationRefusal::Trust(Refusal::NoTrustedEndorsement) => Some(format!(
            "have this party endorsed by a company that the {above} lists, or that company listed \
             there: iot-crypto trust add"
        )),
        NegotiationRefusal::Trust(refusal) => Some(on_renewal(refusal, "this party")),
        NegotiationRefusal::TimeUnknown => Some(format!("the clock of the {above} must be set")),
        NegotiationRefusal::Busy => Some("it is tried again by itself".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(failure: &Failure) -> String {
        on_failure(failure, Role::Gateway, Path::new("lamp.trust")).unwrap()
    }

    #[test]
    fn advice_says_what_to_do_and_on_which_side() {
        let keys = Failure::Negotiation(CloseReason::HandshakeTimeout { undecryptable: true });
        assert!(failure(&keys).contains("iot-crypto network show"));
        let here = NegotiationError::Untrusted(Refusal::NoTrustedEndorsement);
        assert!(failure(&Failure::Refused(here)).contains("trust add lamp.trust"));
        let there = NegotiationRefusal::Trust(Refusal::NoTrustedEndorsement);
        let there = failure(&Failure::RefusedByPeer(there));
        assert!(there.contains("the gateway lists") && !there.contains("lamp.trust"), "{there}");
        let refused = NegotiationRefusal::Trust(Refusal::Expired);
        let refused = on_refused(refused, Role::Device, Path::new("hall.trust")).unwrap();
        assert!(refused.contains("have the device renewed"), "{refused}");
    }
}
