//! The log: what happens while the program runs, on standard error.

use tracing_subscriber::filter::LevelFilter;

use crate::cli::Global;
use crate::output::Color;

/// Starts the log. What happened before is lost; a second start does nothing.
pub fn start(global: &Global) {
    let ansi = match global.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => matches!(
            anstream::AutoStream::choice(&std::io::stderr()),
            anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi
        ),
    };
    let started = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        .with_max_level(level(global))
        .try_init();
    if started.is_err() {
        tracing::debug!("the log was started before");
    }
}

fn level(global: &Global) -> LevelFilter {
    match (global.log, global.quiet, global.verbose) {
        (Some(level), ..) => level,
        (None, true, _) => LevelFilter::ERROR,
        (None, false, 0) => LevelFilter::INFO,
        (None, false, 1) => LevelFilter::DEBUG,
        (None, false, _) => LevelFilter::TRACE,
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn level_of(arguments: &[&str]) -> LevelFilter {
        let all = [&["iot-crypto", "network", "show", "x"], arguments].concat();
        level(&Cli::try_parse_from(all).unwrap().global)
    }

    #[test]
    fn the_level_follows_from_the_arguments() {
        assert_eq!(level_of(&[]), LevelFilter::INFO);
        assert_eq!(level_of(&["-q"]), LevelFilter::ERROR);
        assert_eq!(level_of(&["-v"]), LevelFilter::DEBUG);
        assert_eq!(level_of(&["-vv"]), LevelFilter::TRACE);
        assert_eq!(level_of(&["-v", "--log", "warn"]), LevelFilter::WARN);
    }
}
