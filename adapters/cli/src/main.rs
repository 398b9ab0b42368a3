//! The program `iot-crypto`.

use std::process::ExitCode;

fn main() -> ExitCode {
    iot_crypto_cli::main()
}
