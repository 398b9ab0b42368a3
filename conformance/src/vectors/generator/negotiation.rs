//! The key negotiation.

mod refused;

use serde_json::{Value, json};

use super::broken::{broken, decodes};
use super::cast::{
    DEVICE, GATEWAY, Party, company, day, device, encoded, endorsed, gateway, trusting_the_company,
};
use super::cbor::Item;
use super::identity::credential_fields;
use super::primitives::{hkdf, random, secret, sha256, sign, x25519, x25519_public};
use crate::hex::hex;
use crate::vectors::{InnerValue, Vector};

const DEVICE_INCARNATION: u64 = 0xcafe_babe;
const GATEWAY_INCARNATION: u64 = 0xdead_beef;
const PORT: u64 = 4434;
const LABEL: &[u8] = b"IoT-Crypto negotiation";

/// What the initiator draws.
#[derive(Clone, Copy)]
pub(super) enum Contribution {
    Ephemeral([u8; 32]),
    Nonce([u8; 16]),
}

/// A negotiation of the device with the gateway, on day 20.
pub(super) struct Negotiation {
    device: Party,
    gateway: Party,
    contribution: Contribution,
    responder_secret: [u8; 32],
}

/// What both sides come to.
pub(super) struct Outcome {
    pub(super) key: [u8; 32],
    pub(super) id: [u8; 8],
    steps: Vec<InnerValue>,
}

impl Negotiation {
    /// In which the initiator brings an ephemeral key.
    pub(super) fn with_ephemeral_key() -> Self {
        Self::new(Contribution::Ephemeral(secret("ephemeral key of the device")))
    }

    /// In which it brings a random number.
    pub(super) fn with_nonce() -> Self {
        Self::new(Contribution::Nonce(random("nonce of the device")))
    }

    fn new(contribution: Contribution) -> Self {
        let responder_secret = secret("ephemeral key of the gateway");
        Self { device: device(), gateway: gateway(), contribution, responder_secret }
    }

    /// M1.
    pub(super) fn request(&self) -> Item {
        let freshness = match self.contribution {
            Contribution::Ephemeral(secret) => x25519_public(&secret).into(),
            Contribution::Nonce(nonce) => nonce.into(),
        };
        Item::Array(vec![
            1.into(),
            1.into(),
            DEVICE.into(),
            true.into(),
            DEVICE_INCARNATION.into(),
            freshness,
            self.device.credential(&[endorsed(&self.device, DEVICE)]),
        ])
    }

    /// M2 without its signature.
    fn unsigned(&self, time: u64) -> Vec<Item> {
        vec![
            2.into(),
            1.into(),
            GATEWAY_INCARNATION.into(),
            time.into(),
            PORT.into(),
            x25519_public(&self.responder_secret).into(),
            self.gateway.credential(&[endorsed(&self.gateway, GATEWAY)]),
        ]
    }

    /// M2, at `time`.
    fn response_at(&self, time: u64) -> Item {
        signed_response(&self.request(), self.unsigned(time), &self.gateway)
    }

    /// M2.
    pub(super) fn response(&self) -> Item {
        self.response_at(day(20))
    }

    pub(super) fn outcome(&self) -> Outcome {
        let (request, response) = (self.request().encode(), self.response().encode());
        let unsigned = Item::Array(self.unsigned(day(20))).encode();
        let long_term = x25519(&self.responder_secret, &self.device.exchange_key());
        let mut steps = vec![
            InnerValue::new("M1", &request),
            InnerValue::new("M2'", &unsigned),
            InnerValue::new("T(M1, M2')", &transcript(&request, &unsigned)),
            InnerValue::new("signed", &[LABEL, &transcript(&request, &unsigned)].concat()),
            InnerValue::new("M2", &response),
            InnerValue::new("static", &long_term),
        ];
        let mut input = long_term.to_vec();
        if let Contribution::Ephemeral(secret) = &self.contribution {
            let shared = x25519(secret, &x25519_public(&self.responder_secret));
            steps.push(InnerValue::new("shared", &shared));
            input.extend(shared);
        }
        let salt = transcript(&request, &response);
        let key = hkdf(&salt, &input, "IoT-Crypto session key");
        let id = hkdf(&salt, &input, "IoT-Crypto session key id");
        steps.extend([
            InnerValue::new("input", &input),
            InnerValue::new("salt = T(M1, M2)", &salt),
            InnerValue::new("session key", &key),
            InnerValue::new("session key id", &id),
        ]);
        Outcome { key, id, steps }
    }

    fn local(party: &Party, role: u64) -> Value {
        json!({
            "identity": encoded(&party.private_identity()),
            "endorsements": [encoded(&endorsed(party, role))],
        })
    }

    fn attempt(&self) -> Value {
        let contribution = match &self.contribution {
            Contribution::Ephemeral(secret) => json!({ "ephemeral-secret": hex(secret) }),
            Contribution::Nonce(nonce) => json!({ "nonce": hex(nonce) }),
        };
        json!({
            "role": "device", "peer-role": "gateway", "sleepy": true,
            "incarnation": DEVICE_INCARNATION, "contribution": contribution,
        })
    }

    /// What the gateway is asked when `request` comes.
    fn ask_gateway(&self, request: &[u8], time: u64) -> Value {
        json!({
            "op": "respond",
            "local": Self::local(&self.gateway, GATEWAY),
            "trust": trusting_the_company(),
            "peer-role": "device",
            "incarnation": GATEWAY_INCARNATION,
            "transmission-port": PORT,
            "time": time,
            "ephemeral-secret": hex(&self.responder_secret),
            "request": hex(request),
        })
    }

    /// What the device is asked when `answer` comes.
    fn ask_device(&self, answer: &[u8], clock: Value) -> Value {
        json!({
            "op": "finish",
            "local": Self::local(&self.device, DEVICE),
            "trust": trusting_the_company(),
            "attempt": self.attempt(),
            "clock": clock,
            "answer": hex(answer),
        })
    }

    fn finished(&self, name: &str, clock: Value, time: u64) -> Vector {
        let Outcome { key, id, .. } = self.outcome();
        let result = json!({
            "session-key": hex(&key), "session-key-id": hex(&id),
            "peer": hex(&self.gateway.id()), "peer-incarnation": GATEWAY_INCARNATION,
            "transmission-port": PORT, "time": time,
        });
        Vector::accepted(name, self.ask_device(&self.response().encode(), clock), result)
    }
}

/// `content` with the signature of `signer` over it and `request` as one item
/// more.
fn signed_response(request: &Item, content: Vec<Item>, signer: &Party) -> Item {
    let hash = transcript(&request.encode(), &Item::Array(content.clone()).encode());
    let signature = sign(&signer.signing_secret, &[LABEL, &hash].concat());
    Item::Array([content, vec![signature.into()]].concat())
}

/// T(m1, m2) of SPEC.md section 9.3.
fn transcript(one: &[u8], other: &[u8]) -> [u8; 32] {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short").to_be_bytes();
    sha256(&[&length(one)[..], one, &length(other)[..], other].concat())
}

pub(super) fn vectors() -> Vec<Vector> {
    let variants = [
        ("with an ephemeral key", Negotiation::with_ephemeral_key()),
        ("with a random number", Negotiation::with_nonce()),
    ];
    let mut vectors: Vec<Vector> =
        variants.iter().flat_map(|(name, negotiation)| agreed(name, negotiation)).collect();
    let negotiation = Negotiation::with_ephemeral_key();
    vectors.extend(broken("request", &negotiation.request(), Some(1)));
    vectors.extend(refused::vectors(&negotiation));
    vectors.extend(times(&negotiation));
    vectors
}

fn agreed(name: &str, negotiation: &Negotiation) -> Vec<Vector> {
    let request = negotiation.request();
    let response = negotiation.response();
    let outcome = negotiation.outcome();
    let freshness = match negotiation.contribution {
        Contribution::Ephemeral(secret) => json!({ "ephemeral-key": hex(&x25519_public(&secret)) }),
        Contribution::Nonce(nonce) => json!({ "nonce": hex(&nonce) }),
    };
    let fields = json!({
        "role": "device", "sleepy": true, "incarnation": DEVICE_INCARNATION,
        "freshness": freshness,
        "credential":
            credential_fields(&negotiation.device, &company(), ["device", "data, alert"]),
    });
    let begin = json!({
        "op": "request",
        "local": Negotiation::local(&negotiation.device, DEVICE),
        "attempt": negotiation.attempt(),
    });
    let responded = json!({
        "bytes": encoded(&response),
        "session-key": hex(&outcome.key), "session-key-id": hex(&outcome.id),
        "peer": hex(&negotiation.device.id()), "peer-incarnation": DEVICE_INCARNATION,
        "sleepy": true,
    });
    vec![
        Vector::accepted(format!("M1 {name}: made"), begin, json!({ "bytes": encoded(&request) })),
        decodes(&format!("M1 {name}: decoded"), "request", &request, fields),
        Vector::accepted(
            format!("M2 to M1 {name}"),
            negotiation.ask_gateway(&request.encode(), day(20)),
            responded,
        )
        .steps(outcome.steps.clone()),
        negotiation
            .finished(&format!("key {name}"), json!({ "known": day(20) }), day(20))
            .steps(outcome.steps),
    ]
}

/// What the device knows of the time, and what it takes from the gateway.
fn times(negotiation: &Negotiation) -> Vec<Vector> {
    let at = |time: u64, clock: Value| {
        negotiation.ask_device(&negotiation.response_at(time).encode(), clock)
    };
    vec![
        negotiation.finished("time: the device's own counts", json!({ "known": day(30) }), day(30)),
        negotiation.finished("time: learnt", json!({ "floor": 0 }), day(20)),
        negotiation.finished(
            "time: learnt, equal to the floor",
            json!({ "floor": day(20) }),
            day(20),
        ),
        Vector::refused(
            "time: behind the floor",
            "the gateway's time is less than what is known to have passed",
            at(day(20), json!({ "floor": day(20) + 1 })),
            "time in the past",
        ),
        Vector::refused(
            "time: nobody knows it",
            "the gateway does not know it either",
            at(0, json!({ "floor": 0 })),
            "time unknown",
        ),
        Vector::refused(
            "time: after the end",
            "at the gateway's time its certificate has expired",
            at(day(100), json!({ "floor": 0 })),
            "not trusted",
        )
        .and("code", 2),
    ]
}
