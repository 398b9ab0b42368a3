//! Text and code can't part: what the implementation emits has the form that
//! `iot-crypto.cddl` describes, and the fragments of SPEC.md are that file's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use data_encoding::HEXLOWER;
use iot_crypto::connection::transfer::Segments;
use iot_crypto::transmission::Message;
use iot_crypto_conformance::vectors::{self, Vector};
use serde_json::Value;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn all_vectors() -> Vec<Vector> {
    let files = vectors::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")).unwrap();
    files.into_iter().flat_map(|(_, file)| file.vectors).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// The CDDL file with one of its rules as the root.
struct Schema(String);

impl Schema {
    fn of(rule: &str) -> Self {
        Self(format!("root = {rule}\n{}", read("iot-crypto.cddl")))
    }

    fn fits(&self, bytes: &[u8]) -> Result<(), String> {
        cddl::validate_cbor_from_slice(&self.0, bytes, None).map_err(|error| error.to_string())
    }
}

/// The rules of a CDDL text, without comments and white space.
fn rules(text: &str) -> BTreeMap<String, String> {
    let mut rules = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        let line = line.split(';').next().unwrap_or_default();
        let mut body = line;
        if let Some((left, right)) = line.split_once('=')
            && !line.starts_with([' ', ']'])
        {
            name = left.trim().to_owned();
            body = right;
        }
        let body: String = body.split_whitespace().collect();
        rules.entry(name.clone()).or_insert_with(String::new).push_str(&body);
    }
    rules.retain(|_, body| !body.is_empty());
    rules
}

#[test]
fn every_fragment_of_the_specification_is_in_the_file() {
    let file = rules(&read("iot-crypto.cddl"));
    let specification = read("SPEC.md");
    let mut found = 0;
    for fragment in specification.split("```cddl\n").skip(1) {
        for (name, body) in rules(fragment.split("```").next().unwrap()) {
            assert_eq!(file.get(&name), Some(&body), "the rule {name} of SPEC.md");
            found += 1;
        }
    }
    assert!(found >= 18, "{found} rules");
}

/// RFC 8610 appendix D: these names are taken.
#[test]
fn no_rule_redefines_one_of_the_prelude() {
    let prelude = "any uint nint int bstr bytes tstr text tdate time number biguint bignint bigint \
                   integer unsigned decfrac bigfloat eb64url eb64legacy eb16 encoded-cbor uri \
                   b64url b64legacy regexp mime-message cbor-any float16 float32 float64 \
                   float16-32 float32-64 float false true bool nil null undefined";
    let rules = rules(&read("iot-crypto.cddl"));
    for name in prelude.split_whitespace() {
        assert!(!rules.contains_key(name), "{name}");
    }
}

#[test]
fn what_can_be_decoded_fits_and_what_is_broken_does_not() {
    let mut counts = [0, 0];
    let mut schemas = BTreeMap::new();
    for vector in all_vectors() {
        let Some(expected) = vector.schema else { continue };
        let rule = match vector.request["op"].as_str().unwrap() {
            "decode" => vector.request["type"].as_str().unwrap(),
            "open-advertisement" => "advertisement",
            op => panic!("{op} of {:?}", vector.name),
        };
        let schema = schemas.entry(rule.to_owned()).or_insert_with(|| Schema::of(rule));
        let found = schema.fits(&bytes(&vector.request["bytes"]));
        assert_eq!(found.is_ok(), expected, "{}: {found:?}", vector.name);
        counts[usize::from(expected)] += 1;
    }
    assert!(counts.iter().all(|count| *count > 80), "{counts:?}");
}

#[test]
fn what_the_core_emits_fits() {
    let mut emitted = BTreeMap::<String, usize>::new();
    let mut check = |rule: &str, bytes: &[u8]| {
        Schema::of(rule).fits(bytes).unwrap_or_else(|error| panic!("{rule}: {error}"));
        *emitted.entry(rule.to_owned()).or_default() += 1;
    };
    for vector in all_vectors() {
        // The core is asked, not the vector.
        let answer = iot_crypto_conformance::subject::answer(vector.request.clone());
        let made = &answer["accepted"]["bytes"];
        match (vector.request["op"].as_str().unwrap(), answer["refused"].as_str()) {
            ("issue", None) => check(vector.request["type"].as_str().unwrap(), &bytes(made)),
            ("advertise", None) => check("advertisement", &bytes(made)),
            ("request", None) => check("request", &bytes(made)),
            ("respond", None) => {
                let response = bytes(made);
                check("response", &response);
                let segments = Segments::new(&response, 100).unwrap();
                let mut buffer = [0; 100];
                for index in 0..segments.count() {
                    let length = segments.write(index, &mut buffer).unwrap().unwrap();
                    check("segment", &buffer[..length]);
                }
            }
            ("respond", Some("refusal")) => check("refusal", &bytes(&answer["bytes"])),
            ("decode", None) if vector.request["type"] == "message" => {
                let given = bytes(&vector.request["bytes"]);
                let mut buffer = [0; 1200];
                let length = Message::decode(&given).unwrap().encode(&mut buffer).unwrap();
                check("message", &buffer[..length]);
            }
            _ => {}
        }
    }
    let rules: Vec<_> = emitted.keys().map(String::as_str).collect();
    let expected = [
        "advertisement",
        "certificate",
        "endorsement",
        "message",
        "refusal",
        "request",
        "response",
        "revocation",
        "segment",
    ];
    assert_eq!(rules, expected);
}

/// Private files are what the core writes for itself.
#[test]
fn what_the_core_stores_fits() {
    use iot_crypto::connection::{NetworkKey, NetworkKeys};
    use iot_crypto::identity::{Name, PrivateIdentity};
    use iot_crypto::time::UnixTime;

    let mut provider = iot_crypto_conformance::subject::provider(&[7; 256]);
    let mut buffer = [0; 512];
    let name = Name::new("device").unwrap();
    let (created, expires) = (UnixTime::from_secs(1), UnixTime::from_secs(u64::MAX));
    let identity = PrivateIdentity::create(&mut provider, name, created, expires).unwrap();
    let length = identity.encode(&mut buffer).unwrap();
    Schema::of("private-identity").fits(&buffer[..length]).unwrap();

    let mut keys = NetworkKeys::new();
    let length = keys.encode(&mut buffer).unwrap();
    Schema::of("network-keys").fits(&buffer[..length]).unwrap();
    let key = NetworkKey::create(&mut provider).unwrap();
    let length = key.encode(&mut buffer).unwrap();
    Schema::of("network-key").fits(&buffer[..length]).unwrap();
    keys.add(key).unwrap();
    let length = keys.encode(&mut buffer).unwrap();
    Schema::of("network-keys").fits(&buffer[..length]).unwrap();
}
