//! The reference vectors are those that the generator makes, and the core passes
//! them by the same interface as anyone else's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use iot_crypto_conformance::vectors::{self, generator};
use serde_json::Value;

const RUNNER: &str = env!("CARGO_BIN_EXE_vectors");
const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(RUNNER).args(arguments).output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// A directory with one file of two vectors, in which `change` was made.
fn changed(change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let text = fs::read(directory().join("trust.json")).unwrap();
    let mut file: Value = serde_json::from_slice(&text).unwrap();
    file["vectors"].as_array_mut().unwrap().truncate(2);
    change(&mut file);
    let changed = tempfile::tempdir().unwrap();
    fs::write(changed.path().join("trust.json"), file.to_string()).unwrap();
    changed
}

fn check(directory: &tempfile::TempDir, program: &[&str]) -> (Option<i32>, String) {
    let directory = directory.path().to_str().unwrap();
    run(&[&["--vectors", directory, "check"], program].concat())
}

#[test]
fn the_vectors_are_those_that_the_generator_makes() {
    let mut names = BTreeSet::new();
    for (name, file) in generator::files() {
        let found = fs::read_to_string(directory().join(name)).unwrap_or_default();
        assert!(
            found == vectors::text(&file),
            "{name} differs: if the change of the wire format is intended, run \
             `cargo run -p iot-crypto-conformance --bin vectors -- generate` and look at the \
             difference"
        );
        names.insert(name.to_owned());
    }
    let found = vectors::load(&directory()).unwrap();
    assert_eq!(found.into_iter().map(|(name, _)| name).collect::<BTreeSet<_>>(), names);
}

#[test]
fn every_vector_of_a_file_has_a_name_of_its_own() {
    for (file, content) in vectors::load(&directory()).unwrap() {
        let mut names = BTreeSet::new();
        for vector in &content.vectors {
            assert!(names.insert(&vector.name), "{file}: {}", vector.name);
            assert!(
                vector.answer.get("accepted").is_some() != vector.answer.get("refused").is_some()
            );
            assert!(vector.because.is_some() || vector.answer.get("accepted").is_some());
        }
    }
}

#[test]
fn the_core_passes_with_both_providers() {
    for provider in ["rust-crypto", "host"] {
        let (code, output) = run(&["check", SUBJECT, "--provider", provider]);
        assert_eq!(code, Some(0), "{provider}: {output}");
        assert!(output.contains(" 0 wrong, 0 not supported"), "{provider}: {output}");
    }
}

#[test]
fn a_wrong_answer_is_shown() {
    let directory =
        changed(|file| file["vectors"][1]["answer"]["accepted"]["rights"] = "all".into());
    let (code, output) = check(&directory, &[SUBJECT]);
    assert_eq!(code, Some(1));
    assert!(output.contains("WRONG: trust.json: in the endorsement's first second"), "{output}");
    assert!(output.contains("1 right, 1 wrong"), "{output}");
}

#[test]
fn what_is_not_supported_is_listed() {
    let answer = r#"while read request; do echo '{"unsupported": true}'; done"#;
    let (code, output) = check(&changed(|_| {}), &["sh", "-c", answer]);
    assert_eq!(code, Some(0));
    assert!(output.contains("not supported: trust.json: endorsed"), "{output}");
    assert!(output.contains("0 right, 0 wrong, 2 not supported"), "{output}");
}

#[test]
fn a_broken_vector_file_is_named() {
    for (broken, what) in [
        ("{\"about\": \"cut off", "EOF"),
        ("{\"about\": \"\", \"vectors\": [{\"name\": \"x\"}]}", "missing field"),
        ("{\"about\": \"\", \"vectors\": [], \"more\": 1}", "unknown field"),
    ] {
        let directory = changed(|_| {});
        fs::write(directory.path().join("broken.json"), broken).unwrap();
        let (code, output) = check(&directory, &[SUBJECT]);
        assert_eq!(code, Some(3));
        assert!(output.contains("broken.json: not a file of vectors"), "{output}");
        assert!(output.contains(what) && output.contains("vectors generate"), "{output}");
    }
}

#[test]
fn missing_vectors_are_told() {
    let empty = tempfile::tempdir().unwrap();
    let (code, output) = check(&empty, &[SUBJECT]);
    assert_eq!(code, Some(3));
    assert!(output.contains("there are no vectors"), "{output}");
    let (code, output) = run(&["--vectors", "no/such/directory", "check", SUBJECT]);
    assert_eq!(code, Some(3));
    assert!(output.contains("no/such/directory"), "{output}");
}

#[test]
fn a_program_that_does_not_answer_is_named() {
    for (program, what) in [
        (&["no/such/program"][..], "no/such/program: can't be started"),
        (&["true"], "true: ended before it had answered trust.json: endorsed"),
        (&["yes"], "the answer to trust.json: endorsed is not a JSON object: \"y\""),
    ] {
        let (code, output) = check(&changed(|_| {}), program);
        assert_eq!(code, Some(4), "{output}");
        assert!(output.contains(what), "{output}");
    }
}

#[test]
fn wrong_usage_is_explained() {
    for arguments in [&[][..], &["check"], &["generate", "more"], &["other"], &["--vectors"]] {
        let (code, output) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(output.contains("Usage: vectors") || output.contains("try '--help'"), "{output}");
    }
    let (code, output) = run(&["--help"]);
    assert_eq!(code, Some(0));
    assert!(output.contains("Exit codes: 0 all is well"), "{output}");
}

#[test]
fn a_script_is_told_in_json_what_is_wrong() {
    let directory = changed(|file| file["vectors"][1]["answer"] = "other".into());
    let (code, output) = check(&directory, &["--json", SUBJECT]);
    assert_eq!(code, Some(1), "{output}");
    let report: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(report["right"], 1);
    assert_eq!(report["wrong"][0]["expected"], "other");
    assert_eq!(report["unsupported"].as_array().unwrap().len(), 0);
}

/// The subject answers every line, whatever it is.
#[test]
fn a_request_that_makes_no_sense_is_an_error() {
    for line in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"op": "other"}"#,
        r#"{"op": "decode", "type": "certificate"}"#,
        r#"{"op": "decode", "type": "certificate", "bytes": "0"}"#,
        r#"{"op": "decode", "type": "certificate", "bytes": "", "more": 1}"#,
        r#"{"op": "advertise", "network-key": "00"}"#,
    ] {
        let answer = iot_crypto_conformance::subject::answer_line(line);
        assert!(answer["error"].is_string(), "{line}: {answer}");
    }
}
