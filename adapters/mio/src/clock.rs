//! The clocks that the core does not read itself.

use iot_crypto::time::{Instant, UnixTime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The monotonic clock of a driver, in the core's milliseconds since the clock
/// was started. Copies run together.
///
/// On Linux it stands still while the machine is suspended, as
/// [`std::time::Instant`] does.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
}

impl Clock {
    /// A clock that shows [`Instant::ZERO`] now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now() }
    }

    /// The present moment, rounded down to a whole millisecond, so that no
    /// deadline seems to have come before it has.
    #[must_use]
    pub fn now(&self) -> Instant {
        let elapsed = self.origin.elapsed();
        Instant::from_millis(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The operating system's wall time, for the roles' commands that set it; the
/// Unix epoch if the system's clock stands before that.
#[must_use]
pub fn wall_time() -> UnixTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixTime::from_secs(since_epoch.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_a_clock_run_together_and_never_back() {
        let clock = Clock::start();
        let copy = clock;
        let earlier = clock.now();
        let later = copy.now();
        assert!(later >= earlier);
        assert!(later.since(earlier) < Duration::from_secs(60));
    }

    #[test]
    fn wall_time_is_later_than_this_test_was_written() {
        assert!(wall_time() > UnixTime::from_secs(1_700_000_000));
    }
}
