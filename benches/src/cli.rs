//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use iot_crypto_peers::Library;

use crate::contestant::{all, missing, parse_peer};
use crate::question::{Answer, Effort, encoding, handshake, memory, records};
use crate::report::Report;

/// Measures IoT-Crypto side by side with other implementations of DTLS, on the same
/// work in the same run.
///
/// Everyone takes turns, round by round; a ratio is that of two measurements of the
/// same round. A number never goes without its spread: how far the middle half of the
/// measurements lies apart, as a part of their median.
///
/// Exit codes: 0 if everything was measured, 1 if something failed, 2 for a mistake in
/// the command.
#[derive(Debug, Parser)]
#[command(
    name = "iot-crypto-bench",
    version,
    after_help = "Example: cargo run --release -p iot-crypto-bench --features peers -- all --charts charts"
)]
pub struct Arguments {
    /// What to measure.
    #[command(subcommand)]
    pub question: Question,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Question {
    /// The DTLS handshake with a pre-shared key, client and server, with and without
    /// cookie: time, bytes, datagrams.
    Handshake(Common),
    /// Records of 16, 64, 256 and 1024 bytes, sealed and opened: time and overhead,
    /// beside the AEAD of the same provider alone.
    Records(Common),
    /// The heap of a server's idle sessions.
    Memory {
        /// How many sessions, one number or several.
        #[arg(long, value_delimiter = ',', default_values_t = memory::SESSIONS)]
        sessions: Vec<usize>,
        /// What all questions have in common.
        #[command(flatten)]
        common: Common,
    },
    /// Messages in our CBOR, as JSON, raw, and as CoAP with CBOR and with SenML: bytes,
    /// and time to encode and to decode. No peer has a part in it.
    Encoding(Common),
    /// All of them.
    All(Common),
}

/// What all questions have in common.
#[derive(Args, Clone, Debug)]
pub struct Common {
    /// How many rounds to measure.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rounds: u32,
    /// How long one measurement of one contestant takes, about, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub each: u64,
    /// Only these peers beside ours; otherwise all that are linked.
    #[arg(long, value_name = "PEER", value_delimiter = ',', num_args = 1.., value_parser = parse_peer)]
    pub only: Vec<Library>,
    /// Print JSON instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Draw the answers into SVG files in this directory too.
    #[arg(long, value_name = "DIR")]
    pub charts: Option<PathBuf>,
}

impl Arguments {
    /// Measures, prints what is asked for to standard output, and says on standard
    /// error how far it is.
    ///
    /// # Errors
    /// What went wrong.
    pub fn run(self) -> anyhow::Result<()> {
        let sizes = Vec::from(memory::SESSIONS);
        let (handshakes, records, memory, encodings, common) = match self.question {
            Question::Handshake(common) => (true, false, None, false, common),
            Question::Records(common) => (false, true, None, false, common),
            Question::Memory { sessions, common } => (false, false, Some(sessions), false, common),
            Question::Encoding(common) => (false, false, None, true, common),
            Question::All(common) => (true, true, Some(sizes), true, common),
        };
        let with_peers = handshakes || records || memory.is_some();
        let rounds = usize::try_from(common.rounds)?;
        let effort = Effort { rounds, each: Duration::from_millis(common.each) };
        let (mut contestants, left_out) = match with_peers {
            true => (all(&common.only)?, missing(&common.only)),
            false => Default::default(),
        };
        let mut answers = Vec::new();
        if handshakes {
            eprintln!("measuring handshakes …");
            answers.push(Answer::Handshake(handshake::measure(&mut contestants, effort)?));
        }
        if records {
            eprintln!("measuring records …");
            answers.push(Answer::Records(records::measure(&mut contestants, effort)?));
        }
        if let Some(sessions) = memory {
            eprintln!("measuring memory …");
            answers.push(Answer::Memory(memory::measure(&mut contestants, &sessions)?));
        }
        if encodings {
            eprintln!("measuring encodings …");
            answers.push(Answer::Encoding(encoding::measure(effort)?));
        }
        let report = Report::new(answers, left_out);
        if let Some(directory) = &common.charts {
            for file in report.draw(directory)? {
                eprintln!("drawn: {}", file.display());
            }
        }
        match common.json {
            true => println!("{}", report.to_json()?),
            false => print!("{report}"),
        }
        Ok(())
    }
}
