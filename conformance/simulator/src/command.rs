//! The program: which scenario is played, with how many seeds, and what it prints.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::cast::Cast;
use crate::profile::{self, Profile};
use crate::scenario::{Outcome, attack, clock, days, first_contact, media, partner, rebinding};

const EXIT_CODES: &str = "\
Exit codes: 0 everything held; 1 something did not: the seed is told, and the command
that plays it again; 2 wrong usage.

Example: iot-crypto-simulator first-contacts --count 1000 --loss 0.2";

/// How many seeds that failed are shown.
const SHOWN: usize = 5;

/// Plays the roles of IoT-Crypto in virtual time, in worlds that come from seeds.
#[derive(Debug, Parser)]
#[command(name = "iot-crypto-simulator", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Clone, Debug, Subcommand)]
enum Scenario {
    /// Devices meet their gateway, and a part of the datagrams is lost
    FirstContacts {
        #[command(flatten)]
        seeds: Seeds,
        /// The part of the datagrams that is lost, from 0 to 1
        #[arg(long, default_value = "0.2", value_name = "PART", value_parser = part)]
        loss: u64,
        /// The network: ethernet, wifi, 802.15.4 or ble
        #[arg(long, default_value = "ethernet", value_name = "NAME", value_parser = profile_named)]
        profile: Profile,
    },
    /// A network lives: rotation, revocation, partners, restarts, wrong clocks
    Days {
        #[command(flatten)]
        seeds: Seeds,
        /// How many days
        #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=36_500))]
        days: u64,
        /// How many devices
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
        devices: u16,
    },
    /// Others replay, forge, flood, and stall half-way
    Attacks {
        #[command(flatten)]
        seeds: Seeds,
    },
    /// A partner's endorsement ends in mid-session
    Partners {
        #[command(flatten)]
        seeds: Seeds,
    },
    /// A router that translates addresses forgets its bindings
    Rebindings {
        #[command(flatten)]
        seeds: Seeds,
    },
    /// Clocks are wrong or missing, and dates near by
    Clocks {
        #[command(flatten)]
        seeds: Seeds,
    },
    /// A small network on one kind of network after the other
    Media {
        #[command(flatten)]
        seeds: Seeds,
    },
}

/// Which seeds are played, and how they are shown.
#[derive(Clone, Debug, Args)]
struct Seeds {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after the other; if not said, what makes a thorough run
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How many are played at a time; as many as there are processors if not said
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1024))]
    jobs: Option<u64>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn part(text: &str) -> Result<u64, String> {
    let part: f64 = text.parse().map_err(|_| "write a number from 0 to 1, like 0.2".to_owned())?;
    if (0.0..=1.0).contains(&part) {
        Ok((part * 10_000.0).round() as u64)
    } else {
        Err("write a number from 0 to 1, like 0.2".to_owned())
    }
}

fn profile_named(name: &str) -> Result<Profile, String> {
    let names = || profile::ALL.map(|profile| profile.name).join(", ");
    profile::named(name).ok_or_else(|| format!("there is no such network; there are {}", names()))
}

/// What came of all seeds together.
#[derive(Debug, Serialize)]
struct Summary {
    scenario: String,
    first_seed: u64,
    seeds: u64,
    /// Of the digests of all seeds, in their order.
    digest: String,
    counts: BTreeMap<String, u64>,
    failed: Vec<Outcome>,
    again: Vec<String>,
}

/// Plays what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let scenario = Arguments::parse().scenario;
    let cast = Cast::new();
    match &scenario {
        Scenario::FirstContacts { seeds, loss, profile } => {
            let settings = first_contact::Settings { profile: *profile, loss: *loss };
            let options = format!(" --loss {} --profile {}", *loss as f64 / 10_000.0, profile.name);
            seeds.play("first-contacts", 100_000, &options, |seed, _| {
                first_contact::play(seed, &cast, settings)
            })
        }
        Scenario::Days { seeds, days, devices } => {
            let settings = days::Settings { days: *days, devices: *devices };
            let options = format!(" --days {days} --devices {devices}");
            seeds.play("days", 1, &options, |seed, progress| {
                days::play(seed, &cast, settings, progress)
            })
        }
        Scenario::Attacks { seeds } => {
            seeds.play("attacks", 100, "", |seed, _| attack::play(seed, &cast))
        }
        Scenario::Partners { seeds } => {
            seeds.play("partners", 200, "", |seed, _| partner::play(seed, &cast))
        }
        Scenario::Rebindings { seeds } => {
            seeds.play("rebindings", 200, "", |seed, _| rebinding::play(seed, &cast))
        }
        Scenario::Clocks { seeds } => {
            seeds.play("clocks", 2000, "", |seed, _| clock::play(seed, &cast))
        }
        Scenario::Media { seeds } => seeds.play("media", 100, "", |seed, _| {
            let profile = profile::ALL[(seed % profile::ALL.len() as u64) as usize];
            media::play(seed, &cast, profile)
        }),
    }
}

/// Shows how far it is, on a terminal.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
    total: u64,
    done: Mutex<u64>,
}

impl Progress {
    /// Of so many steps.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self { shown: std::io::stderr().is_terminal(), total, done: Mutex::new(0) }
    }

    /// Shows nothing.
    #[must_use]
    pub const fn silent() -> Self {
        Self { shown: false, total: 0, done: Mutex::new(0) }
    }

    /// So much of `total` is done; `note` says what of.
    pub fn note(&self, note: &str, done: u64, total: u64) {
        if self.shown {
            eprint!("\r{note} {done} of {total}\u{1b}[K");
            if done == total {
                eprintln!();
            }
            let _ = std::io::stderr().flush();
        }
    }

    /// One step more is done; `note` says what of.
    pub fn step(&self, note: &str) {
        let mut done = self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *done += 1;
        let every = (self.total / 1000).max(1);
        if done.is_multiple_of(every) || *done == self.total {
            self.note(note, *done, self.total);
        }
    }
}

impl Seeds {
    fn play(
        &self,
        name: &str,
        usual: u64,
        options: &str,
        play: impl Fn(u64, &Progress) -> Outcome + Sync,
    ) -> ExitCode {
        let summary = self.summary(name, usual, options, play);
        if self.json {
            println!("{}", serde_json::to_string(&summary).unwrap_or_default());
        } else {
            summary.print();
        }
        ExitCode::from(u8::from(!summary.failed.is_empty()))
    }

    fn summary(
        &self,
        name: &str,
        usual: u64,
        options: &str,
        play: impl Fn(u64, &Progress) -> Outcome + Sync,
    ) -> Summary {
        let count = self.count.unwrap_or(usual);
        let processors = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let jobs = self.jobs.unwrap_or(processors).min(count);
        let (next, outcomes) = (AtomicU64::new(0), Mutex::new(BTreeMap::new()));
        // A single seed tells itself how far it is.
        let inner = if count == 1 { Progress::new(0) } else { Progress::silent() };
        let progress = if count == 1 { Progress::silent() } else { Progress::new(count) };
        let work = || loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let seed = self.seed.wrapping_add(index);
            let told =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| play(seed, &inner)));
            let outcome = told.unwrap_or_else(|_| Outcome::of_panic(seed));
            progress.step(name);
            outcomes
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .insert(index, outcome);
        };
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(work);
            }
        });
        let outcomes = outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (mut digest, mut counts) = (Sha256::new(), BTreeMap::new());
        let mut failed = Vec::new();
        for outcome in outcomes.into_values() {
            digest.update(&outcome.digest);
            for (what, number) in &outcome.counts {
                let entry: &mut u64 = counts.entry(what.clone()).or_default();
                *entry = if what.starts_with("greatest ") {
                    *number.max(entry)
                } else {
                    *entry + number
                };
            }
            if !outcome.violations.is_empty() {
                failed.push(outcome);
            }
        }
        let again = |outcome: &Outcome| {
            let seed = outcome.seed;
            format!("iot-crypto-simulator {name} --seed {seed} --count 1{options}")
        };
        Summary {
            scenario: name.to_owned(),
            first_seed: self.seed,
            seeds: count,
            digest: data_encoding::HEXLOWER.encode(&digest.finalize()[..8]),
            counts,
            again: failed.iter().map(again).collect(),
            failed,
        }
    }
}

impl Summary {
    fn print(&self) {
        let Self { scenario, first_seed, seeds, digest, counts, failed, again } = self;
        println!("{scenario}: seeds {first_seed} to {}", first_seed.wrapping_add(seeds - 1));
        for (what, number) in counts {
            println!("  {number:>12}  {what}");
        }
        println!("digest {digest}: the same seeds give the same");
        for (outcome, again) in failed.iter().zip(again).take(SHOWN) {
            println!("\nFAILED with seed {}; to play it again: {again}", outcome.seed);
            for violation in &outcome.violations {
                println!("  {violation}");
            }
        }
        match failed.len() {
            0 => println!("everything held"),
            count => println!("\n{count} of {seeds} seeds FAILED"),
        }
    }
}
