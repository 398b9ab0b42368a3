//! Seeing into it: what `--capture` and `--key-log` write is what Wireshark can show
//! and anybody with the secrets can open; and without them, nothing is written.
//!
//! Without `tshark`, or Python with the package `cryptography`, the tests say so and
//! pass, unless `CI` is `true`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod parties;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use parties::Network;
use serde_json::Value;
use tempfile::TempDir;

/// How every message begins in the Info column: of the advertisement, of the key
/// negotiation, of the transmission protocol.
const MESSAGES: [&str; 18] = [
    "Advertisement",
    "Request (M1)",
    "Response (M2)",
    "Refusal",
    "Segment",
    "Data request",
    "Data response",
    "Command",
    "Command status",
    "Alert",
    "Error",
    "Acknowledgement",
    "Awake",
    "Network key",
    "Revocation",
    "Presence",
    "Report",
    "Renegotiation",
];

fn tool(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/dissector").join(name)
}

/// Whether a program from outside is there.
fn available(what: &str, command: &mut Command) -> bool {
    let found = command.output().is_ok_and(|output| output.status.success());
    if !found {
        let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!required, "{what} is required here and was not found");
        eprintln!("SKIPPED: {what} was not found");
    }
    found
}

fn has_tshark() -> bool {
    available("tshark", Command::new("tshark").arg("--version"))
}

fn has_python() -> bool {
    let script = "import cryptography";
    available("Python with the package cryptography", Command::new("python3").args(["-c", script]))
}

/// A capture of the demonstration.
fn demo(directory: &Path) -> PathBuf {
    let capture = directory.join("demo.pcapng");
    let output = Command::new(env!("CARGO_BIN_EXE_iot-crypto"))
        .args(["demo", "--json", "--capture"])
        .arg(&capture)
        .env("TMPDIR", directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    capture
}

/// These fields of each packet that passes the filter.
fn tshark(capture: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let output = Command::new("tshark")
        .arg("-X")
        .arg(format!("lua_script:{}", tool("iot-crypto.lua").display()))
        .arg("-r")
        .arg(capture)
        .args(["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"])
        .args(["-Y", filter, "-T", "fields", "-E", "separator=/t"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("Lua"), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split('\t').map(ToOwned::to_owned).collect()).collect()
}

/// Runs the independent decryptor.
fn open_capture(capture: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new("python3")
        .arg(tool("open_capture.py"))
        .arg("--json")
        .arg(capture)
        .args(arguments)
        .current_dir(capture.parent().unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{errors}"));
    (output.status.code(), report)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn wireshark_names_every_message_of_the_demo() {
    let directory = TempDir::new().unwrap();
    let capture = demo(directory.path());
    assert_eq!(mode(&capture), 0o600);
    if !has_tshark() {
        return;
    }
    let ours = "iotcrypto.advertisement or iotcrypto.negotiation or iotcrypto.transmission";
    let infos = tshark(&capture, ours, &["_ws.col.Info"]);
    for message in MESSAGES {
        // As whole words: a command status is no command.
        let is_named = |info: &&str| {
            let rest = info.strip_prefix(message);
            rest.is_some_and(|rest| !rest.starts_with(" status") && !rest.starts_with('-'))
        };
        let named = infos.iter().map(|row| row[0].as_str()).find(is_named);
        assert!(named.is_some(), "{message}: {infos:?}");
    }
    // And there is none besides.
    let named = |info: &str| MESSAGES.iter().any(|message| info.starts_with(message));
    for row in &infos {
        assert!(named(&row[0]), "{row:?}");
    }
    let unnamed = format!("frame.interface_id == 1 and not ({ours} or iotcrypto.alert)");
    assert_eq!(tshark(&capture, &unnamed, &["frame.number"]), [[""; 0]; 0]);
    // What is not opened is DTLS, without complaint; each protected record is opened.
    let plain = "frame.interface_id == 0 and not dtls and not iotcrypto.advertisement";
    assert_eq!(tshark(&capture, plain, &["frame.number"]), [[""; 0]; 0]);
    let wrong = "_ws.malformed or _ws.lua.error \
                 or (ip and (ip.checksum.status != 1 or udp.checksum.status != 1)) \
                 or iotcrypto.transmission.malformed or iotcrypto.negotiation.malformed \
                 or iotcrypto.advertisement.malformed or iotcrypto.alert.malformed";
    assert_eq!(tshark(&capture, wrong, &["frame.number"]), [[""; 0]; 0]);
    let fields = |row: &[String]| (row[0].clone(), row[1].clone());
    let alerts: BTreeSet<_> = tshark(
        &capture,
        "iotcrypto.transmission.kind == 5",
        &["iotcrypto.transmission.label", "iotcrypto.transmission.text"],
    )
    .iter()
    .map(|row| fields(row))
    .collect();
    assert_eq!(alerts, [("bytes-received".to_owned(), "busy network".to_owned())].into());
}

#[test]
fn an_independent_decryptor_opens_every_record_of_the_demo() {
    let directory = TempDir::new().unwrap();
    let capture = demo(directory.path());
    if !has_python() {
        return;
    }
    let (code, report) = open_capture(&capture, &[]);
    assert_eq!(
        (code, &report["not_opened"], &report["different"]),
        (Some(0), &0.into(), &0.into())
    );
    let exported = report["exported"].as_u64().unwrap();
    let records = report["records"].as_array().unwrap();
    let shown = records.iter().filter(|record| record["type"] != "handshake").count();
    assert_eq!(exported, u64::try_from(shown).unwrap());
    assert!(exported > 50, "{exported}");
    // Without the secrets, none.
    let (code, report) = open_capture(&capture, &["--only-key-log"]);
    assert_eq!((code, &report["opened"]), (Some(1), &0.into()));
}

#[test]
fn the_key_logs_of_the_others_open_what_one_party_captured() {
    let mut network = Network::new();
    network.options = [
        ("cloud", "--key-log cloud.keys"),
        ("hall", "--capture hall.pcapng"),
        ("thermometer", "--key-log thermometer.keys"),
    ]
    .into();
    let [cloud, hall, thermometer] = network.start_all();
    for mut party in [thermometer, hall, cloud] {
        party.signal("-TERM");
        assert!(party.end().success());
    }
    let path = |file: &str| network.directory.path().join(file);
    for file in ["cloud.keys", "hall.pcapng", "thermometer.keys"] {
        assert_eq!(mode(&path(file)), 0o600, "{file}");
    }
    for (log, file) in [("cloud.log", "cloud.keys"), ("hall.log", "hall.pcapng")] {
        let log = network.read(log);
        let warning = format!("the secrets of all sessions are written to {file}");
        assert!(log.contains("WARN") && log.contains(&warning), "{log}");
    }
    let keys = network.read("thermometer.keys");
    // One of the negotiation, one of the session with the gateway.
    assert_eq!(keys.lines().count(), 2, "{keys}");
    assert!(keys.lines().all(|line| line.starts_with("CLIENT_RANDOM ")), "{keys}");
    if !has_python() {
        return;
    }
    let all = ["--only-key-log", "--key-log", "cloud.keys", "--key-log", "thermometer.keys"];
    let (code, report) = open_capture(&path("hall.pcapng"), &all);
    assert_eq!((code, &report["not_opened"]), (Some(0), &0.into()), "{report}");
    let (code, report) = open_capture(&path("hall.pcapng"), &all[..3]);
    assert_eq!(code, Some(1), "only the sessions with the cloud: {report}");
    assert_ne!(report["opened"], 0);
}

#[test]
fn unless_asked_for_nothing_is_written_and_nothing_is_logged() {
    let network = Network::new();
    let files = || -> BTreeSet<_> {
        let entries = fs::read_dir(network.directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let before = files();
    // Nor by the environment, as some programs do: it may be left over from another.
    let keys = network.directory.path().join("environment.keys");
    let mut all = network.start_all_with(|command| {
        command.env("SSLKEYLOGFILE", &keys);
    });
    for party in all.iter_mut().rev() {
        party.signal("-TERM");
        assert!(party.end().success());
    }
    let made: Vec<_> = files().difference(&before).cloned().collect();
    let expected = [
        "cloud.log",
        "cloud.toml",
        "hall.log",
        "hall.toml",
        "thermometer.log",
        "thermometer.state",
        "thermometer.toml",
    ];
    assert_eq!(made, expected);
    for log in ["cloud.log", "hall.log", "thermometer.log"] {
        let log = network.read(log);
        assert!(!log.contains("secret") && !log.contains("CLIENT_RANDOM"), "{log}");
    }
}

fn run(network: &Network, line: &str) -> Output {
    network.command(line).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_file_that_would_be_lost_or_read_by_others_is_refused() {
    let network = Network::new();
    network.configure("cloud", "bind = [\"127.0.0.1\"]\n");
    let configuration = network.read("cloud.toml");
    let output = run(&network, "cloud cloud.toml --any-port --stop-at-eof --capture cloud.toml");
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("cloud.toml exists already; choose another name"), "{complaint}");
    assert_eq!(network.read("cloud.toml"), configuration);

    network.write("open.keys", "# somebody's\n");
    let path = network.directory.path().join("open.keys");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let output = run(&network, "cloud cloud.toml --any-port --stop-at-eof --key-log open.keys");
    assert_eq!(output.status.code(), Some(2));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(complaint.contains("run: chmod 600 open.keys"), "{complaint}");
    assert_eq!(network.read("open.keys"), "# somebody's\n");

    let output = run(&network, "cloud cloud.toml --any-port --capture nowhere/cloud.pcapng");
    assert_eq!(output.status.code(), Some(4));
    for (path, code) in [("cloud.toml", 2), ("nowhere/demo.pcapng", 4)] {
        let output = run(&network, &format!("demo --capture {path}"));
        assert_eq!(output.status.code(), Some(code));
    }
    assert_eq!(network.read("cloud.toml"), configuration);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_ends_the_recording_and_not_the_role() {
    let mut network = Network::new();
    network.options = [("hall", "--key-log /dev/full")].into();
    let [mut cloud, hall, thermometer] = network.start_all();
    cloud.type_line("command thermometer switch true");
    cloud.wait("command_status", |event| event["state"] == "done");
    for mut party in [thermometer, hall, cloud] {
        party.signal("-TERM");
        assert!(party.end().success());
    }
    let log = network.read("hall.log");
    assert_eq!(log.matches("the key log ends here; all else goes on").count(), 1, "{log}");
}
