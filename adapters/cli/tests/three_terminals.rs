//! The three roles by hand, as the tutorial has it: everything is made by the
//! commands, and a cloud, a gateway and a device run in processes of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod parties;

use std::io::Write as _;
use std::net::UdpSocket;
use std::process::Stdio;

use parties::Network;

#[test]
fn the_cloud_sees_and_commands_a_device_and_all_end_in_order() {
    let network = Network::new();
    let [mut cloud, mut hall, mut thermometer] = network.start_all();

    cloud.type_line("devices");
    let devices = cloud.wait("devices", |_| true);
    assert_eq!(devices["devices"][0]["device"]["name"], "thermometer");
    assert_eq!(devices["devices"][0]["gateway"]["name"], "hall");
    assert_eq!(devices["devices"][0]["state"], "connected");

    cloud.type_line("command thermometer switch true");
    let status = cloud.wait("command_status", |_| true);
    assert_eq!((&status["state"], &status["result"]), (&"done".into(), &true.into()));
    cloud.wait("readings", |event| event["readings"][1]["value"] == true);
    cloud.type_line("command thermometer mark it-was-here");
    cloud.wait("command_status", |event| event["state"] == "done");
    assert!(network.directory.path().join("it-was-here").exists());
    cloud.type_line("command thermometer switch \"on\"");
    cloud.wait("command_status", |event| event["state"] == "refused");
    cloud.type_line("command thermometer kettle true");
    cloud.wait("command_status", |event| event["state"] == "unknown");

    cloud.type_line("read thermometer switch");
    let read = cloud.wait("readings", |event| event["readings"][0]["label"] == "switch");
    assert_eq!(read["readings"].as_array().unwrap().len(), 1);
    cloud.type_line("read thermometer humidity");
    cloud.wait("request_failed", |event| event["reason"] == "unknown label");
    cloud.type_line("frobnicate");
    cloud.wait("problem", |event| event["problem"].as_str().unwrap().contains("type help"));
    hall.type_line("read thermometer uptime");
    hall.wait("readings", |event| event["readings"].as_array().unwrap().len() == 1);

    hall.signal("-USR1");
    let traffic = hall.wait("traffic", |_| true);
    for row in traffic["sent"].as_array().unwrap() {
        let length = |field: &str| row[field].as_u64().unwrap();
        assert_eq!(length("datagram") - length("payload"), 29, "{row}");
    }

    // One by a signal, one by its input's end, one by a command.
    thermometer.signal("-TERM");
    assert_eq!(thermometer.end().code(), Some(0));
    hall.wait("disconnected", |event| event["peer"]["name"] == "thermometer");
    hall.stdin = None;
    assert_eq!(hall.end().code(), Some(0));
    cloud.wait("disconnected", |event| event["peer"]["name"] == "hall");
    cloud.type_line("quit");
    assert_eq!(cloud.end().code(), Some(0));
}

#[test]
fn changes_of_a_trust_file_are_taken_over_and_broken_ones_are_not() {
    let network = Network::new();
    network.ok("identity new partner");
    network
        .ok("endorse --issuer partner.identity --subject thermometer.certificate --roles device \
         --rights all --out thermometer.endorsement --force");
    network.ok("trust add hall.trust partner.certificate");
    let [_cloud, mut hall, mut thermometer] = network.start_all();

    let good = network.read("hall.trust");
    network.write("hall.trust", "[[party]]\ncertificate = \"iot-crypto:certificate:AAAA\"\n");
    let problem = hall.wait("problem", |_| true)["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("hall.trust:") && problem.contains("stays in force"), "{problem}");
    // It is still polled.
    hall.wait("readings", |_| true);
    network.write("hall.trust", &good);
    hall.wait("trust_changed", |event| event["removed"].as_array().unwrap().is_empty());

    network.ok("trust remove hall.trust partner");
    let change = hall.wait("trust_changed", |_| true);
    assert_eq!(change["removed"], serde_json::json!(["partner"]));
    let cut = hall.wait("disconnected", |event| event["peer"]["name"] == "thermometer");
    assert!(cut["advice"].as_str().unwrap().contains("trust add hall.trust"), "{cut}");
    thermometer.wait("disconnected", |_| true);
    thermometer.wait("failed", |event| event["advice"].is_string());
    hall.wait("refused", |event| event["code"] == 4 && event["peer"]["name"] == "thermometer");

    network.ok("trust add hall.trust partner.certificate");
    thermometer.wait("connected", |_| true);
}

#[test]
fn a_revocation_spreads_from_the_cloud_and_is_kept_by_all() {
    let network = Network::new();
    let [mut cloud, mut hall, mut thermometer] = network.start_all();
    network.ok("revoke --issuer lab.identity --subject thermometer.certificate --out t.revocation");
    cloud.type_line("revoke t.revocation");
    cloud.wait("revoked", |_| true);
    hall.wait("disconnected", |event| event["peer"]["name"] == "thermometer");
    hall.wait("revoked", |_| true);
    thermometer.wait("failed", |_| true);
    for file in ["cloud.trust", "hall.trust"] {
        assert!(network.read(file).contains("[[revocation]]"), "{file}");
    }
}

#[test]
fn a_revocation_in_the_trust_file_of_the_cloud_spreads_too() {
    let network = Network::new();
    let [mut cloud, mut hall, _thermometer] = network.start_all();
    network
        .ok("revoke --issuer lab.identity --subject thermometer.certificate --store cloud.trust \
         --out t.revocation");
    cloud.wait("trust_changed", |event| event["revocations"] == 1);
    hall.wait("disconnected", |event| event["peer"]["name"] == "thermometer");
    hall.wait("revoked", |_| true);
}

#[test]
fn a_new_network_key_reaches_the_device_which_keeps_it() {
    let network = Network::new();
    let [_cloud, mut hall, mut thermometer] = network.start_all();
    network.ok("network rotate hall.network");
    let added = hall.wait("network_keys", |_| true)["added"].clone();
    assert_eq!(added.as_array().unwrap().len(), 1);
    thermometer.wait("network_keys", |event| event["added"] == added);
    thermometer.signal("-TERM");
    assert_eq!(thermometer.end().code(), Some(0));
    let state = network.read("thermometer.state");
    assert!(state.contains("time = \"") && state.contains("iot-crypto:network:"), "{state}");
}

#[test]
fn a_port_that_is_in_use_is_named_with_what_to_do() {
    let network = Network::new();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    network.configure(
        "cloud",
        &format!("bind = [\"127.0.0.1\"]\nnegotiation_port = {port}\ntransmission_port = 9\n"),
    );
    let output = network.command("cloud cloud.toml").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains(&port.to_string()), "{complaint}");
    assert!(complaint.contains("choose another port"), "{complaint}");
}

#[test]
fn people_get_lines_to_read() {
    let network = Network::new();
    network.configure("cloud", "bind = [\"127.0.0.1\"]\n");
    let mut command = network.command("cloud cloud.toml --any-port --stop-at-eof");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"help\ndevices\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for words in ["cloud runs", "command DEVICE LABEL VALUE", "no device is known", "stopped"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}
