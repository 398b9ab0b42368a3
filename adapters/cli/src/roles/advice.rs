//! What to do about what went wrong.

use iot_crypto::connection::{NegotiationError, NegotiationRefusal};
use iot_crypto::dtls::CloseReason;
use iot_crypto::identity::{Refusal, Role};
use iot_crypto::uplink::{Disconnection, Failure};

/// Two clocks, or the date of a certificate.
const CLOCK: &str = "compare the clocks of both computers, and the dates: iot-crypto identity show";

/// What to do when the party above, in the role `above`, could not be reached.
pub(super) fn on_failure(failure: &Failure, above: Role) -> Option<String> {
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
            Some(on_refusal(*refusal, &format!("this {above}")))
        }
        Failure::Refused(NegotiationError::TimeBehindFloor) => Some(CLOCK.to_owned()),
        _ => None,
    }
}

/// What to do when a party that says that it is in the role `below` was refused
/// here.
pub(super) fn on_refused(refusal: NegotiationRefusal, below: Role) -> Option<String> {
    match refusal {
        NegotiationRefusal::Trust(refusal) => Some(on_refusal(refusal, &format!("the {below}"))),
        NegotiationRefusal::TimeUnknown => Some("set the clock of this computer".to_owned()),
        NegotiationRefusal::Busy => {
            Some(format!("raise the greatest number of {below}s in the configuration"))
        }
        NegotiationRefusal::WrongRole => Some(format!("only {below}s connect here")),
        _ => None,
    }
}

/// What to do when a session ended.
pub(super) fn on_disconnection(reason: &Disconnection, peer: Role) -> Option<String> {
    match reason {
        Disconnection::Untrusted(refusal) => Some(on_refusal(*refusal, &format!("the {peer}"))),
        _ => None,
    }
}

/// What to do here to have `whom` trusted.
fn on_refusal(refusal: Refusal, whom: &str) -> String {
    match refusal {
        Refusal::NoTrustedEndorsement => format!(
            "to trust {whom}, list a company that endorsed it: iot-crypto trust add TRUST-FILE \
             COMPANY.certificate"
        ),
        Refusal::RoleNotGranted => {
            format!(
                "ask the company that endorsed {whom} for one with this role: iot-crypto endorse"
            )
        }
        Refusal::Expired | Refusal::EndorsementExpired => format!(
            "have {whom} renewed and endorsed again: iot-crypto identity renew, iot-crypto endorse; \
             if it is in date, {CLOCK}"
        ),
        Refusal::NotYetValid | Refusal::EndorsementNotYetValid => CLOCK.to_owned(),
        Refusal::SelfSignature => "its certificate was changed; make it a new identity".to_owned(),
        Refusal::Revoked | Refusal::IssuerRevoked => {
            "a revocation can't be taken back; make it a new identity and endorse that".to_owned()
        }
        _ => format!("see why: iot-crypto trust check TRUST-FILE CERTIFICATE, for {whom}"),
    }
}

/// What to do when the party above refuses this one.
fn at_the_other_side(refusal: NegotiationRefusal, above: Role) -> Option<String> {
    match refusal {
        NegotiationRefusal::Trust(Refusal::NoTrustedEndorsement) => Some(format!(
            "have this party endorsed by a company that the {above} lists, or that company listed \
             there: iot-crypto trust add"
        )),
        NegotiationRefusal::Trust(refusal) => Some(on_refusal(refusal, "this party")),
        NegotiationRefusal::TimeUnknown => Some(format!("the clock of the {above} must be set")),
        NegotiationRefusal::Busy => Some("it is tried again by itself".to_owned()),
        _ => None,
    }
}
