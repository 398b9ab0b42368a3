//! `iot-crypto device`, `gateway` and `cloud`: run a role.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::roles::{self, CLOUD_HELP, CONSOLE_HELP, Manner, RecordFiles};

/// What the help of every role says of what happens outside the network.
const LIVE: &str = "\
It takes changes of its trust file and of its network keys over while it runs; a
file with mistakes is reported, and what it said before stays in force.

Signals: SIGTERM and SIGINT close all sessions and end it; SIGHUP looks at the
files again; SIGUSR1 tells what was sent of each kind of message.

With --json it prints one object for each event, with the fields at (RFC 3339) and
event, and those of the event.

To look into what goes over the network, give --capture FILE and open it in Wireshark
with the dissector that comes with the sources (conformance/dissector). Captures and
key logs hold the secrets of all sessions; they have mode 0600, and grow without limit.";

const DEVICE_EXAMPLE: &str = "\
Example of a configuration:
  identity = \"thermometer.identity\"
  endorsements = [\"thermometer.endorsement\"]
  trust = \"thermometer.trust\"
  network = \"lab.network\"
  [[sensor]]
  label = \"temperature\"
  source = \"temperature\"";

const GATEWAY_EXAMPLE: &str = "\
Example of a configuration:
  identity = \"hall.identity\"
  endorsements = [\"hall.endorsement\"]
  trust = \"hall.trust\"
  network = \"lab.network\"
  [cloud]
  address = \"203.0.113.5:4451\"";

const CLOUD_EXAMPLE: &str = "\
Example of a configuration:
  identity = \"cloud.identity\"
  endorsements = [\"cloud.endorsement\"]
  trust = \"cloud.trust\"
  network = \"lab.network\"";

/// The arguments of `device`.
#[derive(Debug, Args)]
#[command(after_help = format!("{DEVICE_EXAMPLE}\n\n{LIVE}"))]
pub struct Device {
    /// Its configuration
    config: PathBuf,
    /// End when standard input ends
    #[arg(long)]
    stop_at_eof: bool,
    #[command(flatten)]
    record: Record,
}

/// The arguments of `gateway`.
#[derive(Debug, Args)]
#[command(after_help = format!("{GATEWAY_EXAMPLE}\n\n{CONSOLE_HELP}\n\n{LIVE}"))]
pub struct Gateway {
    #[command(flatten)]
    service: Service,
}

/// The arguments of `cloud`.
#[derive(Debug, Args)]
#[command(after_help = format!("{CLOUD_EXAMPLE}\n\n{CONSOLE_HELP}\n{CLOUD_HELP}\n\n{LIVE}"))]
pub struct Cloud {
    #[command(flatten)]
    service: Service,
}

/// The arguments that a gateway and a cloud have in common.
#[derive(Debug, Args)]
struct Service {
    /// Its configuration
    config: PathBuf,
    /// Listen on any ports that are free, not on those in the configuration
    #[arg(long)]
    any_port: bool,
    /// End when standard input ends
    #[arg(long)]
    stop_at_eof: bool,
    #[command(flatten)]
    record: Record,
}

/// What every role can be asked to record.
#[derive(Debug, Args)]
struct Record {
    /// Write all datagrams to FILE, which must be new, with the secrets and what they
    /// open (pcapng)
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
    /// Write the secrets of all sessions to the end of FILE (in the format of
    /// SSLKEYLOGFILE, RFC 9850)
    #[arg(long, value_name = "FILE")]
    key_log: Option<PathBuf>,
}

impl Record {
    fn files(&self) -> RecordFiles {
        RecordFiles { capture: self.capture.clone(), key_log: self.key_log.clone() }
    }
}

impl Service {
    fn manner(&self) -> Manner {
        let (stop_at_eof, any_port) = (self.stop_at_eof, self.any_port);
        Manner { stop_at_eof, any_port, record: self.record.files() }
    }
}

impl Device {
    /// Runs the device until it is told to stop.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &Context) -> Result<Exit, Error> {
        let (stop_at_eof, any_port) = (self.stop_at_eof, false);
        let manner = Manner { stop_at_eof, any_port, record: self.record.files() };
        roles::run_device(context, &self.config, &manner)
    }
}

impl Gateway {
    /// Runs the gateway until it is told to stop.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &Context) -> Result<Exit, Error> {
        roles::run_gateway(context, &self.service.config, &self.service.manner())
    }
}

impl Cloud {
    /// Runs the cloud until it is told to stop.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(&self, context: &Context) -> Result<Exit, Error> {
        roles::run_cloud(context, &self.service.config, &self.service.manner())
    }
}
