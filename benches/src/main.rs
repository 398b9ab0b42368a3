//! The program `iot-crypto-bench`.

use std::process::ExitCode;

use clap::Parser as _;
use iot_crypto_bench::cli::Arguments;
use iot_crypto_bench::heap::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
