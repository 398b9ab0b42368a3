//! What tests of the running roles share: the files of a small network, and the
//! roles as processes.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::UdpSocket;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take; many times what it takes.
pub const PATIENCE: Duration = Duration::from_secs(25);

/// A directory with the files of a small network.
pub struct Network {
    pub directory: TempDir,
    /// More arguments of the command that runs a party, by its name.
    pub options: BTreeMap<&'static str, &'static str>,
}

impl Network {
    /// The files of the tutorial: a company, its network key, and a cloud, a
    /// gateway and a device that it endorsed.
    pub fn new() -> Self {
        let options = BTreeMap::new();
        let network = Self { directory: TempDir::new().unwrap(), options };
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

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_iot-crypto"));
        command.args(line.split_whitespace()).current_dir(self.directory.path());
        command
    }

    pub fn ok(&self, line: &str) {
        let output = self.command(line).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.directory.path().join(file)).unwrap()
    }

    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.directory.path().join(file), text).unwrap();
    }

    pub fn configure(&self, name: &str, more: &str) {
        let text = format!(
            "identity = \"{name}.identity\"\nendorsements = [\"{name}.endorsement\"]\n\
             trust = \"{name}.trust\"\nnetwork = \"{name}.network\"\n{more}"
        );
        self.write(&format!("{name}.toml"), &text);
    }

    /// Runs a role; its services are on any free ports.
    pub fn start(&self, role: &str, name: &str) -> Party {
        self.start_with(role, name, |_| {})
    }

    /// The same, with more that `change` asks for.
    pub fn start_with(&self, role: &str, name: &str, change: impl Fn(&mut Command)) -> Party {
        let any_port = if role == "device" { "" } else { "--any-port" };
        let options = self.options.get(name).copied().unwrap_or_default();
        let line = format!("{role} {name}.toml --json --stop-at-eof {any_port} {options}");
        let log = File::create(self.directory.path().join(format!("{name}.log"))).unwrap();
        let mut command = self.command(&line);
        change(command.stderr(log));
        Party::start(name, &mut command)
    }

    /// All three, connected.
    pub fn start_all(&self) -> [Party; 3] {
        self.start_all_with(|_| {})
    }

    /// The same, each with more that `change` asks for.
    pub fn start_all_with(&self, change: impl Fn(&mut Command)) -> [Party; 3] {
        self.configure("cloud", "bind = [\"127.0.0.1\"]\n");
        let mut cloud = self.start_with("cloud", "cloud", &change);
        let address = cloud.negotiation_address();
        self.configure(
            "hall",
            &format!(
                "bind = [\"127.0.0.1\"]\n[cloud]\naddress = \"{address}\"\n[poll]\nevery = \"1s\"\n\
                 [advertise]\ninterfaces = []\n"
            ),
        );
        let mut hall = self.start_with("gateway", "hall", &change);
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
        let mut thermometer = self.start_with("device", "thermometer", &change);
        thermometer.wait("connected", |event| event["peer"]["name"] == "hall");
        cloud.wait("readings", |event| event["device"]["name"] == "thermometer");
        [cloud, hall, thermometer]
    }
}

pub fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A role that runs. It is killed when it is dropped.
pub struct Party {
    name: String,
    child: Child,
    pub stdin: Option<ChildStdin>,
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
    pub fn wait(&mut self, kind: &str, test: impl Fn(&Value) -> bool) -> Value {
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

    pub fn negotiation_address(&mut self) -> String {
        let started = self.wait("started", |_| true);
        started["ports"]["negotiation"][0].as_str().unwrap().to_owned()
    }

    pub fn type_line(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    pub fn end(&mut self) -> ExitStatus {
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
