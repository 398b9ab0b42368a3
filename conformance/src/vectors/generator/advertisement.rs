//! Advertisements.

use serde_json::{Value, json};

use super::broken::broken;
use super::cast::{day, encoded, gateway};
use super::cbor::Item;
use super::network_key::{advertisement_key, derivation, id};
use super::primitives::{hmac, secret, start};
use crate::hex::hex;
use crate::vectors::{InnerValue, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    let advertisements = [
        ("usual", usual()),
        ("longest", Fields::all_greatest()),
        ("shortest", Fields::all_least()),
        ("time unknown", Fields { time: 0, ..usual() }),
        ("unknown versions", Fields { versions: 0x8000_0003, ..usual() }),
    ];
    let mut vectors: Vec<Vector> = advertisements
        .iter()
        .flat_map(|(name, fields)| [made(name, fields), opened(name, fields)])
        .collect();
    vectors.extend(refused());
    vectors.extend(freshness());
    vectors
}

/// What an advertisement says.
#[derive(Clone)]
pub(super) struct Fields {
    pub(super) gateway: [u8; 16],
    pub(super) negotiation_port: u64,
    pub(super) transmission_port: u64,
    pub(super) versions: u64,
    pub(super) time: u64,
    pub(super) sequence: u64,
    pub(super) incarnation: u64,
}

pub(super) fn usual() -> Fields {
    Fields {
        gateway: gateway().id(),
        negotiation_port: 4433,
        transmission_port: 4434,
        versions: 1,
        time: day(20),
        sequence: 7,
        incarnation: 0xdead_beef,
    }
}

impl Fields {
    fn all_greatest() -> Self {
        let (port, word) = (u64::from(u16::MAX), u64::from(u32::MAX));
        Self {
            gateway: [0xff; 16],
            negotiation_port: port,
            transmission_port: port,
            versions: word,
            time: u64::MAX,
            sequence: word,
            incarnation: word,
        }
    }

    fn all_least() -> Self {
        Self {
            gateway: [0; 16],
            negotiation_port: 0,
            transmission_port: 0,
            versions: 0,
            time: 0,
            sequence: 0,
            incarnation: 0,
        }
    }

    fn content(&self, key: &[u8; 32]) -> Vec<Item> {
        vec![
            1.into(),
            id(key).into(),
            self.gateway.into(),
            self.negotiation_port.into(),
            self.transmission_port.into(),
            self.versions.into(),
            self.time.into(),
            self.sequence.into(),
            self.incarnation.into(),
        ]
    }

    fn mac(&self, key: &[u8; 32]) -> [u8; 32] {
        hmac(&advertisement_key(key), &Item::Array(self.content(key)).encode())
    }

    /// The advertisement under the network key `key`.
    pub(super) fn sealed(&self, key: &[u8; 32]) -> Item {
        let mac: [u8; 16] = start(&self.mac(key));
        Item::Array([self.content(key), vec![mac.into()]].concat())
    }

    fn json(&self) -> Value {
        json!({
            "gateway": hex(&self.gateway),
            "negotiation-port": self.negotiation_port,
            "transmission-port": self.transmission_port,
            "versions": self.versions,
            "time": self.time,
            "sequence": self.sequence,
            "incarnation": self.incarnation,
        })
    }
}

/// The network key of the vectors.
pub(super) fn network() -> [u8; 32] {
    secret("network")
}

fn made(name: &str, fields: &Fields) -> Vector {
    let key = network();
    let request = json!({
        "op": "advertise", "network-key": hex(&key), "advertisement": fields.json(),
    });
    let mut steps = derivation(&key);
    steps.extend([
        InnerValue::new("authenticated", &Item::Array(fields.content(&key)).encode()),
        InnerValue::new("HMAC-SHA256", &fields.mac(&key)),
    ]);
    let bytes = encoded(&fields.sealed(&key));
    Vector::accepted(format!("made: {name}"), request, json!({ "bytes": bytes })).steps(steps)
}

/// The request to take `bytes` by one who has two network keys.
fn taken(bytes: &[u8]) -> Value {
    let keys = [secret("next network"), network()].map(|key| hex(&key));
    json!({ "op": "open-advertisement", "network-keys": keys, "bytes": hex(bytes) })
}

fn opened(name: &str, fields: &Fields) -> Vector {
    let key = network();
    let answer = json!({ "network-key": hex(&id(&key)), "advertisement": fields.json() });
    let request = taken(&fields.sealed(&key).encode());
    Vector::accepted(format!("taken: {name}"), request, answer).schema(true)
}

fn refused() -> Vec<Vector> {
    let key = network();
    let whole = usual().sealed(&key);
    let mut vectors: Vec<Vector> = broken("advertisement", &whole, Some(0))
        .into_iter()
        .map(|vector| {
            let bytes = vector.request["bytes"].clone();
            let mut request = taken(&[]);
            request["bytes"] = bytes;
            Vector { request, ..vector }
        })
        .collect();
    let refused = |name: &str, because: &str, item: &Item, reason: &str| {
        Vector::refused(name, because, taken(&item.encode()), reason).schema(true)
    };
    vectors.extend([
        refused(
            "another network",
            "the network key is not known",
            &usual().sealed(&secret("fifth network")),
            "unknown key",
        ),
        refused(
            "another sequence number",
            "the sequence number is not the one that was authenticated",
            &whole.with(7, 8),
            "forged",
        ),
        refused(
            "another incarnation",
            "the incarnation is not the one that was authenticated",
            &whole.with(8, 1),
            "forged",
        ),
        refused(
            "code of another",
            "the authentication code is that of another advertisement",
            &whole.with(9, [0; 16]),
            "forged",
        ),
        refused(
            "key id of another",
            "the authentication code was made with another key than the one named",
            &whole.with(1, id(&secret("next network"))),
            "forged",
        ),
        refused(
            "port of 17 bits",
            "the port is greater than 65535",
            &whole.with(3, 65_536),
            "malformed",
        )
        .schema(false),
    ]);
    vectors
}

fn freshness() -> Vec<Vector> {
    let gateways = [gateway().id(), [7; 16]];
    let heard = |from: usize, time: u64, sequence: u32, clock: u64| {
        json!({
            "gateway": hex(&gateways[from]), "time": time, "sequence": sequence, "clock": clock,
        })
    };
    let vector = |name: &str, heard: Vec<(Value, &str)>| {
        let (heard, verdicts): (Vec<_>, Vec<_>) = heard.into_iter().unzip();
        let request = json!({ "op": "freshness", "window": 300, "heard": heard });
        Vector::accepted(format!("new: {name}"), request, json!({ "verdicts": verdicts }))
    };
    let now = day(20);
    vec![
        vector(
            "time first, sequence second",
            vec![
                (heard(0, now, 5, 0), "taken"),
                (heard(0, now, 5, 0), "not newer"),
                (heard(0, now, 4, 0), "not newer"),
                (heard(0, now, 6, 0), "taken"),
                (heard(0, now + 1, 1, 0), "taken"),
                (heard(0, now, 9, 0), "not newer"),
                (heard(0, 0, 99, 0), "not newer"),
                (heard(1, now, 5, 0), "taken"),
            ],
        ),
        vector(
            "a gateway without a clock",
            vec![
                (heard(0, 0, 5, now), "taken"),
                (heard(0, 0, 5, now), "not newer"),
                (heard(0, 0, 6, now), "taken"),
                (heard(0, now, 1, now), "taken"),
                (heard(0, 0, 7, now), "not newer"),
            ],
        ),
        vector(
            "the receiver's window",
            vec![
                (heard(0, now - 301, 1, now), "out of the window"),
                (heard(0, now + 301, 1, now), "out of the window"),
                (heard(0, now - 300, 1, now), "taken"),
                (heard(0, now + 300, 1, now), "taken"),
            ],
        ),
    ]
}
