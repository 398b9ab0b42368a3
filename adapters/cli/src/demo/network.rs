//! The files of the demonstration, made by the commands that a person would
//! type.

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use super::{Actor, Failure};
use crate::error::Error;
use crate::files::{self, FileError};
use crate::sensors::Source;
use crate::value::Value;

/// The company of the cloud, the gateway and two devices.
pub(super) const OURS: &str = "Northwind";
/// The company of the third device.
pub(super) const THEIRS: &str = "Lakeside";

/// How many bytes the loopback interface carries until the alert, in addition to
/// what it has carried when the device starts.
pub(super) const ALERT_AFTER: usize = 100_000;

/// The directory with the files.
pub(super) struct Network {
    directory: Directory,
    program: PathBuf,
    discovery_port: u16,
    /// Where the gateway records its datagrams, if it does.
    capture: Option<PathBuf>,
}

enum Directory {
    /// It is removed at the end.
    Temporary(tempfile::TempDir),
    /// It was asked for.
    Kept(PathBuf),
}

impl Network {
    /// An empty directory that only its owner can read. The file `capture` must not
    /// be there.
    pub(super) fn new(keep: Option<&Path>, capture: Option<&Path>) -> Result<Self, Error> {
        let capture = capture.map(absent).transpose()?;
        let directory = match keep {
            Some(path) => {
                make_directory(path)?;
                let path = fs::canonicalize(path).map_err(|source| unwritable(path, source))?;
                Directory::Kept(path)
            }
            None => Directory::Temporary(
                tempfile::Builder::new()
                    .prefix("iot-crypto-demo-")
                    .permissions(fs::Permissions::from_mode(0o700))
                    .tempdir()
                    .map_err(|source| unwritable(&std::env::temp_dir(), source))?,
            ),
        };
        let program = std::env::current_exe()
            .map_err(|error| Error::Unexpected(format!("where is this program? {error}")))?;
        let discovery_port = free_port()
            .map_err(|error| Error::Network(format!("no UDP port can be had: {error}")))?;
        Ok(Self { directory, program, discovery_port, capture })
    }

    pub(super) fn path(&self) -> &Path {
        match &self.directory {
            Directory::Temporary(directory) => directory.path(),
            Directory::Kept(path) => path,
        }
    }

    /// The program that plays all parties: this one.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// Where a party records its datagrams, if it does.
    pub(super) fn capture(&self, actor: Actor) -> Option<&Path> {
        self.capture.as_deref().filter(|_| actor == Actor::Hall)
    }

    /// Where the files stay after the end, if they do; `failed` if the
    /// demonstration did.
    pub(super) fn kept(&self, failed: bool) -> Option<&Path> {
        match &self.directory {
            Directory::Temporary(_) if !failed => None,
            _ => Some(self.path()),
        }
    }

    /// Ends it; the directory is removed if it is temporary and not `kept`.
    pub(super) fn end(self, kept: bool) -> Option<PathBuf> {
        match self.directory {
            Directory::Kept(path) => Some(path),
            Directory::Temporary(directory) if kept => Some(directory.keep()),
            Directory::Temporary(_) => None,
        }
    }

    /// Runs this program with the words of `line` as arguments.
    pub(super) fn command(&self, line: &str) -> Result<(), Failure> {
        let output = Command::new(&self.program)
            .args(line.split_whitespace())
            .args(["--quiet", "--color", "never"])
            .current_dir(self.path())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Failure::Problem(format!("iot-crypto {line}: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(Failure::Problem(format!("iot-crypto {line}: {}", complaint.trim())))
    }

    /// Makes the identities, endorsements, trust files and the network key.
    pub(super) fn make_identities(&self) -> Result<(), Failure> {
        self.command("network new demo.network")?;
        self.command(&format!("identity new {OURS}"))?;
        self.command(&format!("identity new {THEIRS}"))?;
        for actor in [Actor::Cloud, Actor::Hall, Actor::Boiler, Actor::Meter, Actor::Freezer] {
            let (name, role) = (actor.name(), actor.role());
            let company = if actor == Actor::Freezer { THEIRS } else { OURS };
            self.command(&format!("identity new {name}"))?;
            self.command(&format!(
                "endorse --issuer {company}.identity --subject {name}.certificate --roles {role} \
                 --rights all --out {name}.endorsement"
            ))?;
            self.command(&format!(
                "trust add {name}.trust {company}.certificate --authority full"
            ))?;
            // Each has its own copy, as on machines of their own, so that a new key
            // has to travel.
            let file = |name: &str| self.path().join(format!("{name}.network"));
            fs::copy(file("demo"), file(name)).map_err(|error| {
                Failure::Problem(format!("the network key can't be copied: {error}"))
            })?;
        }
        // For the device to follow a gateway of the other company.
        self.command(&format!("trust add freezer.trust {OURS}.certificate"))
    }

    /// Writes the configuration of a party; `cloud` is where the gateway finds
    /// its cloud.
    pub(super) fn configure(&self, actor: Actor, cloud: Option<SocketAddr>) -> Result<(), Failure> {
        let name = actor.name();
        let own = match actor {
            Actor::Cloud => "bind = [\"127.0.0.1\"]\n".to_owned(),
            Actor::Hall => self.gateway(cloud),
            Actor::Boiler => self.device("", BOILER),
            Actor::Meter => self.device("", &meter()),
            Actor::Freezer => self.device(FREEZER_LINK, FREEZER),
        };
        let text = format!(
            "identity = \"{name}.identity\"\nendorsements = [\"{name}.endorsement\"]\n\
             trust = \"{name}.trust\"\nnetwork = \"{name}.network\"\n{own}"
        );
        let path = self.path().join(format!("{name}.toml"));
        fs::write(&path, text)
            .map_err(|error| Failure::Problem(format!("can't write {}: {error}", path.display())))
    }

    fn gateway(&self, cloud: Option<SocketAddr>) -> String {
        let cloud = cloud.map_or_else(String::new, |at| format!("[cloud]\naddress = \"{at}\"\n"));
        format!(
            "bind = [\"127.0.0.1\"]\n{cloud}[advertise]\nevery = \"300ms\"\nport = {}\n\
             [poll]\nevery = \"1s\"\n[rotation]\nage = \"3s\"\n",
            self.discovery_port
        )
    }

    /// A device with these lines of its own, and these parts.
    fn device(&self, own: &str, parts: &str) -> String {
        format!(
            "retry = \"500ms\"\nretry_limit = \"500ms\"\n\
             listen.discovery_port = {}\nlisten.bind = [\"127.0.0.1\"]\n{own}{parts}",
            self.discovery_port
        )
    }

    /// The contents of a file.
    pub(super) fn read(&self, file: &str) -> Result<String, Failure> {
        let path = self.path().join(file);
        fs::read_to_string(&path)
            .map_err(|error| Failure::Problem(format!("can't read {}: {error}", path.display())))
    }

    /// When a file was changed last.
    pub(super) fn changed(&self, file: &str) -> Result<SystemTime, Failure> {
        let path = self.path().join(file);
        fs::metadata(&path)
            .and_then(|metadata| metadata.modified())
            .map_err(|error| Failure::Problem(format!("can't read {}: {error}", path.display())))
    }
}

const BOILER: &str = "\
[[sensor]]
label = \"processor-load\"
source = \"load\"
[[sensor]]
label = \"memory-used\"
source = \"memory\"
[[sensor]]
label = \"temperature\"
source = \"temperature\"
[[actuator]]
label = \"switch\"
kind = \"state\"
initial = false
";

/// The freezer sleeps most of the time, and its network carries small packets only:
/// its part of the key negotiation needs two.
const FREEZER_LINK: &str = "\
sleepy = true
wake = \"500ms\"
listen.path_mtu = 256
";

const FREEZER: &str = "\
[[sensor]]
label = \"uptime\"
source = \"uptime\"
[[sensor]]
label = \"processor-load\"
source = \"load\"
";

/// A device that raises an alert when the loopback interface has carried some
/// more bytes than now; where that has another name, when all interfaces have.
fn meter() -> String {
    let on = |interface: Option<&str>| Source::BytesReceived {
        interface: interface.map(ToOwned::to_owned),
    };
    let (interface, present) = match (on(Some("lo")).read(), on(None).read()) {
        (Ok(Value::Integer(present)), _) => ("interface = \"lo\"\n", present),
        (_, Ok(Value::Integer(present))) => ("", present),
        _ => ("", 0),
    };
    let above = present.saturating_add(i64::try_from(ALERT_AFTER).unwrap_or(i64::MAX));
    format!(
        "[[sensor]]\nlabel = \"bytes-received\"\nsource = \"bytes-received\"\n{interface}\
         [[sensor]]\nlabel = \"bytes-sent\"\nsource = \"bytes-sent\"\n{interface}\
         [[alert]]\nlabel = \"bytes-received\"\nabove = {above}.0\nevery = \"100ms\"\n\
         severity = \"warning\"\ntext = \"busy network\"\n"
    )
}

/// Sends a little more through the loopback interface than the alert waits for.
pub(super) fn make_traffic() -> io::Result<()> {
    let receiver = UdpSocket::bind("127.0.0.1:0")?;
    let to = receiver.local_addr()?;
    let datagram = [0; 1000];
    for _ in 0..=ALERT_AFTER.div_ceil(datagram.len()) {
        receiver.send_to(&datagram, to)?;
    }
    Ok(())
}

/// A UDP port that nobody uses now.
fn free_port() -> io::Result<u16> {
    Ok(UdpSocket::bind("0.0.0.0:0")?.local_addr()?.port())
}

/// The whole path of a file that the gateway, which runs in another directory, is
/// going to make. Whether it can is found out now, and not in the gateway's log.
fn absent(path: &Path) -> Result<PathBuf, Error> {
    files::create_private(path)?;
    let unwritable = |source| unwritable(path, source);
    fs::remove_file(path).map_err(unwritable)?;
    std::path::absolute(path).map_err(unwritable)
}

fn make_directory(path: &Path) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mut entries = fs::read_dir(path).map_err(|source| unwritable(path, source))?;
            if entries.next().is_some() {
                let path = path.display();
                return Err(Error::usage(format!("{path} is not empty; name a new directory")));
            }
            Ok(())
        }
        Err(source) => Err(unwritable(path, source)),
    }
}

fn unwritable(path: &Path, source: io::Error) -> Error {
    FileError::Write { path: path.to_owned(), source }.into()
}
