//! The key negotiation: both sides of it, beside the operations with public keys that it
//! is made of; and the verification of a certificate, beside that of an X.509 one.

use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use super::{Effort, compare};
use crate::contestant::parties::{Acquaintance, Parties, Sides};
use crate::contestant::{parties, x509};
use crate::measure::{Estimate, median, repetitions, take_turns};

/// Negotiations and verifications.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Negotiations {
    /// How many rounds were measured.
    pub rounds: usize,
    /// Of parties who meet for the first time.
    pub first: Vec<Row>,
    /// Of parties who have verified each other before.
    pub on_return: Vec<Row>,
    /// The verification of a peer's certificate.
    pub verification: Vec<Verification>,
}

/// The negotiations with one provider.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Whose.
    pub name: String,
    /// How long the device takes, in microseconds.
    pub initiator: Estimate,
    /// How long the gateway takes, in microseconds.
    pub responder: Estimate,
    /// Both, in microseconds.
    pub both: Estimate,
    /// How long the operations with public keys take by themselves, in microseconds.
    pub operations: Estimate,
    /// How many times as long both sides take.
    pub ratio_to_operations: Estimate,
}

/// The verification of a certificate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verification {
    /// Whose.
    pub name: String,
    /// Whether it is ours.
    pub ours: bool,
    /// What is done.
    pub what: &'static str,
    /// How long it takes, in microseconds.
    pub microseconds: Estimate,
    /// How many times as long as the first of the table.
    pub ratio: Estimate,
    /// The bytes that are decoded.
    pub bytes: usize,
}

impl Negotiations {
    pub(super) fn estimates(&self) -> impl Iterator<Item = &Estimate> {
        let rows = self.first.iter().chain(&self.on_return);
        let rows = rows.flat_map(|row| {
            [&row.initiator, &row.responder, &row.both, &row.operations, &row.ratio_to_operations]
        });
        let verification = self.verification.iter();
        rows.chain(verification.flat_map(|row| [&row.microseconds, &row.ratio]))
    }
}

/// Measures the negotiations with each of our providers, and verifications.
///
/// # Errors
/// If one of them fails.
pub fn measure(effort: Effort) -> anyhow::Result<Negotiations> {
    let mut all = parties::all()?;
    Ok(Negotiations {
        rounds: effort.rounds,
        first: negotiations(&mut all, Acquaintance::First, effort)?,
        on_return: negotiations(&mut all, Acquaintance::Return, effort)?,
        verification: verifications(effort)?,
    })
}

/// Runs `work` once for each batch of a measurement; the median of what one took, in
/// microseconds.
fn batches(
    count: usize,
    mut work: impl FnMut() -> anyhow::Result<Duration>,
) -> anyhow::Result<f64> {
    let all = (0..count).map(|_| Ok(work()?.as_secs_f64() * 1e6));
    median(all.collect::<anyhow::Result<Vec<_>>>()?).context("nothing was measured")
}

fn negotiations(
    all: &mut [Box<dyn Parties>],
    acquaintance: Acquaintance,
    effort: Effort,
) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for parties in all {
        // They are acquainted from here on, if they may be.
        parties.negotiate(acquaintance, 1).with_context(|| parties.name())?;
        let count =
            repetitions(effort.each, |count| parties.negotiate(acquaintance, count).map(drop))?;
        // The negotiation, and what it is made of, in turns.
        let mut sides = Vec::new();
        let samples = take_turns(&mut [true, false], effort.rounds, |whole| match whole {
            true => {
                let mut all = Vec::new();
                let both = batches(count, || {
                    let Sides { initiator, responder } = parties.negotiate(acquaintance, 1)?;
                    all.push((initiator, responder));
                    Ok(initiator + responder)
                })?;
                let median_of = |side: fn(&(Duration, Duration)) -> Duration| {
                    median(all.iter().map(|both| side(both).as_secs_f64() * 1e6))
                };
                let initiator = median_of(|sides| sides.0).context("nothing was measured")?;
                let responder = median_of(|sides| sides.1).context("nothing was measured")?;
                sides.push([initiator, responder]);
                Ok(both)
            }
            false => batches(count, || parties.operations(acquaintance, 1)),
        })?;
        let [both, operations] = &samples[..] else { continue };
        let of_side = |side: fn(&[f64; 2]) -> f64| Estimate::of(sides.iter().map(side));
        let row = || {
            Some(Row {
                name: parties.name(),
                initiator: of_side(|sides| sides[0])?,
                responder: of_side(|sides| sides[1])?,
                both: Estimate::of(both.iter().copied())?,
                operations: Estimate::of(operations.iter().copied())?,
                ratio_to_operations: Estimate::of_ratio(both, operations)?,
            })
        };
        rows.push(row().context("nothing was measured")?);
    }
    Ok(rows)
}

/// Someone who verifies.
struct Verifier {
    name: String,
    ours: bool,
    what: &'static str,
    bytes: usize,
    run: Box<dyn FnMut(usize) -> anyhow::Result<Duration>>,
    /// How many times a measurement repeats it.
    count: usize,
}

fn verifications(effort: Effort) -> anyhow::Result<Vec<Verification>> {
    let mut all = Vec::new();
    for acquaintance in [Acquaintance::First, Acquaintance::Return] {
        for mut parties in parties::all()? {
            parties.verify(acquaintance, 1)?;
            all.push(Verifier {
                name: parties.name(),
                ours: true,
                what: match acquaintance {
                    Acquaintance::First => "certificate and endorsement",
                    Acquaintance::Return => "the same, known before",
                },
                bytes: parties.credential_length(),
                run: Box::new(move |count| parties.verify(acquaintance, count)),
                count: 1,
            });
        }
    }
    for mut chain in x509::all()? {
        all.push(Verifier {
            name: chain.name(),
            ours: false,
            what: "X.509 certificate",
            bytes: chain.length(),
            run: Box::new(move |count| chain.verify(count)),
            count: 1,
        });
    }
    for verifier in &mut all {
        verifier.count = repetitions(effort.each, |count| (verifier.run)(count).map(drop))?;
    }
    let samples = take_turns(&mut all, effort.rounds, |verifier| {
        batches(verifier.count, || (verifier.run)(1))
    })?;
    let rows = all.into_iter().zip(compare(&samples)).filter_map(|(verifier, compared)| {
        let (microseconds, ratio) = compared?;
        let Verifier { name, ours, what, bytes, .. } = verifier;
        Some(Verification { name, ours, what, microseconds, ratio, bytes })
    });
    Ok(rows.collect())
}
