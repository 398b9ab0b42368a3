//! Records of an established session: sealed by one side, opened by the other.

use anyhow::{Context as _, ensure};
use serde::Serialize;

use super::{Effort, Who, compare};
use crate::contestant::{Connection, Contestant};
use crate::measure::{Estimate, median, repetitions, take_turns, time};

/// The payloads that are measured, in bytes.
pub const SIZES: [usize; 4] = [16, 64, 256, 1024];
/// How many records are sealed before they are opened.
const BATCH: usize = 16;

/// Records of all sizes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Records {
    /// How many rounds were measured.
    pub rounds: usize,
    /// One table for each size.
    pub sizes: Vec<Size>,
}

/// Records of one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Size {
    /// The payload, in bytes.
    pub payload: usize,
    /// Whose records.
    pub rows: Vec<Row>,
}

/// Records of one contestant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Whose.
    pub who: Who,
    /// Whether this is the AEAD alone, without DTLS.
    pub raw: bool,
    /// How long it takes to seal one, in nanoseconds.
    pub seal: Estimate,
    /// How long it takes to open one, in nanoseconds.
    pub open: Estimate,
    /// Both, in nanoseconds.
    pub both: Estimate,
    /// How many times as long as ours, the first of the table, both take.
    pub ratio: Estimate,
    /// How many times as long as the AEAD of the same provider alone; if that can be had.
    pub ratio_to_raw: Option<Estimate>,
    /// What it adds to the payload, in bytes.
    pub overhead: usize,
}

impl Records {
    pub(super) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let rows = self.sizes.iter().flat_map(|size| &size.rows);
        rows.flat_map(|row| [&row.seal, &row.open, &row.both, &row.ratio])
    }
}

/// A connection, and whose it is.
struct Runner {
    who: Who,
    raw: bool,
    connection: Box<dyn Connection>,
    /// How many batches a measurement consists of.
    batches: usize,
    overhead: usize,
}

/// Measures the records of all `contestants`, and the AEADs of their providers.
///
/// # Errors
/// If one of them fails.
pub fn measure(contestants: &mut [Box<dyn Contestant>], effort: Effort) -> anyhow::Result<Records> {
    let mut runners = Vec::new();
    for contestant in contestants {
        let who = Who::of(&**contestant);
        let mut add = |raw, connection| {
            let who = who.clone();
            runners.push(Runner { who, raw, connection, batches: 1, overhead: 0 });
        };
        add(false, contestant.connect().with_context(|| contestant.name())?);
        if let Some(connection) = contestant.raw() {
            add(true, connection);
        }
    }
    let sizes = SIZES.into_iter().map(|payload| measure_size(&mut runners, payload, effort));
    Ok(Records { rounds: effort.rounds, sizes: sizes.collect::<anyhow::Result<_>>()? })
}

fn measure_size(runners: &mut [Runner], payload: usize, effort: Effort) -> anyhow::Result<Size> {
    let bytes = Vec::from_iter((0..payload).map(|index| index as u8));
    for runner in &mut *runners {
        let Runner { who, connection, .. } = runner;
        connection.seal(&bytes, 1).with_context(|| who.name.clone())?;
        connection.open(1).with_context(|| who.name.clone())?;
        ensure!(connection.payload() == bytes, "{}: other bytes came out", who.name);
        runner.overhead = connection.record_length().saturating_sub(payload);
        runner.batches = repetitions(effort.each, |count| {
            for _ in 0..count {
                connection.seal(&bytes, BATCH)?;
                connection.open(BATCH)?;
            }
            Ok(())
        })?;
    }
    let samples = take_turns(runners, effort.rounds, |runner| {
        let mut batches = Vec::with_capacity(runner.batches);
        for _ in 0..runner.batches {
            let (sealing, ()) = time(|| runner.connection.seal(&bytes, BATCH))?;
            let (opening, ()) = time(|| runner.connection.open(BATCH))?;
            let both = sealing + opening;
            batches
                .push([sealing, opening, both].map(|all| all.as_secs_f64() * 1e9 / BATCH as f64));
        }
        Sample::of(&batches).context("nothing was measured")
    })?;
    let rows = rows(runners, &samples).context("nothing was measured")?;
    Ok(Size { payload, rows })
}

/// A measurement of one contestant in one round, in nanoseconds.
struct Sample {
    seal: f64,
    open: f64,
    both: f64,
}

impl Sample {
    fn of(batches: &[[f64; 3]]) -> Option<Self> {
        Some(Self {
            seal: median(batches.iter().map(|[seal, _, _]| *seal))?,
            open: median(batches.iter().map(|[_, open, _]| *open))?,
            both: median(batches.iter().map(|[_, _, both]| *both))?,
        })
    }
}

fn rows(runners: &[Runner], samples: &[Vec<Sample>]) -> Option<Vec<Row>> {
    let both = Vec::from_iter(
        samples.iter().map(|samples| Vec::from_iter(samples.iter().map(|sample| sample.both))),
    );
    let raw = |who: &Who| {
        let position = runners.iter().position(|other| other.raw && other.who == *who)?;
        both.get(position)
    };
    let rows = runners.iter().zip(samples).zip(both.iter().zip(compare(&both)));
    rows.map(|((runner, samples), (sums, compared))| {
        let Runner { who, overhead, .. } = runner;
        let (both, ratio) = compared?;
        Some(Row {
            who: who.clone(),
            raw: runner.raw,
            seal: Estimate::of(samples.iter().map(|sample| sample.seal))?,
            open: Estimate::of(samples.iter().map(|sample| sample.open))?,
            both,
            ratio,
            ratio_to_raw: match runner.raw {
                true => None,
                false => raw(who).and_then(|raw| Estimate::of_ratio(sums, raw)),
            },
            overhead: *overhead,
        })
    })
    .collect()
}
