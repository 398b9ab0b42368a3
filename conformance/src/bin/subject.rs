//! The project's own core behind the interface of the runner: reads a JSON
//! request a line on standard input, writes a JSON answer a line on standard
//! output (`conformance/vectors/README.md`).

use std::io::{self, BufRead as _, Write as _};

use clap::Parser;
use iot_crypto_conformance::subject::{Kind, answer_line, choose};

/// The project's own core as a subject of the vectors: it reads a JSON request a line
/// and writes a JSON answer a line.
#[derive(Parser)]
struct Arguments {
    /// Which provider computes.
    #[arg(long, value_enum, default_value_t)]
    provider: Kind,
}

fn main() -> io::Result<()> {
    choose(Arguments::parse().provider);
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = answer_line(&line?);
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}
