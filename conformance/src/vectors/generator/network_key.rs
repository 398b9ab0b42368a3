//! Network keys.

use serde_json::{Value, json};

use super::broken::{broken, decodes, malformed};
use super::cbor::{Item, array};
use super::primitives::{hkdf, secret};
use crate::hex::hex;
use crate::vectors::{InnerValue, Vector};

pub(super) fn vectors() -> Vec<Vector> {
    let keys = ["network", "next network", "third network", "fourth network"].map(secret);
    let one = decodes("network-key: usual", "network-key", &stored(&keys[0]), fields(&keys[0]))
        .steps(derivation(&keys[0]));
    let mut vectors = vec![one];
    vectors.extend(broken("network-key", &stored(&keys[0]), Some(0)));

    let several = |count: usize| ring(&keys[..count]);
    for (name, count) in [("none", 0), ("one", 1), ("four", 4)] {
        let all = keys[..count].iter().map(fields).collect();
        vectors.push(decodes(
            &format!("network-keys: {name}"),
            "network-keys",
            &several(count),
            Value::Array(all),
        ));
    }
    vectors.extend(broken("network-keys", &several(2), Some(0)));
    let five = ring(&[keys[0], keys[1], keys[2], keys[3], secret("fifth network")]);
    let twice = ring(&[keys[0], keys[0]]);
    vectors.extend([
        malformed("five", "there are five", "network-keys", &five.encode(), true),
        malformed("one twice", "two have the same id", "network-keys", &twice.encode(), false),
    ]);
    vectors
}

/// The encoding of a key.
pub(super) fn stored(secret: &[u8; 32]) -> Item {
    array([1.into(), (*secret).into()])
}

fn ring(secrets: &[[u8; 32]]) -> Item {
    array([1.into(), Item::Array(secrets.iter().map(stored).collect())])
}

pub(super) fn id(secret: &[u8; 32]) -> [u8; 4] {
    hkdf(&[], secret, "IoT-Crypto network key id")
}

pub(super) fn psk(secret: &[u8; 32]) -> [u8; 32] {
    hkdf(&[], secret, "IoT-Crypto network pre-shared key")
}

pub(super) fn advertisement_key(secret: &[u8; 32]) -> [u8; 32] {
    hkdf(&[], secret, "IoT-Crypto advertisement key")
}

fn fields(secret: &[u8; 32]) -> Value {
    json!({ "id": hex(&id(secret)), "pre-shared-key": hex(&psk(secret)) })
}

/// The keys that follow from a network key.
pub(super) fn derivation(secret: &[u8; 32]) -> Vec<InnerValue> {
    vec![
        InnerValue::new("secret", secret),
        InnerValue::new("id", &id(secret)),
        InnerValue::new("pre-shared key", &psk(secret)),
        InnerValue::new("advertisement key", &advertisement_key(secret)),
    ]
}
