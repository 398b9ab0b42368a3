//! The demonstration: a cloud, a gateway and three devices of two companies talk
//! on the loopback interface, each in a process of its own.
//!
//! Everything is real: the files are made by the commands that a person would
//! type, the parties are this very program in its roles, on UDP sockets, and the
//! readings are those of this computer. Each step is checked; the first that
//! does not happen in time ends the demonstration.

mod display;
mod expectation;
mod measurements;
mod network;
mod processes;
mod steps;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::Error;
use crate::exit::Exit;
use crate::output::Format;
use display::Display;
use measurements::Measurements;
use network::Network;
use steps::Play;

/// How long the steps may take together. The end takes two seconds more at the
/// most.
const LIMIT: Duration = Duration::from_secs(27);

/// How to demonstrate.
#[derive(Clone, Debug)]
pub struct Manner {
    /// How to print it.
    pub format: Format,
    /// Whether to go on after the steps, until it is interrupted.
    pub stay: bool,
    /// The directory in which the files are made and kept; a temporary one that
    /// is removed if not given.
    pub keep: Option<PathBuf>,
    /// Where the gateway, whom everything passes, records its datagrams, if it does.
    pub capture: Option<PathBuf>,
}

/// One of the parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Actor {
    /// The cloud of Northwind.
    Cloud,
    /// The gateway of Northwind.
    Hall,
    /// A device of Northwind that measures the computer.
    Boiler,
    /// A device of Northwind that watches the network.
    Meter,
    /// A device of Lakeside.
    Freezer,
}

impl Actor {
    /// The name in its certificate, and of its files.
    const fn name(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Hall => "hall",
            Self::Boiler => "boiler",
            Self::Meter => "meter",
            Self::Freezer => "freezer",
        }
    }

    /// What it is, as the command that runs it is called.
    const fn role(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Hall => "gateway",
            Self::Boiler | Self::Meter | Self::Freezer => "device",
        }
    }
}

/// What did not happen, or went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Failure {
    /// These things were waited for.
    Missing(Vec<String>),
    /// Something could not be done.
    Problem(String),
    /// The person had enough.
    Interrupted,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(what) => {
                write!(f, "in time, this did not happen: {}", what.join("; "))
            }
            Self::Problem(problem) => f.write_str(problem),
            Self::Interrupted => f.write_str("it was interrupted"),
        }
    }
}

/// A step, and whether it happened.
#[derive(Clone, Debug, Serialize)]
struct StepReport {
    step: usize,
    title: &'static str,
    ok: bool,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    ms: u64,
    steps: &'a [StepReport],
    measurements: Option<&'a Measurements>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<&'a Path>,
}

/// Demonstrates the system.
///
/// # Errors
/// [`Error`], if the demonstration could not begin, or be shown. That a step did
/// not happen is no error but [`Exit::Failure`].
pub fn run(manner: &Manner) -> Result<Exit, Error> {
    let begun = Instant::now();
    let display = Display::new(manner.format);
    let network = Network::new(manner.keep.as_deref(), manner.capture.as_deref())?;
    display.title()?;
    let mut play = Play::new(network, display, begun + LIMIT)?;
    let measured = play.perform();
    let keep = matches!(&measured, Err(failure) if *failure != Failure::Interrupted);
    match manner.format {
        Format::Json => print_report(&play, begun, measured.as_ref().ok(), keep)?,
        Format::Text => play.display().conclude(&measured, play.steps(), begun.elapsed())?,
    }
    let end = if manner.stay && measured.is_ok() { play.stay() } else { Failure::Interrupted };
    let breaks_down = end != Failure::Interrupted;
    if breaks_down {
        play.display().conclude(&Err(end), play.steps(), begun.elapsed())?;
    }
    if let Some(directory) = play.end(keep || breaks_down)
        && manner.format == Format::Text
    {
        display::print(&format!("The files and logs are in {}", directory.display()))?;
    }
    Ok(if measured.is_ok() && !breaks_down { Exit::Success } else { Exit::Failure })
}

fn print_report(
    play: &Play,
    begun: Instant,
    measurements: Option<&Measurements>,
    keep: bool,
) -> Result<(), Error> {
    let report = Report {
        ok: measurements.is_some(),
        ms: milliseconds(begun.elapsed()),
        steps: play.steps(),
        measurements,
        directory: play.kept_directory(keep),
    };
    let text =
        serde_json::to_string(&report).map_err(|error| Error::Unexpected(error.to_string()))?;
    display::print(&text)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
