//! Runs the interop matrix and prints its table.

use std::process::ExitCode;

use clap::Parser;
use iot_crypto_interop::matrix::{Entry, Outcome, Table};
use iot_crypto_interop::peer::LIBRARIES;

/// Runs every cell of the interop matrix (our DTLS with each peer that is linked, as
/// client and as server), and prints the table of the results.
///
/// Exit codes: 0 if every cell passed, 1 if one failed or no peer is linked, 2 for a
/// mistake in the command.
#[derive(Parser)]
#[command(
    name = "matrix",
    after_help = "Example: cargo run -p iot-crypto-interop --features peers > MATRIX.md"
)]
struct Arguments {
    /// Print JSON instead of Markdown.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    for library in LIBRARIES.into_iter().filter(|library| library.version().is_none()) {
        eprintln!("{}", library.how_to_link());
    }
    let table = Table::measure(|Entry { cell, outcome }| {
        let (peer, direction) = (cell.library.name(), cell.direction.name());
        let outcome = match outcome {
            Outcome::Passed(_) => "passed".to_owned(),
            Outcome::Failed(why) => format!("FAILED: {why}"),
        };
        eprintln!("{peer}, {direction}, {}: {outcome}", cell.case.name());
    });
    match arguments.json {
        false => print!("{}", table.to_markdown()),
        true => match table.to_json() {
            Ok(text) => println!("{text}"),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        },
    }
    if table.versions.is_empty() || table.failures().next().is_some() {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
