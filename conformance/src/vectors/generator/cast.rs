//! The parties of the vectors, and what they sign.

use serde_json::{Value, json};

use super::cbor::{Item, array};
use super::primitives::{p256_public, secret, sha256, sign, start, x25519_public};
use crate::hex::hex;

/// 2027-01-15T08:00:00Z, day 0 of the vectors.
const START: u64 = 1_800_000_000;

pub(super) const DEVICE: u64 = 1;
pub(super) const GATEWAY: u64 = 2;
pub(super) const DATA_AND_ALERT: u64 = 5;

/// The beginning of a day of the vectors.
pub(super) fn day(number: u64) -> u64 {
    START + number * 86_400
}

/// A party: everything of it follows from its name and dates.
#[derive(Clone, Debug)]
pub(super) struct Party {
    pub(super) name: String,
    pub(super) created: u64,
    pub(super) expires: u64,
    pub(super) exchange_secret: [u8; 32],
    pub(super) signing_secret: [u8; 32],
}

impl Party {
    pub(super) fn new(name: &str, created: u64, expires: u64) -> Self {
        Self {
            name: name.to_owned(),
            created,
            expires,
            exchange_secret: secret(&format!("exchange key of {name}")),
            signing_secret: secret(&format!("signing key of {name}")),
        }
    }

    /// From day 0 until day 100.
    pub(super) fn usual(name: &str) -> Self {
        Self::new(name, day(0), day(100))
    }

    pub(super) fn exchange_key(&self) -> [u8; 32] {
        x25519_public(&self.exchange_secret)
    }

    pub(super) fn signing_key(&self) -> [u8; 33] {
        p256_public(&self.signing_secret)
    }

    pub(super) fn id(&self) -> [u8; 16] {
        let label = b"IoT-Crypto party id".as_slice();
        start(&sha256(&[label, &self.exchange_key(), &self.signing_key()].concat()))
    }

    /// `signed` with its signature under `label` as one item more.
    pub(super) fn signed(&self, label: &str, before: &[u8], content: Vec<Item>) -> Item {
        let encoded = Item::Array(content.clone()).encode();
        let signature = sign(&self.signing_secret, &[label.as_bytes(), before, &encoded].concat());
        Item::Array([content, vec![signature.into()]].concat())
    }

    /// The certificate's items without the signature.
    pub(super) fn certificate_content(&self) -> Vec<Item> {
        vec![
            1.into(),
            self.name.as_str().into(),
            self.created.into(),
            self.expires.into(),
            self.exchange_key().into(),
            self.signing_key().into(),
        ]
    }

    pub(super) fn certificate(&self) -> Item {
        self.signed("IoT-Crypto certificate", &[], self.certificate_content())
    }

    pub(super) fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.certificate().encode())
    }

    /// This party's word for the certificate with that fingerprint.
    pub(super) fn endorse(
        &self,
        fingerprint: [u8; 32],
        [created, expires]: [u64; 2],
        roles: u64,
        rights: u64,
    ) -> Item {
        let content = vec![
            1.into(),
            self.id().into(),
            created.into(),
            expires.into(),
            roles.into(),
            rights.into(),
        ];
        self.signed("IoT-Crypto endorsement", &fingerprint, content)
    }

    pub(super) fn revoke(&self, subject: [u8; 16], created: u64) -> Item {
        let content = vec![1.into(), self.id().into(), subject.into(), created.into()];
        self.signed("IoT-Crypto revocation", &[], content)
    }

    pub(super) fn credential(&self, endorsements: &[Item]) -> Item {
        array([self.certificate(), Item::Array(endorsements.to_vec())])
    }

    /// The private file.
    pub(super) fn private_identity(&self) -> Item {
        let (exchange, signing) = (self.exchange_secret.into(), self.signing_secret.into());
        array([1.into(), self.certificate(), exchange, signing])
    }

    /// The certificate's fields, as JSON.
    pub(super) fn certificate_fields(&self) -> Value {
        json!({
            "name": self.name,
            "created": self.created,
            "expires": self.expires,
            "exchange-key": hex(&self.exchange_key()),
            "signing-key": hex(&self.signing_key()),
            "id": hex(&self.id()),
            "fingerprint": hex(&self.fingerprint()),
        })
    }

    /// The party on a list of trusted parties, as JSON.
    pub(super) fn listed(&self, authority: &str) -> Value {
        json!({ "certificate": encoded(&self.certificate()), "authority": authority })
    }
}

/// The encoding of an item, as JSON.
pub(super) fn encoded(item: &Item) -> String {
    hex(&item.encode())
}

/// The company that endorses devices, gateways and clouds.
pub(super) fn company() -> Party {
    Party::usual("company")
}

pub(super) fn device() -> Party {
    Party::usual("thermometer1")
}

pub(super) fn gateway() -> Party {
    Party::usual("gateway-hall")
}

/// The company's endorsement of `subject` from day 0 until day 100.
pub(super) fn endorsed(subject: &Party, roles: u64) -> Item {
    company().endorse(subject.fingerprint(), [day(0), day(100)], roles, DATA_AND_ALERT)
}

/// What a verifier decides by who trusts the company alone.
pub(super) fn trusting_the_company() -> Value {
    json!({ "parties": [company().listed("full")] })
}
