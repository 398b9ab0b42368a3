//! The program that checks the firmware.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use iot_crypto_firmware_check::network::Medium;
use iot_crypto_firmware_check::{costs, device, echo, flood, nonsense, power, signatures};

/// Build the firmware, run it in QEMU, and check each step that it takes.
///
/// It needs qemu-system-arm, and what adapters/embedded/firmware/toolchain needs.
///
/// Exit code: 0, every step was taken; 1, one was not; 2, wrong usage.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    check: Check,

    #[command(subcommand)]
    command: Option<Command>,
}

/// What is checked.
#[derive(Args)]
struct Check {
    /// The network that the board is on; without it, both in turn
    #[arg(long)]
    network: Option<Medium>,
    /// The part of the check; without it, all of them
    #[arg(long)]
    part: Option<Part>,
    /// What all chance follows from; without it, another number each time
    #[arg(long)]
    seed: Option<u32>,
}

#[derive(Subcommand)]
enum Command {
    /// Say what the device costs: memory, stack, panics, and instructions.
    ///
    /// What it costs at most is in adapters/embedded/check/src/costs/aims.rs; the places
    /// from which it could come to a panic are reviewed in panics.toml beside that.
    /// How it goes on is said on the standard error.
    ///
    /// Exit code: 0, all is measured, and within its aims and the list; 1, something could
    /// not be measured, or is not; 2, wrong usage.
    Costs {
        /// Print JSON instead of tables
        #[arg(long)]
        json: bool,
    },
}

/// A part of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The board itself.
    Board,
    /// Signatures that it verifies: in the network of QEMU.
    Signatures,
    /// The life of the device on it.
    Device,
    /// A gateway that answers nonsense.
    Nonsense,
    /// A network that floods it, with frames: by the bridge.
    Flood,
    /// Power that goes at any moment.
    Power,
}

impl Part {
    const fn description(self) -> &'static str {
        match self {
            Self::Board => "the board",
            Self::Signatures => "the signatures that it verifies",
            Self::Device => "the device on it",
            Self::Nonsense => "the device, whose gateway answers nonsense",
            Self::Flood => "the device, on a network that floods it",
            Self::Power => "the device, whose power goes at any moment",
        }
    }

    /// Whether it is for a network of this kind.
    fn is_for(self, medium: Medium) -> bool {
        match self {
            Self::Flood => medium == Medium::Bridge,
            Self::Signatures => medium == Medium::User,
            Self::Board | Self::Device | Self::Nonsense | Self::Power => true,
        }
    }

    fn check(self, medium: Medium, seed: u64) -> anyhow::Result<()> {
        match self {
            Self::Board => echo::check(medium),
            Self::Signatures => signatures::check(),
            Self::Device => device::check(medium).map(drop),
            Self::Nonsense => nonsense::check(medium, seed),
            Self::Flood => flood::check(seed),
            Self::Power => power::check(medium, seed),
        }
    }
}

/// Any seed; one that is always the same if this machine gives no random numbers.
fn any_seed() -> u32 {
    getrandom::u32().unwrap_or_default()
}

fn main() -> ExitCode {
    let Arguments { check, command } = Arguments::parse();
    if let (Some(part), Some(network)) = (check.part, check.network)
        && !part.is_for(network)
    {
        let reason = "this part is for the other network; leave '--network' out";
        Arguments::command().error(ErrorKind::ArgumentConflict, reason).exit();
    }
    let is_good = match command {
        None => check.run(),
        Some(Command::Costs { json }) => tell_costs(json),
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Check {
    /// Takes all steps; says whether every one was taken.
    fn run(self) -> bool {
        let media = self.network.map_or_else(|| Medium::ALL.to_vec(), |medium| vec![medium]);
        let parts = self.part.map_or_else(|| Part::value_variants().to_vec(), |part| vec![part]);
        let seed = self.seed.unwrap_or_else(any_seed);
        println!("chance follows from --seed {seed}");
        let (mut passed, mut failed) = (0, 0);
        for medium in &media {
            println!("on a network {}", medium.description());
            let parts = parts.iter().filter(|it| it.is_for(*medium));
            for part in parts {
                println!("{}", part.description());
                match part.check(*medium, seed.into()) {
                    Ok(()) => passed += 1,
                    Err(error) => {
                        println!("  FAILED: {error:#}");
                        failed += 1;
                    }
                }
            }
        }
        println!("{passed} passed, {failed} failed");
        failed == 0
    }
}

/// Prints what the device costs; says whether that is within its aims.
fn tell_costs(json: bool) -> bool {
    let told = costs::measure().and_then(|costs| {
        match json {
            true => println!("{}", serde_json::to_string_pretty(&costs)?),
            false => print!("{costs}"),
        }
        Ok(costs.failures.is_empty())
    });
    told.unwrap_or_else(|error| {
        eprintln!("FAILED: {error:#}");
        false
    })
}
