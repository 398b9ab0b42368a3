//! The paper's figures 8 to 12 as numbers, measured here, beside what the paper says
//! in words.
//!
//! | figure | module | what is measured |
//! |---|---|---|
//! | 8 | `packets` | messages of the transmission protocol, sealed and with headers |
//! | 9 | `work` | the cryptographic operations of a first contact |
//! | 10 | `encodings` | structures in CBOR, JSON and raw binary |
//! | 11 | `goodput` | how fast messages pass over BLE, direct and through an intermediary |
//! | 12 | `round_trips` | how long a data request takes there |
//!
//! The formats are ours, and the paper's charts can't be read here: only what it says
//! in words is quoted. `FIGURES.md` is what [`markdown`] gave with seed 1.

mod ble;
mod cast;
mod encodings;
mod goodput;
mod messages;
mod packets;
mod report;
mod round_trips;
mod work;

use clap::{Args, ValueEnum};

pub use report::{Cell, Figure, Row, Table};
pub use work::Times;

/// What is to be printed.
#[derive(Clone, Debug, Args)]
pub struct Arguments {
    /// The figures, by their numbers in the paper; all if none is given
    #[arg(value_name = "NUMBER")]
    numbers: Vec<Number>,
    /// The seed of everything that is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON array, for scripts
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print what is the same on every machine, as FIGURES.md has it
    #[arg(long)]
    markdown: bool,
}

/// The number of a figure in the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Number {
    /// Sizes of packets.
    #[value(name = "8", help = "Sizes of the packets of the transmission protocol")]
    Packets,
    /// Cryptographic operations.
    #[value(name = "9", help = "Cryptographic operations in the work of a key exchange")]
    Work,
    /// Sizes by encoding.
    #[value(name = "10", help = "Sizes of the structures by encoding")]
    Encodings,
    /// Goodput over BLE.
    #[value(name = "11", help = "Goodput over BLE")]
    Goodput,
    /// Round-trip times over BLE.
    #[value(name = "12", help = "Round-trip times over BLE")]
    RoundTrips,
}

impl Number {
    /// Measures the figure.
    #[must_use]
    pub fn figure(self, seed: u64, times: Times) -> Figure {
        match self {
            Self::Packets => packets::figure(seed),
            Self::Work => work::figure(seed, times),
            Self::Encodings => encodings::figure(seed),
            Self::Goodput => goodput::figure(seed),
            Self::RoundTrips => round_trips::figure(seed),
        }
    }
}

/// What the arguments ask for.
#[must_use]
pub fn run(arguments: &Arguments) -> String {
    let Arguments { numbers, seed, json, markdown } = arguments;
    let numbers = if numbers.is_empty() { Number::value_variants() } else { numbers };
    if *markdown {
        return self::markdown(numbers, *seed);
    }
    let figures = numbers.iter().map(|number| number.figure(*seed, Times::Measured));
    if *json {
        serde_json::to_string(&figures.collect::<Vec<_>>()).expect("it has no maps but of texts")
    } else {
        figures.map(|figure| figure.to_string()).collect::<Vec<_>>().join("\n")
    }
}

/// These figures as a Markdown file, without what differs from machine to machine.
#[must_use]
pub fn markdown(numbers: &[Number], seed: u64) -> String {
    let figures = numbers.iter().map(|number| number.figure(seed, Times::LeftOut).markdown());
    format!("{PREFACE}\n{}\n", figures.collect::<Vec<_>>().join("\n\n"))
}

const PREFACE: &str = "\
# The paper's figures 8 to 12, measured here

Made by `cargo run --release -p iot-crypto-simulator -- figures --markdown`; a test
holds that the command still gives the same. The paper is Goworko and Wytrębowicz,
Sensors 2021, 21(20), 6906; the formats that are measured here are our own, and of the
paper only what it says in words is quoted. Sizes are those of real encodings and real
records. Figures 11 and 12 are measured in virtual time, with the simulator's model of
BLE. How long cryptography takes differs from machine to machine and is not in this
file: `cargo run --release -p iot-crypto-simulator -- figures 9` measures it.
";
