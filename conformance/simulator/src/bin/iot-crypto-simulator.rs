//! Plays the scenarios of the simulator.

use std::process::ExitCode;

fn main() -> ExitCode {
    iot_crypto_simulator::command::run()
}
