//! Makes seeds for the fuzz targets, and the dictionaries, from the reference vectors:
//!
//! ```text
//! cargo run -p iot-crypto-fuzz --example seeds
//! ```
//!
//! The seeds go to `target/fuzz/corpus`, from where `fuzz/check` starts, and
//! `fuzz/check --minimise` takes those of them that reach something into the committed
//! corpora. They are the same every time.
#![allow(clippy::unwrap_used, reason = "the vectors are as their README says, or it is to fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::Value;

/// The configurations of the README, in short, with the files that the target makes.
const CONFIGURATIONS: [&str; 3] = [
    r#"identity = "i"
endorsements = ["e"]
trust = "t"
network = "n"
gateway = "192.0.2.7:4441"
ephemeral = false
sleepy = true
wake = "90s"
clock = "gateway"
state = "s"
retry = "1s"
retry_limit = "2m"
[listen]
discovery_port = 4440
path_mtu = 1280
ipv4 = true
ipv6 = false
[[sensor]]
label = "processor-load"
source = "load"
[[actuator]]
label = "switch"
kind = "state"
initial = false
[[alert]]
label = "processor-load"
above = 0.01
below = -1
text = "busy"
"#,
    r#"identity = "i"
endorsements = ["e"]
trust = "t"
network = "n"
negotiation_port = 4441
transmission_port = 4442
bind = ["127.0.0.1", "::1"]
path_mtu = 1280
cookies = "always"
max_devices = 100
[rotation]
age = "12h"
records = 1000
[advertise]
every = "5s"
interfaces = ["lo"]
unicast = ["192.0.2.7:4440"]
port = 4440
[cloud]
address = "127.0.0.1:4451"
retry = "2s"
retry_limit = "5m"
[poll]
every = "5s"
labels = ["temperature", "7"]
"#,
    r#"identity = "i"
endorsements = []
trust = "t"
network = "n"
negotiation_port = 4451
transmission_port = 4452
cookies = "under-load"
max_gateways = 10
"#,
];

const TRUST: &str = r#"# ours
[[party]]
certificate = "@c"
authority = "full"

# theirs

[[party]]
certificate = "@p"
authority = "endorse"

[[endorsement]]
subject = "@p"
endorsement = "@e"

[[revocation]]
revocation = "@r"
"#;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds = Seeds { corpus: root.join("../target/fuzz/corpus"), words: BTreeSet::new() };
    for file in ["identity", "network-key", "advertisement", "negotiation", "message", "handshake"]
    {
        let path = root.join(format!("../conformance/vectors/{file}.json"));
        let vectors: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        for vector in vectors["vectors"].as_array().unwrap() {
            seeds.of_vector(vector);
        }
    }
    for (kind, text) in CONFIGURATIONS.iter().enumerate() {
        seeds.write("files", &format!("configuration-{kind}"), &[&[kind as u8], text.as_bytes()]);
    }
    seeds.write("files", "trust-file", &[&[7, 3, 0, 11, 4, 2], TRUST.as_bytes()]);
    let inline = "party = [{ certificate = \"@c\", authority = \"full\" }]\n";
    seeds.write("files", "trust-file-inline", &[&[7, 2, 8, 2, 0], inline.as_bytes()]);
    for date in ["2027-03-01T12:00:00Z", "2027-03-01", "1h 30m"] {
        seeds.write("files", &format!("time-{date}"), &[&[5], date.as_bytes()]);
    }

    let wire: Vec<_> = seeds.words.iter().map(|word| quoted(word)).collect();
    fs::write(root.join("dictionaries/wire.dict"), wire.concat()).unwrap();
    let words = [CONFIGURATIONS.concat(), TRUST.to_owned()].concat();
    let words: BTreeSet<_> = words
        .split(|c: char| c.is_whitespace() || "[]\"=,#".contains(c))
        .filter(|word| word.len() > 1)
        .chain(["[[", "]]", " = ", "\"\"\"", "'''", "iot-crypto:", "0x", "inf", "nan", "true"])
        .collect();
    let toml: Vec<_> = words.iter().map(|word| quoted(word.as_bytes())).collect();
    fs::write(root.join("dictionaries/toml.dict"), toml.concat()).unwrap();
}

/// A line of a dictionary.
fn quoted(word: &[u8]) -> String {
    let escaped: String = word.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{escaped}\"\n")
}

struct Seeds {
    corpus: PathBuf,
    words: BTreeSet<Vec<u8>>,
}

impl Seeds {
    fn of_vector(&mut self, vector: &Value) {
        let (name, request) = (vector["name"].as_str().unwrap(), &vector["request"]);
        let bytes = |value: &Value| HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap();
        match request["op"].as_str().unwrap() {
            "decode" => {
                let encoded = bytes(&request["bytes"]);
                let kind = request["type"].as_str().unwrap();
                let (target, selector) = match kind {
                    "certificate" => ("identity", 0),
                    "endorsement" => ("identity", 1),
                    "revocation" => ("identity", 2),
                    "credential" => ("identity", 3),
                    "private-identity" => ("identity", 4),
                    "network-key" | "network-keys" => ("connection", 0),
                    "request" => ("connection", 2),
                    "message" => ("transmission", 0),
                    _ => return,
                };
                self.write(target, name, &[&[selector], &encoded]);
                if let Some(word) = encoded.get(..6) {
                    self.words.insert(word.to_vec());
                }
                let text = match kind {
                    "certificate" | "endorsement" | "revocation" => kind,
                    "private-identity" => "identity",
                    _ => return,
                };
                let text = format!("iot-crypto:{text}:{}", BASE64URL_NOPAD.encode(&encoded));
                if !name.contains(": usual") {
                    return;
                }
                self.write("files", name, &[&[4], text.as_bytes()]);
            }
            "open-advertisement" => {
                self.write("connection", name, &[&[1, 1], &bytes(&request["bytes"])]);
            }
            "request" => {
                let made = bytes(&vector["answer"]["accepted"]["bytes"]);
                self.write("connection", name, &[&[2], &made]);
            }
            "dtls" => self.of_transcript(name, request),
            _ => {}
        }
    }

    /// The datagrams of a transcript, one after the other, to a side that knows none of
    /// its keys: as much of it as is in plaintext means something there.
    fn of_transcript(&mut self, name: &str, request: &Value) {
        let is_client = request["settings"]["side"] == "client";
        // The configuration: nine choices and the start.
        let mut input = vec![0; 10];
        for step in request["steps"].as_array().unwrap() {
            let Some(datagram) = step.get("datagram") else { continue };
            let datagram = HEXLOWER.decode(datagram.as_str().unwrap().as_bytes()).unwrap();
            if let Some(head) = datagram.get(..25) {
                self.words.insert(head[..3].to_vec());
                self.words.insert(head[13..17].to_vec());
            }
            input.extend([7, 3]);
            input.extend((datagram.len() as u16).to_le_bytes());
            input.extend(&datagram);
            input.extend([0, u8::from(!is_client), 255]);
        }
        let targets: &[&str] =
            if is_client { &["dtls_client"] } else { &["dtls_single_server", "dtls_server"] };
        for target in targets {
            self.write(target, name, &[&input]);
        }
    }

    fn write(&self, target: &str, name: &str, parts: &[&[u8]]) {
        let directory = self.corpus.join(target);
        fs::create_dir_all(&directory).unwrap();
        let name: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let input = parts.concat();
        if input.len() <= 1024 {
            fs::write(directory.join(name), input).unwrap();
        }
    }
}
