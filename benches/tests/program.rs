//! The program as a user runs it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::process::{Command, Output};

use iot_crypto_peers::Library;

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_iot-crypto-bench")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn an_unknown_peer_is_a_mistake_and_the_answer_says_which_there_are() {
    let output = run(&["handshake", "--only", "schannel"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(error.contains("schannel"), "{error}");
    for library in Library::ALL {
        assert!(error.contains(library.feature()), "{error}");
    }
    assert!(output.stdout.is_empty());
}

#[test]
fn a_mistake_in_the_command_exits_with_2() {
    for arguments in [&[][..], &["nonsense"], &["records", "--rounds", "0"]] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_directory_that_can_not_be_made_is_a_failure_that_names_it() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().join("charts");
    let output =
        run(&["handshake", "--rounds", "1", "--each", "1", "--charts", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert!(error.contains(&format!("error: can't make {}", path.display())), "{error}");
}

#[test]
fn json_is_all_that_goes_to_standard_output() {
    let output = run(&["memory", "--sessions", "10,20", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let answer = &json["answers"][0];
    assert_eq!(answer["question"], "memory");
    assert_eq!(answer["sessions"], serde_json::json!([10, 20]));
    let bytes = answer["rows"][0]["bytes"].as_array().unwrap();
    // Each of ours holds two keys of 32 bytes at the least.
    assert!(bytes.iter().all(|bytes| bytes.as_u64().unwrap() > 64), "{bytes:?}");
}

#[test]
fn a_peer_that_is_not_linked_is_named_and_left_out() {
    let Some(missing) = Library::ALL.into_iter().find(|library| library.version().is_none()) else {
        eprintln!("SKIPPED: every peer is linked");
        return;
    };
    let output = run(&["handshake", "--rounds", "1", "--each", "1", "--only", missing.feature()]);
    assert_eq!(output.status.code(), Some(0));
    let table = text(&output.stdout);
    assert!(table.contains(&format!("left out: {}", missing.how_to_link())), "{table}");
    let rows = table.lines().filter(|line| line.starts_with(missing.name()));
    assert_eq!(rows.count(), 0, "{table}");
}

#[test]
fn encodings_are_measured_without_a_word_about_peers() {
    let output = run(&["encoding", "--rounds", "1", "--each", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for encoding in ["ours, CBOR", "raw", "JSON", "CoAP with CBOR", "CoAP with SenML in JSON"] {
        let rows = table.lines().filter(|line| line.trim_start().starts_with(encoding));
        // One for each of seven messages, and one for all of them.
        assert_eq!(rows.count(), 8, "{table}");
    }
    assert!(!table.contains("left out"), "{table}");
}

#[test]
fn a_library_that_is_not_linked_is_named_and_left_out() {
    let output = run(&["primitives", "--rounds", "1", "--each", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for library in ["IoT-Crypto (host)", "ring", "aws-lc-rs", "IoT-Crypto (RustCrypto)"] {
        let rows = table.lines().filter(|line| line.trim_start().starts_with(library)).count();
        let is_linked = library != "aws-lc-rs" || cfg!(feature = "aws-lc-rs");
        assert_eq!(rows > 0, is_linked, "{library}: {table}");
        assert_eq!(table.contains(&format!("left out: {library}: ")), !is_linked, "{table}");
    }
    // Peers have no part in it.
    assert!(!table.contains("OpenSSL") && !table.contains("GnuTLS"), "{table}");
}
