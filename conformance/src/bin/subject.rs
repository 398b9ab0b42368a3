//! The project's own core behind the interface of the runner: reads a JSON
//! request a line on standard input, writes a JSON answer a line on standard
//! output (`conformance/vectors/README.md`).

use std::io::{self, BufRead as _, Write as _};

fn main() -> io::Result<()> {
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = iot_crypto_conformance::subject::answer_line(&line?);
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}
