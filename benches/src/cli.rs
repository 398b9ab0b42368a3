//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, Parser, Subcommand};
use iot_crypto_peers::Library;

use crate::contestant::{all, missing, parse_peer};
use crate::echo::{Means, serve};
use crate::instructions::{self, Work, perform};
use crate::question::{
    Answer, Effort, echo, encoding, fleet, handshake, memory, negotiation, primitives, records,
    scale,
};
use crate::report::{Report, table};

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
    /// The key negotiation, both sides, beside the operations that it is made of; and the
    /// verification of a certificate, beside OpenSSL's of an X.509 one.
    Negotiation(Common),
    /// The heap of a server's idle sessions.
    Memory {
        /// How many sessions, one number or several.
        #[arg(long, value_delimiter = ',', default_values_t = memory::SESSIONS)]
        sessions: Vec<usize>,
        /// What all questions have in common.
        #[command(flatten)]
        common: Common,
    },
    /// Our server with 1,000 to 1,000,000 sessions: the time to handle a datagram, and to
    /// find the next deadline.
    Scale {
        /// How many sessions, one number or several.
        #[arg(long, value_delimiter = ',', default_values_t = scale::SESSIONS, value_parser = devices)]
        sessions: Vec<usize>,
        /// What all questions have in common.
        #[command(flatten)]
        common: Common,
    },
    /// Echoes over the loopback interface through the mio driver, server and clients in
    /// two processes, beside plain sockets that are driven likewise.
    Echo {
        /// How many clients there are, and how many of them wait for their echo at a
        /// time: like 10000/64. One or several.
        #[arg(long, value_delimiter = ',', value_name = "CLIENTS/WINDOW", value_parser = crowd)]
        crowds: Vec<(usize, usize)>,
        /// What all questions have in common.
        #[command(flatten)]
        common: Common,
    },
    /// A gateway with many devices, each asked once a minute: the gateway alone in
    /// virtual time, and its process on real sockets.
    Fleet {
        /// How many devices in virtual time.
        #[arg(long, default_value_t = fleet::Sizes::default().simulated, value_parser = devices)]
        devices: usize,
        /// How many devices on real sockets.
        #[arg(long, default_value_t = fleet::Sizes::default().real, value_parser = devices)]
        real: usize,
        /// How many minutes are measured of each, once all devices have come.
        #[arg(long, default_value_t = fleet::Sizes::default().minutes, value_parser = devices)]
        minutes: usize,
        /// What all questions have in common.
        #[command(flatten)]
        common: Common,
    },
    /// Messages in our CBOR, as JSON, raw, and as CoAP with CBOR and with SenML: bytes,
    /// and time to encode and to decode. No peer has a part in it.
    Encoding(Common),
    /// The primitives that the provider for hosts needs, by the libraries that it could take
    /// them from: graviola, ring, aws-lc-rs (`--features aws-lc-rs`) and RustCrypto.
    Primitives(Common),
    /// All of them.
    All(Common),
    /// Counts the instructions of handshakes, records and negotiations with valgrind, and
    /// compares them with their budgets (benches/budgets.toml). Fails if one takes 3 %
    /// more than that.
    Instructions {
        /// Make what was counted the budgets.
        #[arg(long)]
        update: bool,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// What `instructions` counts.
    #[command(hide = true)]
    Perform {
        /// What to do.
        work: Work,
        /// How many times.
        count: usize,
    },
    /// The gateway of `fleet`, which starts it by itself.
    #[command(hide = true)]
    FleetGateway {
        /// How many devices it will have.
        devices: usize,
    },
    /// The server of `echo`, which starts it by itself.
    #[command(hide = true)]
    EchoServer {
        /// How it secures what it echoes.
        means: Means,
        /// How many clients it will have.
        clients: usize,
    },
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

/// What of all is to be measured.
#[derive(Default)]
struct Asked {
    handshakes: bool,
    records: bool,
    negotiations: bool,
    memory: Option<Vec<usize>>,
    scale: Option<Vec<usize>>,
    echo: Option<Vec<(usize, usize)>>,
    fleet: Option<fleet::Sizes>,
    encodings: bool,
    primitives: bool,
}

impl Asked {
    fn everything() -> Self {
        Self {
            handshakes: true,
            records: true,
            negotiations: true,
            memory: Some(memory::SESSIONS.into()),
            scale: Some(scale::SESSIONS.into()),
            echo: Some(Vec::new()),
            fleet: Some(fleet::Sizes::default()),
            encodings: true,
            primitives: true,
        }
    }
}

impl Arguments {
    /// Measures, prints what is asked for to standard output, and says on standard
    /// error how far it is.
    ///
    /// # Errors
    /// What went wrong.
    pub fn run(self) -> anyhow::Result<()> {
        let mut asked = Asked::default();
        let common = match self.question {
            Question::Handshake(common) => (asked.handshakes = true, common).1,
            Question::Records(common) => (asked.records = true, common).1,
            Question::Negotiation(common) => (asked.negotiations = true, common).1,
            Question::Memory { sessions, common } => (asked.memory = Some(sessions), common).1,
            Question::Scale { sessions, common } => (asked.scale = Some(sessions), common).1,
            Question::Echo { crowds, common } => (asked.echo = Some(crowds), common).1,
            Question::Fleet { devices: simulated, real, minutes, common } => {
                asked.fleet = Some(fleet::Sizes { simulated, real, minutes });
                common
            }
            Question::Encoding(common) => (asked.encodings = true, common).1,
            Question::Primitives(common) => (asked.primitives = true, common).1,
            Question::Instructions { update, json } => return count(update, json),
            Question::Perform { work, count } => return perform(work, count),
            Question::FleetGateway { devices } => return crate::fleet::serve(devices),
            Question::EchoServer { means, clients } => return serve(means, clients),
            Question::All(common) => (asked = Asked::everything(), common).1,
        };
        let with_peers = asked.handshakes || asked.records || asked.memory.is_some();
        let rounds = usize::try_from(common.rounds)?;
        let effort = Effort { rounds, each: Duration::from_millis(common.each) };
        let with_openssl = asked.negotiations || asked.echo.is_some();
        let (mut contestants, mut left_out) = match with_peers {
            true => (all(&common.only)?, missing(&common.only)),
            false if with_openssl => (Vec::new(), missing(&[Library::OpenSsl])),
            false => Default::default(),
        };
        let mut answers = Vec::new();
        if asked.handshakes {
            eprintln!("measuring handshakes …");
            answers.push(Answer::Handshake(handshake::measure(&mut contestants, effort)?));
        }
        if asked.records {
            eprintln!("measuring records …");
            answers.push(Answer::Records(records::measure(&mut contestants, effort)?));
        }
        if asked.negotiations {
            eprintln!("measuring negotiations …");
            answers.push(Answer::Negotiation(negotiation::measure(effort)?));
        }
        if let Some(sessions) = asked.memory {
            eprintln!("measuring memory …");
            answers.push(Answer::Memory(memory::measure(&mut contestants, &sessions)?));
        }
        if let Some(sessions) = asked.scale {
            eprintln!("measuring a server of {} sizes …", sessions.len());
            answers.push(Answer::Scale(scale::measure(&sessions, effort)?));
        }
        if let Some(crowds) = asked.echo {
            eprintln!("measuring echoes …");
            let crowds = if crowds.is_empty() { echo::CROWDS.into() } else { crowds };
            let program = std::env::current_exe()?;
            answers.push(Answer::Echo(echo::measure(&program, &common.only, &crowds, effort)?));
        }
        if let Some(sizes) = asked.fleet {
            eprintln!("measuring a fleet …");
            let program = std::env::current_exe()?;
            let mut progress = |what: &str| eprintln!("  {what}");
            answers.push(Answer::Fleet(fleet::measure(&program, sizes, &mut progress)?));
        }
        if asked.encodings {
            eprintln!("measuring encodings …");
            answers.push(Answer::Encoding(encoding::measure(effort)?));
        }
        if asked.primitives {
            eprintln!("measuring primitives …");
            answers.push(Answer::Primitives(primitives::measure(effort)?));
            left_out.extend(primitives::missing());
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

/// Counts instructions, and holds them to their budgets.
fn count(update: bool, json: bool) -> anyhow::Result<()> {
    let program = std::env::current_exe()?;
    let mut progress = |what: &str| eprintln!("counting: {what} …");
    let all = instructions::count(&program, &mut progress)?;
    match json {
        true => println!("{}", serde_json::to_string_pretty(&all)?),
        false => print!("{}", table::instructions(&all)),
    }
    if update {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/budgets.toml");
        std::fs::write(file, instructions::to_budgets(&all))
            .with_context(|| format!("can't write {file}"))?;
        return Ok(());
    }
    let over = Vec::from_iter(all.iter().filter(|it| it.is_over()).map(|it| it.work.as_str()));
    ensure!(
        over.is_empty(),
        "over the budget: {}. Find out why; if it is worth it, `instructions --update` makes \
         what was counted the budgets",
        over.join(", ")
    );
    Ok(())
}

/// A number of clients, and how many wait at a time.
fn crowd(text: &str) -> Result<(usize, usize), String> {
    let numbers = text.split_once('/').map(|(clients, window)| (clients.parse(), window.parse()));
    match numbers {
        Some((Ok(clients), Ok(window))) if clients > 0 && window > 0 => Ok((clients, window)),
        _ => Err("write two numbers above 0, like 10000/64".to_owned()),
    }
}

/// How many devices, sessions or minutes: not none, and not more than there are addresses for.
fn devices(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=1_000_000) => Ok(count),
        _ => Err("write a number from 1 to 1000000".to_owned()),
    }
}
