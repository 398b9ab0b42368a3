//! The program that checks the firmware.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use iot_crypto_firmware_check::network::Medium;
use iot_crypto_firmware_check::{costs, device, echo};

/// Build the firmware, run it in QEMU, and check each step that it takes.
///
/// It needs qemu-system-arm, and what adapters/embedded/firmware/toolchain needs.
///
/// Exit code: 0, every step was taken; 1, one was not; 2, wrong usage.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    /// The network that the board is on; without it, both in turn
    #[arg(long)]
    network: Option<Medium>,

    #[command(subcommand)]
    command: Option<Command>,
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

fn main() -> ExitCode {
    let Arguments { network, command } = Arguments::parse();
    let is_good = match command {
        None => check(network),
        Some(Command::Costs { json }) => tell_costs(json),
    };
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Takes all steps; says whether every one was taken.
fn check(network: Option<Medium>) -> bool {
    let media = network.map_or_else(|| Medium::ALL.to_vec(), |medium| vec![medium]);
    let mut failed = 0;
    for medium in &media {
        println!("the board, {}", medium.description());
        if let Err(error) = echo::check(*medium) {
            println!("  FAILED: {error:#}");
            failed += 1;
        }
        println!("the device on it");
        if let Err(error) = device::check(*medium) {
            println!("  FAILED: {error:#}");
            failed += 1;
        }
    }
    println!("{} passed, {failed} failed", 2 * media.len() - failed);
    failed == 0
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
