//! What has to happen for a step to be done.

use std::time::SystemTime;

use super::Actor;
use crate::events::{Event, Line};

/// Something that has to happen.
pub(super) struct Expectation {
    what: String,
    actor: Actor,
    test: Box<dyn Fn(&Event) -> bool>,
    met: Option<SystemTime>,
}

impl Expectation {
    /// An event of `actor` that passes the test; `what` says it in words.
    pub(super) fn new(
        actor: Actor,
        what: impl Into<String>,
        test: impl Fn(&Event) -> bool + 'static,
    ) -> Self {
        Self { what: what.into(), actor, test: Box::new(test), met: None }
    }
}

/// Several things that have to happen, in any order.
pub(super) struct Expectations(Vec<Expectation>);

impl Expectations {
    pub(super) fn new(all: impl IntoIterator<Item = Expectation>) -> Self {
        Self(all.into_iter().collect())
    }

    /// Notes what a party tells.
    pub(super) fn note(&mut self, actor: Actor, line: &Line) {
        for expectation in &mut self.0 {
            let concerns = expectation.met.is_none() && expectation.actor == actor;
            if concerns && (expectation.test)(&line.event) {
                expectation.met = Some(line.at);
            }
        }
    }

    /// When each of them happened; `None` if one has not.
    pub(super) fn all_met(&self) -> Option<Vec<SystemTime>> {
        self.0.iter().map(|expectation| expectation.met).collect()
    }

    /// What has not happened, in words.
    pub(super) fn missing(&self) -> Vec<String> {
        let missing = self.0.iter().filter(|expectation| expectation.met.is_none());
        missing.map(|it| format!("{} {}", it.actor.name(), it.what)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn line(seconds: u64, event: Event) -> Line {
        Line { at: UNIX_EPOCH + Duration::from_secs(seconds), event }
    }

    #[test]
    fn a_step_is_done_when_all_of_it_happened_to_the_right_parties() {
        let stops = |actor| Expectation::new(actor, "stops", |event| *event == Event::Stopped);
        let mut expectations = Expectations::new([stops(Actor::Cloud), stops(Actor::Hall)]);
        expectations.note(Actor::Boiler, &line(1, Event::Stopped));
        expectations.note(Actor::Hall, &line(2, Event::Problem { problem: String::new() }));
        assert_eq!(expectations.missing(), ["cloud stops", "hall stops"]);
        expectations.note(Actor::Hall, &line(3, Event::Stopped));
        expectations.note(Actor::Hall, &line(4, Event::Stopped));
        assert_eq!(expectations.all_met(), None);
        assert_eq!(expectations.missing(), ["cloud stops"]);
        expectations.note(Actor::Cloud, &line(5, Event::Stopped));
        let times = expectations.all_met().unwrap();
        assert_eq!(times, [5, 3].map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)));
        assert!(expectations.missing().is_empty());
    }
}
