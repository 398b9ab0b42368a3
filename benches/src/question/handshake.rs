//! A DTLS handshake with a pre-shared key: client and server together, in one thread
//! and in memory.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use iot_crypto_peers::Traffic;
use serde::Serialize;

use super::{Effort, Who, compare};
use crate::contestant::Contestant;
use crate::measure::{Estimate, median, repetitions, take_turns, time};

/// Handshakes without and with a cookie.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Handshakes {
    /// How many rounds were measured.
    pub rounds: usize,
    /// Where the server demands no cookie: without those that can't do without.
    pub without_cookie: Vec<Row>,
    /// Where it does.
    pub with_cookie: Vec<Row>,
    /// Those whose server always demands a cookie.
    pub always_with_cookie: Vec<String>,
}

/// The handshakes of one contestant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Whose.
    pub who: Who,
    /// How long one takes, in microseconds.
    pub microseconds: Estimate,
    /// How many times as long as ours, the first of the table.
    pub ratio: Estimate,
    /// The bytes of UDP payload in both directions.
    pub bytes: u64,
    /// The datagrams in both directions.
    pub datagrams: u64,
}

impl Handshakes {
    pub(super) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let rows = self.without_cookie.iter().chain(&self.with_cookie);
        rows.flat_map(|row| [&row.microseconds, &row.ratio])
    }
}

/// Measures the handshakes of all `contestants`.
///
/// # Errors
/// If one of them fails.
pub fn measure(
    contestants: &mut [Box<dyn Contestant>],
    effort: Effort,
) -> anyhow::Result<Handshakes> {
    let always = |contestant: &&mut Box<dyn Contestant>| contestant.always_demands_cookie();
    let always_with_cookie = contestants.iter_mut().filter(always).map(|one| one.name()).collect();
    let mut able: Vec<_> = contestants.iter_mut().filter(|one| !always(one)).collect();
    let without_cookie = measure_all(&mut able, false, effort)?;
    let mut all: Vec<_> = contestants.iter_mut().collect();
    let with_cookie = measure_all(&mut all, true, effort)?;
    Ok(Handshakes { rounds: effort.rounds, without_cookie, with_cookie, always_with_cookie })
}

/// How long handshakes are timed together, about: so short that few batches are
/// interrupted, and so long that ours has many to one server.
const BATCH: Duration = Duration::from_micros(200);

/// A contestant, and what a measurement of it consists of.
struct Runner<'c> {
    contestant: &'c mut Box<dyn Contestant>,
    /// How many handshakes a batch has, and how many batches there are.
    batch: usize,
    batches: usize,
    /// What one handshake comes to.
    traffic: Traffic,
}

fn measure_all(
    contestants: &mut [&mut Box<dyn Contestant>],
    cookie: bool,
    effort: Effort,
) -> anyhow::Result<Vec<Row>> {
    let mut runners = Vec::new();
    for contestant in contestants {
        let name = contestant.name();
        let traffic = contestant.handshakes(cookie, 1).with_context(|| name.clone())?;
        let batch = repetitions(BATCH, |count| contestant.handshakes(cookie, count).map(drop))?;
        let batches = repetitions(effort.each, |count| {
            (0..count).try_for_each(|_| contestant.handshakes(cookie, batch).map(drop))
        })?;
        runners.push(Runner { contestant, batch, batches, traffic });
    }
    let samples = take_turns(&mut runners, effort.rounds, |runner| {
        let Runner { contestant, batch, batches, traffic } = runner;
        let batches = (0..*batches).map(|_| {
            let (elapsed, all) = time(|| contestant.handshakes(cookie, *batch))?;
            // Their number varies with nothing: one more would be a flight repeated.
            let repeated = all.datagrams != traffic.datagrams * *batch as u64;
            ensure!(!repeated, "{} repeated a flight", contestant.name());
            Ok(elapsed.as_secs_f64() * 1e6 / *batch as f64)
        });
        median(batches.collect::<anyhow::Result<Vec<_>>>()?).context("nothing was measured")
    })?;
    let rows = runners.iter().zip(compare(&samples)).filter_map(|(runner, compared)| {
        let ((microseconds, ratio), Traffic { datagrams, bytes }) = (compared?, runner.traffic);
        let who = Who::of(&**runner.contestant);
        Some(Row { who, microseconds, ratio, bytes, datagrams })
    });
    Ok(rows.collect())
}
