//! What is measured.

pub mod echo;
pub mod encoding;
pub mod fleet;
pub mod handshake;
pub mod memory;
pub mod negotiation;
pub mod primitives;
pub mod records;
pub mod scale;

use std::time::Duration;

use serde::Serialize;

use crate::contestant::Contestant;
use crate::measure::Estimate;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How many rounds.
    pub rounds: usize,
    /// How long one measurement of one contestant takes, about.
    pub each: Duration,
}

/// Who a row is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Who {
    /// What it is called, with its version.
    pub name: String,
    /// Its suite.
    pub suite: &'static str,
    /// Whether it is ours.
    pub ours: bool,
}

impl Who {
    fn of(contestant: &dyn Contestant) -> Self {
        let (name, suite) = (contestant.name(), contestant.suite().name());
        Self { name, suite, ours: contestant.is_ours() }
    }
}

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "question", rename_all = "snake_case")]
pub enum Answer {
    /// Of [`handshake`].
    Handshake(handshake::Handshakes),
    /// Of [`records`].
    Records(records::Records),
    /// Of [`negotiation`].
    Negotiation(negotiation::Negotiations),
    /// Of [`memory`].
    Memory(memory::Memory),
    /// Of [`scale`].
    Scale(scale::Scale),
    /// Of [`echo`].
    Echo(echo::EchoesOfAll),
    /// Of [`fleet`].
    Fleet(fleet::Fleets),
    /// Of [`encoding`].
    Encoding(encoding::Encodings),
    /// Of [`primitives`].
    Primitives(primitives::Primitives),
}

impl Answer {
    /// Whether some of its measurements were disturbed.
    #[must_use]
    pub fn is_disturbed(&self) -> bool {
        match self {
            Self::Handshake(answer) => any_disturbed(answer.estimates()),
            Self::Records(answer) => any_disturbed(answer.estimates()),
            Self::Negotiation(answer) => any_disturbed(answer.estimates()),
            Self::Memory(_) => false,
            Self::Fleet(answer) => any_disturbed(answer.estimates()),
            Self::Scale(answer) => any_disturbed(answer.estimates()),
            Self::Echo(answer) => any_disturbed(answer.estimates()),
            Self::Encoding(answer) => any_disturbed(answer.estimates()),
            Self::Primitives(answer) => any_disturbed(answer.estimates()),
        }
    }
}

fn any_disturbed<'e>(mut estimates: impl Iterator<Item = &'e Estimate>) -> bool {
    estimates.any(Estimate::is_disturbed)
}

/// The estimates of each series, and their ratios to the first one.
fn compare(series: &[Vec<f64>]) -> impl Iterator<Item = Option<(Estimate, Estimate)>> {
    let first = series.first().map(Vec::as_slice).unwrap_or_default();
    series.iter().map(move |samples| {
        let estimate = Estimate::of(samples.iter().copied())?;
        Some((estimate, Estimate::of_ratio(samples, first)?))
    })
}
