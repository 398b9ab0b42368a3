//! The three roles by hand, as the tutorial has it: everything is made by the
//! commands, and a cloud, a gateway and a device run in processes of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::UdpSocket;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take; many times what it takes.
const PATIENCE: Duration = Duration::from_secs(25);

/// A directory with the files of a small network.
struct Network {
    directory: TempDir,
}

impl Network {
    /// The files of the tutorial: a company, its network key, and a cloud, a
    /// gateway and a device that it endorsed.
    fn new() -> Self {
        let network = Self { directory: TempDir::new().unwrap() };
        network.ok("network new lab.network");
        network.ok("identity new lab");
        for (name, role) in [("cloud", "cloud"), ("hall", "gateway"), ("thermometer", "device")] {
            network.ok(&format!("identity new {name}"));
            network.ok(&format!(
                "endorse --issuer lab.identity --subject {name}.certificate --roles {role} \
                 --rights all --out {name}.endorsement"
            ));
            network.ok(&format!("trust add {name}.trust lab.certificate --authority full"));
            // Each has its own copy, as on machines of their own; the copy stays private.
            let file = |name: &str| network.directory.path().join(format!("{name}.network"));
            fs::copy(file("lab"), file(name)).unwrap();
        }
        network
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iot-crypto"));
        command.args(line.split_whitespace()).current_dir(self.directory.path());
        command
    }

    fn ok(&self, line: &str) {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.directory.path().join(file)).unwrap()
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.directory.path().join(file), text).unwrap();
    }

    fn configure(&self, name: &str, more: &str) {
        let text = format!(
            "identity = \"{name}.identity\"\nendorsements = [\"{name}.endorsement\"]\n\
             trust = \"{name}.trust\"\nnetwork = \"{name}.network\"\n{more}"
        );
        self.write(&format!("{name}.toml"), &text);
    }

    /// Runs a role; its services are on any free ports.
    fn start(&self, role: &str, name: &str) -> Party {
        let any_port = if role == "device" { "" } else { "--any-port" };
        let line = format!("{role} {name}.toml --json --stop-at-eof {any_port}");
        Party::start(name, &mut self.command(&line))
    }

    /// All three, connected.
    fn start_all(&self) -> [Party; 3] {
        self.configure("cloud", "bind = [\"127.0.0.1\"]\n");
        let mut cloud = self.start("cloud", "cloud");
        let address = cloud.negotiation_address();
        self.configure(
            "hall",
            &format!(
                "bind = [\"127.0.0.1\"]\n[cloud]\naddress = \"{address}\"\n[poll]\nevery = \"1s\"\n\
                 [advertise]\ninterfaces = []\n"
            ),
        );
        let mut hall = self.start("gateway", "hall");
        let address = hall.negotiation_address();
        let marks = self.directory.path().display();
        self.configure(
            "thermometer",
            &format!(
                "gateway = \"{address}\"\nstate = \"thermometer.state\"\n\
                 retry = \"300ms\"\nretry_limit = \"300ms\"\n\
                 [listen]\ndiscovery_port = {}\nbind = [\"127.0.0.1\"]\n\
                 [[sensor]]\nlabel = \"uptime\"\nsource = \"uptime\"\n\
                 [[actuator]]\nlabel = \"switch\"\nkind = \"state\"\ninitial = false\n\
                 [[actuator]]\nlabel = \"mark\"\nkind = \"run\"\n\
                 command = [\"/usr/bin/touch\", \"--\", \"{marks}/{{value}}\"]\n",
                free_port()
            ),
        );
        let mut thermometer = self.start("device", "thermometer");
        thermometer.wait("connected", |event| event["peer"]["name"] == "hall");
        cloud.wait("readings", |event| event["device"]["name"] == "thermometer");
        [cloud, hall, thermometer]
    }
}

fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A role that runs. It is killed when it is dropped.
struct Party {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    events: Receiver<Value>,
    seen: Vec<Value>,
}

impl Party {
    fn start(name: &str, command: &mut Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let stdout = child.stdout.take().unwrap();
        let (sender, events) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let event = serde_json::from_str(&line.unwrap()).expect("a line is one object");
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { name: name.to_owned(), child, stdin, events, seen: Vec::new() }
    }

    /// The next event of this kind that passes the test.
    fn wait(&mut self, kind: &str, test: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    assert!(event["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{event}");
                    self.seen.push(event.clone());
                    if event["event"] == kind && test(&event) {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{} does not tell of {kind}: {:#?}", self.name, self.seen)
                }
            }
        }
    }

    fn negotiation_address(&mut self) -> String {
        let started = self.wait("started", |_| true);
        started["ports"]["negotiation"][0].as_str().unwrap().to_owned()
    }

    fn type_line(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn end(&mut self) -> ExitStatus {
        self.wait("stopped", |_| true);
        self.child.wait().unwrap()
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
