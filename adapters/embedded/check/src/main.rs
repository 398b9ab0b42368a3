//! The program that checks the firmware.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use iot_crypto_firmware_check::network::Medium;
use iot_crypto_firmware_check::{device, echo};

/// Build the firmware, run it in QEMU, and check each step that it takes.
///
/// It needs qemu-system-arm, and what adapters/embedded/firmware/toolchain needs.
///
/// Exit code: 0, every step was taken; 1, one was not; 2, wrong usage.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The network that the board is on; without it, both in turn
    #[arg(long)]
    network: Option<Medium>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let media = arguments.network.map_or_else(|| Medium::ALL.to_vec(), |medium| vec![medium]);
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
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
