//! Rounds in which all take turns; medians, spreads and ratios.
//!
//! In each round everyone is measured once, one right after the other, and who begins
//! changes from round to round; so what disturbs the machine for longer than a round
//! disturbs all of them alike. A ratio is that of two measurements of the same round.

use std::fmt::{self, Display, Formatter};
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

/// The spread from which on a measurement counts as disturbed.
pub const DISTURBED: f64 = 0.10;

/// The middle of many measurements, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// Half of them are less.
    pub median: f64,
    /// A quarter of them is less.
    pub lower: f64,
    /// A quarter of them is more.
    pub upper: f64,
}

impl Estimate {
    /// The estimate from `samples`; `None` if there are none.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut samples = Vec::from_iter(samples);
        samples.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&samples, 0.5)?,
            lower: quantile(&samples, 0.25)?,
            upper: quantile(&samples, 0.75)?,
        })
    }

    /// The ratio of two series of measurements, round by round.
    #[must_use]
    pub fn of_ratio(numerators: &[f64], denominators: &[f64]) -> Option<Self> {
        Self::of(numerators.iter().zip(denominators).map(|(above, below)| above / below))
    }

    /// How far the middle half of the measurements lies apart, as a part of the median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        (self.upper - self.lower) / self.median
    }

    /// Whether the machine was too busy with something else for this to say much.
    #[must_use]
    pub fn is_disturbed(&self) -> bool {
        self.spread().is_nan() || self.spread() > DISTURBED
    }

    /// The same in another unit.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let Self { median, lower, upper } = self;
        Self { median: median * factor, lower: lower * factor, upper: upper * factor }
    }
}

impl Display for Estimate {
    /// The median with as many decimals as are asked for, and always its spread.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(1);
        write!(f, "{:.decimals$} ± {:.0} %", self.median, self.spread() * 100.0)?;
        f.write_str(if self.is_disturbed() { " (!)" } else { "" })
    }
}

/// The value below which that part of `sorted` lies, between two of them if need be.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let position = part * sorted.len().checked_sub(1)? as f64;
    let (below, above) =
        (sorted.get(position.floor() as usize)?, sorted.get(position.ceil() as usize)?);
    Some(below + (above - below) * position.fract())
}

/// The order in which `count` contestants are measured in a round: each goes first
/// equally often.
pub fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| (place + round) % count)
}

/// Measures all `contestants`, each once in each of `rounds` rounds; gives the samples
/// of each. One round more goes before, to warm up, and is not kept.
///
/// # Errors
/// What `run` says.
pub fn take_turns<C, S>(
    contestants: &mut [C],
    rounds: usize,
    mut run: impl FnMut(&mut C) -> anyhow::Result<S>,
) -> anyhow::Result<Vec<Vec<S>>> {
    for contestant in &mut *contestants {
        black_box(run(contestant)?);
    }
    let mut samples = Vec::from_iter(contestants.iter().map(|_| Vec::with_capacity(rounds)));
    for round in 0..rounds {
        for index in order(round, contestants.len()) {
            let (contestant, samples) = (contestants.get_mut(index), samples.get_mut(index));
            let (Some(contestant), Some(samples)) = (contestant, samples) else { continue };
            samples.push(run(contestant)?);
        }
    }
    Ok(samples)
}

/// How long `work` takes, and what comes of it.
///
/// # Errors
/// What `work` says.
pub fn time<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(Duration, T)> {
    let begin = Instant::now();
    let result = black_box(work());
    let elapsed = begin.elapsed();
    Ok((elapsed, result?))
}

/// The median of `samples`; `None` if there are none. A measurement is that of the small
/// batches that it consists of: where one was interrupted, it does not count.
#[must_use]
pub fn median(samples: impl IntoIterator<Item = f64>) -> Option<f64> {
    Estimate::of(samples).map(|estimate| estimate.median)
}

/// How often to repeat `work`, which does it as often as it is told, so that it takes
/// about `target`.
///
/// # Errors
/// What `work` says.
pub fn repetitions(
    target: Duration,
    mut work: impl FnMut(usize) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut count = 1;
    loop {
        // The quickest of three, which was hardly interrupted.
        let mut elapsed = Duration::MAX;
        for _ in 0..3 {
            elapsed = elapsed.min(time(|| work(count))?.0);
        }
        if elapsed * 2 >= target || count >= 1 << 20 {
            let each = elapsed.as_secs_f64() / count as f64;
            return Ok(((target.as_secs_f64() / each) as usize).max(1));
        }
        count *= 2;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_the_median_and_the_quartiles() {
        assert_eq!(Estimate::of([]), None);
        let one = Estimate::of([7.0]).unwrap();
        assert_eq!((one.median, one.lower, one.upper, one.spread()), (7.0, 7.0, 7.0, 0.0));
        let odd = Estimate::of([5.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        assert_eq!((odd.median, odd.lower, odd.upper), (3.0, 2.0, 4.0));
        assert_eq!(odd.spread(), 2.0 / 3.0);
        let even = Estimate::of([4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((even.median, even.lower, even.upper), (2.5, 1.75, 3.25));
        assert_eq!(odd.scaled(2.0).spread(), odd.spread());
    }

    #[test]
    fn a_few_interruptions_move_neither_median_nor_spread() {
        let calm = [100.0; 20].into_iter().chain([101.0; 20]);
        let interrupted = calm.chain([100_000.0; 3]);
        let estimate = Estimate::of(interrupted).unwrap();
        assert!((100.0..=101.0).contains(&estimate.median));
        assert!(!estimate.is_disturbed());
    }

    #[test]
    fn a_ratio_is_taken_round_by_round() {
        // The machine gets slower and slower, for both alike.
        let ours = [10.0, 20.0, 40.0, 80.0];
        let theirs = [30.0, 60.0, 120.0, 240.0];
        assert!(Estimate::of(ours).unwrap().is_disturbed());
        let ratio = Estimate::of_ratio(&theirs, &ours).unwrap();
        assert_eq!((ratio.median, ratio.spread()), (3.0, 0.0));
    }

    #[test]
    fn what_is_disturbed_says_so_and_no_number_goes_without_its_spread() {
        let calm = Estimate { median: 100.0, lower: 98.0, upper: 102.0 };
        assert_eq!(calm.to_string(), "100.0 ± 4 %");
        let disturbed = Estimate { median: 100.0, lower: 90.0, upper: 101.0 };
        assert_eq!(format!("{disturbed:.0}"), "100 ± 11 % (!)");
        let senseless = Estimate { median: f64::NAN, lower: 0.0, upper: 0.0 };
        assert!(senseless.is_disturbed());
    }

    #[test]
    fn everyone_is_measured_in_every_round_and_each_is_first_equally_often() {
        let mut log = Vec::new();
        let mut contestants = ['a', 'b', 'c'];
        let samples = take_turns(&mut contestants, 6, |contestant| {
            log.push(*contestant);
            Ok(log.len())
        });
        assert!(samples.unwrap().iter().all(|samples| samples.len() == 6));
        let rounds = Vec::from_iter(log.chunks(3).map(|round| round.iter().collect::<String>()));
        assert_eq!(rounds, ["abc", "abc", "bca", "cab", "abc", "bca", "cab"]);
    }

    #[test]
    fn work_is_repeated_until_it_takes_long_enough() {
        let long = Duration::from_millis(20);
        let work = |count| {
            std::thread::sleep(Duration::from_millis(1) * u32::try_from(count).unwrap());
            Ok(())
        };
        // A sleep takes at least as long as it should.
        assert!((1..=20).contains(&repetitions(long, work).unwrap()));
        assert_eq!(repetitions(Duration::from_nanos(1), work).unwrap(), 1);
    }

    #[test]
    fn what_goes_wrong_ends_the_measurement() {
        let failed = take_turns(&mut [1], 3, |_| anyhow::Result::<()>::Err(anyhow::anyhow!("no")));
        assert_eq!(failed.unwrap_err().to_string(), "no");
    }
}
