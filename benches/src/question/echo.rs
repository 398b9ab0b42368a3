//! Echoes over the loopback interface: a server in a process of its own, driven by the
//! mio driver, beside plain sockets that are driven likewise.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use iot_crypto_peers::Library;
use serde::Serialize;

use super::{Effort, compare};
use crate::echo::{Crowd, Echoes, Means, Running};
use crate::measure::{Estimate, take_turns};

/// The payload of an echo, in bytes.
const PAYLOAD: usize = 64;

/// How long the clients talk before they are measured again: as long as many turns of
/// the processor's clock of 4 ms, in which the system counts its time.
const LEAST: Duration = Duration::from_millis(100);

/// How many clients there are, and how many of them wait for their echo at a time.
pub const CROWDS: [(usize, usize); 3] = [(1, 1), (1, 64), (10_000, 64)];

/// Echoes of all crowds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EchoesOfAll {
    /// How many rounds were measured.
    pub rounds: usize,
    /// The payload, in bytes.
    pub payload: usize,
    /// One table for each crowd.
    pub crowds: Vec<OfCrowd>,
}

/// Echoes of one crowd.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfCrowd {
    /// How many clients there are.
    pub clients: usize,
    /// How many of them wait for their echo at a time, at most.
    pub window: usize,
    /// Plain sockets first.
    pub rows: Vec<Row>,
}

/// Echoes by one means.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Whether it is ours.
    pub ours: bool,
    /// How many echoes come back in a second.
    pub per_second: Estimate,
    /// How many times as many as with plain sockets.
    pub ratio: Estimate,
    /// The time of the server's processor for each, in microseconds.
    pub server_time: Estimate,
    /// That of the clients' processor.
    pub clients_time: Estimate,
}

impl EchoesOfAll {
    pub(super) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let rows = self.crowds.iter().flat_map(|crowd| &crowd.rows);
        rows.flat_map(|row| [&row.per_second, &row.ratio, &row.server_time, &row.clients_time])
    }
}

/// Who talks to whom.
struct Pair {
    means: Means,
    server: Running,
    crowd: Crowd,
}

/// Measures echoes by plain sockets, ours, and those peers that are linked and, if `only`
/// is not empty, in it. `program` is this program, which is started for each server.
///
/// # Errors
/// If an echo is lost or doesn't come.
pub fn measure(
    program: &Path,
    only: &[Library],
    crowds: &[(usize, usize)],
    effort: Effort,
) -> anyhow::Result<EchoesOfAll> {
    let mut answer = EchoesOfAll { rounds: effort.rounds, payload: PAYLOAD, crowds: Vec::new() };
    for &(clients, window) in crowds {
        let mut pairs = Vec::new();
        for means in means(only) {
            let pair = || {
                let server = Running::start(program, means, clients)?;
                let crowd = Crowd::connect(server.address(), means, clients, PAYLOAD)?;
                Ok(Pair { means, server, crowd })
            };
            pairs.push(pair().map_err(|error: anyhow::Error| error.context(means.name()))?);
        }
        let rows = rows(&mut pairs, window, effort)?;
        answer.crowds.push(OfCrowd { clients, window, rows });
    }
    Ok(answer)
}

/// What is measured: plain sockets, ours, and OpenSSL as the peer that most people use.
fn means(only: &[Library]) -> Vec<Means> {
    let mut means = vec![Means::Plain, Means::Ours];
    let library = Library::OpenSsl;
    if library.version().is_some() && (only.is_empty() || only.contains(&library)) {
        means.push(Means::Peer(library));
    }
    means
}

fn rows(pairs: &mut [Pair], window: usize, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let samples = take_turns(pairs, effort.rounds, |pair| {
        let before = pair.server.processor_time()?;
        let echoes = pair.crowd.talk(window, effort.each.max(LEAST));
        let echoes = echoes.with_context(|| pair.means.name())?;
        let Echoes { count, elapsed, clients_time } = echoes;
        let server_time = pair.server.processor_time()?.saturating_sub(before);
        let each = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
        Ok([count as f64 / elapsed.as_secs_f64(), each(server_time), each(clients_time)])
    })?;
    let series = |index: usize| -> Vec<Vec<f64>> {
        let of_one = |samples: &Vec<[f64; 3]>| {
            samples.iter().filter_map(|sample| sample.get(index).copied()).collect()
        };
        samples.iter().map(of_one).collect()
    };
    let [rates, servers, clients] = [series(0), series(1), series(2)];
    let rows = pairs.iter().zip(compare(&rates)).zip(servers.iter().zip(&clients));
    let rows = rows.filter_map(|((pair, compared), (server, clients))| {
        let (per_second, ratio) = compared?;
        Some(Row {
            name: pair.means.name(),
            ours: pair.means == Means::Ours,
            per_second,
            ratio,
            server_time: Estimate::of(server.iter().copied())?,
            clients_time: Estimate::of(clients.iter().copied())?,
        })
    });
    Ok(rows.collect())
}
