//! The decision whether to trust.

use serde_json::{Value, json};

use super::cast::{DATA_AND_ALERT, DEVICE, GATEWAY, Party, company, day, device, encoded};
use super::cbor::{Item, array};
use crate::hex::hex;
use crate::vectors::Vector;

const RIGHTS: &str = "data, alert";

/// A verifier's state and what it is asked.
struct Question {
    parties: Vec<Value>,
    held: Vec<Value>,
    revocations: Vec<Item>,
    credential: Item,
    role: &'static str,
    time: u64,
}

impl Question {
    /// Whether `credential` is that of a device, on day 50, for a verifier that
    /// trusts the company.
    fn about(credential: Item) -> Self {
        Self {
            parties: vec![company().listed("full")],
            held: vec![],
            revocations: vec![],
            credential,
            role: "device",
            time: day(50),
        }
    }

    fn request(&self) -> Value {
        json!({
            "op": "trust",
            "trust": {
                "parties": self.parties,
                "held": self.held,
                "revocations": self.revocations.iter().map(encoded).collect::<Vec<_>>(),
            },
            "credential": encoded(&self.credential),
            "role": self.role,
            "time": self.time,
        })
    }

    fn trusted(&self, name: &str, party: &Party, issuer: &Party, until: u64) -> Vector {
        let standing = json!({
            "party": hex(&party.id()),
            "relies-on": hex(&issuer.id()),
            "valid-until": until,
            "rights": RIGHTS,
        });
        Vector::accepted(name, self.request(), standing)
    }

    fn refused(&self, name: &str, because: &str, code: u64) -> Vector {
        Vector::refused(name, because, self.request(), "not trusted").and("code", code)
    }
}

fn held(subject: &Party, endorsement: &Item) -> Value {
    json!({ "fingerprint": hex(&subject.fingerprint()), "endorsement": encoded(endorsement) })
}

pub(super) fn vectors() -> Vec<Vector> {
    [trusted(), refused(), revocations(), revocations_not_taken()].concat()
}

fn partner() -> Party {
    Party::usual("partner")
}

/// The word of `issuer` for a device, from day `from` until day `until`.
fn word(issuer: &Party, subject: &Party, from: u64, until: u64) -> Item {
    issuer.endorse(subject.fingerprint(), [day(from), day(until)], DEVICE, DATA_AND_ALERT)
}

fn trusted() -> Vec<Vector> {
    let (company, partner, device) = (company(), partner(), device());
    let usual = device.credential(&[word(&company, &device, 10, 90)]);
    let at = |time| Question { time, ..Question::about(usual.clone()) };
    let no_word = Question::about(device.credential(&[]));
    let two =
        device.credential(&[word(&partner, &device, 10, 95), word(&company, &device, 10, 90)]);
    let long = Party::new("long-lived", day(0), day(60));
    let long_word = word(&company, &long, 0, 90);
    vec![
        at(day(50)).trusted("endorsed", &device, &company, day(90)),
        at(day(10)).trusted("in the endorsement's first second", &device, &company, day(90)),
        at(day(90) - 1).trusted("in the endorsement's last second", &device, &company, day(90)),
        Question::about(long.credential(&[long_word])).trusted(
            "the certificate ends first",
            &long,
            &company,
            day(60),
        ),
        Question { held: vec![held(&device, &word(&company, &device, 10, 90))], ..no_word }
            .trusted("the endorsement is held by the verifier", &device, &company, day(90)),
        Question {
            parties: vec![company.listed("full"), partner.listed("endorse")],
            ..Question::about(two.clone())
        }
        .trusted(
            "of two good endorsements the one that expires last",
            &device,
            &partner,
            day(95),
        ),
        Question::about(two).trusted(
            "an endorsement by a stranger besides does no harm",
            &device,
            &company,
            day(90),
        ),
        {
            let damaged = word(&company, &device, 10, 99).with(6, [1; 64]);
            let credential = device.credential(&[damaged, word(&company, &device, 10, 90)]);
            Question::about(credential).trusted(
                "a forged endorsement besides does no harm",
                &device,
                &company,
                day(90),
            )
        },
    ]
}

fn refused() -> Vec<Vector> {
    let (company, partner, device) = (company(), partner(), device());
    let usual = device.credential(&[word(&company, &device, 10, 90)]);
    let at = |time| Question { time, ..Question::about(usual.clone()) };
    let unsigned = device.certificate().with(6, [1; 64]);
    let unsigned_fingerprint = super::primitives::sha256(&unsigned.encode());
    let for_unsigned =
        company.endorse(unsigned_fingerprint, [day(10), day(90)], DEVICE, DATA_AND_ALERT);
    let of_gateway =
        company.endorse(device.fingerprint(), [day(10), day(90)], GATEWAY, DATA_AND_ALERT);
    let renewed = Party { expires: day(200), ..device.clone() };
    vec![
        at(day(0) - 1).refused("too early for the certificate", "created is in the future", 1),
        at(day(100)).refused("too late for the certificate", "expires has come", 2),
        Question::about(array([unsigned, Item::Array(vec![for_unsigned])])).refused(
            "self-signature",
            "the certificate's signature is not valid",
            3,
        ),
        Question::about(device.credential(&[])).refused("no endorsement", "there is none", 4),
        Question::about(device.credential(&[word(&partner, &device, 10, 90)])).refused(
            "an issuer that is not on the list",
            "the issuer is not on the list",
            4,
        ),
        Question::about(device.credential(&[word(&company, &device, 10, 90).with(6, [1; 64])]))
            .refused("a forged endorsement", "its signature is not valid", 4),
        Question::about(renewed.credential(&[word(&company, &device, 10, 90)])).refused(
            "an endorsement of the certificate before",
            "the certificate was renewed, and has another fingerprint",
            4,
        ),
        Question {
            held: vec![held(&partner, &word(&company, &partner, 0, 100))],
            ..Question::about(device.credential(&[word(&partner, &device, 10, 90)]))
        }
        .refused("an issuer that is itself endorsed", "trust is not transitive", 4),
        Question {
            parties: vec![company.listed("full"), partner.listed("endorse")],
            revocations: vec![company.revoke(partner.id(), day(1))],
            ..Question::about(device.credential(&[word(&partner, &device, 10, 90)]))
        }
        .refused(
            "a revoked issuer",
            "the issuer is revoked by a party of full authority",
            5,
        ),
        at(day(10) - 1).refused("too early for the endorsement", "created is in the future", 7),
        at(day(90)).refused("too late for the endorsement", "expires has come", 8),
        Question::about(device.credential(&[of_gateway])).refused(
            "another role",
            "the endorsement grants the role of a gateway only",
            9,
        ),
    ]
}

fn revocations() -> Vec<Vector> {
    let (company, partner, device) = (company(), partner(), device());
    let both = device.credential(&[word(&company, &device, 10, 90)]);
    let with = |parties: &[(&Party, &str)], revocations: Vec<Item>, credential: &Item| Question {
        parties: parties.iter().map(|(party, authority)| party.listed(authority)).collect(),
        revocations,
        ..Question::about(credential.clone())
    };
    let full = [(&company, "full")];
    let endorsing = [(&company, "full"), (&partner, "endorse")];
    let of_partner = device.credential(&[word(&partner, &device, 10, 90)]);
    let of_both =
        device.credential(&[word(&partner, &device, 10, 95), word(&company, &device, 10, 90)]);
    vec![
        with(&full, vec![company.revoke(device.id(), day(1))], &both).refused(
            "revoked by a party of full authority",
            "the subject is revoked",
            6,
        ),
        with(&full, vec![company.revoke(device.id(), day(99))], &both).refused(
            "revoked in the future",
            "no decision rests on created of a revocation",
            6,
        ),
        with(&endorsing, vec![partner.revoke(device.id(), day(1))], &of_partner).refused(
            "void",
            "the issuer took back its own word",
            6,
        ),
        with(&endorsing, vec![partner.revoke(device.id(), day(1))], &both).trusted(
            "a partner's revocation does not reach another's endorsement",
            &device,
            &company,
            day(90),
        ),
        with(&endorsing, vec![partner.revoke(device.id(), day(1))], &of_both).trusted(
            "a void endorsement besides a good one",
            &device,
            &company,
            day(90),
        ),
        with(&endorsing, vec![partner.revoke(partner.id(), day(1))], &of_partner).refused(
            "an issuer that revoked itself",
            "a party that revokes itself is revoked, whatever its authority",
            5,
        ),
        with(
            &[(&company, "full"), (&partner, "full")],
            vec![company.revoke(partner.id(), day(1)), partner.revoke(device.id(), day(2))],
            &both,
        )
        .refused(
            "revoked by one who is revoked",
            "that the issuer of a revocation is itself revoked does not matter",
            6,
        ),
    ]
}

fn revocations_not_taken() -> Vec<Vector> {
    let (company, partner, device) = (company(), partner(), device());
    let credential = device.credential(&[word(&company, &device, 10, 90)]);
    let with = |revocation| {
        let question = Question::about(credential.clone());
        Question { revocations: vec![revocation], ..question }.request()
    };
    vec![
        Vector::refused(
            "a revocation by a stranger",
            "its issuer is not on the list",
            with(partner.revoke(device.id(), day(1))),
            "unknown issuer",
        ),
        Vector::refused(
            "a forged revocation",
            "its signature is not valid",
            with(company.revoke(device.id(), day(1)).with(4, [1; 64])),
            "signature",
        ),
    ]
}
