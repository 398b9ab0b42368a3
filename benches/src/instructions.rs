//! How many instructions the first three questions take, and how many they may: unlike
//! times, these hardly vary from run to run, so that a budget can be held to.
//!
//! valgrind counts them, in this program, which it runs twice with different numbers of
//! repetitions: the difference is what one repetition takes. It knows neither ADX nor
//! the SHA extensions, so the provider is RustCrypto, over a seeded generator.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use chacha20::ChaCha20Rng;
use clap::ValueEnum;
use iot_crypto::crypto::RustCrypto;
use rand_core::SeedableRng as _;
use serde::Serialize;

use crate::contestant::parties::{self, Acquaintance, Parties as _};
use crate::contestant::{self, Contestant as _};

/// How much more than its budget something may take, in hundredths of it.
pub const TOLERANCE: u64 = 3;

/// The budgets, as they are in the repository.
const BUDGETS: &str = include_str!("../budgets.toml");

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Work {
    /// A handshake, both sides.
    Handshake,
    /// The same with a cookie.
    HandshakeWithCookie,
    /// A record of 16 bytes, sealed and opened.
    Record16,
    /// A record of 64 bytes.
    Record64,
    /// A record of 256 bytes.
    Record256,
    /// A record of 1024 bytes.
    Record1024,
    /// A negotiation of parties who meet for the first time, both sides.
    Negotiation,
    /// The same of parties who know each other.
    NegotiationOnReturn,
}

impl Work {
    /// The word for it in a command and in the budgets.
    fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// How often it is done in the first and in the second run.
    const fn repetitions(self) -> [usize; 2] {
        match self {
            Self::Handshake | Self::HandshakeWithCookie => [10, 60],
            Self::Record16 | Self::Record64 | Self::Record256 | Self::Record1024 => [20, 220],
            Self::Negotiation | Self::NegotiationOnReturn => [1, 4],
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}

fn provider() -> RustCrypto<ChaCha20Rng> {
    RustCrypto::new(ChaCha20Rng::from_seed([5; 32]))
}

/// Does the work so many times, in this process.
///
/// # Errors
/// If it fails.
pub fn perform(work: Work, count: usize) -> anyhow::Result<()> {
    let record = |payload: usize| {
        let mut connection = contestant::ours_with(provider).connect()?;
        let payload = vec![7; payload];
        for _ in 0..count {
            connection.seal(&payload, 1)?;
            connection.open(1)?;
        }
        Ok(())
    };
    let negotiate = |acquaintance| {
        let mut parties = parties::ours_with(provider())?;
        // Known to each other from here on, if they may be.
        parties.negotiate(acquaintance, 1)?;
        parties.negotiate(acquaintance, count).map(drop)
    };
    match work {
        Work::Handshake => contestant::ours_with(provider).handshakes(false, count).map(drop),
        Work::HandshakeWithCookie => {
            contestant::ours_with(provider).handshakes(true, count).map(drop)
        }
        Work::Record16 => record(16),
        Work::Record64 => record(64),
        Work::Record256 => record(256),
        Work::Record1024 => record(1024),
        Work::Negotiation => negotiate(Acquaintance::First),
        Work::NegotiationOnReturn => negotiate(Acquaintance::Return),
    }
}

/// What was counted, and its budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Counted {
    /// What.
    pub work: String,
    /// The instructions that it takes once.
    pub instructions: u64,
    /// The instructions that it may take; `None` if it has no budget yet.
    pub budget: Option<u64>,
}

impl Counted {
    /// By how much it takes more than its budget, as a part of that.
    #[must_use]
    pub fn rise(&self) -> Option<f64> {
        Some(self.instructions as f64 / self.budget? as f64 - 1.0)
    }

    /// Whether it takes too many, or has no budget.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let limit = |budget: u64| budget.saturating_mul(100 + TOLERANCE);
        self.budget.is_none_or(|budget| self.instructions.saturating_mul(100) > limit(budget))
    }
}

/// Counts everything. `program` is this program, which valgrind runs.
///
/// # Errors
/// If valgrind is not there, or something fails in it.
pub fn count(program: &Path, progress: &mut dyn FnMut(&str)) -> anyhow::Result<Vec<Counted>> {
    let budgets = budgets()?;
    let mut all = Vec::new();
    for &work in Work::value_variants() {
        progress(&work.word());
        let [few, many] = work.repetitions();
        let [less, more] = [run(program, work, few)?, run(program, work, many)?];
        let repetitions = u64::try_from(many - few)?;
        ensure!(more > less, "{work}: {many} times took no more instructions than {few}");
        let instructions = (more - less) / repetitions;
        let work = work.word();
        all.push(Counted { budget: budgets.get(&work).copied(), work, instructions });
    }
    Ok(all)
}

/// The budgets, by the words for the work.
fn budgets() -> anyhow::Result<BTreeMap<String, u64>> {
    toml::from_str(BUDGETS).context("benches/budgets.toml is not what it should be")
}

/// The text of the budgets, if what was counted is to be them.
#[must_use]
pub fn to_budgets(all: &[Counted]) -> String {
    let comments = BUDGETS.lines().take_while(|line| line.starts_with('#'));
    let lines = all.iter().map(|counted| format!("{} = {}", counted.work, counted.instructions));
    let mut text = String::new();
    for line in comments.map(str::to_owned).chain(lines) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// All instructions of a run.
fn run(program: &Path, work: Work, count: usize) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args(["perform", &work.word(), &count.to_string()])
        .output()
        .context("valgrind counts the instructions: install it (the package valgrind)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{work} fails in valgrind:\n{said}");
    match collected(&said) {
        Some(collected) => Ok(collected),
        None => bail!("valgrind didn't say what it counted:\n{said}"),
    }
}

/// What callgrind says that it has collected.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn everything_has_a_budget_and_nothing_else_has() {
        let words = Work::value_variants().iter().map(|work| work.word());
        assert!(budgets().unwrap().into_keys().eq(std::collections::BTreeSet::from_iter(words)));
    }

    #[test]
    fn what_is_counted_can_be_done() {
        for work in Work::value_variants() {
            perform(*work, 2).unwrap();
        }
    }

    #[test]
    fn three_in_a_hundred_more_are_too_many() {
        let counted = |instructions, budget| Counted { work: "w".to_owned(), instructions, budget };
        assert!(!counted(1030, Some(1000)).is_over());
        assert!(counted(1031, Some(1000)).is_over());
        assert!(!counted(1, Some(1000)).is_over());
        assert!(counted(1, None).is_over());
    }

    #[test]
    fn what_callgrind_says_is_read() {
        let said = "==7== \n==7== Events    : Ir\n==7== Collected : 123456\n==7==\n";
        assert_eq!(collected(said), Some(123_456));
        assert_eq!(collected("==7== Collected : \n"), None);
    }

    #[test]
    fn new_budgets_keep_the_words_above_them() {
        let counted = Counted { work: "handshake".to_owned(), instructions: 5, budget: None };
        let text = to_budgets(&[counted]);
        assert!(text.starts_with('#') && text.ends_with("\nhandshake = 5\n"), "{text}");
    }
}
