//! The arguments of the program.

use clap::{ArgAction, Args, Parser, Subcommand};
use tracing_subscriber::filter::LevelFilter;

use crate::commands::{
    Context, check, demo, endorse, identity, image, network, revoke, run, trust,
};
use crate::error::Error;
use crate::exit::{self, Exit};
use crate::output::{Color, Format};
use iot_crypto_host::os_provider;

/// Secure communication for the Internet of Things.
///
/// Identities, network keys, endorsements, trust and revocation; and the device,
/// the gateway and the cloud.
#[derive(Debug, Parser)]
#[command(name = "iot-crypto", version, after_help = exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// What all commands have in common.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What all commands have in common.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "General options")]
pub struct Global {
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log up to LEVEL: off, error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<LevelFilter>,
    /// Use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Print the result as JSON, for scripts
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make, rotate and show the keys that all members of a network share
    #[command(subcommand)]
    Network(network::Command),
    /// Make, show and renew identities
    #[command(subcommand)]
    Identity(identity::Command),
    /// Give a party's word for the certificate of another.
    ///
    /// For as long as it says, whoever trusts the issuer trusts the subject in these
    /// roles, with these rights. The endorsement is for this one certificate: when
    /// that is renewed, it has to be issued again.
    Endorse(endorse::Endorse),
    /// Keep the list of trusted parties
    #[command(subcommand)]
    Trust(trust::Command),
    /// Declare that a party is no longer to be trusted.
    ///
    /// It can't be taken back, and it holds for every certificate of the party's keys.
    /// It counts for those who list the issuer: from a party that they list with full
    /// authority it cuts the subject off altogether, from others it voids only the
    /// issuer's own endorsements. A running gateway or cloud that uses STORE closes
    /// the sessions of the subject.
    Revoke(revoke::Revoke),
    /// Look for mistakes in the configuration of a role.
    ///
    /// It reads the configuration and everything that it names, as the role itself
    /// would, and tells every mistake with its place: FILE:LINE:COLUMN.
    Check(check::Check),
    /// Make the flash image of a device that is a microcontroller.
    ///
    /// It has what the configuration names: the identity, its endorsements, whom the
    /// device trusts, and the keys of its network. The rest of the configuration is that
    /// of the firmware.
    Image(image::Image),
    /// Run a device: measure, obey and raise alerts.
    ///
    /// It finds its gateway, proves who it is, and then answers data requests and
    /// commands with the sensors and actuators of this computer that its
    /// configuration names.
    Device(run::Device),
    /// Run a gateway: serve devices, and hand on to a cloud.
    ///
    /// It makes itself known, lets the devices in that its trust file covers, polls
    /// their sensors, and hands readings, alerts and commands on.
    Gateway(run::Gateway),
    /// Run a cloud: serve gateways, and see and command their devices.
    Cloud(run::Cloud),
    /// Show the system at work: a cloud, a gateway and three devices.
    ///
    /// Each is a process of its own, on UDP sockets of the loopback interface, with
    /// identities made for the occasion: two devices are let in, polled, commanded and
    /// raise an alert; a third, of another company, is refused, let in as a partner's,
    /// and cut off. In the end it shows what all that cost in bytes.
    Demo(demo::Demo),
}

impl Cli {
    /// Does what the arguments say.
    ///
    /// # Errors
    /// [`Error`].
    pub fn run(self) -> Result<Exit, Error> {
        let mut context = Context {
            provider: os_provider(),
            now: iot_crypto_mio::wall_time(),
            format: if self.global.json { Format::Json } else { Format::Text },
        };
        match self.command {
            Command::Network(command) => command.run(&mut context),
            Command::Identity(command) => command.run(&mut context),
            Command::Endorse(command) => command.run(&context),
            Command::Trust(command) => command.run(&context),
            Command::Revoke(command) => command.run(&context),
            Command::Check(command) => command.run(&context),
            Command::Image(command) => command.run(&mut context),
            Command::Device(command) => command.run(&context),
            Command::Gateway(command) => command.run(&context),
            Command::Cloud(command) => command.run(&context),
            Command::Demo(command) => command.run(&context),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        super::Cli::command().debug_assert();
    }
}
