//! Generates the reference vectors, and checks an implementation against them.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use iot_crypto_conformance::vectors::runner::{self, Report};
use iot_crypto_conformance::vectors::{self, generator};
use serde_json::json;

const EXIT_CODES: &str = "\
Exit codes: 0 all is well; 1 an answer is wrong; 2 wrong usage; 3 the vectors
can't be read or written; 4 the program can't be started, ended early, or gave
no answer that can be read.

Example: vectors check target/debug/subject";

const WRONG_ANSWER: u8 = 1;
const NO_VECTORS: u8 = 3;
const NO_ANSWER: u8 = 4;

/// The reference vectors of IoT-Crypto.
#[derive(Debug, Parser)]
#[command(name = "vectors", after_help = EXIT_CODES)]
struct Arguments {
    /// Where the vectors are
    #[arg(long, value_name = "DIRECTORY", default_value_os_t = default_directory())]
    vectors: PathBuf,
    /// What to do.
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Write the reference vectors
    Generate,
    /// Put the vectors to a program and compare its answers
    ///
    /// The program answers on standard input and output as
    /// conformance/vectors/README.md says.
    Check {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
        /// The program, and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "PROGRAM")]
        program: Vec<OsString>,
    },
}

fn default_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn main() -> ExitCode {
    let Arguments { vectors, task } = Arguments::parse();
    match task {
        Task::Generate => generate(&vectors),
        Task::Check { json, program } => check(&vectors, json, &program),
    }
}

fn generate(directory: &Path) -> ExitCode {
    for (name, file) in generator::files() {
        let path = directory.join(name);
        if let Err(error) = fs::write(&path, vectors::text(&file)) {
            eprintln!(
                "{}: can't be written: {error}. Say where the vectors are with --vectors DIRECTORY",
                path.display()
            );
            return ExitCode::from(NO_VECTORS);
        }
        println!("{}: {} vectors", path.display(), file.vectors.len());
    }
    ExitCode::SUCCESS
}

fn check(directory: &Path, json: bool, program: &[OsString]) -> ExitCode {
    let files = match vectors::load(directory) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(NO_VECTORS);
        }
    };
    let Some((program, arguments)) = program.split_first() else { return ExitCode::from(2) };
    match runner::check(program, arguments, &files) {
        Ok(report) => {
            if json {
                println!("{}", as_json(&report));
            } else {
                print(&report);
            }
            ExitCode::from(if report.failed.is_empty() { 0 } else { WRONG_ANSWER })
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(NO_ANSWER)
        }
    }
}

fn print(report: &Report) {
    for name in &report.unsupported {
        println!("not supported: {name}");
    }
    for difference in &report.failed {
        println!("WRONG: {}", difference.vector);
        println!("  expected: {}\n  found:    {}", difference.expected, difference.found);
    }
    let (passed, failed, unsupported) =
        (report.passed, report.failed.len(), report.unsupported.len());
    println!("{passed} right, {failed} wrong, {unsupported} not supported");
}

fn as_json(report: &Report) -> serde_json::Value {
    let wrong = report.failed.iter().map(|difference| {
        json!({
            "vector": difference.vector,
            "expected": difference.expected,
            "found": difference.found,
        })
    });
    json!({
        "right": report.passed,
        "wrong": wrong.collect::<Vec<_>>(),
        "unsupported": report.unsupported,
    })
}
