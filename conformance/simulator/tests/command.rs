//! The program, as its users see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_iot-crypto-simulator")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_scenario_tells_what_came_of_it_and_its_digest_again() {
    let arguments = ["first-contacts", "--count", "20", "--seed", "5", "--json"];
    let (code, one, _) = run(&[&arguments[..], &["--jobs", "1"]].concat());
    assert_eq!(code, Some(0), "{one}");
    let (_, other, _) = run(&[&arguments[..], &["--jobs", "3"]].concat());
    assert_eq!(one, other);
    let summary: serde_json::Value = serde_json::from_str(&one).unwrap();
    assert_eq!(summary["counts"]["contacts"], 20);
    assert_eq!(summary["failed"].as_array().unwrap().len(), 0);
    let (_, text, _) = run(&["first-contacts", "--count", "20", "--seed", "5"]);
    assert!(text.contains("everything held"), "{text}");
    assert!(text.contains(summary["digest"].as_str().unwrap()), "{text}");
}

#[test]
fn a_seed_that_fails_is_told_with_the_command_that_plays_it_again() {
    // Nobody gets through, so that the attempts have no end.
    let (code, text, _) = run(&["first-contacts", "--count", "2", "--seed", "9", "--loss", "1"]);
    assert_eq!(code, Some(1), "{text}");
    let again = "first-contacts --seed 10 --count 1 --loss 1 --profile ethernet";
    assert!(text.contains(again), "{text}");
    assert!(text.contains("2 of 2 seeds FAILED"), "{text}");
}

#[test]
fn wrong_arguments_are_explained() {
    for (arguments, what) in [
        (&["first-contacts", "--seed", "five"][..], "invalid value 'five' for '--seed <SEED>'"),
        (&["first-contacts", "--loss", "20"], "write a number from 0 to 1, like 0.2"),
        (&["first-contacts", "--profile", "x25"], "there are ethernet, wifi, 802.15.4, ble"),
        (&["days", "--days", "0"], "0 is not in 1..=36500"),
        (&["media", "--count", "0"], "--count"),
        (&["weeks"], "unrecognized subcommand"),
        (&[], "Usage: iot-crypto-simulator"),
    ] {
        let (code, _, told) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
        assert!(told.contains(what), "{told}");
    }
}
