//! The primitives that a provider needs, by each library that it could take them from.
//!
//! Everyone is given the same keys and messages, as bytes, and has to give the same bytes
//! back. What a library can't do for a [`Provider`](iot_crypto::crypto::Provider) is left
//! out, with the reason.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc_rs;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod graviola;
mod library;
mod operation;
mod ours;
mod ring;
mod version;

use std::hint::black_box;

use anyhow::{Context as _, ensure};
use getrandom::SysRng;
use iot_crypto::crypto::RustCrypto;
use iot_crypto_host::os_provider;
use serde::Serialize;

use self::library::{Library, Run, prepare};
use self::operation::{Inputs, OUTPUT, Operation};
use super::{Effort, compare};
use crate::measure::{Estimate, median, repetitions, take_turns, time};

/// All that is linked, ours for hosts first.
fn libraries() -> Vec<Box<dyn Library>> {
    let mut all: Vec<Box<dyn Library>> =
        vec![Box::new(ours::Ours { name: "host", provider: os_provider })];
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    all.extend(graviola::Graviola::find().map(|found| Box::new(found) as Box<dyn Library>));
    all.push(Box::new(ring::Ring));
    #[cfg(feature = "aws-lc-rs")]
    all.push(Box::new(aws_lc_rs::AwsLcRs));
    let portable = || RustCrypto::new(SysRng);
    all.push(Box::new(ours::Ours { name: "RustCrypto", provider: portable }));
    all
}

/// What is to be done about the libraries that are missing.
#[must_use]
pub fn missing() -> Vec<String> {
    let all = libraries();
    let is_missing = |name: &str| !all.iter().any(|library| library.name().starts_with(name));
    let mut missing = Vec::new();
    if is_missing("graviola") {
        missing.push(
            "left out: graviola: it needs x86-64 with AVX2, ADX and BMI2, or aarch64 with its \
             cryptographic extensions"
                .to_owned(),
        );
    }
    if is_missing("aws-lc-rs") {
        missing.push(
            "left out: aws-lc-rs: build with `--features aws-lc-rs`; it needs a C compiler \
             (on Debian: gcc)"
                .to_owned(),
        );
    }
    missing
}

/// The primitives of all libraries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Primitives {
    /// How many rounds were measured.
    pub rounds: usize,
    /// All operations; those of one primitive follow on one another.
    pub operations: Vec<Measured>,
}

/// An operation by all libraries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// What it is an operation of.
    pub primitive: String,
    /// What it is.
    pub operation: String,
    /// By whom: first ours for hosts, if it can do it.
    pub rows: Vec<Row>,
    /// Who can't do it for a provider.
    pub left_out: Vec<LeftOut>,
}

/// An operation by one library.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The library, with its version.
    pub library: String,
    /// Whether it is one of our providers.
    pub ours: bool,
    /// How long it takes, in nanoseconds.
    pub nanoseconds: Estimate,
    /// How many times as long as the first row.
    pub ratio: Estimate,
}

/// A library that can't do something, or not as a provider needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The library, with its version.
    pub library: String,
    /// Why.
    pub why: &'static str,
}

impl Primitives {
    pub(super) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let rows = self.operations.iter().flat_map(|operation| &operation.rows);
        rows.flat_map(|row| [&row.nanoseconds, &row.ratio])
    }
}

/// Measures all operations of all libraries.
///
/// # Errors
/// If a library refuses what is valid, or gives other bytes than the others.
pub fn measure(effort: Effort) -> anyhow::Result<Primitives> {
    let inputs = Inputs::new()?;
    let operations = Operation::all().into_iter().map(|operation| {
        let measured = measure_operation(operation, &inputs, effort);
        measured.with_context(|| format!("{}, {operation}", operation.primitive()))
    });
    Ok(Primitives { rounds: effort.rounds, operations: operations.collect::<anyhow::Result<_>>()? })
}

/// An operation, and who does it.
struct Runner {
    library: String,
    ours: bool,
    run: Run,
    /// How many operations a batch has.
    batch: usize,
    /// How many batches a measurement consists of.
    batches: usize,
}

impl Runner {
    /// What comes of the operation.
    fn output(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut out = [0; OUTPUT];
        let length = (self.run)(&mut out).with_context(|| format!("{} refuses", self.library))?;
        Ok(out.get(..length).unwrap_or_default().to_vec())
    }

    fn work(&mut self) -> anyhow::Result<()> {
        let mut out = [0; OUTPUT];
        for _ in 0..self.batch {
            (self.run)(black_box(&mut out)).context("it was refused")?;
        }
        Ok(())
    }

    /// How long an operation takes, in nanoseconds.
    fn measure(&mut self) -> anyhow::Result<f64> {
        let each = |seconds: f64, batch: usize| seconds * 1e9 / batch as f64;
        let all = (0..self.batches).map(|_| {
            let (elapsed, ()) = time(|| self.work())?;
            Ok(each(elapsed.as_secs_f64(), self.batch))
        });
        median(all.collect::<anyhow::Result<Vec<_>>>()?).context("nothing was measured")
    }
}

/// Who can do `operation`, and who can't.
fn runners(operation: Operation, inputs: &Inputs) -> anyhow::Result<(Vec<Runner>, Vec<LeftOut>)> {
    let sealed = match operation {
        Operation::Open(key, length) => sealed(Operation::Seal(key, length), inputs)?,
        _ => Vec::new(),
    };
    let (mut able, mut left_out) = (Vec::new(), Vec::new());
    for candidate in libraries() {
        let (library, ours) = (candidate.name(), candidate.is_ours());
        match prepare(&*candidate, operation, &sealed, inputs) {
            Ok(run) => {
                able.push(Runner { library, ours, run, batch: operation.batch(), batches: 1 });
            }
            Err(why) => left_out.push(LeftOut { library, why }),
        }
    }
    Ok((able, left_out))
}

/// A record that our provider sealed.
fn sealed(operation: Operation, inputs: &Inputs) -> anyhow::Result<Vec<u8>> {
    let (mut able, _) = runners(operation, inputs)?;
    able.first_mut().context("nobody seals")?.output()
}

fn measure_operation(
    operation: Operation,
    inputs: &Inputs,
    effort: Effort,
) -> anyhow::Result<Measured> {
    let (mut runners, left_out) = runners(operation, inputs)?;
    let mut expected = None;
    for runner in &mut runners {
        let output = runner.output()?;
        let expected = expected.get_or_insert_with(|| output.clone());
        ensure!(output == *expected, "{} gives other bytes", runner.library);
        runner.batches =
            repetitions(effort.each, |count| (0..count).try_for_each(|_| runner.work()))?;
    }
    let samples = take_turns(&mut runners, effort.rounds, Runner::measure)?;
    let rows = runners.into_iter().zip(compare(&samples)).map(|(runner, compared)| {
        let Runner { library, ours, .. } = runner;
        let (nanoseconds, ratio) = compared?;
        Some(Row { library, ours, nanoseconds, ratio })
    });
    Ok(Measured {
        primitive: operation.primitive(),
        operation: operation.to_string(),
        rows: rows.collect::<Option<_>>().context("nothing was measured")?,
        left_out,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
