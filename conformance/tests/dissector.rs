//! The Lua dissector on the reference vectors: it names every message that is as it
//! should be, and lives through the others.
//!
//! Without `tshark` and `text2pcap` (both are Wireshark's) the tests say so and pass,
//! unless `CI` is `true`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn available() -> bool {
    let runs = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let found = runs("tshark") && runs("text2pcap");
    if !found {
        let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!required, "tshark and text2pcap are required here and were not found");
        eprintln!("SKIPPED: tshark or text2pcap was not found");
    }
    found
}

/// What the dissector `name` shows of each of `messages` (in hexadecimal): the Info
/// column, and whether it is marked as malformed.
fn dissect(name: &str, messages: &[String]) -> Vec<(String, bool)> {
    let directory = tempfile::tempdir().unwrap();
    let path = |file: &str| directory.path().join(file);
    let mut dump = String::new();
    for message in messages {
        let bytes = data_encoding::HEXLOWER.decode(message.as_bytes()).unwrap();
        dump.push_str("000000");
        for byte in bytes {
            write!(dump, " {byte:02x}").unwrap();
        }
        dump.push('\n');
    }
    fs::write(path("dump"), dump).unwrap();
    let made = Command::new("text2pcap")
        .args(["-q", "-P", name])
        .args([path("dump"), path("capture")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dissector/iot-crypto.lua");
    let malformed = format!("{name}.malformed");
    let output = Command::new("tshark")
        .arg(format!("-Xlua_script:{}", script.display()))
        .arg("-r")
        .arg(path("capture"))
        .args(["-T", "fields", "-e", "_ws.col.Info", "-e", &malformed, "-e", "_ws.lua.error"])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("Lua"), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().map(|line| {
        let [info, malformed, error] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!(error, "", "{info}");
        (String::from(info), !str::is_empty(malformed))
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), messages.len(), "{text}");
    rows
}

/// The vectors of a file whose request has this operation.
fn vectors(file: &str, operation: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(file);
    let whole: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let all = whole["vectors"].as_array().unwrap().iter();
    all.filter(|vector| vector["request"]["op"] == operation).cloned().collect()
}

fn request_bytes(vectors: &[Value]) -> Vec<String> {
    let of = |vector: &Value| vector["request"]["bytes"].as_str().unwrap().to_owned();
    vectors.iter().map(of).filter(|bytes| !bytes.is_empty()).collect()
}

/// Good and broken vectors.
fn split(all: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    all.into_iter().partition(|vector| vector["answer"].get("accepted").is_some())
}

#[test]
fn messages_are_named_by_their_kind_and_broken_ones_harm_nothing() {
    if !available() {
        return;
    }
    let (good, broken) = split(vectors("message.json", "decode"));
    assert!(good.len() > 50 && broken.len() > 30);
    let shown = dissect("iotcrypto.transmission", &request_bytes(&good));
    for (vector, (info, malformed)) in good.iter().zip(shown) {
        let kind = vector["answer"]["accepted"]["kind"].as_str().unwrap();
        let name = vector["name"].as_str().unwrap();
        assert!(info.to_lowercase().starts_with(kind), "{name}: {info}");
        let id = &vector["answer"]["accepted"]["id"];
        assert!(info.ends_with(&format!("(request {id})")), "{name}: {info}");
        assert!(!malformed, "{name}: {info}");
    }
    let bytes = request_bytes(&broken);
    // What is cut off, or goes on, is marked; not every limit is looked at.
    let shown = dissect("iotcrypto.transmission", &bytes);
    assert!(shown.iter().any(|(_, malformed)| *malformed), "{shown:?}");
}

#[test]
fn what_is_cut_off_is_marked_wherever_it_is_cut() {
    if !available() {
        return;
    }
    let (good, _) = split(vectors("message.json", "decode"));
    let cut: Vec<String> = request_bytes(&good)
        .iter()
        .flat_map(|bytes| (2..bytes.len()).step_by(2).map(|length| bytes[..length].to_owned()))
        .collect();
    for (bytes, (info, malformed)) in cut.iter().zip(dissect("iotcrypto.transmission", &cut)) {
        assert!(malformed && info.contains("[Malformed"), "{bytes}: {info}");
    }
}

#[test]
fn the_details_of_messages_are_in_words() {
    if !available() {
        return;
    }
    // The examples of SPEC.md section 10.2.
    let examples = [
        ("8401058101f5", "Data request [temperature]"),
        ("830205818201f94d60", "Data response [temperature 21.5 Cel]"),
        ("8503050af5f5", "Command switch := true"),
        ("8603050af5f4183c", "Command switch := true within 60 s"),
        ("83040501", "Command status: done"),
        ("850505028201f94d60647761726d", "Alert: warning, temperature 21.5 Cel (warm)"),
        ("8406050760", "Error: busy"),
        ("830705f5", "Acknowledgement, nothing waiting"),
        ("820805", "Awake"),
        ("840b058203046468616c6c", "Presence: hall refused, no trusted endorsement"),
    ];
    let bytes = examples.map(|(bytes, _)| bytes.to_owned());
    for ((_, expected), (info, _)) in examples.iter().zip(dissect("iotcrypto.transmission", &bytes))
    {
        assert_eq!(info, format!("{expected}  (request 5)"));
    }
}

#[test]
fn negotiations_and_advertisements_are_named() {
    if !available() {
        return;
    }
    let requests: Vec<String> = vectors("negotiation.json", "request")
        .iter()
        .map(|vector| vector["answer"]["accepted"]["bytes"].as_str().unwrap().to_owned())
        .collect();
    let expected = ["Request (M1): device thermometer1 with 1 endorsement, sleepy"; 2];
    let shown = dissect("iotcrypto.negotiation", &requests);
    let infos: Vec<&str> = shown.iter().map(|(info, _)| info.as_str()).collect();
    assert_eq!(infos, expected);

    let (good, broken) = split(vectors("advertisement.json", "open-advertisement"));
    for (info, malformed) in dissect("iotcrypto.advertisement", &request_bytes(&good)) {
        assert!(info.starts_with("Advertisement of gateway "), "{info}");
        assert!(!malformed, "{info}");
    }
    dissect("iotcrypto.advertisement", &request_bytes(&broken));
}

#[test]
fn segments_are_put_together() {
    if !available() {
        return;
    }
    let mut joined = 0;
    for vector in vectors("segments.json", "reassemble") {
        let payloads = vector["request"]["payloads"].as_array().unwrap();
        let payloads: Vec<String> =
            payloads.iter().map(|payload| payload.as_str().unwrap().to_owned()).collect();
        let results = vector["answer"]["accepted"]["results"].as_array().unwrap();
        let shown = dissect("iotcrypto.negotiation", &payloads);
        for (result, (info, _)) in results.iter().zip(&shown) {
            if result["message"].is_string() && info.starts_with("Segment") {
                let whole = info.contains("the last one of: Request (M1): device thermometer1");
                assert!(whole, "{}: {shown:?}", vector["name"]);
                joined += 1;
            }
        }
    }
    assert!(joined > 2, "{joined}");
}
