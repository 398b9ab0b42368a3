//! What a server with very many sessions takes longer for than one with few: nothing, it
//! should be.

use std::time::Duration;

use anyhow::Context as _;
use iot_crypto_host::os_provider;
use serde::Serialize;

use super::Effort;
use crate::contestant::scale::Crowded;
use crate::measure::Estimate;

/// How many sessions there are, unless other numbers are asked for.
pub const SESSIONS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// How often a deadline is looked for in one measurement.
const LOOKS: usize = 10_000;

/// Servers of all sizes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scale {
    /// How many rounds were measured.
    pub rounds: usize,
    /// One row for each number of sessions.
    pub rows: Vec<Row>,
}

/// A server of one size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The number of sessions.
    pub sessions: usize,
    /// How long it takes to handle a datagram of one of many sessions, in nanoseconds.
    pub datagram: Estimate,
    /// How many times as long as with the first number of sessions; the servers are
    /// measured one after the other.
    pub ratio: Estimate,
    /// How long it takes to find the next deadline, in nanoseconds.
    pub deadline: Estimate,
}

impl Scale {
    pub(super) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        self.rows.iter().flat_map(|row| [&row.datagram, &row.ratio, &row.deadline])
    }
}

/// Measures our server with each number of sessions.
///
/// # Errors
/// If a handshake or a record fails.
pub fn measure(sessions: &[usize], effort: Effort) -> anyhow::Result<Scale> {
    let mut rows: Vec<Row> = Vec::new();
    let mut first: Vec<f64> = Vec::new();
    for &sessions in sessions {
        let mut server = Crowded::new(os_provider(), sessions)?;
        let (mut datagrams, mut deadlines) = (Vec::new(), Vec::new());
        // One round more to warm up.
        for round in 0..=effort.rounds {
            let datagram = nanoseconds(server.handle()?, server.talking());
            let deadline = nanoseconds(server.find_deadline(LOOKS)?, LOOKS);
            if round > 0 {
                datagrams.push(datagram);
                deadlines.push(deadline);
            }
        }
        if first.is_empty() {
            first.clone_from(&datagrams);
        }
        let row = || {
            Some(Row {
                sessions,
                datagram: Estimate::of(datagrams.iter().copied())?,
                ratio: Estimate::of_ratio(&datagrams, &first)?,
                deadline: Estimate::of(deadlines.iter().copied())?,
            })
        };
        rows.push(row().context("nothing was measured")?);
    }
    Ok(Scale { rounds: effort.rounds, rows })
}

fn nanoseconds(elapsed: Duration, count: usize) -> f64 {
    elapsed.as_secs_f64() * 1e9 / count.max(1) as f64
}
