//! The messages of the transmission protocol.

mod refused;

use serde_json::{Value, json};

use super::cast::{company, day, device};
use super::cbor::{Item, array};
use super::network_key::stored;
use super::primitives::secret;
use crate::hex::hex;
use crate::vectors::Vector;

/// A message: what it is called, its bytes, and its fields.
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) item: Item,
    pub(super) fields: Value,
}

fn sample(name: &str, items: Vec<Item>, fields: Value) -> Sample {
    Sample { name: name.to_owned(), item: Item::Array(items), fields }
}

const WARM: [u8; 3] = [0xf9, 0x4d, 0x60];

/// The reading "temperature 21.5", and its fields.
fn warm() -> (Item, Value) {
    let item = array([1.into(), Item::Raw(WARM.to_vec())]);
    (item, json!({ "label": 1, "value": { "float": hex(&21.5_f64.to_be_bytes()) } }))
}

/// One message of every kind at least, all with the id `id`.
pub(super) fn samples(id: u64) -> Vec<Sample> {
    let (reading, reading_fields) = warm();
    let key = stored(&secret("next network")).encode();
    let revocation = company().revoke(device().id(), day(3)).encode();
    let one = |item: &Item| Item::Array(vec![item.clone()]);
    let known = |kind: u64| vec![kind.into(), id.into()];
    let of = |kind: u64, fields: Vec<Item>| [known(kind), fields].concat();
    vec![
        sample(
            "data request",
            of(1, vec![one(&1.into()), true.into()]),
            json!({ "kind": "data request", "id": id, "labels": [1], "nothing-waiting": true }),
        ),
        sample(
            "data response",
            of(2, vec![one(&reading)]),
            json!({ "kind": "data response", "id": id, "readings": [reading_fields] }),
        ),
        sample(
            "command",
            of(3, vec![10.into(), true.into(), true.into()]),
            json!({
                "kind": "command", "id": id, "label": 10, "argument": { "bool": true },
                "nothing-waiting": true,
            }),
        ),
        sample(
            "command with a lifetime",
            of(3, vec![10.into(), true.into(), false.into(), 60.into()]),
            json!({
                "kind": "command", "id": id, "label": 10, "argument": { "bool": true },
                "nothing-waiting": false, "lifetime": 60,
            }),
        ),
        sample(
            "command status",
            of(4, vec![1.into()]),
            json!({ "kind": "command status", "id": id, "state": 1 }),
        ),
        sample(
            "command status with a result",
            of(4, vec![2.into(), "jammed".into()]),
            json!({ "kind": "command status", "id": id, "state": 2, "result": { "text": "jammed" } }),
        ),
        sample(
            "alert",
            of(5, vec![2.into(), reading.clone(), "warm".into()]),
            json!({
                "kind": "alert", "id": id, "severity": 2, "reading": reading_fields, "text": "warm",
            }),
        ),
        sample(
            "error",
            of(6, vec![7.into(), "".into()]),
            json!({ "kind": "error", "id": id, "code": 7, "text": "" }),
        ),
        sample(
            "acknowledgement",
            of(7, vec![true.into()]),
            json!({ "kind": "acknowledgement", "id": id, "nothing-waiting": true }),
        ),
        sample("awake", known(8), json!({ "kind": "awake", "id": id })),
        sample(
            "network key",
            of(9, vec![key.clone().into()]),
            json!({ "kind": "network key", "id": id, "network-key": hex(&key) }),
        ),
        sample(
            "revocation",
            of(10, vec![revocation.clone().into()]),
            json!({ "kind": "revocation", "id": id, "revocation": hex(&revocation) }),
        ),
        sample(
            "presence",
            of(11, vec![array([3.into(), 4.into()]), "hall".into()]),
            json!({ "kind": "presence", "id": id, "state": [3, 4], "name": "hall" }),
        ),
        sample(
            "report",
            of(12, vec![one(&reading)]),
            json!({ "kind": "report", "id": id, "readings": [reading_fields] }),
        ),
        sample("renegotiation", known(13), json!({ "kind": "renegotiation", "id": id })),
    ]
}

impl Sample {
    /// The same between gateway and cloud: about a device.
    pub(super) fn about(&self, subject: [u8; 16]) -> Self {
        let mut items = self.item.items().to_vec();
        // An absent field in front of a subject is null.
        if matches!((&items[0], items.len()), (Item::Uint(3), 5) | (Item::Uint(4), 3)) {
            items.push(Item::Null);
        }
        items.push(subject.into());
        let mut fields = self.fields.clone();
        fields["subject"] = hex(&subject).into();
        sample(&format!("{} with a subject", self.name), items, fields)
    }

    fn decoded(&self) -> Vector {
        let request = request(&self.item.encode());
        Vector::accepted(self.name.clone(), request, self.fields.clone()).schema(true)
    }
}

fn request(bytes: &[u8]) -> Value {
    json!({ "op": "decode", "type": "message", "bytes": hex(bytes) })
}

pub(super) fn vectors() -> Vec<Vector> {
    let samples = samples(5);
    let subject = device().id();
    let plain = samples.iter().map(Sample::decoded);
    let about = samples.iter().map(|sample| sample.about(subject).decoded());
    plain.chain(about).chain(values()).chain(limits()).chain(refused::vectors()).collect()
}

/// Every type of value, label and reading.
fn values() -> Vec<Vector> {
    let float = |value: f64| json!({ "float": hex(&value.to_be_bytes()) });
    let raw = |bytes: &[u8]| Item::Raw(bytes.to_vec());
    let cases = [
        ("false", false.into(), json!({ "bool": false })),
        ("zero", 0.into(), json!({ "integer": 0 })),
        ("greatest integer", (i64::MAX as u64).into(), json!({ "integer": i64::MAX })),
        ("least integer", Item::Negative(i64::MAX as u64), json!({ "integer": i64::MIN })),
        ("integer 2", 2.into(), json!({ "integer": 2 })),
        ("float 2", raw(&[0xf9, 0x40, 0]), float(2.0)),
        ("negative zero", raw(&[0xf9, 0x80, 0]), float(-0.0)),
        ("least half", raw(&[0xf9, 0, 1]), float(2_f64.powi(-24))),
        ("infinity", raw(&[0xf9, 0x7c, 0]), float(f64::INFINITY)),
        ("not a number", raw(&[0xf9, 0x7e, 0]), json!({ "float": "nan" })),
        ("single", raw(&[0xfa, 0x47, 0xc3, 0x50, 0]), float(100_000.0)),
        ("double", raw(&[&[0xfb], &1.1_f64.to_be_bytes()[..]].concat()), float(1.1)),
        ("empty text", "".into(), json!({ "text": "" })),
        ("text in UTF-8", "21 °C".into(), json!({ "text": "21 °C" })),
        ("bytes", [1, 2, 3].into(), json!({ "bytes": "010203" })),
        ("16 bytes, which are no subject", [7; 16].into(), json!({ "bytes": hex(&[7; 16]) })),
    ];
    let of_value = cases.map(|(name, item, value)| {
        let items = vec![4.into(), 1.into(), 1.into(), item];
        let fields = json!({ "kind": "command status", "id": 1, "state": 1, "result": value });
        sample(&format!("value: {name}"), items, fields)
    });
    let reading = |name: &str, items: Vec<Item>, fields: Value| {
        let items = vec![2.into(), 1.into(), Item::Array(vec![Item::Array(items)])];
        let fields = json!({ "kind": "data response", "id": 1, "readings": [fields] });
        sample(&format!("reading: {name}"), items, fields)
    };
    let one = json!({ "integer": 1 });
    let of_reading = [
        reading(
            "unit",
            vec![1.into(), 1.into(), 21.into()],
            json!({ "label": 1, "value": one, "unit": 21 }),
        ),
        reading(
            "time without a unit",
            vec![1.into(), 1.into(), Item::Null, day(1).into()],
            json!({ "label": 1, "value": one, "time": day(1) }),
        ),
        reading(
            "unit and time",
            vec![1.into(), 1.into(), 255.into(), u64::MAX.into()],
            json!({ "label": 1, "value": one, "unit": 255, "time": u64::MAX }),
        ),
        reading(
            "label with a name",
            vec!["door".into(), 1.into()],
            json!({ "label": "door", "value": one }),
        ),
        reading(
            "greatest label",
            vec![65_535.into(), 1.into()],
            json!({ "label": 65_535, "value": one }),
        ),
    ];
    of_value.into_iter().chain(of_reading).map(|sample| sample.decoded()).collect()
}

/// The longest of everything.
fn limits() -> Vec<Vector> {
    let id = u64::from(u32::MAX);
    let text = "t".repeat(64);
    let label = "l".repeat(16);
    let reading = array([label.as_str().into(), text.as_str().into(), 255.into(), u64::MAX.into()]);
    let fields =
        json!({ "label": label, "value": { "text": text }, "unit": 255, "time": u64::MAX });
    [
        sample(
            "longest report",
            vec![12.into(), id.into(), Item::Array(vec![reading; 8])],
            json!({ "kind": "report", "id": id, "readings": vec![fields; 8] }),
        )
        .about([0xff; 16]),
        sample(
            "all readings",
            vec![1.into(), 1.into(), Item::Array(vec![]), false.into()],
            json!({ "kind": "data request", "id": 1, "labels": [], "nothing-waiting": false }),
        ),
        sample(
            "eight labels",
            vec![1.into(), 1.into(), Item::Array(vec![1.into(); 8]), false.into()],
            json!({ "kind": "data request", "id": 1, "labels": vec![1; 8], "nothing-waiting": false }),
        ),
        sample(
            "longest error",
            vec![6.into(), id.into(), 11.into(), text.as_str().into()],
            json!({ "kind": "error", "id": id, "code": 11, "text": text }),
        ),
        sample(
            "longest revocation",
            vec![10.into(), 1.into(), vec![1; 256].into()],
            json!({ "kind": "revocation", "id": 1, "revocation": hex(&[1; 256]) }),
        ),
        sample(
            "longest name",
            vec![11.into(), 1.into(), 1.into(), "n".repeat(32).as_str().into()],
            json!({ "kind": "presence", "id": 1, "state": 1, "name": "n".repeat(32) }),
        ),
    ]
    .iter()
    .map(Sample::decoded)
    .collect()
}
