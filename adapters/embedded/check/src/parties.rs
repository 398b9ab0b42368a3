//! The parties that the board deals with: a company, and its gateway, which is the
//! ordinary program on this machine.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::proxy::{self, Proxy};

/// How long the gateway may take to tell of something.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the board is called.
pub const BOARD: &str = "board";

/// The path MTU of the board's network, in bytes.
const PATH_MTU: usize = 576;

/// The files of the parties. They are removed when this is dropped.
#[derive(Debug)]
pub struct Parties {
    program: PathBuf,
    directory: TempDir,
}

impl Parties {
    /// A company, its network key, its gateway and its device.
    ///
    /// # Errors
    /// If the program can't be built, or one of its commands fails.
    pub fn new() -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("parties").tempdir()?;
        let parties = Self { program: build()?, directory };
        parties.run("network new company.network")?;
        parties.run("identity new company")?;
        for (name, role) in [("gateway", "gateway"), (BOARD, "device")] {
            parties.run(&format!("identity new {name}"))?;
            parties.run(&format!(
                "endorse --issuer company.identity --subject {name}.certificate --roles {role} \
                 --rights all --out {name}.endorsement"
            ))?;
            parties.run(&format!("trust add {name}.trust company.certificate --authority full"))?;
            let file = |name: &str| parties.path().join(format!("{name}.network"));
            // A copy that stays private.
            fs::copy(file("company"), file(name))?;
        }
        parties.configure(BOARD, "")?;
        Ok(parties)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn configure(&self, name: &str, more: &str) -> Result<()> {
        let text = format!(
            "identity = \"{name}.identity\"\nendorsements = [\"{name}.endorsement\"]\n\
             trust = \"{name}.trust\"\nnetwork = \"{name}.network\"\n{more}"
        );
        Ok(fs::write(self.path().join(format!("{name}.toml")), text)?)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(line.split_whitespace()).current_dir(self.path());
        command
    }

    /// Runs a command of the program.
    ///
    /// # Errors
    /// What it says, if it fails.
    pub fn run(&self, line: &str) -> Result<()> {
        let output = self.command(line).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "iot-crypto {line}: {said}");
        Ok(())
    }

    /// What the board begins with, as it is in its flash.
    ///
    /// # Errors
    /// If the image can't be made.
    pub fn image(&self) -> Result<Vec<u8>> {
        self.run(&format!("image {BOARD}.toml --out {BOARD}.image --force"))?;
        Ok(fs::read(self.path().join(format!("{BOARD}.image")))?)
    }

    /// Starts the gateway, which sends its advertisements to the port `discovery` of
    /// everyone on the loopback interface, and replaces the key of a session of the age
    /// `rotation`.
    ///
    /// # Errors
    /// If it doesn't start.
    pub fn gateway(&self, discovery: u16, rotation: &str) -> Result<Gateway> {
        self.start_gateway(Ipv4Addr::LOCALHOST, [4441, 4442], discovery, rotation, "--any-port")
    }

    /// Starts the gateway behind a proxy.
    ///
    /// # Errors
    /// If it doesn't start.
    pub fn gateway_behind(&self, proxy: &Proxy, rotation: &str) -> Result<Gateway> {
        // Nobody hears its advertisements.
        self.start_gateway(proxy::GATEWAY, proxy.ports, free_port()?, rotation, "")
    }

    fn start_gateway(
        &self,
        bind: Ipv4Addr,
        [negotiation, transmission]: [u16; 2],
        discovery: u16,
        rotation: &str,
        option: &str,
    ) -> Result<Gateway> {
        self.configure(
            "gateway",
            &format!(
                "bind = [\"{bind}\"]\nnegotiation_port = {negotiation}\n\
                 transmission_port = {transmission}\npath_mtu = {PATH_MTU}\n\
                 [poll]\nevery = \"1s\"\n[rotation]\nage = \"{rotation}\"\n\
                 [advertise]\nevery = \"1s\"\nport = {discovery}\ninterfaces = [\"lo\"]\n"
            ),
        )?;
        let log = fs::File::create(self.path().join("gateway.log"))?;
        let line = format!("gateway gateway.toml --json --stop-at-eof {option}");
        Gateway::start(self.command(&line).stderr(log))
    }
}

/// A port that is free on this machine, until someone takes it.
///
/// # Errors
/// If there is none.
pub fn free_port() -> Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Builds the command line program, as cargo builds this one.
fn build() -> Result<PathBuf> {
    let release = !cfg!(debug_assertions);
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--quiet", "--locked", "-p", "iot-crypto-cli"]);
    if release {
        command.arg("--release");
    }
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status()?;
    ensure!(status.success(), "the command line program can't be built; see above");
    let here = std::env::current_exe()?;
    // Beside this program, or above it, if this is a test.
    let mut folders = here.ancestors().skip(1);
    let program = folders.find_map(|folder| {
        let program = folder.join("iot-crypto");
        program.is_file().then_some(program)
    });
    program.context("the command line program is not where cargo puts it")
}

/// The gateway, running. It is killed when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    stdin: ChildStdin,
    events: Receiver<Value>,
    /// The ports of its negotiation service and its transmission service.
    pub services: [u16; 2],
}

impl Gateway {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("the gateway has no output")?;
        let stdin = child.stdin.take().context("the gateway has no input")?;
        let (sender, events) = channel();
        std::thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            let told = lines.filter_map(|line| serde_json::from_str(&line).ok());
            // Ends when the gateway does, or nobody listens any more.
            let _ = told.map(|event| sender.send(event)).find(Result::is_err);
        });
        let mut gateway = Self { child, stdin, events, services: [0; 2] };
        gateway.services = gateway.told("it starts", |event| {
            let port = |place| Some(text(event, place)?.parse::<SocketAddr>().ok()?.port());
            let is_it = kind(event) == "started";
            is_it.then(|| Some([port("/ports/negotiation/0")?, port("/ports/transmission/0")?]))?
        })?;
        Ok(gateway)
    }

    /// Waits until the gateway tells something of which `read` makes something.
    ///
    /// # Errors
    /// If it doesn't; with what it told instead.
    pub fn told<T>(&mut self, what: &str, read: impl Fn(&Value) -> Option<T>) -> Result<T> {
        let (begin, mut last) = (Instant::now(), Vec::new());
        loop {
            let Ok(event) = self.events.recv_timeout(PATIENCE.saturating_sub(begin.elapsed()))
            else {
                bail!("the gateway: '{what}' is missing; it told:\n    {}", last.join("\n    "));
            };
            if let Some(found) = read(&event) {
                eprintln!("  ok the gateway: {what} ({} ms)", begin.elapsed().as_millis());
                return Ok(found);
            }
            last.push(event.to_string());
        }
    }

    /// Waits for readings of the board.
    ///
    /// # Errors
    /// If none come; with what the gateway told instead.
    pub fn reads(&mut self, what: &str) -> Result<Value> {
        self.told(what, of_board("readings"))
    }

    /// Forgets what the gateway told so far and nobody waited for.
    pub fn forget(&self) {
        while self.events.try_recv().is_ok() {}
    }

    /// Types a line for the gateway.
    ///
    /// # Errors
    /// If it doesn't read any more.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        Ok(writeln!(self.stdin, "{line}")?)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What kind of event this is.
#[must_use]
pub fn kind(event: &Value) -> &str {
    text(event, "/event").unwrap_or_default()
}

/// The text at this place (RFC 6901) of an event.
#[must_use]
pub fn text<'e>(event: &'e Value, place: &str) -> Option<&'e str> {
    event.pointer(place)?.as_str()
}

/// The event of this kind that is about the board.
pub fn of_board(wanted: &'static str) -> impl Fn(&Value) -> Option<Value> {
    move |event| {
        let is_it = kind(event) == wanted && text(event, "/device/name") == Some(BOARD);
        is_it.then(|| event.clone())
    }
}
