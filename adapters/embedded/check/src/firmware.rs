//! Builds a program of the firmware.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// What the firmware is built for: the processor of the board.
const TARGET: &str = "thumbv7m-none-eabi";

/// What takes back, for a build of its own, what `.cargo/config.toml` does to panics and to
/// functions that are alike: there each has its place and its name.
const WITH_PANICS: &str = "target.'cfg(target_os = \"none\")'.rustflags = \
                           ['-Cpanic=abort', '-Clink-arg=--icf=none']";

/// Builds the program `name` of the firmware and gives its file.
///
/// # Errors
/// If it can't be built; the compiler has said why on the standard error.
pub fn build(name: &str) -> Result<PathBuf> {
    run(name, "target", &[])
}

/// Builds the program `name` with calls of the library's functions where it panics, by
/// which they can be found; otherwise a panic is but an instruction that is undefined.
///
/// # Errors
/// As [`build`].
pub fn build_with_panics(name: &str) -> Result<PathBuf> {
    run(name, "target/panics", &["--config", WITH_PANICS, "--target-dir", "target/panics"])
}

/// Builds a program with more arguments for cargo, which put it under `target`.
fn run(name: &str, target: &str, arguments: &[&str]) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("firmware");
    let cargo = folder.join("cargo");
    let mut command = Command::new(&cargo);
    // What the cargo that runs this program has set is not meant for another workspace.
    for variable in ["CARGO", "RUSTC", "RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_ENCODED_RUSTFLAGS"] {
        command.env_remove(variable);
    }
    let status = command
        .args(["build", "--release", "--locked", "--quiet", "--target", TARGET, "--bin", name])
        .args(arguments)
        .status()
        .with_context(|| format!("can't run {}", cargo.display()))?;
    ensure!(status.success(), "the firmware can't be built; see above");
    Ok(folder.join(target).join(TARGET).join("release").join(name))
}
