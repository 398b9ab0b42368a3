//! The corpora, replayed: on stable Rust, without a fuzzer.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use iot_crypto_fuzz::TARGETS;

/// The most that all corpora may have together, in bytes: they are committed.
const LIMIT: usize = 400_000;

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names in a directory, without their extension.
fn names(directory: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Has the target take every input in a directory; how many they are, and how long.
fn replay(name: &str, target: fn(&[u8]), directory: &Path) -> (usize, usize) {
    let mut counted = (0, 0);
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let input = fs::read(&path).unwrap();
        if std::panic::catch_unwind(|| target(&input)).is_err() {
            panic!("{name} fails on {}", path.display());
        }
        counted = (counted.0 + 1, counted.1 + input.len());
    }
    counted
}

#[test]
fn every_input_of_every_corpus_passes() {
    let mut total = 0;
    for (name, target) in TARGETS {
        let (inputs, length) = replay(name, *target, &directory("corpus").join(name));
        assert!(inputs > 0, "the corpus of {name} is empty");
        total += length;
        // What a long run has found besides, for whoever measures the coverage.
        if let Some(corpora) = std::env::var_os("FUZZ_CORPORA") {
            let corpus = Path::new(&corpora).join(name);
            if corpus.is_dir() {
                replay(name, *target, &corpus);
            }
        }
    }
    assert!(total <= LIMIT, "the corpora have {total} bytes; minimise them, as README.md says");
}

#[test]
fn an_input_of_nothing_passes() {
    TARGETS.iter().for_each(|(_, target)| target(&[]));
}

#[test]
fn each_target_has_a_program_and_a_corpus_of_its_name_and_they_have_a_target() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&directory("fuzz_targets")), targets);
    assert_eq!(names(&directory("corpus")), targets);
    let manifest = fs::read_to_string(directory("Cargo.toml")).unwrap();
    let programs = manifest.split("[[bin]]").skip(1).map(|entry| {
        let name = entry.split('"').nth(1).unwrap().to_owned();
        assert!(entry.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        assert!(entry.contains("required-features = [\"libfuzzer\"]"), "{name}");
        name
    });
    assert_eq!(programs.collect::<BTreeSet<_>>(), targets);
    for name in targets {
        let program = directory("fuzz_targets").join(format!("{name}.rs"));
        let program = fs::read_to_string(program).unwrap();
        assert!(program.contains(&format!("iot_crypto_fuzz::{name}(data)")), "{name}");
    }
}
