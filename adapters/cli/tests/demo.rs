//! The demonstration, as its users see it: it does what it says, leaves nothing
//! behind, and several can run at a time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Starts the demonstration; its temporary files are in `directory`.
fn demo(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iot-crypto"));
    command.arg("demo").args(arguments).env("TMPDIR", directory).stdin(Stdio::null());
    command
}

fn check(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_str(&text).expect("one JSON object");
    assert_eq!(output.status.code(), Some(0), "{text}\n{errors}");
    assert_eq!(report["ok"], true);
    let steps = report["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 9, "{text}");
    for (index, step) in steps.iter().enumerate() {
        assert_eq!(step["step"], index + 1);
        assert_eq!(step["ok"], true, "{step}");
    }
    report
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn two_at_a_time_do_every_step_and_leave_nothing_behind() {
    let directories = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    let children = directories.each_ref().map(|directory| {
        demo(directory.path(), &["--json"]).stdout(Stdio::piped()).spawn().unwrap()
    });
    for child in children {
        check(&child.wait_with_output().unwrap());
    }
    assert!(directories.iter().all(|directory| is_empty(directory.path())));
}

#[test]
fn what_it_measured_is_less_than_the_paper_has_and_adds_up() {
    let directory = TempDir::new().unwrap();
    let report = check(&demo(directory.path(), &["--json"]).output().unwrap());
    let measured = &report["measurements"];
    let number = |value: &Value| value.as_u64().unwrap();
    for (what, paper) in [("certificate", 232), ("key_exchange", 1639), ("record_overhead", 29)] {
        assert_eq!(measured[what]["paper"], paper);
        assert!(number(&measured[what]["bytes"]) <= paper, "{measured}");
    }
    let exchange = &measured["key_exchange"];
    assert!(number(&exchange["certificates"]["bytes"]) < number(&exchange["bytes"]));
    let messages = measured["messages"].as_array().unwrap();
    for message in messages {
        assert_eq!(number(&message["datagram"]) - number(&message["payload"]), 29, "{message}");
    }
    for kind in ["data request", "data response", "command", "command status", "alert", "report"] {
        assert!(messages.iter().any(|message| message["kind"] == kind), "{kind}");
    }
}

#[test]
fn its_files_can_be_kept_and_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = TempDir::new().unwrap();
    let kept = directory.path().join("kept");
    let keep = ["--json", "--keep", kept.to_str().unwrap()];
    let report = check(&demo(directory.path(), &keep).output().unwrap());
    assert_eq!(report["directory"], kept.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(kept.join("hall.log").exists() && kept.join("hall.events").exists());
    // It is not mixed with what is there.
    let again = demo(directory.path(), &keep).output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("not empty"));
}

#[test]
fn people_see_who_does_what() {
    let directory = TempDir::new().unwrap();
    let output = demo(directory.path(), &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "no colors without a terminal");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for words in ["connected with device boiler", "refuses device freezer", "All steps happened"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn it_can_be_interrupted_and_leaves_nothing_behind() {
    let directory = TempDir::new().unwrap();
    let mut child = demo(directory.path(), &["--stay"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("until Ctrl-C")), "it stays");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    // It shows readings until then.
    assert!(lines.all(|line| line.is_ok()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(is_empty(directory.path()));
}

/// The process ids of the parties of a demonstration, by their configuration.
fn parties(demo: u32) -> Vec<(u32, String)> {
    let mut parties = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else {
            continue;
        };
        // A process may end while it is looked at.
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        if parent == Some(demo.to_string().as_str()) {
            let command = fs::read_to_string(path.join("cmdline")).unwrap_or_default();
            parties.push((pid, command.replace('\0', " ")));
        }
    }
    parties
}

#[test]
#[cfg(target_os = "linux")]
fn what_goes_wrong_is_told_with_the_place_of_the_logs_and_nobody_is_left() {
    let directory = TempDir::new().unwrap();
    let mut child = demo(directory.path(), &["--stay"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("until Ctrl-C")), "it stays");
    let before = parties(child.id());
    assert_eq!(before.len(), 5, "{before:?}");
    let (meter, _) = before.iter().find(|(_, line)| line.contains("meter.toml")).unwrap();
    assert!(Command::new("kill").args(["-KILL", &meter.to_string()]).status().unwrap().success());
    let rest: Vec<_> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let text = rest.join("\n");
    assert!(text.contains("meter has ended unexpectedly"), "{text}");
    let kept = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    assert!(text.contains(kept.to_str().unwrap()) && kept.join("meter.log").exists(), "{text}");
    for (pid, _) in before {
        assert!(!Path::new("/proc").join(pid.to_string()).exists(), "{pid} is left");
    }
}
