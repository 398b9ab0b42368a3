//! The paper's figures, as the program prints them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_iot-crypto-simulator"))
            .arg("figures")
            .args(arguments)
            .output()
            .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn the_file_is_what_the_command_gives_today() {
    let (code, today, _) = run(&["--markdown"]);
    assert_eq!(code, Some(0));
    let differs = include_str!("../FIGURES.md")
        .lines()
        .zip(today.lines())
        .find(|(committed, today)| committed != today);
    assert_eq!(differs, None, "FIGURES.md is not what its first lines say how to make");
    assert_eq!(include_str!("../FIGURES.md"), today);
}

#[test]
fn figures_are_printed_alone_and_as_json() {
    let (code, text, _) = run(&["8", "--seed", "5"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with("Figure 8: "), "{text}");
    assert!(text.contains("-- figures 8 --seed 5\n"), "{text}");
    assert!(!text.contains("Figure 9"), "{text}");

    let (code, json, _) = run(&["10", "9", "--seed", "5", "--json"]);
    assert_eq!(code, Some(0));
    let figures: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(figures.as_array().unwrap().len(), 2);
    assert_eq!(figures[0]["number"], 10);
    assert_eq!(figures[0]["seed"], 5);
    let certificate = &figures[0]["tables"][0]["rows"][0];
    assert_eq!(certificate["structure"], "certificate, 12-byte name");
    assert_eq!(certificate["CBOR"], 160);
    assert_eq!(certificate["CBOR as hex"], 320);
    // What was measured on this machine has shares that add up.
    for table in figures[1]["tables"].as_array().unwrap() {
        let rows = table["rows"].as_array().unwrap();
        let (whole, parts) = rows.split_at(rows.len() - 2);
        for side in ["device %", "gateway %"] {
            let sum: f64 = whole.iter().map(|row| row[side].as_f64().unwrap()).sum();
            assert!((sum - 100.0).abs() < 0.01, "{side}: {sum}");
            assert_eq!(parts[0][side], 100.0);
        }
    }
}

#[test]
fn a_figure_that_the_paper_does_not_have_is_refused() {
    for (arguments, what) in [
        (&["7"][..], "possible values: 8, 9, 10, 11, 12"),
        (&["--seed", "one"], "invalid value 'one' for '--seed <SEED>'"),
        (&["--json", "--markdown"], "cannot be used with"),
    ] {
        let (code, _, told) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(told.contains(what), "{told}");
    }
}
